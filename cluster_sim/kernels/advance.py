"""Let flows move until a collective has finished or somebody else's turn has come."""

import numpy as np

from cluster_sim.backend import Backend
from cluster_sim.kernels.maxmin import maxmin_rates
from cluster_sim.kernels.on_device import OnDevice, advance_on_device, take_home
from cluster_sim.kernels.state import IDLE, SENDING, WAITING, FlowState, FlowTable, tick_s
from cluster_sim.tables import NONE, Array, ragged_ranges, starts_of


def advance(table: FlowTable, state: FlowState, now_s: float, until_s: float, backend: Backend) -> list[int]:
    """Move everything in flight from ``state.now_s`` to ``now_s``, then on until a pattern finishes or ``until_s``.

    Classes start and finish on the way without anybody being asked. Stops at the first instant at which a pattern
    finishes, or before the first start or finish after ``until_s``; ``state.now_s`` is the last instant at which
    something happened, ``state.next_s`` the next. A class with nothing to send or nothing to cross finishes when it
    begins. On a row without capacity a class stands still until the row has some.

    Args:
        table: what may flow; not modified.
        state: modified. Always the same backend for the same state.
        now_s: the clock, >= state.now_s; changes (starts, capacities) made at this time are already in the state.
        until_s: nobody else acts before this, >= now_s.
        backend: how rates are solved.

    Returns:
        Patterns that finished at ``state.now_s``, ascending; empty if none did. Their last classes are in the state;
        all else that it keeps of classes and rows may have to be settled before it is read.
    """
    if backend.name == "numba":
        from cluster_sim.kernels.local_update import advance_numba

        return advance_numba(table, state, now_s, until_s)
    if backend.name == "cupy":
        return advance_on_device(table, state, now_s, until_s, backend)
    return _advance(table, state, now_s, until_s, backend)


def settle(table: FlowTable, state: FlowState, now_s: float) -> None:
    """Bring the amounts of all classes and rows up to ``now_s``, >= state.now_s and <= state.next_s."""
    if isinstance(state.index, OnDevice):
        take_home(table, state)
    if not _is_compiled(state):
        _drain(table, state, now_s)
    else:
        from cluster_sim.kernels.local_update import settle_numba

        settle_numba(state, now_s)
        state.now_s = max(now_s, state.now_s)


def set_capacity(table: FlowTable, state: FlowState, capacity: Array, now_s: float) -> None:
    """Give rows new capacities, float64[R] in bytes/s, from ``now_s`` on.

    A class that found its path dark and has sent nothing yet starts anew: the first byte's latency comes after the
    light, and the time since its start counts as stalled.
    """
    settle(table, state, now_s)
    if now_s > state.changed_s:
        state.changed_s, state.capacity_before = now_s, state.rows["capacity"].copy()
    flying, classes, past = state.flying, state.classes, state.past
    was_dark, is_dark = _dark(table, flying, state.capacity_before), _dark(table, flying, capacity)
    has_sent = classes["left_bytes"][flying] < past["total_bytes"][flying]
    fresh = flying[was_dark & ~is_dark & ~has_sent]
    if _is_compiled(state):
        from cluster_sim.kernels.local_update import withdraw_numba

        withdraw_numba(state, fresh[classes["phase"][fresh] == SENDING])
    past["stalled_s"][fresh] = now_s - past["start_s"][fresh]
    state.begin_s[fresh] = now_s + table.latency_s[fresh]
    classes["phase"][fresh] = WAITING
    if _is_compiled(state):
        from cluster_sim.kernels.local_update import set_capacity_numba, wait_numba

        wait_numba(state, fresh)
        set_capacity_numba(state, capacity)
    state.rows["capacity"] = capacity
    state.is_dirty = True


def reroute(old: FlowTable, new: FlowTable, state: FlowState, now_s: float) -> None:
    """Let the same classes cross other rows from ``now_s`` on; from then on ``new`` is the table of this state.

    What has been sent counts, and what is on its way arrives: a class that sends goes on at once over its new rows,
    without another latency. A class that still waits begins when it would have begun.

    Args:
        old: the table so far.
        new: the same classes and patterns over the same number of rows.
        state: modified.
        now_s: the clock, >= state.now_s.
    """
    assert np.array_equal(old.pattern, new.pattern), "the same classes"
    settle(old, state, now_s)
    if _is_compiled(state):
        from cluster_sim.kernels.local_update import reroute_numba

        reroute_numba(new, state)
    else:
        state.index = None  # what is on a device belongs to the old table
    state.is_dirty = True


def _is_compiled(state: FlowState) -> bool:
    """Does the compiled twin keep something beside the state that has to be told of every change?"""
    return state.index is not None and not isinstance(state.index, OnDevice)


