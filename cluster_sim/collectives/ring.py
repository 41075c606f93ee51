"""Rings: all ranks of a ring send in lockstep, at the pace of the slowest edge.

Where a group has g ranks on each server the ring runs as g channels, each entering and leaving the server through
another rank, so that every NIC carries its share.
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
    """int32[G * channels, n]: the ring of each group, turned by one within every server for each channel."""
    per_host = ranks_per_host(groups)
    if per_host in (1, groups.size):
        return groups.ranks
    by_host = groups.ranks.reshape(len(groups.ranks), -1, per_host)
    turned = [np.roll(by_host, turn, axis=2).reshape(groups.ranks.shape) for turn in range(per_host)]
    return np.concatenate(turned)


def ranks_per_host(groups: Groups) -> int:
    """Ranks that each group has on every server it touches; 1 where servers differ or are not contiguous."""
    host = groups.host[groups.ranks]
    runs = np.flatnonzero(np.diff(host[0], prepend=-1, append=-1))
    lengths = np.diff(runs)
    per_host = int(lengths[0])
    if np.any(lengths != per_host):
        return 1
    blocks = host.reshape(len(host), -1, per_host)
    servers = np.sort(blocks[:, :, 0], axis=1)
    is_regular = (blocks == blocks[:, :, :1]).all() and (servers[:, 1:] != servers[:, :-1]).all()
    return per_host if is_regular else 1
