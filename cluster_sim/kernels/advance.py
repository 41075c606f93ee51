"""Let flows move until a collective has finished or somebody else's turn has come."""

import numpy as np

from cluster_sim.backend import Backend
from cluster_sim.kernels.maxmin import maxmin_rates
from cluster_sim.kernels.state import FlowState, FlowTable, tick_s
from cluster_sim.tables import Array, ragged_arange, starts_of


def advance(table: FlowTable, state: FlowState, now_s: float, until_s: float, backend: Backend) -> list[int]:
    """Move everything in flight from ``state.now_s`` to ``now_s``, then on until a pattern finishes or ``until_s``.

    Classes start and finish on the way without anybody being asked. Stops at the first instant at which a pattern
    finishes, or before the first start or finish after ``until_s``; ``state.now_s`` is the last instant at which
    something happened, ``state.next_s`` the next.

    Args:
        table: what may flow; not modified.
        state: modified.
        now_s: the clock, >= state.now_s; changes (starts, capacities) made at this time are already in the state.
        until_s: nobody else acts before this, >= now_s.
        backend: how rates are solved.

    Returns:
        Patterns that finished at ``state.now_s``, ascending; empty if none did.
    """
    if backend.name == "numba":
        from cluster_sim.kernels.compiled_numba import advance_numba

        return advance_numba(table, state, now_s, until_s)
    return _advance(table, state, now_s, until_s, backend)


def set_capacity(table: FlowTable, state: FlowState, capacity: Array, now_s: float) -> None:
    """Give rows new capacities, float64[R] in bytes/s, from ``now_s`` on.

    A class that found its path dark and has sent nothing yet starts anew: the first byte's latency comes after the
    light, and the time since its start counts as stalled.
    """
    _drain(table, state, now_s)
    if now_s > state.changed_s:
        state.changed_s, state.capacity_before = now_s, state.capacity
    flying = state.active[: state.num_active]
    was_dark, is_dark = _dark(table, flying, state.capacity_before), _dark(table, flying, capacity)
    fresh = flying[was_dark & ~is_dark & (state.left_bytes[flying] == state.total_bytes[flying])]
    state.stalled_s[fresh] = now_s - state.start_s[fresh]
    state.begin_s[fresh] = now_s + table.latency_s[fresh]
    state.is_sending[fresh] = 0
    state.capacity = capacity.astype(np.float64)
    state.is_dirty = 1


def _advance(table: FlowTable, state: FlowState, now_s: float, until_s: float, backend: Backend) -> list[int]:
    """The specification."""
    _drain(table, state, now_s)
    while True:
        finished = _finish(table, state)
        _begin(state)
        if finished:
            state.next_s = state.now_s
            return finished
        if state.is_dirty:
            _solve(table, state, backend)
        state.next_s = _next_change_s(state)
        if state.next_s > until_s or state.next_s == np.inf:
            return []
        _drain(table, state, state.next_s)


def _drain(table: FlowTable, state: FlowState, to_s: float) -> None:
    """Send at constant rates until ``to_s``."""
    dt_s = to_s - state.now_s
    state.now_s = max(to_s, state.now_s)
    sending = _sending(state)
    if dt_s <= 0.0 or not len(sending):
        return
    state.left_bytes[sending] -= np.where(
        np.isinf(state.rate[sending]), state.left_bytes[sending], state.rate[sending] * dt_s
    )
    state.stalled_s[sending] += np.where(state.rate[sending] == 0.0, dt_s, 0.0)
    hop, owner = _hops(table, sending)
    load = np.bincount(
        table.hop_row[hop],
        weights=state.rate[sending][owner] * table.hop_weight[hop],
        minlength=len(state.capacity),
    )
    state.row_bytes += load * dt_s
    state.row_busy_s += np.where(load > 0, dt_s, 0.0)
    state.row_full_s += np.where((load > 0) & (load >= state.capacity * (1 - 1e-9)), dt_s, 0.0)
    np.maximum(state.row_peak, load, out=state.row_peak)


def _finish(table: FlowTable, state: FlowState) -> list[int]:
    """Take out classes with less than a tick of sending left; the patterns whose last class that was.

    Waiting for less than a tick would not move the clock, and the simulation would never end.
    """
    sending = _sending(state)
    done = sending[state.left_bytes[sending] <= state.rate[sending] * tick_s(state.now_s)]
    done = np.union1d(done, sending[state.left_bytes[sending] <= 0.0])
    if not len(done):
        return []
    state.is_sending[done] = 0
    state.is_dirty = 1
    flying = state.active[: state.num_active]
    rest = flying[~np.isin(flying, done)]
    state.active[: len(rest)], state.num_active = rest, len(rest)
    np.subtract.at(state.pattern_left, table.pattern[done], 1)
    state.pattern_stalled_s[table.pattern[done]] = state.stalled_s[done]
    state.pattern_bottleneck[table.pattern[done]] = state.bottleneck[done]
    touched = np.unique(table.pattern[done])
    return [int(pattern) for pattern in touched[state.pattern_left[touched] == 0]]


def _begin(state: FlowState) -> None:
    """Classes whose latency is over start to send."""
    flying = state.active[: state.num_active]
    begins = flying[(state.is_sending[flying] == 0) & (state.begin_s[flying] <= state.now_s + tick_s(state.now_s))]
    state.is_sending[begins] = 1
    state.is_dirty |= int(len(begins) > 0)


def _solve(table: FlowTable, state: FlowState, backend: Backend) -> None:
    """New rates for everything that sends."""
    sending = _sending(state)
    hop, _ = _hops(table, sending)
    starts = starts_of(table.hop_starts[sending + 1] - table.hop_starts[sending])
    row, weight = backend.asarray(table.hop_row[hop]), backend.asarray(table.hop_weight[hop])
    rate, bottleneck = maxmin_rates(backend.asarray(starts), row, weight, backend.asarray(state.capacity), backend)
    state.rate[sending], state.bottleneck[sending] = backend.to_host(rate), backend.to_host(bottleneck)
    state.is_dirty = 0
    state.num_solves += 1


def _next_change_s(state: FlowState) -> float:
    """When the next class starts or finishes; inf if none ever does."""
    flying = state.active[: state.num_active]
    waiting, sending = flying[state.is_sending[flying] == 0], _sending(state)
    with np.errstate(divide="ignore", invalid="ignore"):
        left_s = np.where(state.left_bytes[sending] > 0.0, state.left_bytes[sending] / state.rate[sending], 0.0)
    ends_s = state.now_s + left_s
    return float(min(state.begin_s[waiting].min(initial=np.inf), ends_s.min(initial=np.inf)))


def _sending(state: FlowState) -> Array:
    flying = state.active[: state.num_active]
    sending: Array = flying[state.is_sending[flying] == 1]
    return sending


def _hops(table: FlowTable, classes: Array) -> tuple[Array, Array]:
    """(hops of the classes one after the other, position in ``classes`` of each)."""
    counts = table.hop_starts[classes + 1] - table.hop_starts[classes]
    hop = np.repeat(table.hop_starts[classes], counts) + ragged_arange(counts)
    return hop, np.repeat(np.arange(len(classes)), counts)


def _dark(table: FlowTable, classes: Array, capacity: Array) -> Array:
    """bool: which of the classes cross a row without capacity."""
    hop, owner = _hops(table, classes)
    dark: Array = np.bincount(owner, weights=capacity[table.hop_row[hop]] == 0.0, minlength=len(classes)) > 0
    return dark
