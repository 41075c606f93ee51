"""What the kernels take for a link where nothing is bundled: every link by itself, and every circuit."""

import numpy as np

from cluster_sim.tables import NONE, Array, Circuits, Fabric, Rows

#: Circuits of each setting of the OCS; (None,) without OCS.
Settings = tuple[Circuits | None, ...]


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
        into, out = links.capacity_bytes_per_s[setting.in_link], links.capacity_bytes_per_s[setting.out_link]
        lit = (into > 0) & (out > 0)  # not so where a fixed link has failed
        number = (len(links) + np.searchsorted(circuits, setting.ends))[lit]
        row[setting.in_link[lit]] = row[setting.out_link[lit]] = number
        capacity[number] = (into * setting.width)[lit]
    return Rows(capacity, row)
