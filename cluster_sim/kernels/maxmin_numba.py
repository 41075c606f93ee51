"""The compiled twin of ``kernels.maxmin``: the same rounds, over a list of flows instead of all of them."""

import numpy as np
from numba import njit

from cluster_sim.tables import NONE, Array

_TIE_RATIO = 1e-12


def maxmin_rates_numba(hop_starts: Array, hop_row: Array, hop_weight: Array, capacity: Array) -> tuple[Array, Array]:
    """Same contract as ``kernels.maxmin_rates``."""
    num_flows = len(hop_starts) - 1
    rate, bottleneck = np.full(num_flows, np.inf), np.full(num_flows, NONE, np.int32)
    flows = np.arange(num_flows, dtype=np.int32)
    weight, load, share, least = np.zeros((4, len(capacity)))
    fill(
        flows,
        num_flows,
        hop_starts,
        hop_row,
        hop_weight,
        capacity,
        rate,
        bottleneck,
        weight,
        load,
        share,
        least,
    )
    return rate, bottleneck


@njit(cache=True, nogil=True)
def fill(
    flows: Array, num: int, hop_starts: Array, hop_row: Array, hop_weight: Array, capacity: Array, rate: Array,
    bottleneck: Array, weight: Array, load: Array, share: Array, least: Array,
) -> None:  # fmt: skip
    """Set rate and bottleneck of the first ``num`` flows in ``flows``, as if no others existed.

    ``weight`` and ``load`` are zero before and after on every row.
    """
    open_flows = flows[:num].copy()
    num_open = 0
    for i in range(num):
        f = flows[i]
        rate[f] = np.inf
        bottleneck[f] = NONE
        if hop_starts[f + 1] > hop_starts[f]:
            open_flows[num_open] = f
            num_open += 1
    while num_open > 0:
        _share_of_rows(open_flows, num_open, hop_starts, hop_row, hop_weight, capacity, weight, load, share, least)
        _share_of_flows(open_flows, num_open, hop_starts, hop_row, share, least, rate)
        num_open = _freeze(
            open_flows,
            num_open,
            hop_starts,
            hop_row,
            hop_weight,
            weight,
            load,
            share,
            least,
            rate,
            bottleneck,
        )
    for i in range(num):
        f = flows[i]
        for h in range(hop_starts[f], hop_starts[f + 1]):
            load[hop_row[h]] = 0.0


@njit(cache=True, nogil=True)
def _share_of_rows(
    open_flows: Array, num_open: int, hop_starts: Array, hop_row: Array, hop_weight: Array, capacity: Array,
    weight: Array, load: Array, share: Array, least: Array,
) -> None:  # fmt: skip
    for i in range(num_open):
        f = open_flows[i]
        for h in range(hop_starts[f], hop_starts[f + 1]):
            weight[hop_row[h]] += hop_weight[h]
    for i in range(num_open):
        f = open_flows[i]
        for h in range(hop_starts[f], hop_starts[f + 1]):
            row = hop_row[h]
            if weight[row] > 0.0:
                share[row] = max(capacity[row] - load[row], 0.0) / weight[row]
                least[row] = np.inf
                weight[row] = 0.0


@njit(cache=True, nogil=True)
def _share_of_flows(
    open_flows: Array,
    num_open: int,
    hop_starts: Array,
    hop_row: Array,
    share: Array,
    least: Array,
    rate: Array,
) -> None:
    for i in range(num_open):
        f = open_flows[i]
        flow_share = np.inf
        for h in range(hop_starts[f], hop_starts[f + 1]):
            flow_share = min(flow_share, share[hop_row[h]])
        rate[f] = flow_share
        for h in range(hop_starts[f], hop_starts[f + 1]):
            row = hop_row[h]
            least[row] = min(least[row], flow_share)


@njit(cache=True, nogil=True)
def _freeze(
    open_flows: Array, num_open: int, hop_starts: Array, hop_row: Array, hop_weight: Array, weight: Array,
    load: Array, share: Array, least: Array, rate: Array, bottleneck: Array,
) -> int:  # fmt: skip
    still_open = 0
    for i in range(num_open):
        f = open_flows[i]
        for h in range(hop_starts[f], hop_starts[f + 1]):
            row = hop_row[h]
            if least[row] >= share[row] * (1.0 - _TIE_RATIO):
                bottleneck[f] = row
                break
        if bottleneck[f] == NONE:
            open_flows[still_open] = f
            still_open += 1
        else:
            for h in range(hop_starts[f], hop_starts[f + 1]):
                load[hop_row[h]] += rate[f] * hop_weight[h]
    return still_open
