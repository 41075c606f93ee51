"""Weighted max-min fair rates: the one equation of this simulator.

Every flow has one rate and loads each of its rows with ``weight * rate``. Rates are max-min fair when every flow
crosses a full row on which no flow is faster [Bertsekas and Gallager 1992, sec. 6.5.2].

The algorithm is progressive filling in parallel: in each round every row computes the share it could give to all its
unfrozen flows; a row whose share is the least among all rows of each of its flows is a bottleneck now, whatever the
others do, so all its flows freeze in the same round.
"""

import numpy as np

from cluster_sim.backend import Backend
from cluster_sim.kernels.segments import segment_min, segment_sum
from cluster_sim.tables import NONE, Array, starts_of

#: Shares closer than this are the same share: sums of the same capacities in another order differ by as much.
TIE_RATIO = 1e-12


def maxmin_rates(
    hop_starts: Array, hop_row: Array, hop_weight: Array, capacity: Array, backend: Backend
) -> tuple[Array, Array]:
    """Max-min fair rates of F flows over R rows, with the row that holds each flow back.

    Args:
        hop_starts: int64[F+1], where each flow's hops start.
        hop_row: int32[H], row of each hop; a flow crosses a row at most once.
        hop_weight: float64[H], load on the row per unit of rate, > 0.
        capacity: float64[R], bytes/s, >= 0.
        backend: all arrays belong to ``backend.xp``; none is modified.

    Returns:
        rate: float64[F], bytes/s; 0 on a row without capacity, inf for a flow without hops.
        bottleneck: int32[F], a full row on which nobody is faster; NONE for a flow without hops.
    """
    if backend.name == "numba":
        from cluster_sim.kernels.local_update import maxmin_rates_numba

        return maxmin_rates_numba(hop_starts, hop_row, hop_weight, capacity)
    if backend.name == "cupy":
        from cluster_sim.kernels.on_device import maxmin_on_device

        return maxmin_on_device(hop_starts, hop_row, hop_weight, capacity, backend)
    return _maxmin_numpy(hop_starts, hop_row, hop_weight, capacity)


def _maxmin_numpy(hop_starts: Array, hop_row: Array, hop_weight: Array, capacity: Array) -> tuple[Array, Array]:
    """The specification."""
    num_flows, num_rows = len(hop_starts) - 1, len(capacity)
    hop_flow, by_row, row_starts = _transpose(hop_starts, hop_row, num_rows)
    rate, bottleneck = np.full(num_flows, np.inf), np.full(num_flows, NONE, np.int32)
    is_open = hop_starts[1:] > hop_starts[:-1]
    left = capacity.astype(np.float64)
    while is_open.any():
        open_weight = np.where(is_open[hop_flow], hop_weight, 0.0)
        row_weight = segment_sum(open_weight[by_row], row_starts)
        share = np.full(num_rows, np.inf)
        np.divide(left, row_weight, out=share, where=row_weight > 0)
        flow_share = segment_min(share[hop_row], hop_starts)
        open_share = np.where(is_open[hop_flow], flow_share[hop_flow], np.inf)
        least = segment_min(open_share[by_row], row_starts)
        is_bottleneck = np.isfinite(share) & (least >= share * (1 - TIE_RATIO))
        holds = is_open[hop_flow] & is_bottleneck[hop_row]
        flow, first = np.unique(hop_flow[holds], return_index=True)
        rate[flow], bottleneck[flow], is_open[flow] = flow_share[flow], hop_row[holds][first], False
        frozen_load = np.where(is_open[hop_flow], 0.0, rate[hop_flow] * hop_weight)
        left = np.maximum(capacity - segment_sum(frozen_load[by_row], row_starts), 0.0)
    return rate, bottleneck


def _transpose(hop_starts: Array, hop_row: Array, num_rows: int) -> tuple[Array, Array, Array]:
    """(flow of each hop, hops in order of their row, where each row's hops start)."""
    hop_flow = np.repeat(np.arange(len(hop_starts) - 1, dtype=np.int32), np.diff(hop_starts))
    return hop_flow, np.argsort(hop_row, kind="stable"), starts_of(np.bincount(hop_row, minlength=num_rows))
