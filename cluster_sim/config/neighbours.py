"""Other jobs in the same cluster, and where each job is placed."""

from typing import Annotated

from pydantic import AfterValidator, Field

from cluster_sim.core import Problem, Spec
from cluster_sim.workload import PLACEMENTS, Job

PlacementName = Annotated[str, AfterValidator(lambda name: PLACEMENTS[name] and name)]


class Neighbour(Spec):
    """Another job in the same cluster, from the same start.

    Attributes:
        job: what is trained.
        placement: which accelerators it gets of those that the main job and neighbours above it leave.
        steps: how many steps it does, one after the other.
    """

    job: Job
    placement: PlacementName = "packed"
    steps: int = Field(1, ge=1, le=1000)


def misplaced(job: Job, neighbours: dict[str, Neighbour], cluster_accelerators: int) -> list[Problem]:
    """What is wrong with several jobs in one cluster of ``cluster_accelerators``, 0 for as many as they need."""
    others = neighbours.items()
    problems: list[Problem] = [
        (("neighbours", name, "job", "accelerator"),
         f"is {other.job.accelerator}, and that of the main job {job.accelerator}; a cluster has one kind")
        for name, other in others if other.job.accelerator != job.accelerator
    ]  # fmt: skip
    problems += [
        (("neighbours", name, "job", "checkpoint"), "counts for the main job only; leave it out")
        for name, other in others if other.job.checkpoint
    ]  # fmt: skip
    needed = job.accelerators + sum(other.job.accelerators for _, other in others)
    if 0 < cluster_accelerators < needed:
        sizes = " + ".join([str(job.accelerators), *(f"{other.job.accelerators} ({name})" for name, other in others)])
        what = f"{sizes} = {needed}" if neighbours else str(needed)
        problems.append((("cluster_accelerators",), f"the jobs need {what}, more than {cluster_accelerators}; give the "
                         "cluster more, or leave it out for as many as they need"))  # fmt: skip
    return problems
