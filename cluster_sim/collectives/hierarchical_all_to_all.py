"""All-to-all in two levels: first to the local rank that has the receiver's place, then along the rails.

So all that goes between two domains leaves and enters through ranks of one rail, in messages g times larger.
"""

import numpy as np

from cluster_sim.collectives.all_to_all import all_to_all
from cluster_sim.collectives.base import Groups, stepwise
from cluster_sim.collectives.ring import ranks_per_domain
from cluster_sim.collectives.steps import Plan, Sends
from cluster_sim.tables import Array


@stepwise("hierarchical_all_to_all")
def hierarchical_all_to_all(groups: Groups) -> Plan:
    """With h domains of g ranks: (g-1)/g of the buffer inside, then (h-1)/h between, in two steps."""
    each = ranks_per_domain(groups)
    if each in (1, groups.size):
        return all_to_all.plan(groups)
    rank = np.arange(groups.size).reshape(-1, each)
    return Plan(groups.size, ((_inside(rank),), (_between(rank),)))


def _inside(rank: Array) -> Sends:
    """From each rank to each other of its domain, what goes to that one's place in any domain."""
    domain, src, dst = np.nonzero(np.broadcast_to(~np.eye(rank.shape[1], dtype=bool), (len(rank), *rank.shape[1:] * 2)))
    origin = rank[domain, src]
    ends = origin.astype(np.int32), rank[domain, dst].astype(np.int32)
    return Sends(*ends, len(rank), lambda: origin[:, None] * rank.size + rank[:, dst].T, reduces=False)


def _between(rank: Array) -> Sends:
    """From each rank to that in its place in each other domain, what anybody here has for it."""
    src, dst, place = np.nonzero(~np.eye(len(rank), dtype=bool)[:, :, None] & np.ones(rank.shape[1], bool))
    receiver = rank[dst, place]
    ends = rank[src, place].astype(np.int32), receiver.astype(np.int32)
    return Sends(*ends, rank.shape[1], lambda: rank[src] * rank.size + receiver[:, None], reduces=False)
