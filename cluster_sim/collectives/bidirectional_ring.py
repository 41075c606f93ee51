"""Rings both ways at once: every rank's part goes half the way round in each direction.

That halves the steps, and on a torus, where the two ways are different cables, the time [Jain and Sabharwal 2010].
"""

import numpy as np

from cluster_sim.collectives.base import Groups, lockstep
from cluster_sim.collectives.ring import channels_of, ranks_per_domain
from cluster_sim.collectives.steps import Plan, Sends, one_after_another
from cluster_sim.tables import Array, Traffic


def all_gather_plan(groups: Groups) -> Plan:
    """In step t a rank passes on the part of the t-th rank before it one way, of the t-th rank behind it the other."""
    return both_ways_plan(channels_of(np.arange(groups.size)[None], ranks_per_domain(groups)), reduces=False)


def reduce_scatter_plan(groups: Groups) -> Plan:
    """The same backwards: parts come together from both sides."""
    return both_ways_plan(channels_of(np.arange(groups.size)[None], ranks_per_domain(groups)), reduces=True)


def all_reduce_plan(groups: Groups) -> Plan:
    """Reduce-scatter, then all-gather."""
    return one_after_another(reduce_scatter_plan(groups), all_gather_plan(groups))


@lockstep("bidirectional_ring_all_reduce", all_reduce_plan)
def bidirectional_ring_all_reduce(groups: Groups, size_bytes: float) -> Traffic:
    """(n-1)/n of the buffer over every edge each way, in 2 floor(n/2) steps."""
    return both_ways(channels_of(groups.ranks, ranks_per_domain(groups)), size_bytes / _channels(groups), passes=2)


@lockstep("bidirectional_ring_reduce_scatter", reduce_scatter_plan)
def bidirectional_ring_reduce_scatter(groups: Groups, size_bytes: float) -> Traffic:
    """(n-1)/2n of the buffer over every edge each way, in floor(n/2) steps."""
    return both_ways(channels_of(groups.ranks, ranks_per_domain(groups)), size_bytes / _channels(groups), passes=1)


@lockstep("bidirectional_ring_all_gather", all_gather_plan)
def bidirectional_ring_all_gather(groups: Groups, size_bytes: float) -> Traffic:
    """(n-1)/2n of the buffer over every edge each way, in floor(n/2) steps."""
    return both_ways(channels_of(groups.ranks, ranks_per_domain(groups)), size_bytes / _channels(groups), passes=1)


def _channels(groups: Groups) -> int:
    per_domain = ranks_per_domain(groups)
    return 1 if per_domain == groups.size else per_domain


def both_ways(rings: Array, size_bytes: float, passes: int) -> Traffic:
    """Two transfers for each ring, int32[C, n], with ``size_bytes`` to reduce or gather on it."""
    size = rings.shape[1]
    share_bytes = size_bytes * passes * (size - 1) / (2 * size)
    return Traffic.around(np.concatenate([rings, rings[:, ::-1]]), share_bytes, passes * (size // 2))


def both_ways_plan(rings: Array, reduces: bool) -> Plan:
    """One pass around C rings, int[C, n], in both directions.

    Chunks 2 c * n to 2 (c + 1) * n - 1 are of ring c: the first n go farther forwards where n is even, the others
    backwards. A reduce-scatter is an all-gather that runs backwards, from receivers to senders.
    """
    num, size = rings.shape
    farthest = size // 2
    first = 2 * size * np.arange(num)[:, None]

    def one_way(t: int, way: int) -> Sends:
        src, dst = rings.ravel().astype(np.int32), np.roll(rings, -way, axis=1).ravel().astype(np.int32)
        halves = [int(way < 0)] if size % 2 == 0 and t == farthest - 1 else [0, 1]

        def chunks() -> Array:
            part = np.roll(rings, way * t, axis=1)
            return np.stack([first + half * size + part for half in halves], axis=-1).reshape(num * size, -1)

        ends = (dst, src) if reduces else (src, dst)
        return Sends(*ends, len(halves), chunks, reduces)

    steps = tuple((one_way(t, 1), one_way(t, -1)) for t in range(farthest))
    return Plan(2 * num * size, steps[::-1] if reduces else steps)
