"""What a configuration file holds: Specs of the rooms below, put together."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, SerializeAsAny, ValidationError, model_validator

from cluster_sim.backend import BackendName
from cluster_sim.catalogue import Given, Interconnect, figures_of
from cluster_sim.config.comparison import AnyTopology, Comparison, Name
from cluster_sim.config.neighbours import Neighbour, PlacementName, misplaced
from cluster_sim.config.rank import Rank
from cluster_sim.core import Problem, Ratio, Spec, one_of, raise_problems
from cluster_sim.economics import Economics
from cluster_sim.reliability import Reliability
from cluster_sim.routing import ROUTINGS, Routing, Spray
from cluster_sim.topology import FailedLinks, SlowLinks, Topology
from cluster_sim.workload import MOST_ACCELERATORS, Job, PlanSpace

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
        reliability: failures over months; None where nobody asks.
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
    reliability: Reliability | None = None
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
        found = misplaced(self.job, self.neighbours, self.cluster_accelerators)
        found = [*found, *unsaved(self.reliability, self.job), *priced_twice(self.catalogue, self.economics)]
        raise_problems("RunConfig", found)
        return self

    @property
    def scenario(self) -> "Scenario":
        """The one scenario of the run."""
        return Scenario(
            **{name: getattr(self, name) for name in Common.model_fields},
            job_name=self.name, interconnect_name="interconnect", topology_name=_kind(self.topology), job=self.job,
            interconnect=self.interconnect, topology=self.topology,
        )  # fmt: skip


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
        found += unsaved(self.reliability, *self.compare.all_jobs.values())
        found += priced_twice(self.catalogue, self.economics)
        raise_problems("CompareConfig", list(dict.fromkeys(found)))
        return self

    @model_validator(mode="after")
    def _ranks_by_what_there_is(self) -> "CompareConfig":
        raise_problems("CompareConfig", self.rank.lacking(self))
        return self

    @classmethod
    def problems_besides(cls, data: Any, context: Any) -> Sequence[Problem]:
        """A ranking by what no run will have."""
        try:
            return Rank.model_validate(data["rank"], context=context).lacking(data)
        except (KeyError, TypeError, ValidationError):
            return ()

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


def unsaved(reliability: Reliability | None, *jobs: Job) -> list[Problem]:
    """What is wrong where failures are asked for and nothing says what a checkpoint costs."""
    if reliability is None or (reliability.checkpoint is not None and reliability.checkpoint.cost_s is not None):
        return []
    if all(job.checkpoint is not None for job in jobs):
        return []
    what = "nothing says what a checkpoint costs; give {every: 100, cost: 30 s}, or the job a checkpoint"
    return [(("reliability", "checkpoint"), what)]


def priced_twice(catalogue: Given, economics: Economics) -> list[Problem]:
    """Prices that are given although a margin makes them, and costs to vendors that no margin makes prices of."""
    has_margin = economics.vendor_margin_ratio is not None
    figure, why = (
        ("price", "economics.vendor_margin makes this price of vendor_cost; leave out one of the two")
        if has_margin
        else ("vendor_cost", "changes nothing without economics.vendor_margin; give that too, or price instead")
    )
    return [
        (("catalogue", name, figure), why)
        for name, figures in catalogue.root.items()
        if figure in figures and "vendor_cost" in figures_of(name)
    ]


def _kind(topology: Topology) -> str:
    return str(getattr(topology, "kind", type(topology).__name__))
