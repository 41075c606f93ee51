"""Two levels: inside each server first, then between servers with what is left, so that little crosses the fabric.

Local rank i of every server of a group forms the i-th ring between servers: a reduce-scatter inside leaves it 1/g of
the buffer. Where a group has one rank per server, or one server, a plain ring is the same and is used.
"""

import numpy as np

from cluster_sim.collectives.base import COLLECTIVES, Groups
from cluster_sim.collectives.ring import ranks_per_host, ring_all_gather, ring_all_reduce, ring_reduce_scatter
from cluster_sim.tables import Traffic


@COLLECTIVES.register("hierarchical_all_reduce")
def hierarchical_all_reduce(groups: Groups, size_bytes: float) -> Traffic:
    """Reduce-scatter inside servers, all-reduce of 1/g between them, all-gather inside."""
    per_host = ranks_per_host(groups)
    if per_host in (1, groups.size):
        return ring_all_reduce(groups, size_bytes)
    inside, between = _levels(groups, per_host)
    return Traffic.in_rounds(
        ring_reduce_scatter(inside, size_bytes),
        ring_all_reduce(between, size_bytes / per_host),
        ring_all_gather(inside, size_bytes),
    )


@COLLECTIVES.register("hierarchical_reduce_scatter")
def hierarchical_reduce_scatter(groups: Groups, size_bytes: float) -> Traffic:
    """Reduce-scatter inside servers, then of 1/g between them."""
    per_host = ranks_per_host(groups)
    if per_host in (1, groups.size):
        return ring_reduce_scatter(groups, size_bytes)
    inside, between = _levels(groups, per_host)
    return Traffic.in_rounds(
        ring_reduce_scatter(inside, size_bytes), ring_reduce_scatter(between, size_bytes / per_host)
    )


@COLLECTIVES.register("hierarchical_all_gather")
def hierarchical_all_gather(groups: Groups, size_bytes: float) -> Traffic:
    """All-gather of 1/g between servers, then inside them."""
    per_host = ranks_per_host(groups)
    if per_host in (1, groups.size):
        return ring_all_gather(groups, size_bytes)
    inside, between = _levels(groups, per_host)
    return Traffic.in_rounds(ring_all_gather(between, size_bytes / per_host), ring_all_gather(inside, size_bytes))


def _levels(groups: Groups, per_host: int) -> tuple[Groups, Groups]:
    """(groups inside servers, groups of equal local rank between servers)."""
    by_host = groups.ranks.reshape(len(groups.ranks), -1, per_host)
    between = np.swapaxes(by_host, 1, 2).reshape(-1, by_host.shape[1])
    return Groups(by_host.reshape(-1, per_host), groups.host), Groups(between, groups.host)
