"""Two levels: inside each scale-up domain first, then between them with what is left: little crosses the fabric.

Local rank i of every domain of a group forms the i-th ring between domains: a reduce-scatter inside leaves it 1/g of
the buffer. Where a group has one rank per domain, or one domain, a plain ring is the same and is used.
"""

import numpy as np

from cluster_sim.collectives.base import COLLECTIVES, Groups
from cluster_sim.collectives.ring import ranks_per_domain, ring_all_gather, ring_all_reduce, ring_reduce_scatter
from cluster_sim.tables import Traffic


@COLLECTIVES.register("hierarchical_all_reduce")
def hierarchical_all_reduce(groups: Groups, size_bytes: float) -> Traffic:
    """Reduce-scatter inside domains, all-reduce of 1/g between them, all-gather inside."""
    per_domain = ranks_per_domain(groups)
    if per_domain in (1, groups.size):
        return ring_all_reduce(groups, size_bytes)
    inside, between = _levels(groups, per_domain)
    return Traffic.in_rounds(
        ring_reduce_scatter(inside, size_bytes),
        ring_all_reduce(between, size_bytes / per_domain),
        ring_all_gather(inside, size_bytes),
    )


@COLLECTIVES.register("hierarchical_reduce_scatter")
def hierarchical_reduce_scatter(groups: Groups, size_bytes: float) -> Traffic:
    """Reduce-scatter inside domains, then of 1/g between them."""
    per_domain = ranks_per_domain(groups)
    if per_domain in (1, groups.size):
        return ring_reduce_scatter(groups, size_bytes)
    inside, between = _levels(groups, per_domain)
    return Traffic.in_rounds(
        ring_reduce_scatter(inside, size_bytes), ring_reduce_scatter(between, size_bytes / per_domain)
    )


@COLLECTIVES.register("hierarchical_all_gather")
def hierarchical_all_gather(groups: Groups, size_bytes: float) -> Traffic:
    """All-gather of 1/g between domains, then inside them."""
    per_domain = ranks_per_domain(groups)
    if per_domain in (1, groups.size):
        return ring_all_gather(groups, size_bytes)
    inside, between = _levels(groups, per_domain)
    return Traffic.in_rounds(ring_all_gather(between, size_bytes / per_domain), ring_all_gather(inside, size_bytes))


def _levels(groups: Groups, per_domain: int) -> tuple[Groups, Groups]:
    """(groups inside domains, groups of equal local rank between domains)."""
    by_domain = groups.ranks.reshape(len(groups.ranks), -1, per_domain)
    between = np.swapaxes(by_domain, 1, 2).reshape(-1, by_domain.shape[1])
    return Groups(by_domain.reshape(-1, per_domain), groups.domain), Groups(between, groups.domain)
