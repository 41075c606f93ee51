"""Packet spraying: every flow uses all equal paths at once, in equal shares."""

from typing import Any, ClassVar, Literal

import numpy as np

from cluster_sim.backend import Backend
from cluster_sim.routing.base import ROUTINGS, Hops, Routing
from cluster_sim.routing.candidates import num_paths_of, one_path
from cluster_sim.routing.rows import Settings, rows_of_links
from cluster_sim.tables import NONE, Array, Circuits, Fabric, Rows, Traffic


@ROUTINGS.register("spray")
class Spray(Routing):
    """Perfect spraying: where paths are even, the links of a bundle are one row, since they always carry equal loads.

    All circuits of one ordered pair of pods are a bundle too. In other fabrics a flow loads each link with the share of
    its traffic that crosses it, every candidate path carrying the same unless the fabric says otherwise; its latency is
    the mean.
    """

    kind: Literal["spray"] = "spray"
    is_even: ClassVar[bool] = True

    def rows_of_settings(self, fabric: Fabric, settings: Settings) -> tuple[Rows, ...]:
        """One row per bundle and per ordered pair of pods with circuits; one per link where paths are not even."""
        if not fabric.paths.is_bundled:
            return rows_of_links(fabric, settings)
        lit = [circuits.trunk for circuits in settings if circuits is not None]
        trunks = np.unique(np.concatenate(lit)) if lit else np.zeros(0, np.int64)
        return tuple(_rows(fabric, circuits, trunks) for circuits in settings)

    def hops(
        self, traffic: Traffic, fabric: Fabric, circuits: Circuits | None, key: int, backend: Backend | None
    ) -> Hops:  # fmt: skip
        """See Routing.hops; any path where paths are even, since all candidates of a pair cross the same bundles."""
        src, dst = traffic.edge_src, traffic.edge_dst
        if fabric.paths.is_even:
            edge, link = one_path(src, dst, fabric, circuits, _first, backend)
            return Hops(edge, link, np.ones(len(edge)))
        num_paths_of(src, dst, fabric, circuits)
        return Hops(*fabric.paths.shares(src, dst, circuits))


def _first(num_paths: Any, src: Any, dst: Any, backend: Backend | None) -> Any:
    return num_paths * 0


def _rows(fabric: Fabric, circuits: Circuits | None, trunks: Array) -> Rows:
    """Rows of one setting; ``trunks`` int64[K] are those that any setting has, ascending."""
    row, width = fabric.links.bundle.copy(), fabric.links.capacity_bytes_per_s
    num_bundles = int(row.max(initial=-1)) + 1
    if circuits is not None:
        trunk = num_bundles + np.searchsorted(trunks, circuits.trunk)
        row[circuits.in_link], width = trunk, width.copy()
        width[circuits.in_link] *= circuits.width
    lit = row != NONE
    capacity = np.bincount(row[lit], weights=width[lit], minlength=num_bundles + len(trunks))
    if circuits is not None:  # the far link of a circuit carries the same bytes: the same row, counted once
        row[circuits.out_link] = trunk
    return Rows(capacity, row)
