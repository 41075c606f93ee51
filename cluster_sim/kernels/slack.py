"""Rows that can never be full hold nobody back, and need not be looked at."""

from dataclasses import replace

import numpy as np

from cluster_sim.kernels.segments import segment_min
from cluster_sim.kernels.state import FlowTable
from cluster_sim.tables import Array, starts_of


def without_slack(table: FlowTable, capacity: Array) -> tuple[FlowTable, Array]:
    """The same classes over those rows only that can hold one of them back; rates and times stay what they are.

    No class is ever faster than its narrowest row allows. A row that could carry all of its classes at those rates is
    never narrower than another row of each of them; it is dropped, unless it is the narrowest row of one of them.

    Args:
        table: C classes over R rows.
        capacity: float64[R], bytes/s; it must not change while the classes flow.

    Returns:
        The table with rows numbered anew, ascending, and their capacities.
    """
    num_rows = len(capacity)
    hop_class = np.repeat(np.arange(len(table.size_bytes), dtype=np.int32), np.diff(table.hop_starts))
    hop_bound = capacity[table.hop_row] / table.hop_weight
    bound = segment_min(hop_bound, table.hop_starts)
    most = np.bincount(table.hop_row, weights=bound[hop_class] * table.hop_weight, minlength=num_rows)
    is_kept = most > capacity
    is_narrowest = hop_bound == bound[hop_class]
    kept_narrowest = is_narrowest & is_kept[table.hop_row]
    needs = np.bincount(hop_class[kept_narrowest], minlength=len(bound)) == 0
    keeps = np.flatnonzero(is_narrowest & needs[hop_class])
    first = keeps[np.append(True, hop_class[keeps][1:] != hop_class[keeps][:-1])[: len(keeps)]]
    is_kept[table.hop_row[first]] = True
    stays = is_kept[table.hop_row]
    number = np.cumsum(is_kept, dtype=np.int32) - np.int32(1)
    left = replace(
        table,
        hop_starts=starts_of(np.bincount(hop_class[stays], minlength=len(bound))),
        hop_row=number[table.hop_row[stays]],
        hop_weight=table.hop_weight[stays],
    )
    return left, capacity[is_kept]
