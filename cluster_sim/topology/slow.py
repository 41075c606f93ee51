"""Slow links: cables that carry less than they should, and who gets into the network through them."""

from dataclasses import dataclass, replace

import numpy as np
from pydantic import Field

from cluster_sim.core import Ratio
from cluster_sim.tables import NONE, Array, Fabric, PathFinder
from cluster_sim.topology.failed import CableChoice, Surviving


class SlowLinks(CableChoice):
    """Cables that carry less than they should, both ways: a port that runs on fewer lanes, a link full of errors.

    Attributes:
        capacity_ratio: what they keep of their capacity.
    """

    capacity_ratio: Ratio = Field(0.5, gt=0, lt=1)

    def slowed_in(self, fabric: Fabric, random: np.random.Generator) -> Fabric:
        """The same with less capacity on slow links. Where links of a bundle differ now, spraying weights its paths.

        Args:
            fabric: as built; links that have failed stay so.
            random: what draws ``ratio`` of the cables.

        Raises:
            ConfigError: links or tiers that the fabric does not have, all of them.
        """
        is_slow = self.chosen(fabric, random, "slow_links")
        if not is_slow.any():
            return fabric
        capacity = fabric.links.capacity_bytes_per_s
        kept = np.where(is_slow, capacity * self.capacity_ratio, capacity)
        slowed = replace(fabric, links=replace(fabric.links, capacity_bytes_per_s=kept))
        return replace(slowed, paths=_weighted(fabric.paths, kept)) if _has_mixed_bundles(slowed) else slowed


def _has_mixed_bundles(fabric: Fabric) -> bool:
    """Whether spraying takes links for alike of which one can carry more than the other."""
    links = fabric.links
    bundled = np.flatnonzero(links.bundle != NONE) if fabric.paths.is_bundled else np.zeros(0, np.int64)
    first = np.full(int(links.bundle.max(initial=-1)) + 1, -1.0)
    first[links.bundle[bundled]] = links.capacity_bytes_per_s[bundled]
    return bool((first[links.bundle[bundled]] != links.capacity_bytes_per_s[bundled]).any())


def _weighted(paths: PathFinder, capacity_bytes_per_s: Array) -> PathFinder:
    if isinstance(paths, Surviving):
        return Weighted(paths.paths, paths.is_dead, capacity_bytes_per_s)
    return Weighted(paths, np.zeros(len(capacity_bytes_per_s), bool), capacity_bytes_per_s)


@dataclass(frozen=True, slots=True, eq=False)
class Weighted(Surviving):
    """Candidate paths of which some are narrower than others; spraying spreads by what each can carry at its narrowest.

    Attributes:
        capacity_bytes_per_s: float64[L].
    """

    capacity_bytes_per_s: Array

    def _weight(self, path: Array, link: Array, num_paths: int) -> Array:
        narrowest = np.full(num_paths, np.inf)
        np.minimum.at(narrowest, path, np.where(self.is_dead[link], 0.0, self.capacity_bytes_per_s[link]))
        return narrowest


def access_classes(built: Fabric, now: Fabric) -> Array:
    """int64[endpoints]: equal where as much is left of the links that leave two endpoints, in whatever order.

    Latencies do not count: they differ by lengths of cables, between nearly all servers of a floor plan.

    Args:
        built: before anything failed or was slow.
        now: after that.
    """
    links = built.links
    changed = np.flatnonzero(links.capacity_bytes_per_s != now.links.capacity_bytes_per_s)
    changed = changed[links.src[changed] < built.num_endpoints]
    if not len(changed):
        return np.zeros(built.num_endpoints, np.int64)
    kept = now.links.capacity_bytes_per_s[changed] / links.capacity_bytes_per_s[changed]
    order = np.lexsort((kept, links.src[changed]))
    src = links.src[changed][order]
    place = np.arange(len(src)) - np.searchsorted(src, src)
    left = np.ones((built.num_endpoints, int(place.max()) + 1))
    left[src, place] = kept[order]
    return np.asarray(np.unique(left, axis=0, return_inverse=True)[1].ravel(), dtype=np.int64)