def _advance(table: FlowTable, state: FlowState, now_s: float, until_s: float, backend: Backend) -> list[int]:
    """The specification."""
    state.started.clear()
    _drain(table, state, now_s)
    while True:
        has_begun = _begin(table, state)
        done, finished = _finish(table, state)
        state.tally["num_events"] += int(has_begun or len(done) > 0)
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
    sending, classes, past, rows = state.sending, state.classes, state.past, state.rows
    if dt_s <= 0.0 or not len(sending):
        return
    classes["left_bytes"][sending] -= state.rate[sending] * dt_s
    past["stalled_s"][sending] += np.where(state.rate[sending] == 0.0, dt_s, 0.0)
    if len(state.carried):
        load, carried = rows["load"], state.carried
        carried["bytes"] += load * dt_s
        carried["busy_s"] += np.where(load > 0, dt_s, 0.0)
        carried["full_s"] += np.where((load > 0) & (load >= rows["capacity"] * (1 - 1e-9)), dt_s, 0.0)
        carried["peak"] = np.maximum(carried["peak"], load)


def _begin(table: FlowTable, state: FlowState) -> bool:
    """Classes whose latency is over start to send; did any?"""
    classes, soon_s = state.classes, state.now_s + tick_s(state.now_s)
    begins = np.flatnonzero((classes["phase"] == WAITING) & (state.begin_s <= soon_s))
    classes["phase"][begins], state.rate[begins], state.bottleneck[begins] = SENDING, 0.0, NONE
    classes["end_s"][begins] = np.inf
    has_nothing = (table.hop_starts[begins] == table.hop_starts[begins + 1]) | (classes["left_bytes"][begins] <= 0.0)
    classes["end_s"][begins[has_nothing]] = state.now_s
    state.is_dirty |= len(begins) > 0
    return len(begins) > 0


def _finish(table: FlowTable, state: FlowState) -> tuple[Array, list[int]]:
    """Take out classes with less than a tick of sending left; (those, the patterns whose last class that was).

    Waiting for less than a tick would not move the clock, and the simulation would never end.
    """
    sending, classes, patterns = state.sending, state.classes, state.patterns
    early_s, soon_s = classes["end_s"][sending] - state.now_s, state.now_s + tick_s(state.now_s)
    with np.errstate(invalid="ignore"):
        is_near = early_s <= state.time_tolerance * (classes["end_s"][sending] - state.begin_s[sending])
    is_done = (classes["end_s"][sending] <= soon_s) | (is_near & (early_s < np.inf))
    done = sending[is_done]
    if not len(done):
        return done, []
    shift_s = early_s[is_done & (classes["end_s"][sending] > soon_s)]
    state.tally["largest_shift_s"] = max(state.largest_shift_s, float(shift_s.max(initial=0.0)))
    classes["phase"][done], classes["left_bytes"][done], classes["end_s"][done] = IDLE, 0.0, state.now_s
    state.is_dirty = True
    touched, last = np.unique(table.pattern[done][::-1], return_index=True)
    patterns["last"][touched], patterns["last_s"][touched] = done[::-1][last], state.now_s
    np.subtract.at(patterns["left"], table.pattern[done], 1)
    return done, [int(pattern) for pattern in touched[patterns["left"][touched] == 0]]


def _solve(table: FlowTable, state: FlowState, backend: Backend) -> None:
    """New rates for everything that sends, and when it will finish."""
    sending, classes, rows = state.sending, state.classes, state.rows
    hop, owner = _hops(table, sending)
    starts = starts_of(table.hop_starts[sending + 1] - table.hop_starts[sending])
    row, weight, capacity = map(backend.asarray, (table.hop_row[hop], table.hop_weight[hop], rows["capacity"].copy()))
    rate, bottleneck = map(backend.to_host, maxmin_rates(backend.asarray(starts), row, weight, capacity, backend))
    with np.errstate(divide="ignore"):
        left_s = np.maximum(classes["left_bytes"][sending], 0.0) / rate
    is_new = rate != state.rate[sending]
    classes["end_s"][sending[is_new]] = state.now_s + left_s[is_new]
    state.rate[sending], state.bottleneck[sending] = rate, bottleneck
    rows["load"] = np.bincount(
        table.hop_row[hop], weights=rate[owner] * table.hop_weight[hop], minlength=len(state.rows)
    )
    state.is_dirty = False
    state.tally["num_solves"] += 1


def _next_change_s(state: FlowState) -> float:
    """When the next class starts or finishes; inf if none ever does."""
    classes = state.classes
    waits = classes["phase"] == WAITING
    begin_s, end_s = state.begin_s[waits], classes["end_s"][state.sending]
    return float(min(begin_s.min(initial=np.inf), max(end_s.min(initial=np.inf), state.now_s)))


def _hops(table: FlowTable, classes: Array) -> tuple[Array, Array]:
    """(hops of the classes one after the other, position in ``classes`` of each)."""
    counts = table.hop_starts[classes + 1] - table.hop_starts[classes]
    hop = ragged_ranges(table.hop_starts[classes], counts)
    return hop, np.repeat(np.arange(len(classes)), counts)


def _dark(table: FlowTable, classes: Array, capacity: Array) -> Array:
    """bool: which of the classes cross a row without capacity."""
    hop, owner = _hops(table, classes)
    dark: Array = np.bincount(owner, weights=capacity[table.hop_row[hop]] == 0.0, minlength=len(classes)) > 0
    return dark
