"""Parts of a problem that share no row: each can be simulated by itself, in a memory that the cache holds."""

import numpy as np

from cluster_sim.backend import Backend
from cluster_sim.kernels.segments import segment_min
from cluster_sim.tables import NONE, Array

#: About as many flows as are worth a part: each has costs of its own.
_ENOUGH = 2048


def independent_parts(hop_starts: Array, hop_row: Array, num_rows: int, backend: Backend) -> list[Array]:
    """Groups of flows of which no two share a row with one another.

    Args:
        hop_starts: int64[F+1], as in maxmin_rates.
        hop_row: int32[H], likewise.
        num_rows: R.
        backend: how they are found.

    Returns:
        int64[...] for each group, flows ascending; every flow is in one of them.
    """
    label = row_of_part(hop_starts, hop_row, num_rows, backend)
    by_label = np.argsort(label, kind="stable")
    ends = np.flatnonzero(np.append(label[by_label][1:] != label[by_label][:-1], True)[: len(label)]) + 1
    last_of_group = np.flatnonzero(np.diff(ends // _ENOUGH, append=-1) != 0)
    return [np.sort(flows) for flows in np.split(by_label, ends[last_of_group][:-1]) if len(flows)]


def row_of_part(hop_starts: Array, hop_row: Array, num_rows: int, backend: Backend) -> Array:
    """int32[F]: the lowest row that each flow is joined with, over flows that share rows; NONE for one without hops."""
    if backend.name == "numba":
        from cluster_sim.kernels.local_update import row_of_part_numba

        return row_of_part_numba(hop_starts, hop_row, num_rows)
    hop_flow = np.repeat(np.arange(len(hop_starts) - 1), np.diff(hop_starts))
    lowest, before = np.arange(num_rows), np.full(num_rows, NONE)
    while not np.array_equal(lowest, before):
        before = lowest.copy()
        np.minimum.at(
            lowest, hop_row, segment_min(lowest[hop_row].astype(np.float64), hop_starts)[hop_flow].astype(int)
        )
        lowest = lowest[lowest]
    has_hops = np.diff(hop_starts) > 0
    row = np.full(len(has_hops), NONE, np.int32)
    row[has_hops] = lowest[hop_row[hop_starts[:-1][has_hops]]]
    return row


def components(num_nodes: int, src: Array, dst: Array) -> Array:
    """int64[N]: the lowest node that each is joined with, over links int[...] from ``src`` to ``dst``, either way."""
    lowest, before = np.arange(num_nodes), np.full(num_nodes, NONE)
    while not np.array_equal(lowest, before):
        before = lowest.copy()
        least = np.minimum(lowest[src], lowest[dst])
        np.minimum.at(lowest, src, least)
        np.minimum.at(lowest, dst, least)
        lowest = lowest[lowest]
    return lowest
