"""Weighted multipath: every flow uses its paths in proportion to what each can carry."""

from typing import Literal

import numpy as np
from pydantic import Field

from cluster_sim.backend import Backend
from cluster_sim.kernels import added_up, scrambled, segment_min, segment_sum
from cluster_sim.routing.base import ROUTINGS, Hops, Routing
from cluster_sim.routing.candidates import num_paths_of, some_paths
from cluster_sim.routing.rows import Settings, rows_of_links
from cluster_sim.routing.spray import Spray
from cluster_sim.tables import Array, Circuits, Fabric, Rows, Traffic, starts_of

#: Candidate paths that are weighted together.
_CHUNK_PATHS = 2**20


@ROUTINGS.register("wcmp")
class Wcmp(Routing):
    """The weight of a path is the capacity of its narrowest link [Zhou et al. 2014], under each setting of the OCS.

    Paths that share a narrow link count it each. Where links of a bundle are alike, this is spraying, and done so.

    Attributes:
        max_paths: pairs with more candidates use one out of each of as many equal parts of them, by a hash.
        oblivious: the same weight for every path.
    """

    kind: Literal["wcmp"] = "wcmp"
    max_paths: int = Field(64, ge=1, le=256)
    oblivious: bool = False

    def rows_of_settings(self, fabric: Fabric, settings: Settings) -> tuple[Rows, ...]:
        """See Routing.rows_of_settings; the rows of spraying where this is spraying."""
        return Spray().rows_of_settings(fabric, settings) if _is_alike(fabric) else rows_of_links(fabric, settings)

    def hops(
        self, traffic: Traffic, fabric: Fabric, circuits: Circuits | None, key: int, backend: Backend | None
    ) -> Hops:  # fmt: skip
        """See Routing.hops."""
        if _is_alike(fabric):
            return Spray().hops(traffic, fabric, circuits, key, backend)
        src, dst = traffic.edge_src, traffic.edge_dst
        num_paths = num_paths_of(src, dst, fabric, circuits)
        width = max(1, _CHUNK_PATHS // self.max_paths)
        parts = [Hops(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0))]
        for first in range(0, len(src), width):
            now = slice(first, first + width)
            choice = some_paths(num_paths[now], src[now], dst[now], key, self.max_paths)
            edge, link, share = self._weighted(src[now], dst[now], choice, fabric, circuits)
            parts.append(Hops(edge + np.int32(first), link, share))
        return Hops(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def _weighted(self, src: Array, dst: Array, choice: Array, fabric: Fabric, circuits: Circuits | None) -> Hops:
        """The candidates ``choice``, int64[E, k], of each pair, each path once: it may stand in for failed ones."""
        is_new = np.append(np.ones((len(choice), 1), bool), choice[:, 1:] != choice[:, :-1], axis=1)
        owner = np.repeat(np.arange(len(src), dtype=np.int32), is_new.sum(axis=1))
        path, link = fabric.paths.links(src[owner], dst[owner], choice[is_new], circuits)
        starts = starts_of(np.bincount(path, minlength=len(owner)))
        carries = segment_min(fabric.links.capacity_bytes_per_s[link], starts)
        weight = np.ones(len(owner)) if self.oblivious else carries
        weight = np.where(_is_first(owner, segment_sum(scrambled(link), starts)), weight, 0.0)
        total = np.bincount(owner, weights=weight, minlength=len(src))
        share = (weight / total[owner])[path]
        used = share > 0
        hop_starts, hop_link, hop_share = added_up(
            owner[path][used], link[used], share[used], len(src), len(fabric.links)
        )
        return Hops(np.repeat(np.arange(len(src), dtype=np.int32), np.diff(hop_starts)), hop_link, hop_share)


def _is_first(owner: Array, signature: Array) -> Array:
    """bool[P]: paths that no path before has the same owner and signature as."""
    order = np.lexsort((signature, owner))
    repeats = (np.diff(owner[order]) == 0) & (np.diff(signature[order]) == 0)
    is_first = np.ones(len(owner), bool)
    is_first[order[1:][repeats]] = False
    return is_first


def _is_alike(fabric: Fabric) -> bool:
    """Whether spraying is weighted already: all links of a bundle, or of a tier that ends at OCS, are alike."""
    if not fabric.paths.is_even:
        return False
    links = fabric.links
    group = np.where(links.bundle >= 0, links.bundle, int(links.bundle.max(initial=0)) + 1 + links.tier)
    order = np.lexsort((links.capacity_bytes_per_s, group))
    capacity, first = links.capacity_bytes_per_s[order], np.append(True, np.diff(group[order]) != 0)[: len(links)]
    least = capacity[first][np.cumsum(first) - 1]
    return bool((capacity <= least * (1 + 1e-12)).all())
