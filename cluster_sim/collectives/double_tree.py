"""Double binary trees: two trees with half the buffer each; who has children in the one has none in the other.

So every rank sends and receives at most twice the buffer in an all-reduce, as around a ring, but the longest way grows
with log2 n [Sanders, Speck and Traeff 2009; NVIDIA, "Massively scale your deep learning training with NCCL 2.4", 2019].
Where a group has g ranks in each of several scale-up domains, domains are the nodes of the trees and their ranks a
chain below each, and there are g pairs of trees, each crossing the fabric through other ranks, as the channels of a
ring.
"""

import numpy as np

from cluster_sim.collectives.base import Groups, lockstep
from cluster_sim.collectives.ring import ranks_per_domain
from cluster_sim.collectives.steps import Plan
from cluster_sim.collectives.tree import tree_plan, tree_traffic
from cluster_sim.tables import NONE, Array, Traffic


@lockstep("double_tree_all_reduce", lambda groups: tree_plan(_in_domains(groups), up=True, down=True))
def double_tree_all_reduce(groups: Groups, size_bytes: float) -> Traffic:
    """Up both trees, then down: 2 ceil(log2 n) steps where every rank has a domain of its own."""
    return tree_traffic(groups.ranks, _in_domains(groups), size_bytes, up=True, down=True)


@lockstep("double_tree_broadcast", lambda groups: _from_the_first(groups, down=True))
def double_tree_broadcast(groups: Groups, size_bytes: float) -> Traffic:
    """Down two trees over all but the first rank, which sends half the buffer to the root of each."""
    return tree_traffic(groups.ranks, _below_the_first(groups.size), size_bytes, up=False, down=True)


@lockstep("double_tree_reduce", lambda groups: _from_the_first(groups, down=False))
def double_tree_reduce(groups: Groups, size_bytes: float) -> Traffic:
    """The same upwards."""
    return tree_traffic(groups.ranks, _below_the_first(groups.size), size_bytes, up=True, down=False)


def _from_the_first(groups: Groups, down: bool) -> Plan:
    return tree_plan(_below_the_first(groups.size), up=not down, down=down)


def _in_domains(groups: Groups) -> Array:
    """int64[T, n]: trees over domains with a chain below each of their nodes, or over ranks."""
    each = ranks_per_domain(groups)
    if each in (1, groups.size):
        return two_trees(groups.size)
    over_domains = two_trees(groups.size // each)
    parents = np.empty((each, 2, groups.size), np.int64)
    for head in range(each):
        domain, place = np.divmod(np.arange(groups.size), each)
        chain = domain * each + (place - 1) % each
        above = np.where(over_domains == NONE, NONE, over_domains * each + head)
        parents[head] = np.where(place == head, above[:, domain], chain)
    return parents.reshape(-1, groups.size)


def _below_the_first(size: int) -> Array:
    """int64[2, n]: trees over positions 1 to n-1, whose roots hang from position 0."""
    below = two_trees(size - 1) + 1  # NONE + 1 is position 0
    return np.concatenate([np.full((2, 1), NONE), below], axis=1)


def two_trees(size: int) -> Array:
    """int64[2, n]: parents; NONE for a root.

    In the first the parent of a number is above it by its lowest bit, or below where that is n or more: odd numbers
    are leaves. The second is its mirror image, or for odd n the first shifted by one.
    """
    number = np.arange(size)
    lowest = number & -number
    above = (number ^ lowest) | (lowest << 1)
    parent = np.where(above < size, above, number ^ lowest)
    parent[0] = NONE
    if size % 2:
        other = np.where(np.roll(parent, 1) == NONE, NONE, (np.roll(parent, 1) + 1) % size)
    else:
        other = np.where(parent[::-1] == NONE, NONE, size - 1 - parent[::-1])
    return np.stack([parent, other])
