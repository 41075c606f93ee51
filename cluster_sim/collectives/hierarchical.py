"""Levels: inside each scale-up domain first, then between them with what is left: little crosses the fabric.

Local rank i of every domain of a group takes part in the i-th collective between domains: a reduce-scatter inside
leaves it 1/g of the buffer. Where a group has one rank per domain, or is in one domain, there is one level only, and
that level's algorithm is used alone. Three levels are two levels, with two levels (a pod, and between pods) above.
"""

from dataclasses import replace
from math import lcm

import numpy as np

from cluster_sim.collectives.base import Algorithm, Groups, Reducing, lockstep
from cluster_sim.collectives.double_tree import double_tree_all_reduce
from cluster_sim.collectives.nvls import nvls_all_gather, nvls_all_reduce, nvls_reduce_scatter
from cluster_sim.collectives.ring import ranks_per_domain, ring_all_gather, ring_all_reduce, ring_reduce_scatter
from cluster_sim.collectives.sharp import sharp_all_reduce
from cluster_sim.collectives.steps import Plan, inside, one_after_another
from cluster_sim.core import InputError
from cluster_sim.tables import Traffic

#: Stages of an algorithm in two levels: (whether inside the domains, what runs there).
Stages = tuple[tuple[bool, Algorithm], ...]


def two_levels(name: str, stages: Stages, alone: Algorithm, reducing: Reducing = "") -> Algorithm:
    """An algorithm of several stages inside and between domains.

    Args:
        name: of the algorithm.
        stages: in order; those inside work on the whole buffer, those between on 1/g of it.
        alone: what runs in a group that is in one domain; in one with a rank per domain it is the stage between.
        reducing: switches it needs.
    """
    (between,) = [algorithm for is_inside, algorithm in stages if not is_inside]

    def sends(groups: Groups, size_bytes: float) -> Traffic:
        each = ranks_per_domain(groups)
        if each in (1, groups.size):
            return (between if each == 1 else alone)(groups, size_bytes)
        levels = _levels(groups, each)
        return Traffic.in_rounds(*(
            algorithm(levels[not is_inside], size_bytes if is_inside else size_bytes / each)
            for is_inside, algorithm in stages
        ))  # fmt: skip

    def plan(groups: Groups) -> Plan:
        each = ranks_per_domain(groups)
        if each in (1, groups.size):
            return (between if each == 1 else alone).plan(groups)
        levels = _levels(groups, each)
        plans = [(is_inside, algorithm.plan(levels[not is_inside])) for is_inside, algorithm in stages]
        return _nested(plans, groups.size, each)

    return Algorithm(name, sends, plan, reducing)


def _levels(groups: Groups, each: int) -> tuple[Groups, Groups]:
    """(groups inside domains, groups of equal local rank between domains)."""
    by_domain = groups.ranks.reshape(len(groups.ranks), -1, each)
    between = np.swapaxes(by_domain, 1, 2).reshape(-1, by_domain.shape[1])
    return replace(groups, ranks=by_domain.reshape(-1, each)), replace(groups, ranks=between)


