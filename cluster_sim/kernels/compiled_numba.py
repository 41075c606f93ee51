"""The compiled twins of ``kernels.maxmin`` and ``kernels.advance``: the same rounds, over a list instead of all flows.

They stand in one file because Numba's cache looks only at the file of the function it caches: with the solver in
another file, an edited solver would go on running as it was.
"""

import numpy as np
from numba import njit

from cluster_sim.kernels.state import FlowState, FlowTable
from cluster_sim.tables import NONE, Array

_TIE_RATIO = 1e-12

# Positions of the scalars that come back.
_NOW, _NEXT = 0, 1
_ACTIVE, _FINISHED, _DIRTY, _SOLVES = 0, 1, 2, 3


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


def advance_numba(table: FlowTable, state: FlowState, now_s: float, until_s: float) -> list[int]:
    """Same contract as ``kernels.advance``: one call per change of the network."""
    times = np.array((state.now_s, np.inf))
    counts = np.array((state.num_active, 0, state.is_dirty, state.num_solves), dtype=np.int64)
    finished = np.empty(state.num_active, np.int32)
    _run(
        times, counts, finished, now_s, until_s,
        (table.pattern, table.size_bytes, table.hop_starts, table.hop_row, table.hop_weight),
        (
            state.active, state.begin_s, state.left_bytes, state.rate, state.stalled_s, state.bottleneck,
            state.is_sending,
        ),
        (state.pattern_left, state.pattern_stalled_s, state.pattern_bottleneck),
        (state.capacity, state.row_bytes, state.row_busy_s, state.row_full_s, state.row_peak),
        state.scratch,
    )  # fmt: skip
    state.now_s, state.next_s = float(times[_NOW]), float(times[_NEXT])
    state.num_active, state.is_dirty, state.num_solves = (
        int(counts[_ACTIVE]),
        int(counts[_DIRTY]),
        int(counts[_SOLVES]),
    )
    return sorted(finished[: counts[_FINISHED]].tolist())


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


@njit(cache=True, nogil=True)
def _run(times, counts, finished, now_s, until_s, table, classes, patterns, rows, scratch):  # type: ignore[no-untyped-def]
    pattern, _, hop_starts, hop_row, hop_weight = table
    active, begin_s, left_bytes, rate, _, bottleneck, is_sending = classes
    _drain(times, counts, now_s, table, classes, rows, scratch[0])
    while True:
        _finish(times, counts, finished, pattern, classes, patterns)
        _begin(times, counts, active, begin_s, is_sending)
        if counts[_FINISHED] > 0:
            times[_NEXT] = times[_NOW]
            return
        if counts[_DIRTY]:
            _solve(
                counts,
                hop_starts,
                hop_row,
                hop_weight,
                active,
                is_sending,
                rate,
                bottleneck,
                rows[0],
                scratch,
            )
        times[_NEXT] = _next_change_s(times[_NOW], counts[_ACTIVE], active, begin_s, left_bytes, rate, is_sending)
        if times[_NEXT] > until_s or times[_NEXT] == np.inf:
            return
        _drain(times, counts, times[_NEXT], table, classes, rows, scratch[0])


@njit(cache=True, nogil=True)
def _tick_s(now_s):  # type: ignore[no-untyped-def]
    return 4.0 * np.spacing(max(now_s, 1e-9))


@njit(cache=True, nogil=True)
def _drain(times, counts, to_s, table, classes, rows, load):  # type: ignore[no-untyped-def]
    _, _, hop_starts, hop_row, hop_weight = table
    active, _, left_bytes, rate, stalled_s, _, is_sending = classes
    capacity, row_bytes, row_busy_s, row_full_s, row_peak = rows
    dt_s = to_s - times[_NOW]
    if dt_s <= 0.0:
        return
    times[_NOW] = to_s
    for i in range(counts[_ACTIVE]):
        c = active[i]
        if is_sending[c] == 0:
            continue
        if rate[c] == np.inf:
            left_bytes[c] = 0.0
        else:
            left_bytes[c] -= rate[c] * dt_s
        if rate[c] == 0.0:
            stalled_s[c] += dt_s
        for h in range(hop_starts[c], hop_starts[c + 1]):
            load[hop_row[h]] += rate[c] * hop_weight[h]
    for i in range(counts[_ACTIVE]):
        c = active[i]
        if is_sending[c] == 0:
            continue
        for h in range(hop_starts[c], hop_starts[c + 1]):
            row = hop_row[h]
            if load[row] > 0.0:
                row_bytes[row] += load[row] * dt_s
                row_busy_s[row] += dt_s
                if load[row] >= capacity[row] * (1.0 - 1e-9):
                    row_full_s[row] += dt_s
                row_peak[row] = max(row_peak[row], load[row])
                load[row] = 0.0


@njit(cache=True, nogil=True)
def _finish(times, counts, finished, pattern, classes, patterns):  # type: ignore[no-untyped-def]
    active, _, left_bytes, rate, stalled_s, bottleneck, is_sending = classes
    pattern_left, pattern_stalled_s, pattern_bottleneck = patterns
    tick = _tick_s(times[_NOW])
    kept = 0
    for i in range(counts[_ACTIVE]):
        c = active[i]
        if is_sending[c] == 1 and (left_bytes[c] <= rate[c] * tick or left_bytes[c] <= 0.0):
            is_sending[c] = 0
            counts[_DIRTY] = 1
            p = pattern[c]
            pattern_stalled_s[p] = stalled_s[c]
            pattern_bottleneck[p] = bottleneck[c]
            pattern_left[p] -= 1
            if pattern_left[p] == 0:
                finished[counts[_FINISHED]] = p
                counts[_FINISHED] += 1
        else:
            active[kept] = c
            kept += 1
    counts[_ACTIVE] = kept


@njit(cache=True, nogil=True)
def _begin(times, counts, active, begin_s, is_sending):  # type: ignore[no-untyped-def]
    tick = _tick_s(times[_NOW])
    for i in range(counts[_ACTIVE]):
        c = active[i]
        if is_sending[c] == 0 and begin_s[c] <= times[_NOW] + tick:
            is_sending[c] = 1
            counts[_DIRTY] = 1


@njit(cache=True, nogil=True)
def _solve(counts, hop_starts, hop_row, hop_weight, active, is_sending, rate, bottleneck, capacity, scratch):  # type: ignore[no-untyped-def]
    sending = np.empty(counts[_ACTIVE], np.int32)
    num = 0
    for i in range(counts[_ACTIVE]):
        if is_sending[active[i]] == 1:
            sending[num] = active[i]
            num += 1
    fill(
        sending, num, hop_starts, hop_row, hop_weight, capacity, rate, bottleneck,
        scratch[0], scratch[1], scratch[2], scratch[3],
    )  # fmt: skip
    counts[_DIRTY] = 0
    counts[_SOLVES] += 1


@njit(cache=True, nogil=True)
def _next_change_s(now_s, num_active, active, begin_s, left_bytes, rate, is_sending):  # type: ignore[no-untyped-def]
    next_s = np.inf
    for i in range(num_active):
        c = active[i]
        if is_sending[c] == 0:
            next_s = min(next_s, begin_s[c])
        elif left_bytes[c] <= 0.0:
            next_s = now_s
        elif rate[c] > 0.0:
            next_s = min(next_s, now_s + left_bytes[c] / rate[c])
    return next_s
