"""Valiant: by way of a random switch, so that no pattern of traffic is worse than another."""

from typing import Literal

import numpy as np
from pydantic import Field

from cluster_sim.backend import Backend
from cluster_sim.kernels import added_up, hashed_choice
from cluster_sim.routing.base import ROUTINGS, Hops, Routing
from cluster_sim.routing.candidates import key_of, num_paths_of
from cluster_sim.tables import Array, Circuits, Fabric, Traffic, starts_of


@ROUTINGS.register("valiant")
class Valiant(Routing):
    """A shortest path to the switch of a random accelerator, and one on from there [Valiant and Brebner 1981].

    Each of ``detours`` switches carries the same share of a flow; many of them are what a random switch for every
    packet comes to. An accelerator that is its own router passes on what another one would turn round at its switch.
    A detour that leads through an accelerator in any other way is a shortest path instead, and so is one by way of
    either end or of its scale-up domain.

    Attributes:
        detours: random switches of each pair of endpoints.
    """

    kind: Literal["valiant"] = "valiant"
    detours: int = Field(16, ge=1, le=256)

    def hops(
        self, traffic: Traffic, fabric: Fabric, circuits: Circuits | None, key: int, backend: Backend | None
    ) -> Hops:  # fmt: skip
        """See Routing.hops."""
        src, dst = traffic.edge_src, traffic.edge_dst
        num_paths_of(src, dst, fabric, circuits)
        found = [detour(src, dst, fabric, circuits, key_of(key, number)) for number in range(self.detours)]
        edge, link = (np.concatenate(column) for column in zip(*found, strict=True))
        share = np.full(len(edge), 1.0 / self.detours)
        hop_starts, hop_link, total = added_up(edge, link, share, len(src), len(fabric.links))
        return Hops(np.repeat(np.arange(len(src), dtype=np.int32), np.diff(hop_starts)), hop_link, total)


def detour(src: Array, dst: Array, fabric: Fabric, circuits: Circuits | None, key: int) -> tuple[Array, Array]:
    """(pair int32[H], link int32[H]) of a path by way of the switch of a random endpoint, in order from src to dst.

    Args:
        src: int32[E].
        dst: int32[E].
        fabric: where they are.
        circuits: how the OCS are set; every pair has a path.
        key: 64 random bits.
    """
    via = hashed_choice(np.full(len(src), fabric.num_endpoints), src, dst, key_of(key, 1)).astype(np.int32)
    domain, paths = fabric.endpoint_domain, fabric.paths
    counts = paths.count(src, via, circuits), paths.count(via, dst, circuits)
    is_detour = (domain[via] != domain[src]) & (domain[via] != domain[dst]) & (counts[0] > 0) & (counts[1] > 0)
    out = np.flatnonzero(is_detour)
    first = paths.links(src[out], via[out], hashed_choice(counts[0], src, via, key)[out], circuits)
    second = paths.links(via[out], dst[out], hashed_choice(counts[1], via, dst, key)[out], circuits)
    first, second, is_open = _turned_round(first, second, len(out), fabric)
    is_detour[out[~is_open]] = False
    straight = np.flatnonzero(~is_detour)
    num_paths = paths.count(src[straight], dst[straight], circuits)
    choice = hashed_choice(num_paths, src[straight], dst[straight], key)
    direct = paths.links(src[straight], dst[straight], choice, circuits)
    first, second = ((pair[is_open[pair]], link[is_open[pair]]) for pair, link in (first, second))
    pair = np.concatenate([out[first[0]], out[second[0]], straight[direct[0]]])
    order = np.argsort(pair, kind="stable")
    return pair[order].astype(np.int32), np.concatenate([first[1], second[1], direct[1]])[order]


def _turned_round(
    first: tuple[Array, Array], second: tuple[Array, Array], num: int, fabric: Fabric
) -> tuple[tuple[Array, Array], tuple[Array, Array], Array]:
    """(first walk, second walk, bool[num] whether both meet): without the cable to and from the endpoint between."""
    last = starts_of(np.bincount(first[0], minlength=num))[1:] - 1
    begin = starts_of(np.bincount(second[0], minlength=num))[:-1]
    arrives, leaves = first[1][last], second[1][begin]
    is_cable = arrives ^ 1 == leaves  # a duplex cable is two rows, even and odd
    below = [number for number, tier in enumerate(fabric.tiers) if tier.startswith(("scale_up", "host_leaf"))]
    is_router = ~np.isin(fabric.links.tier[arrives], below) & ~np.isin(fabric.links.tier[leaves], below)
    kept = [np.delete(column, last[is_cable]) for column in first], [np.delete(c, begin[is_cable]) for c in second]
    return (kept[0][0], kept[0][1]), (kept[1][0], kept[1][1]), is_cable | is_router
