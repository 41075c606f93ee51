"""The jobs of a cluster, each planned where it is placed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cluster_sim.collectives import AUTO, COLLECTIVES, LinkCosts
from cluster_sim.core import InputError, PlanError, stream, stream_key
from cluster_sim.tables import NODE_KINDS, Array, Fabric
from cluster_sim.workload.job import Job
from cluster_sim.workload.jobs import Jobs
from cluster_sim.workload.placement import place
from cluster_sim.workload.plan import plan
from cluster_sim.workload.program import Program
from cluster_sim.workload.replicas import split


@dataclass(frozen=True, slots=True)
class Wanted:
    """A job that is to run in a cluster.

    Attributes:
        name: of the job.
        job: what it is.
        placement: which accelerators it gets, a name of ``PLACEMENTS``.
        steps: how many it does.
    """

    name: str
    job: Job
    placement: str = "packed"
    steps: int = 1


def plan_jobs(main: Wanted, neighbours: Sequence[Wanted], fabric: Fabric, access: Array, seed: int) -> Jobs:
    """All jobs, placed one after the other.

    Args:
        main: the job that counts.
        neighbours: the others.
        fabric: where.
        access: int64[endpoints], as in ``split``.
        seed: of what is drawn for each job, by its name.

    Raises:
        PlanError: a job, or one of its collectives, cannot be planned here.
    """
    _check_circuits(neighbours, fabric)
    programs, is_taken = [], np.zeros(fabric.num_endpoints, bool)
    for name, one in [(main.name, main), *((f"neighbour {each.name}", each) for each in neighbours)]:
        random, drawn = stream(seed, "placement", name), stream_key(seed, "workload", name)
        try:
            tensor = one.job.parallelism.tensor
            endpoints = place(one.placement, fabric, one.job.accelerators, tensor, is_taken, random)
            programs.append(_program(one.job, fabric, access, endpoints, drawn))
        except InputError as error:
            raise PlanError(f"{name}: {error}" if one is not main else str(error)) from error
        is_taken[endpoints] = True
    return Jobs(tuple(programs), tuple(each.name for each in neighbours), tuple(each.steps for each in neighbours))


def _program(job: Job, fabric: Fabric, access: Array, endpoints: Array, seed: int) -> Program:
    _check_reduction(job, fabric)
    costs = LinkCosts.of(fabric, ("", "scale_up") if job.reduces_inside else ("",)) if job.algorithms.has_auto else None
    replicas = split(job, job.compute_factors(seed), access[endpoints])
    return plan(job, fabric.endpoint_domain, fabric.endpoint_pod, costs, seed, fabric.torus, replicas, endpoints)


def _check_circuits(neighbours: Sequence[Wanted], fabric: Fabric) -> None:
    """PlanError where circuits are to follow the phases of a step and several jobs have steps of their own."""
    if neighbours and fabric.planner is not None and fabric.planner.per_phase:
        raise PlanError(
            "circuits that follow the phases of a step cannot serve several jobs, whose phases pass at other times; "
            "set reconfigure to per_job, or leave neighbours out"
        )


def _check_reduction(job: Job, fabric: Fabric) -> None:
    """PlanError where switches of the fabric are to reduce that are no tree of leaves, spines and cores."""
    names = [name for name in job.algorithms.chosen.values() if name != AUTO and COLLECTIVES[name].reducing == "fabric"]
    is_tree = not fabric.joins_alike and NODE_KINDS.index("ocs") not in fabric.node_kind
    if names and not is_tree:
        raise PlanError(
            f"{names[0]} needs leaves, spines and cores that reduce, and this topology has none; use a Clos or a "
            "fat-tree, or an algorithm that sends between accelerators"
        )
