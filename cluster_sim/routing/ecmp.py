"""ECMP: every flow takes one of the equal paths, picked by a hash of who sends to whom."""

from typing import Literal

import numpy as np

from cluster_sim.routing.base import ROUTINGS, Routing, Settings
from cluster_sim.tables import NONE, Array, Circuits, Fabric, Rows


@ROUTINGS.register("ecmp")
class Ecmp(Routing):
    """One path per pair of endpoints for the whole run, as a switch hashes the 5-tuple of a connection."""

    kind: Literal["ecmp"] = "ecmp"

    def rows_of_settings(self, fabric: Fabric, settings: Settings) -> tuple[Rows, ...]:
        """Every link is a row of its own, every circuit of any setting is one more: its two links carry the same."""
        ends = [np.stack([c.in_link, c.out_link], axis=1) for c in settings if c is not None]
        circuits = np.unique(np.concatenate(ends), axis=0) if ends else np.zeros((0, 2), np.int32)
        return tuple(_rows(fabric, setting, circuits) for setting in settings)

    def choose(self, num_paths: Array, src: Array, dst: Array, key: int) -> Array:
        """Hash of (key, src, dst) modulo the number of paths."""
        mixed = _mix(_mix(src.astype(np.uint64) + np.uint64(key)) ^ dst.astype(np.uint64))
        return np.asarray(mixed % num_paths.astype(np.uint64), dtype=np.int64)


def _rows(fabric: Fabric, setting: Circuits | None, circuits: Array) -> Rows:
    """Rows of one setting; ``circuits`` int32[K, 2] are the fixed links of all there are."""
    links = fabric.links
    row = np.where(links.bundle == NONE, NONE, np.arange(len(links))).astype(np.int32)
    capacity = np.concatenate([np.where(row == NONE, 0.0, links.capacity_bytes_per_s), np.zeros(len(circuits))])
    if setting is not None:
        keys, own = _pair_key(circuits[:, 0], circuits[:, 1]), _pair_key(setting.in_link, setting.out_link)
        lit = circuits[np.isin(keys, own)]
        number = len(links) + np.flatnonzero(np.isin(keys, own))
        row[lit[:, 0]] = row[lit[:, 1]] = number
        capacity[number] = links.capacity_bytes_per_s[lit[:, 0]]
    return Rows(capacity, row)


def _pair_key(in_link: Array, out_link: Array) -> Array:
    return np.asarray(in_link.astype(np.int64) << 32 | out_link.astype(np.int64))


def _mix(value: Array) -> Array:
    """splitmix64 [Steele et al. 2014]."""
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Array = value ^ (value >> np.uint64(31))
    return mixed
