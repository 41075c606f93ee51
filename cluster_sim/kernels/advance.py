"""Let flows move until a collective has finished or somebody else's turn has come."""

from dataclasses import dataclass

import numpy as np

from cluster_sim.backend import Backend
from cluster_sim.kernels.maxmin import maxmin_rates
from cluster_sim.tables import Array, ragged_arange, starts_of


@dataclass(frozen=True, slots=True, eq=False)
class FlowTable:
    """Everything that may ever flow: C classes of indistinguishable flows in P patterns, over R rows.

    A pattern starts as a whole and has finished when its last class has. Row i of every class column is class i.

    Attributes:
        pattern: int32[C], ascending.
        pattern_starts: int64[P+1], where each pattern's classes start.
        size_bytes: float64[C].
        latency_s: float64[C], between the start of the pattern and the first byte.
        hop_starts: int64[C+1].
        hop_row: int32[H].
        hop_weight: float64[H], load on the row by all flows of the class together, per unit of the rate of one.
        num_flows: int64[C], members of each class.
    """

    pattern: Array
    pattern_starts: Array
    size_bytes: Array
    latency_s: Array
    hop_starts: Array
    hop_row: Array
    hop_weight: Array
    num_flows: Array


@dataclass(slots=True, eq=False)
class FlowState:
    """Where everything stands at ``now_s``; the only thing here that is written to.

    Attributes:
        now_s: up to here all bytes are accounted for.
        next_s: the next start or finish of a class if nothing else happens; inf if there is none.
        is_dirty: 1 when rates have to be solved again.
        active: int32[C], the classes in flight, the first ``num_active`` entries.
        num_active: classes in flight.
        start_s: float64[C], when each class was put in flight.
        begin_s: float64[C], when it starts sending.
        total_bytes: float64[C], what it had to send.
        left_bytes: float64[C], still to send.
        rate: float64[C], bytes/s now.
        stalled_s: float64[C], time spent without any bandwidth since it started sending.
        bottleneck: int32[C], the row that holds it back.
        is_sending: int8[C], 1 between begin and finish.
        pattern_left: int32[P], classes of a pattern that have not finished.
        pattern_stalled_s: float64[P], time its last class stood still.
        pattern_bottleneck: int32[P], what held back its last class at the end.
        capacity: float64[R], bytes/s now.
        capacity_before: float64[R], bytes/s before the last instant in which it changed.
        changed_s: that instant.
        row_bytes: float64[R], carried since the last reset.
        row_busy_s: float64[R], time with any load.
        row_full_s: float64[R], time at capacity.
        row_peak: float64[R], highest load, bytes/s.
        num_solves: solves so far.
        scratch: float64[R] columns that the compiled twin works in, the first two zero between calls.
    """

    now_s: float
    next_s: float
    is_dirty: int
    active: Array
    num_active: int
    start_s: Array
    begin_s: Array
    total_bytes: Array
    left_bytes: Array
    rate: Array
    stalled_s: Array
    bottleneck: Array
    is_sending: Array
    pattern_left: Array
    pattern_stalled_s: Array
    pattern_bottleneck: Array
    capacity: Array
    capacity_before: Array
    changed_s: float
    row_bytes: Array
    row_busy_s: Array
    row_full_s: Array
    row_peak: Array
    num_solves: int
    scratch: tuple[Array, Array, Array, Array]

    @classmethod
    def idle(cls, table: FlowTable, capacity: Array) -> "FlowState":
        """Nothing in flight at time 0."""
        classes, patterns, rows = len(table.size_bytes), len(table.pattern_starts) - 1, len(capacity)
        return cls(
            now_s=0.0, next_s=np.inf, is_dirty=0, active=np.zeros(classes, np.int32), num_active=0,
            start_s=np.zeros(classes), begin_s=np.zeros(classes), total_bytes=np.zeros(classes),
            left_bytes=np.zeros(classes), rate=np.zeros(classes), stalled_s=np.zeros(classes),
            bottleneck=np.full(classes, -1, np.int32), is_sending=np.zeros(classes, np.int8),
            pattern_left=np.zeros(patterns, np.int32), pattern_stalled_s=np.zeros(patterns),
            pattern_bottleneck=np.full(patterns, -1, np.int32), capacity=capacity.astype(np.float64),
            capacity_before=capacity.astype(np.float64), changed_s=0.0, row_bytes=np.zeros(rows),
            row_busy_s=np.zeros(rows), row_full_s=np.zeros(rows), row_peak=np.zeros(rows), num_solves=0,
            scratch=(np.zeros(rows), np.zeros(rows), np.zeros(rows), np.zeros(rows)),
        )  # fmt: skip

    def start(self, table: FlowTable, pattern: int, now_s: float, scale: float = 1.0) -> None:
        """Put all classes of ``pattern`` in flight at ``now_s``, ``scale`` times their size; none may be in flight."""
        first, last = int(table.pattern_starts[pattern]), int(table.pattern_starts[pattern + 1])
        assert self.pattern_left[pattern] == 0, f"pattern {pattern} is already in flight"
        self.active[self.num_active : self.num_active + last - first] = np.arange(first, last)
        self.num_active += last - first
        self.start_s[first:last] = now_s
        self.begin_s[first:last] = now_s + table.latency_s[first:last]
        self.total_bytes[first:last] = self.left_bytes[first:last] = table.size_bytes[first:last] * scale
        self.rate[first:last] = 0.0
        self.stalled_s[first:last] = 0.0
        self.is_sending[first:last] = 0
        self.pattern_left[pattern] = last - first

    def set_capacity(self, table: FlowTable, capacity: Array, now_s: float) -> None:
        """Give rows new capacities, float64[R] in bytes/s, from ``now_s`` on.

        A class that found its path dark and has sent nothing yet starts anew: the first byte's latency comes after the
        light, and the time since its start counts as stalled.
        """
        _drain(table, self, now_s)
        if now_s > self.changed_s:
            self.changed_s, self.capacity_before = now_s, self.capacity
        flying = self.active[: self.num_active]
        was_dark, is_dark = _dark(table, flying, self.capacity_before), _dark(table, flying, capacity)
        fresh = flying[was_dark & ~is_dark & (self.left_bytes[flying] == self.total_bytes[flying])]
        self.stalled_s[fresh] = now_s - self.start_s[fresh]
        self.begin_s[fresh] = now_s + table.latency_s[fresh]
        self.is_sending[fresh] = 0
        self.capacity = capacity.astype(np.float64)
        self.is_dirty = 1


def _dark(table: FlowTable, classes: Array, capacity: Array) -> Array:
    """bool: which of the classes cross a row without capacity."""
    hop, owner = _hops(table, classes)
    dark: Array = np.bincount(owner, weights=capacity[table.hop_row[hop]] == 0.0, minlength=len(classes)) > 0
    return dark


def tick_s(now_s: float) -> float:
    """The resolution of the clock: times closer than this are one instant."""
    return 4.0 * float(np.spacing(max(now_s, 1e-9)))


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
