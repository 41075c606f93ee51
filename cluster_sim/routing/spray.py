"""Packet spraying: every flow uses all equal paths at once, in equal shares."""

from typing import Any, ClassVar, Literal

import numpy as np

from cluster_sim.backend import Backend
from cluster_sim.routing.base import ROUTINGS, Routing, Settings
from cluster_sim.tables import NONE, Circuits, Fabric, Rows


@ROUTINGS.register("spray")
class Spray(Routing):
    """Perfect spraying: the links of a bundle always carry equal loads, so a bundle is one row with their sum.

    All circuits of one ordered pair of pods are a bundle too.
    """

    kind: Literal["spray"] = "spray"
    is_even: ClassVar[bool] = True

    def rows_of_settings(self, fabric: Fabric, settings: Settings) -> tuple[Rows, ...]:
        """One row per bundle and per ordered pair of pods."""
        return tuple(_rows(fabric, circuits) for circuits in settings)

    def choose(self, num_paths: Any, src: Any, dst: Any, key: int, backend: Backend | None = None) -> Any:
        """Any path: all candidates of a pair cross the same bundles."""
        return num_paths * 0


def _rows(fabric: Fabric, circuits: Circuits | None) -> Rows:
    row = fabric.links.bundle.copy()
    num_bundles = int(row.max(initial=-1)) + 1
    num_trunks = fabric.num_pods**2 if fabric.planner is not None else 0
    if circuits is not None:
        row[circuits.in_link] = num_bundles + circuits.trunk
    lit = row != NONE
    capacity = np.bincount(row[lit], weights=fabric.links.capacity_bytes_per_s[lit], minlength=num_bundles + num_trunks)
    if circuits is not None:  # the far link of a circuit carries the same bytes: the same row, counted once
        row[circuits.out_link] = num_bundles + circuits.trunk
    return Rows(capacity, row)
