"""What a configuration file holds: Specs of the rooms below, put together."""

from typing import Annotated, Literal

from pydantic import Field, SerializeAsAny, model_validator

from cluster_sim.backend import BackendName
from cluster_sim.catalogue import Given, Interconnect
from cluster_sim.config.neighbours import Neighbour, PlacementName, misplaced
from cluster_sim.config.rank import CRITERIA, Rank
from cluster_sim.config.scaled import Batch, job_at, scaled
from cluster_sim.core import InputError, Problem, Ratio, Spec, one_of, raise_problems
from cluster_sim.economics import Economics
from cluster_sim.routing import ROUTINGS, Routing, Spray
from cluster_sim.topology import TOPOLOGIES, FailedLinks, SlowLinks, Topology
from cluster_sim.workload import MOST_ACCELERATORS, Job, PlanSpace

AnyTopology = Annotated[SerializeAsAny[Topology], one_of(TOPOLOGIES)]
#: Letters, digits, blanks and .-_+ after a letter or digit: goes into file names, tables and figures as it is.
Name = Annotated[str, Field(pattern=r"^\w[\w .+-]*$")]
AnyRouting = Annotated[SerializeAsAny[Routing], one_of(ROUTINGS)]


class Common(Spec):
    """What every study has.

    Attributes:
        seed: of every random choice.
        backend: ``auto``, or a name; a named backend that is missing is an error.
        routing: how paths are chosen.
        failed_links: cables that carry nothing.
        slow_links: cables that carry less than they should.
        placement: which accelerators of the cluster the job gets, a name of ``PLACEMENTS``.
        neighbours: other jobs in the cluster, by name; placed after the job, in order.
        cluster_accelerators: of the cluster; 0 for as many as the jobs need.
        catalogue: figures that take the place of the catalogue's.
        economics: what costs are reckoned with.
        record: ``summary`` writes summary, bill of materials and events; ``tasks`` also tasks, collectives and links.
    """

    seed: int = Field(1, ge=0)
    backend: BackendName = "auto"
    routing: AnyRouting = Spray()
    failed_links: FailedLinks = FailedLinks()
    slow_links: SlowLinks = SlowLinks()
    placement: PlacementName = "packed"
    neighbours: dict[Name, Neighbour] = Field(default_factory=dict)
    cluster_accelerators: int = Field(0, ge=0, le=MOST_ACCELERATORS)
    catalogue: Given = Given({})
    economics: Economics = Economics()
    record: Literal["summary", "tasks"] = "summary"


class RunConfig(Common):
    """One job on one fabric.

    Attributes:
        name: of the run.
        job: what is trained.
        interconnect: what carries it.
        topology: how it is joined.
        plan: which splits of the job ``plan`` searches; a run has no use for it.
    """

    name: str = Field("run", pattern=r"^[\w.-]+$")
    job: Job
    interconnect: Interconnect
    topology: AnyTopology
    plan: PlanSpace | None = None
    record: Literal["summary", "tasks"] = "tasks"

    @model_validator(mode="after")
    def _finds_room(self) -> "RunConfig":
        raise_problems("RunConfig", misplaced(self.job, self.neighbours, self.cluster_accelerators))
        return self

    @property
    def scenario(self) -> "Scenario":
        """The one scenario of the run."""
        return Scenario(
            **{name: getattr(self, name) for name in Common.model_fields},
            job_name=self.name, interconnect_name="interconnect", topology_name=_kind(self.topology), job=self.job,
            interconnect=self.interconnect, topology=self.topology,
        )  # fmt: skip


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

    @model_validator(mode="after")
    def _scales(self) -> "Comparison":
        problems: list[Problem] = []
        if not self.accelerators:
            problems += [
                ((key,), "is of sizes of jobs, and 'accelerators' gives none; leave it out")
                for key, value in (("batch", self.batch), ("most_exposed", self.most_exposed_ratio))
                if value is not None
            ]
        elif sorted(set(self.accelerators)) != list(self.accelerators) or self.accelerators[0] < 1:
            told = ", ".join(map(str, self.accelerators))
            problems.append((("accelerators",), f"expected numbers from 1 up, ascending, each once; got {told}"))
        else:
            problems += self._unscalable()
        raise_problems("Comparison", problems)
        return self

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
    def all_jobs(self) -> dict[str, Job]:
        """Every job at every size, by what it is called."""
        if not self.accelerators:
            return dict(self.jobs)
        return {
            job_at(name, size): scaled(job, size, self.batch or "proportional")
            for name, job in self.jobs.items()
            for size in self.accelerators
        }


class CompareConfig(Common):
    """Every job on every interconnect in every topology.

    Attributes:
        compare: what is combined.
        tie_ratio: step times, or what else the ranking is by, within this share of the best of a group are a tie.
        rank: what the ranking is by, and which options stand against each other.
    """

    compare: Comparison
    tie_ratio: Ratio = Field(0.001, ge=0, lt=1)
    rank: Rank = Rank()

    @model_validator(mode="after")
    def _finds_room(self) -> "CompareConfig":
        found = [
            problem
            for job in self.compare.all_jobs.values()
            for problem in misplaced(job, self.neighbours, self.cluster_accelerators)
        ]
        raise_problems("CompareConfig", list(dict.fromkeys(found)))
        return self

    @model_validator(mode="after")
    def _ranks_by_what_there_is(self) -> "CompareConfig":
        raise_problems("CompareConfig", [
            (("rank", *place), f"there is no {CRITERIA[name].words} without the key {key}; give it, or rank by "
             "something else")
            for name, place, key in self.rank.needs
            if not _has(self, key)
        ])  # fmt: skip
        return self

    @property
    def scenarios(self) -> tuple["Scenario", ...]:
        """All combinations, jobs outermost."""
        common, jobs = {name: getattr(self, name) for name in Common.model_fields}, self.compare.all_jobs
        return tuple(
            Scenario(
                **common,
                job_name=job,
                interconnect_name=interconnect,
                topology_name=topology,
                job=jobs[job],
                interconnect=self.compare.interconnects[interconnect],
                topology=self.compare.topologies[topology],
            )
            for job in jobs
            for topology in self.compare.topologies
            for interconnect in self.compare.interconnects
        )


class Scenario(Common):
    """One cell of a comparison: a job on an interconnect in a topology, each with its name."""

    job_name: str
    interconnect_name: str
    topology_name: str
    job: Job
    interconnect: Interconnect
    topology: AnyTopology

    @property
    def num_endpoints(self) -> int:
        """Accelerators of the cluster."""
        jobs = (self.job, *(neighbour.job for neighbour in self.neighbours.values()))
        return self.cluster_accelerators or sum(job.accelerators for job in jobs)

    @property
    def name(self) -> str:
        """``job / interconnect / topology``."""
        return f"{self.job_name} / {self.interconnect_name} / {self.topology_name}"


def _has(config: Spec, key: str) -> bool:
    """Whether a configuration gives what ``key``, a path, names: something other than nothing and 0."""
    value: object = config
    for part in key.split("."):
        value = getattr(value, part, None)
    return bool(value)


def _kind(topology: Topology) -> str:
    return str(getattr(topology, "kind", type(topology).__name__))
