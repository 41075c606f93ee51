"""Which replicas of a job are simulated together: those that nothing can tell apart."""

from dataclasses import dataclass

import numpy as np

from cluster_sim.core import InputError
from cluster_sim.tables import Array
from cluster_sim.workload.job import Job
from cluster_sim.workload.parallel import Parallelism

#: Lanes of a job; each is a process, and has tasks and collectives of its own.
MOST_LANES = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Replicas:
    """Classes of the data ranks of a job. What a class does, all of its ranks do in lockstep.

    Attributes:
        data: int64[...] each, the data ranks of each class.
        factor: float64[classes, stages], how many times as long each stage of each class computes.
    """

    data: tuple[Array, ...]
    factor: Array

    def __len__(self) -> int:
        return len(self.data)

    @classmethod
    def together(cls, parallel: Parallelism, factor: Array | None = None) -> "Replicas":
        """All as one class; ``factor`` is float64[stages], None for 1."""
        whole = np.ones(parallel.pipeline) if factor is None else factor
        return cls((np.arange(parallel.data),), whole[None, :])


def split(job: Job, factor: Array, access: Array) -> Replicas:
    """The classes that a job's ``replicas`` asks for.

    A unit is the smallest run of data ranks that shares no experts with others. Tensor, context and expert ranks of a
    unit go in lockstep, so the slowest accelerator of a stage sets its pace. Units are of one class where all stages
    have equal factors and equal ways into the network.

    Args:
        job: the job.
        factor: float64[ranks], how many times as long each accelerator computes.
        access: int64[ranks], equal where the links of two accelerators have kept as much of their capacity.

    Raises:
        InputError: too many lanes.
    """
    parallel, stages = job.parallelism, range(job.parallelism.pipeline)
    num_units = parallel.data // parallel.unit
    ranks = [parallel.stage_ranks(stage).reshape(num_units, -1) for stage in stages]
    slowest = np.stack([factor[mine].max(axis=1) for mine in ranks], axis=1)
    if job.replicas == "together":
        return Replicas.together(parallel, slowest.max(axis=0))
    if job.replicas == "apart":
        number = np.arange(num_units)
    else:
        number = _alike(np.concatenate([slowest, *(access[mine] for mine in ranks)], axis=1))
    num_classes = int(number.max()) + 1
    num_lanes = num_classes * parallel.pipeline
    if num_lanes > MOST_LANES:
        raise InputError(
            f"{num_classes} kinds of replicas of {parallel.pipeline} stages are {num_lanes} lanes to simulate, and "
            f"{MOST_LANES} is the most: too many replicas differ by stragglers, jitter or slow links, or replicas is "
            "apart; set replicas: together, so that the slowest sets the pace of all"
        )
    data = np.arange(parallel.data).reshape(num_units, -1)
    first = np.unique(number, return_index=True)[1]
    return Replicas(tuple(data[number == one].ravel() for one in range(num_classes)), slowest[first])


def runs_of(numbers: Array) -> str:
    """Ascending numbers in words: ``0, 3 to 7``."""
    breaks = np.flatnonzero(np.diff(numbers) > 1) + 1
    runs = [(int(run[0]), int(run[-1])) for run in np.split(numbers, breaks)]
    return ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in runs)


def _alike(columns: Array) -> Array:
    """int64[n]: rows that are equal share a number, in the order in which they first appear."""
    _, first, same = np.unique(columns, axis=0, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[same.ravel()])
