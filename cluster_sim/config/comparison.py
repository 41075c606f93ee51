"""What a comparison combines, and the sizes at which it does."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, SerializeAsAny, field_validator, model_validator

from cluster_sim.catalogue import Interconnect
from cluster_sim.config.scaled import Batch, job_at, scaled
from cluster_sim.core import InputError, Problem, Ratio, Spec, one_of, raise_problems
from cluster_sim.topology import TOPOLOGIES, Topology
from cluster_sim.workload import Job

AnyTopology = Annotated[SerializeAsAny[Topology], one_of(TOPOLOGIES)]
#: Letters, digits, blanks and .-_+ after a letter or digit: goes into file names, tables and figures as it is.
Name = Annotated[str, Field(pattern=r"^\w[\w .+-]*$")]


class Comparison(Spec):
    """Everything that is combined with everything, by name.

    Attributes:
        jobs: what is trained.
        interconnects: what carries it.
        topologies: how it is joined.
        accelerators: sizes at which every job is simulated, ascending, by more or fewer data-parallel replicas; none
            for each job as it is.
        batch: of jobs at these sizes: as many sequences to each replica (``proportional``, weak scaling; the default),
            or as many in all (``fixed``, strong scaling).
        most_exposed_ratio: share of a step that may go by waiting for communication where a network is enough; 10 %
            by default.
    """

    jobs: dict[Name, Job] = Field(min_length=1)
    interconnects: dict[Name, Interconnect] = Field(min_length=1)
    topologies: dict[Name, AnyTopology] = Field(min_length=1)
    accelerators: tuple[int, ...] = ()
    batch: Batch | None = None
    most_exposed_ratio: Ratio | None = Field(None, gt=0, lt=1)

    @field_validator("accelerators", mode="before")
    @classmethod
    def _one_is_a_list(cls, sizes: Any) -> Any:
        return (sizes,) if type(sizes) is int else sizes

    @model_validator(mode="after")
    def _scales(self) -> "Comparison":
        found = _wrong_sizes(self.accelerators, {"batch": self.batch, "most_exposed": self.most_exposed_ratio})
        raise_problems("Comparison", found or self._unscalable())
        return self

    @classmethod
    def problems_besides(cls, data: Any, context: Any) -> Sequence[Problem]:
        """Sizes out of order, and what has no use without them."""
        sizes = data.get("accelerators", ()) if isinstance(data, dict) else None
        if not isinstance(sizes, list | tuple) or any(type(size) is not int for size in sizes):
            return ()
        return _wrong_sizes(sizes, {key: data.get(key) for key in ("batch", "most_exposed")})

    def _unscalable(self) -> list[Problem]:
        problems: list[Problem] = []
        for name, job in self.jobs.items():
            for size in self.accelerators:
                try:
                    scaled(job, size, self.batch or "proportional")
                except InputError as error:
                    problems.append((("accelerators",), f"{name} cannot have {size}: {error}"))
        return problems

    @property
    def most_exposed(self) -> float:
        """Share of a step that may wait where a network is enough."""
        return 0.1 if self.most_exposed_ratio is None else self.most_exposed_ratio

    @property
    def all_jobs(self) -> dict[str, Job]:
        """Every job at every size, by what it is called."""
        if not self.accelerators:
            return dict(self.jobs)
        return {
            job_at(name, size): scaled(job, size, self.batch or "proportional")
            for name, job in self.jobs.items()
            for size in self.accelerators
        }


def _wrong_sizes(sizes: Sequence[int], others: Mapping[str, Any]) -> list[Problem]:
    """Sizes that do not ascend, or what has no use where there are none."""
    if not sizes:
        why = "is of sizes of jobs, and 'accelerators' gives none; leave it out"
        return [((key,), why) for key, value in others.items() if value is not None]
    if sorted(set(sizes)) == list(sizes) and sizes[0] > 0:
        return []
    told = ", ".join(map(str, sizes))
    return [(("accelerators",), f"expected numbers from 1 up, ascending, each once; got {told}")]
