"""Degraded states of a network: one failure of a kind, at a place that the job uses."""

from dataclasses import dataclass

import numpy as np

from cluster_sim.tables import NODE_KINDS, NONE, Array, Fabric


@dataclass(frozen=True, slots=True)
class Degraded:
    """A kind of failure that the network outlives.

    Attributes:
        name: of the state.
        where: a tier, or a kind of node of which one is gone.
        num_links: of the tier that are down, all at one node; 0 where a node is gone.
        is_lower: whether that is the node at their lower ends.
    """

    name: str
    where: str
    num_links: int
    is_lower: bool

    def links(self, fabric: Fabric, is_used: Array, random: np.random.Generator) -> Array:
        """int64[...], cables that are down, by the number of the link that goes up.

        Args:
            fabric: as built.
            is_used: bool[L], links that the job uses; those count, where there are any.
            random: what draws the place.
        """
        links, up = fabric.links, np.arange(0, len(fabric.links), 2)
        if not self.num_links:
            at = np.flatnonzero(fabric.node_kind == NODE_KINDS.index(self.where))
            node = _drawn(at, np.isin(at, np.concatenate([links.src[is_used], links.dst[is_used]])), random)
            return np.asarray(up[(links.src[up] == node) | (links.dst[up] == node)])
        up = up[links.tier[up] == fabric.tiers.index(self.where)]
        one = _drawn(up, is_used[up] | is_used[up + 1], random)
        end = links.src if self.is_lower else links.dst
        beside = up[(end[up] == end[one]) & (up != one)]
        preferred = np.argsort(~(is_used[beside] | is_used[beside + 1]), kind="stable")
        return np.concatenate([[one], beside[preferred][: self.num_links - 1]])


def _drawn(items: Array, is_used: Array, random: np.random.Generator) -> int:
    """One of those used; of all, where none is."""
    return int(random.choice(items[is_used] if is_used.any() else items))


def stays_spread(fabric: Fabric, cables: Array) -> bool:
    """Whether every bundle that these cables are part of has others, too."""
    dead = np.zeros(len(fabric.links), bool)
    dead[cables] = dead[cables ^ 1] = True
    bundle = fabric.links.bundle
    hit = np.unique(bundle[dead & (bundle != NONE)])
    return bool(np.isin(hit, bundle[~dead]).all())
