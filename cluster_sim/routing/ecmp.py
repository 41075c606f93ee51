"""ECMP: every flow takes one of the equal paths, picked by a hash of who sends to whom."""

from typing import Any, Literal

import numpy as np

from cluster_sim.backend import Backend
from cluster_sim.kernels import hashed_choice
from cluster_sim.routing.base import ROUTINGS, Routing, Settings
from cluster_sim.tables import NONE, Array, Circuits, Fabric, Rows


@ROUTINGS.register("ecmp")
class Ecmp(Routing):
    """One path per pair of endpoints for the whole run, as a switch hashes the 5-tuple of a connection."""

    kind: Literal["ecmp"] = "ecmp"

    def rows_of_settings(self, fabric: Fabric, settings: Settings) -> tuple[Rows, ...]:
        """See ``rows_of_links``."""
        return rows_of_links(fabric, settings)

    def choose(self, num_paths: Any, src: Any, dst: Any, key: int, backend: Backend | None = None) -> Any:
        """Hash of (key, src, dst) modulo the number of paths."""
        return hashed_choice(num_paths, src, dst, key, backend)


def rows_of_links(fabric: Fabric, settings: Settings) -> tuple[Rows, ...]:
    """Every link is a row of its own, every circuit of any setting is one more: its two links carry the same."""
    ends = [setting.ends for setting in settings if setting is not None]
    circuits = np.unique(np.concatenate(ends)) if ends else np.zeros(0, np.int64)
    return tuple(_rows(fabric, setting, circuits) for setting in settings)


def _rows(fabric: Fabric, setting: Circuits | None, circuits: Array) -> Rows:
    """Rows of one setting; ``circuits`` int64[K] are the ``ends`` of all that any setting has, ascending."""
    links = fabric.links
    row = np.where(links.bundle == NONE, NONE, np.arange(len(links))).astype(np.int32)
    capacity = np.concatenate([np.where(row == NONE, 0.0, links.capacity_bytes_per_s), np.zeros(len(circuits))])
    if setting is not None:
        number = len(links) + np.searchsorted(circuits, setting.ends)
        row[setting.in_link] = row[setting.out_link] = number
        capacity[number] = links.capacity_bytes_per_s[setting.in_link] * setting.width
    return Rows(capacity, row)
