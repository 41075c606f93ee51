"""ECMP: every flow takes one of the equal paths, picked by a hash of who sends to whom."""

from typing import Literal

import numpy as np

from cluster_sim.routing.base import ROUTINGS, Routing
from cluster_sim.tables import NONE, Array, Circuits, Fabric, Rows


@ROUTINGS.register("ecmp")
class Ecmp(Routing):
    """One path per pair of endpoints for the whole run, as a switch hashes the 5-tuple of a connection."""

    kind: Literal["ecmp"] = "ecmp"

    def rows(self, fabric: Fabric, circuits: Circuits | None) -> Rows:
        """Every link is a row of its own; links to an OCS without a circuit carry nothing."""
        row = np.arange(len(fabric.links), dtype=np.int32)
        capacity = fabric.links.capacity_bytes_per_s.copy()
        if circuits is not None:
            is_dark = fabric.links.bundle == NONE
            is_dark[circuits.in_link] = is_dark[circuits.out_link] = False
            row[is_dark], capacity[is_dark] = NONE, 0.0
        return Rows(capacity, row)

    def choose(self, num_paths: Array, src: Array, dst: Array, key: int) -> Array:
        """Hash of (key, src, dst) modulo the number of paths."""
        mixed = _mix(_mix(src.astype(np.uint64) + np.uint64(key)) ^ dst.astype(np.uint64))
        return np.asarray(mixed % num_paths.astype(np.uint64), dtype=np.int64)


def _mix(value: Array) -> Array:
    """splitmix64 [Steele et al. 2014]."""
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Array = value ^ (value >> np.uint64(31))
    return mixed
