"""Slow links: cables that carry less than they should, and who gets into the network through them."""

from dataclasses import replace

import numpy as np
from pydantic import Field

from cluster_sim.core import Problem, Ratio
from cluster_sim.tables import Array, Fabric
from cluster_sim.topology.failed import CableChoice


class SlowLinks(CableChoice):
    """Cables that carry less than they should, both ways: a port that runs on fewer lanes, a link full of errors.

    Attributes:
        capacity_ratio: what they keep of their capacity.
    """

    capacity_ratio: Ratio = Field(0.5, gt=0, lt=1)

    def _without_effect(self) -> list[Problem]:
        """See CableChoice."""
        if "capacity_ratio" not in self.model_fields_set or self.model_fields_set & {"links", "ratio"}:
            return super()._without_effect()
        what = "neither links nor ratio says which cables keep so little; give one of them"
        return [*super()._without_effect(), (("capacity",), what)]

    def slowed_in(self, fabric: Fabric, random: np.random.Generator) -> Fabric:
        """The same with less capacity on slow links.

        Sprayed traffic that loads the links of a bundle alike gives a slow one as much less as it can carry less, at
        each bundle for itself; where paths are not bundled it goes on as before, and ``wcmp`` weights paths.

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
        return replace(fabric, links=replace(fabric.links, capacity_bytes_per_s=kept))


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
