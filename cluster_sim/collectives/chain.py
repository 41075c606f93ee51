"""Chains: a ring that is cut at the root, for large broadcasts and reductions."""

import numpy as np

from cluster_sim.collectives.base import Groups, lockstep
from cluster_sim.collectives.ring import channels_of, ranks_per_domain
from cluster_sim.collectives.tree import tree_plan, tree_traffic
from cluster_sim.tables import NONE, Array, Traffic


@lockstep("chain_broadcast", lambda groups: tree_plan(_chains(groups), up=False, down=True))
def chain_broadcast(groups: Groups, size_bytes: float) -> Traffic:
    """The buffer over n-1 edges, as many chains as rings have channels."""
    return tree_traffic(groups.ranks, _chains(groups), size_bytes, up=False, down=True)


@lockstep("chain_reduce", lambda groups: tree_plan(_chains(groups), up=True, down=False))
def chain_reduce(groups: Groups, size_bytes: float) -> Traffic:
    """The same towards the root."""
    return tree_traffic(groups.ranks, _chains(groups), size_bytes, up=True, down=False)


def _chains(groups: Groups) -> Array:
    """int64[channels, n]: the one before in each ring; NONE for the first rank."""
    rings = channels_of(np.arange(groups.size)[None], ranks_per_domain(groups))
    parents = np.empty(rings.shape, np.int64)
    np.put_along_axis(parents, rings, np.roll(rings, 1, axis=1), axis=1)
    parents[:, 0] = NONE
    return parents
