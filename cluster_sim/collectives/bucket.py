"""Multi-dimensional buckets on a torus: rings along one dimension after the other, in all dimensions at once.

The buffer is cut into as many shares as there are dimensions, and share j begins along dimension j, so that all links
of the torus are busy in both directions [Jain and Sabharwal 2010, "Optimal bucket algorithms for large MPI collectives
on torus interconnects"]. Shares change dimension together, in rounds.
"""

from math import prod

import numpy as np

from cluster_sim.collectives.base import Groups, lockstep
from cluster_sim.collectives.bidirectional_ring import both_ways, both_ways_plan
from cluster_sim.collectives.steps import Plan, inside, one_after_another, side_by_side
from cluster_sim.core import InputError
from cluster_sim.tables import Traffic


@lockstep("bucket_all_reduce", lambda groups: one_after_another(_plan(groups, True), _plan(groups, False)))
def bucket_all_reduce(groups: Groups, size_bytes: float) -> Traffic:
    """Reduce-scatter along each dimension, then all-gather in the opposite order."""
    return Traffic.in_rounds(_reduce_scatter(groups, size_bytes), _all_gather(groups, size_bytes))


@lockstep("bucket_reduce_scatter", lambda groups: _plan(groups, True))
def bucket_reduce_scatter(groups: Groups, size_bytes: float) -> Traffic:
    """(n-1)/n of the buffer from every rank, an equal part in each direction where all sizes are equal."""
    return _reduce_scatter(groups, size_bytes)


@lockstep("bucket_all_gather", lambda groups: _plan(groups, False))
def bucket_all_gather(groups: Groups, size_bytes: float) -> Traffic:
    """The same backwards."""
    return _all_gather(groups, size_bytes)


def _reduce_scatter(groups: Groups, size_bytes: float) -> Traffic:
    return Traffic.in_rounds(*(_stage(groups, number, size_bytes) for number in range(len(_shape(groups)))))


def _all_gather(groups: Groups, size_bytes: float) -> Traffic:
    return Traffic.in_rounds(*(_stage(groups, number, size_bytes) for number in reversed(range(len(_shape(groups))))))


def _shape(groups: Groups) -> tuple[int, ...]:
    """Sizes of the torus, without dimensions of one."""
    if not groups.shape or prod(groups.shape) != groups.size or min(groups.shape) < 1:
        sizes = " x ".join(map(str, groups.shape)) or "not given"
        raise InputError(f"bucket algorithms run on groups that are a grid of a torus: the shape is {sizes}, the "
                         f"group has {groups.size} ranks; change degrees or torus, or use hierarchical_*")  # fmt: skip
    return tuple(size for size in groups.shape if size > 1)


def _stage(groups: Groups, number: int, size_bytes: float) -> Traffic:
    """The rings that all shares run at the same time: share j along dimension j + number."""
    shape, num = _shape(groups), len(_shape(groups))
    parts = []
    for share in range(num):
        along = (share + number) % num
        done = prod(shape[(share + before) % num] for before in range(number))
        rings = np.moveaxis(groups.ranks.reshape(-1, *shape), 1 + along, -1).reshape(-1, shape[along])
        parts.append(both_ways(rings, size_bytes / num / done, passes=1))
    return Traffic.at_once(*parts)


def _plan(groups: Groups, reduces: bool) -> Plan:
    num = len(_shape(groups))
    stages = [side_by_side(*(_share(groups, share, number, reduces) for share in range(num))) for number in range(num)]
    return one_after_another(*(stages if reduces else stages[::-1]))


def _share(groups: Groups, share: int, number: int, reduces: bool) -> Plan:
    """One share in one stage. Chunk (share * 2 + half) * n + p belongs to position p.

    A chunk of a ring stands for those of all positions that agree with its owner in this dimension and with the ring
    in those already done; in the dimensions to come they may be anywhere.
    """
    shape, num = _shape(groups), len(_shape(groups))
    order = [(share + step) % num for step in range(num)]
    along, done, left = order[number], order[:number], order[number + 1 :]
    position = np.arange(groups.size).reshape(shape).transpose(*done, *left, along)
    position = position.reshape(prod(shape[d] for d in done), -1, shape[along])
    owned = np.swapaxes(position, 1, 2)[:, None, None]  # done, ring, half, along, left
    first = (share * 2 + np.arange(2))[:, None, None] * groups.size
    rings = position.reshape(-1, shape[along])
    chunks = np.broadcast_to(first + owned, (len(position), position.shape[1], 2, *owned.shape[3:]))
    ring = both_ways_plan(np.arange(shape[along])[None], reduces)
    return inside(ring, rings, chunks.reshape(len(rings), ring.parts, -1), 2 * num * groups.size, groups.size)
