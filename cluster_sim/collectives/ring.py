"""Rings: all ranks of a ring send in lockstep, at the pace of the slowest edge.

Where a group has g ranks in each scale-up domain the ring runs as g channels, each entering and leaving the domain
through other ranks, so that every NIC carries its share. Neighbouring domains run through their ranks in opposite
directions: what leaves through rank i enters through rank i, and stays on its rail.
"""

import numpy as np

from cluster_sim.collectives.base import COLLECTIVES, Groups
from cluster_sim.tables import Array, Traffic


@COLLECTIVES.register("ring_all_reduce")
def ring_all_reduce(groups: Groups, size_bytes: float) -> Traffic:
    """Reduce-scatter, then all-gather: every edge carries 2(n-1)/n of the buffer in 2(n-1) steps."""
    return _around(groups, size_bytes, passes=2)


@COLLECTIVES.register("ring_reduce_scatter")
def ring_reduce_scatter(groups: Groups, size_bytes: float) -> Traffic:
    """Every edge carries (n-1)/n of the buffer in n-1 steps."""
    return _around(groups, size_bytes, passes=1)


@COLLECTIVES.register("ring_all_gather")
def ring_all_gather(groups: Groups, size_bytes: float) -> Traffic:
    """Every edge carries (n-1)/n of the gathered buffer in n-1 steps."""
    return _around(groups, size_bytes, passes=1)


def _around(groups: Groups, size_bytes: float, passes: int) -> Traffic:
    if groups.size < 2 or size_bytes == 0:
        return Traffic.none()
    steps = passes * (groups.size - 1)
    channels = _channels(groups)
    share_bytes = size_bytes * steps / groups.size / (len(channels) // len(groups.ranks))
    return Traffic.around(channels, share_bytes, steps)


def _channels(groups: Groups) -> Array:
    """int32[G * channels, n]: the ring of each group, turned by one within every domain for each channel."""
    per_domain = ranks_per_domain(groups)
    if per_domain in (1, groups.size):
        return groups.ranks
    by_domain = groups.ranks.reshape(len(groups.ranks), -1, per_domain)
    member = np.arange(per_domain)
    turned = np.empty((per_domain, *by_domain.shape), groups.ranks.dtype)
    for turn in range(per_domain):
        turned[turn, :, 0::2] = by_domain[:, 0::2, (turn + member) % per_domain]
        turned[turn, :, 1::2] = by_domain[:, 1::2, (turn - 1 - member) % per_domain]
    return turned.reshape(-1, groups.size)


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
