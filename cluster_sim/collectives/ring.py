"""Rings: all ranks of a ring send in lockstep, at the pace of the slowest edge.

Where a group has g ranks in each scale-up domain the ring runs as g channels, each entering and leaving the domain
through other ranks, so that every NIC carries its share. Neighbouring domains run through their ranks in opposite
directions: what leaves through rank i enters through rank i, and stays on its rail.
"""

import numpy as np

from cluster_sim.collectives.base import Groups, lockstep
from cluster_sim.collectives.steps import Plan, Sends, one_after_another
from cluster_sim.tables import Array, Traffic


def reduce_scatter_plan(groups: Groups) -> Plan:
    """In step t a rank passes on the part of the t+1-th rank before it, which arrives with one contribution more."""
    return ring_plan(channels_of(np.arange(groups.size)[None], ranks_per_domain(groups)), behind=1, reduces=True)


def all_gather_plan(groups: Groups) -> Plan:
    """In step t a rank passes on the part of the t-th rank before it."""
    return ring_plan(channels_of(np.arange(groups.size)[None], ranks_per_domain(groups)), behind=0, reduces=False)


def all_reduce_plan(groups: Groups) -> Plan:
    """The one, then the other."""
    return one_after_another(reduce_scatter_plan(groups), all_gather_plan(groups))


@lockstep("ring_all_reduce", all_reduce_plan)
def ring_all_reduce(groups: Groups, size_bytes: float) -> Traffic:
    """Reduce-scatter, then all-gather: every edge carries 2(n-1)/n of the buffer in 2(n-1) steps."""
    return _around(groups, size_bytes, passes=2)


@lockstep("ring_reduce_scatter", reduce_scatter_plan)
def ring_reduce_scatter(groups: Groups, size_bytes: float) -> Traffic:
    """Every edge carries (n-1)/n of the buffer in n-1 steps."""
    return _around(groups, size_bytes, passes=1)


@lockstep("ring_all_gather", all_gather_plan)
def ring_all_gather(groups: Groups, size_bytes: float) -> Traffic:
    """Every edge carries (n-1)/n of the gathered buffer in n-1 steps."""
    return _around(groups, size_bytes, passes=1)


def _around(groups: Groups, size_bytes: float, passes: int) -> Traffic:
    steps = passes * (groups.size - 1)
    channels = channels_of(groups.ranks, ranks_per_domain(groups))
    share_bytes = size_bytes * steps / groups.size / (len(channels) // len(groups.ranks))
    return Traffic.around(channels, share_bytes, steps)


def ring_plan(rings: Array, behind: int, reduces: bool) -> Plan:
    """One pass around C rings at once: in step t a rank sends the part of the rank ``behind + t`` before it.

    Args:
        rings: int[C, n], the same positions in the order of each ring; ring c carries chunks c * n to c * n + n - 1.
        behind: 0 where it starts with the rank's own part.
        reduces: as in Sends.
    """
    num, size = rings.shape
    src, dst = rings.ravel().astype(np.int32), np.roll(rings, -1, axis=1).ravel().astype(np.int32)
    first = np.arange(num)[:, None] * size

    def step(t: int) -> Sends:
        return Sends(src, dst, 1, lambda: (first + np.roll(rings, behind + t, axis=1)).reshape(-1, 1), reduces)

    return Plan(num * size, tuple((step(t),) for t in range(size - 1)))


def channels_of(ranks: Array, per_domain: int) -> Array:
    """int[G * channels, n]: the ring of each group, turned by one within every domain for each channel."""
    if per_domain in (1, ranks.shape[1]):
        return ranks
    by_domain = ranks.reshape(len(ranks), -1, per_domain)
    member = np.arange(per_domain)
    turned = np.empty((per_domain, *by_domain.shape), ranks.dtype)
    for turn in range(per_domain):
        turned[turn, :, 0::2] = by_domain[:, 0::2, (turn + member) % per_domain]
        turned[turn, :, 1::2] = by_domain[:, 1::2, (turn - 1 - member) % per_domain]
    return turned.reshape(-1, ranks.shape[1])


def ranks_per_domain(groups: Groups) -> int:
    """Ranks that each group has on every domain it touches; 1 where domains differ or are not contiguous."""
    domain = groups.domain[groups.ranks]
    runs = np.flatnonzero(np.diff(domain[0], prepend=-1, append=-1))
    lengths = np.diff(runs)
    per_domain = int(lengths[0])
    if np.any(lengths != per_domain):
        return 1
    blocks = domain.reshape(len(domain), -1, per_domain)
    domains = np.sort(blocks[:, :, 0], axis=1)
    is_regular = (blocks == blocks[:, :, :1]).all() and (domains[:, 1:] != domains[:, :-1]).all()
    return per_domain if is_regular else 1
