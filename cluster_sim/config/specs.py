"""What a configuration file holds: Specs of the rooms below, put together."""

from typing import Annotated, Literal

from pydantic import Field, SerializeAsAny, model_validator

from cluster_sim.backend import BackendName
from cluster_sim.catalogue import Given, Interconnect
from cluster_sim.config.neighbours import Neighbour, PlacementName, misplaced
from cluster_sim.core import Ratio, Spec, one_of, raise_problems
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
    """Everything that is combined with everything, by name."""

    jobs: dict[Name, Job] = Field(min_length=1)
    interconnects: dict[Name, Interconnect] = Field(min_length=1)
    topologies: dict[Name, AnyTopology] = Field(min_length=1)


class CompareConfig(Common):
    """Every job on every interconnect in every topology.

    Attributes:
        compare: what is combined.
        tie_ratio: step times within this share of the best of a group are a tie, decided by energy, then cost.
    """

    compare: Comparison
    tie_ratio: Ratio = Field(0.001, ge=0, lt=1)

    @model_validator(mode="after")
    def _finds_room(self) -> "CompareConfig":
        found = [
            problem
            for job in self.compare.jobs.values()
            for problem in misplaced(job, self.neighbours, self.cluster_accelerators)
        ]
        raise_problems("CompareConfig", found)
        return self

    @property
    def scenarios(self) -> tuple["Scenario", ...]:
        """All combinations, jobs outermost."""
        common = {name: getattr(self, name) for name in Common.model_fields}
        return tuple(
            Scenario(
                **common,
                job_name=job,
                interconnect_name=interconnect,
                topology_name=topology,
                job=self.compare.jobs[job],
                interconnect=self.compare.interconnects[interconnect],
                topology=self.compare.topologies[topology],
            )
            for job in self.compare.jobs
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


def _kind(topology: Topology) -> str:
    return str(getattr(topology, "kind", type(topology).__name__))