def _nested(plans: list[tuple[bool, Plan]], size: int, each: int) -> Plan:
    """Plans of stages as one plan of the group.

    Chunk (q * h + d) * g + i belongs to local rank i of domain d. Inside, a chunk of the stage stands for all of its
    owner, of whichever domain they are; between, for those of the local ranks that meet.
    """
    domains = size // each
    cuts = [plan.parts // each if is_inside else plan.parts for is_inside, plan in plans]
    per_rank = lcm(domains, *cuts)  # chunks with one local rank
    members = np.arange(size).reshape(domains, each)
    found, first_switch = [], size
    for (is_inside, plan), cut in zip(plans, cuts, strict=True):
        slices = np.arange(per_rank).reshape(-1, cut).T * each  # int64[cut, K], without the local rank
        if is_inside:
            chunks = (slices[:, None, :] + np.arange(each)[:, None]).reshape(1, plan.parts, -1)
            where, chunks = members, np.broadcast_to(chunks, (domains, *chunks.shape[1:]))
        else:
            where, chunks = members.T, slices + np.arange(each)[:, None, None]
        found.append(inside(plan, where, chunks, per_rank * each, first_switch))
        first_switch += plan.num_switches(where.shape[1]) * len(where)
    return one_after_another(*found)


def _all_reduce(scatter: Algorithm, between: Algorithm, gather: Algorithm) -> Stages:
    return (True, scatter), (False, between), (True, gather)


def _reduce_scatter(within: Algorithm, between: Algorithm) -> Stages:
    return (True, within), (False, between)


def _all_gather(within: Algorithm, between: Algorithm) -> Stages:
    return (False, between), (True, within)


def _registered(algorithm: Algorithm) -> Algorithm:
    return lockstep(algorithm.name, algorithm.plan, algorithm.reducing)(algorithm.sends)


def _between_pods(algorithm: Algorithm) -> Algorithm:
    """The same with pods in the place of scale-up domains."""

    def by_pod(groups: Groups) -> Groups:
        if groups.pod is None:
            raise InputError("three levels need to know the pods; use two, hierarchical_*")
        return replace(groups, domain=groups.pod)

    return replace(
        algorithm,
        sends=lambda groups, size_bytes: algorithm.sends(by_pod(groups), size_bytes),
        plan=lambda groups: algorithm.plan(by_pod(groups)),
    )


_RINGS = ring_reduce_scatter, ring_all_gather
_NVLS = nvls_reduce_scatter, nvls_all_gather

#: Reduce-scatter inside domains, all-reduce of 1/g between them, all-gather inside; rings.
hierarchical_all_reduce = _registered(two_levels(
    "hierarchical_all_reduce", _all_reduce(_RINGS[0], ring_all_reduce, _RINGS[1]), ring_all_reduce
))  # fmt: skip
#: Reduce-scatter inside domains, then of 1/g between them; rings.
hierarchical_reduce_scatter = _registered(two_levels(
    "hierarchical_reduce_scatter", _reduce_scatter(_RINGS[0], ring_reduce_scatter), ring_reduce_scatter
))  # fmt: skip
#: All-gather of 1/g between domains, then inside them; rings.
hierarchical_all_gather = _registered(two_levels(
    "hierarchical_all_gather", _all_gather(_RINGS[1], ring_all_gather), ring_all_gather
))  # fmt: skip

#: The same with a double binary tree between domains.
hierarchical_tree_all_reduce = _registered(two_levels(
    "hierarchical_tree_all_reduce", _all_reduce(_RINGS[0], double_tree_all_reduce, _RINGS[1]), ring_all_reduce
))  # fmt: skip
#: The same with reduction in the fabric's switches between domains.
hierarchical_sharp_all_reduce = _registered(two_levels(
    "hierarchical_sharp_all_reduce", _all_reduce(_RINGS[0], sharp_all_reduce, _RINGS[1]), ring_all_reduce, "fabric"
))  # fmt: skip

#: Reduction in the switches of the domains, rings between them.
hierarchical_nvls_all_reduce = _registered(two_levels(
    "hierarchical_nvls_all_reduce", _all_reduce(_NVLS[0], ring_all_reduce, _NVLS[1]), nvls_all_reduce, "scale_up"
))  # fmt: skip
#: Reduction in the switches of the domains, rings between them.
hierarchical_nvls_reduce_scatter = _registered(two_levels(
    "hierarchical_nvls_reduce_scatter", _reduce_scatter(_NVLS[0], ring_reduce_scatter), nvls_reduce_scatter, "scale_up"
))  # fmt: skip
#: Rings between the domains, multicast by their switches.
hierarchical_nvls_all_gather = _registered(two_levels(
    "hierarchical_nvls_all_gather", _all_gather(_NVLS[1], ring_all_gather), nvls_all_gather, "scale_up"
))  # fmt: skip
#: Reduction in the switches of the domains, a double binary tree between them.
hierarchical_nvls_tree_all_reduce = _registered(two_levels(
    "hierarchical_nvls_tree_all_reduce", _all_reduce(_NVLS[0], double_tree_all_reduce, _NVLS[1]), nvls_all_reduce,
    "scale_up",
))  # fmt: skip

#: Rings inside domains, between the domains of a pod, and between pods.
three_level_all_reduce = _registered(two_levels(
    "three_level_all_reduce", _all_reduce(_RINGS[0], _between_pods(hierarchical_all_reduce), _RINGS[1]),
    ring_all_reduce,
))  # fmt: skip
#: Rings inside domains, between the domains of a pod, and between pods.
three_level_reduce_scatter = _registered(two_levels(
    "three_level_reduce_scatter", _reduce_scatter(_RINGS[0], _between_pods(hierarchical_reduce_scatter)),
    ring_reduce_scatter,
))  # fmt: skip
#: Rings between pods, between the domains of a pod, and inside domains.
three_level_all_gather = _registered(two_levels(
    "three_level_all_gather", _all_gather(_RINGS[1], _between_pods(hierarchical_all_gather)), ring_all_gather
))  # fmt: skip
