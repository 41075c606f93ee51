"""What a GPU keeps beside the state, and the calls of ``advance.cu``: per call only a few numbers come back.

Tables go to the device once. The state is either here or there: ``advance`` takes it to the device, ``take_home``
brings it back, and until then the arrays of ``FlowState`` are out of date but for what has been started since. In
between, whatever starts is sent there, and of a pattern that has finished only its last class is told.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cluster_sim.backend import Backend, launch, launch_together
from cluster_sim.kernels.maxmin import TIE_RATIO
from cluster_sim.kernels.state import AMOUNTS, FlowState, FlowTable
from cluster_sim.tables import ragged_ranges

_SOURCE = Path(__file__).with_name("advance.cu")

#: A row with more members belongs to a block of threads: one thread would keep all others waiting.
_MOST_MEMBERS = 128


class Members(NamedTuple):
    """The classes over each row, on the device, in the order in which the kernels take them.

    Attributes:
        starts: int32[R+1], where the members of a row stand.
        flow: int32[H], by row, ascending within it.
        weight: float64[H], of that hop.
        big_row: int32[...], rows with many members.
    """

    starts: Any
    flow: Any
    weight: Any
    big_row: Any


class _Scratch(NamedTuple):
    """What a solve writes to, in the order in which the kernels take it."""

    share: Any
    blocked_at: Any
    touched_at: Any
    open: Any
    open_share: Any
    row: Any


class _Moving(NamedTuple):
    """The state as columns, in the order in which ``advance`` takes them; see the kernel."""

    at: Any
    finished: Any
    phase: Any
    rate: Any
    left_bytes: Any
    end_s: Any
    begin_s: Any
    stalled_s: Any
    bottleneck: Any
    left: Any
    last: Any
    last_s: Any
    capacity: Any
    load: Any
    carried: Any
    is_changed: Any


@dataclass(slots=True, eq=False)
class OnDevice:
    """A simulation on the device.

    Attributes:
        backend: whose arrays these are.
        pattern: int32[C].
        hop_starts: int32[C+1].
        hop_row: int32[H].
        members: all classes over each row.
        sending: those that send, as (end of each row int32[R], int32[H], float64[H], weight of each row float64[R]).
        filled: float64[C], rates while they are looked for.
        scratch: see there.
        flying: int32[C], lists of the classes in flight.
        meeting: how threads meet: (uint32[4], uint64[4]).
        moving: the state; None while it is at home.
    """

    backend: Backend
    pattern: Any
    hop_starts: Any
    hop_row: Any
    members: Members
    sending: tuple[Any, Any, Any, Any]
    filled: Any
    scratch: _Scratch
    flying: Any
    meeting: tuple[Any, Any]
    moving: _Moving | None = None


def maxmin_on_device(
    hop_starts: Any, hop_row: Any, hop_weight: Any, capacity: Any, backend: Backend
) -> tuple[Any, Any]:
    """Same contract as ``kernels.maxmin_rates``; nothing leaves the device but the number of big rows."""
    members = members_of_rows(hop_starts, hop_row, hop_weight, len(capacity), backend)
    return rates_of_members(hop_starts, hop_row, members, capacity, backend)


def members_of_rows(hop_starts: Any, hop_row: Any, hop_weight: Any, num_rows: int, backend: Backend) -> Members:
    """The transpose of the hops; shapes as in ``kernels.maxmin_rates``. It stays the same while capacities change."""
    xp: Any = backend.xp
    assert len(hop_row) < 2**31, "offsets on the device are int32"
    by_row = xp.argsort(hop_row, kind="stable")
    starts = xp.searchsorted(hop_row[by_row], xp.arange(num_rows + 1, dtype=xp.int32)).astype(xp.int32)
    hop_flow = xp.searchsorted(hop_starts, xp.arange(len(hop_row)), side="right") - 1
    is_big = starts[1:] - starts[:-1] > _MOST_MEMBERS
    big_row = xp.flatnonzero(is_big).astype(xp.int32)
    return Members(starts, hop_flow.astype(xp.int32)[by_row], hop_weight[by_row], big_row)


def rates_of_members(
    hop_starts: Any, hop_row: Any, members: Members, capacity: Any, backend: Backend
) -> tuple[Any, Any]:
    """Same contract as ``kernels.maxmin_rates``, for hops that are transposed already."""
    xp: Any = backend.xp
    num_flows, num_rows = len(hop_starts) - 1, len(capacity)
    rate, bottleneck = xp.empty(num_flows), xp.empty(num_flows, xp.int32)
    launch_together(
        _SOURCE, "maxmin_rates", max(num_flows, num_rows), rate, bottleneck, hop_starts.astype(xp.int32), hop_row,
        *members[:3], capacity, *_on_big_rows(members), xp.empty(num_rows), *_scratch(num_flows, num_rows, xp),
        *_meeting(0.0, xp), np.int32(num_flows), np.int32(num_rows),
    )  # fmt: skip
    return rate, bottleneck


def advance_on_device(table: FlowTable, state: FlowState, now_s: float, until_s: float, backend: Backend) -> list[int]:
    """Same contract as ``kernels.advance``; of the amounts only those of last classes come home."""
    if state.index is None:
        state.index = _on_device(table, state, backend)
    device: OnDevice = state.index
    if device.moving is None:
        moving = device.moving = _taken(device, state)
    else:
        moving = device.moving
        _put_in_flight(table, state, device, moving)
    state.started.clear()
    num_classes, num_rows = len(state.classes), len(state.rows)
    launch_together(
        _SOURCE, "advance", max(num_classes, num_rows), *moving, *device.sending, device.pattern, device.hop_starts,
        device.hop_row, *device.members[:3], *_on_big_rows(device.members), device.filled, *device.scratch,
        device.flying, *device.meeting, np.float64(now_s), np.float64(until_s), np.float64(state.time_tolerance),
        np.int32(len(state.carried) > 0), np.int32(num_classes), np.int32(num_rows),
    )  # fmt: skip
    return _told(state, moving, backend)


def take_home(table: FlowTable, state: FlowState) -> None:
    """Bring the arrays of ``state`` up to ``state.now_s``; from now on they are what counts, and may be written to."""
    device: OnDevice = state.index
    if device.moving is None:
        return
    moving, device.moving = device.moving, None
    _put_in_flight(table, state, device, moving)
    home = _Moving(*map(device.backend.to_host, moving))
    for name in ("phase", "left_bytes", "end_s"):
        state.classes[name] = getattr(home, name)
    state.bottleneck[:] = home.bottleneck
    state.rate[:], state.past["stalled_s"], state.rows["load"] = home.rate, home.stalled_s, home.load
    state.patterns["left"], state.patterns["last_s"] = home.left, home.last_s
    state.patterns["last"] = home.last & np.uint64(0xFFFFFFFF)
    for name, column in zip(AMOUNTS, home.carried.reshape(len(AMOUNTS), -1), strict=True):
        state.carried[name] = column


def _on_device(table: FlowTable, state: FlowState, backend: Backend) -> OnDevice:
    """The tables on the device, and room to work; the state is still at home."""
    xp: Any = backend.xp
    num_classes, num_rows = len(state.classes), len(state.rows)
    hop_starts, hop_row, hop_weight = map(xp.array, (table.hop_starts, table.hop_row, table.hop_weight))
    members = members_of_rows(hop_starts, hop_row, hop_weight, num_rows, backend)
    return OnDevice(
        backend=backend, pattern=xp.array(table.pattern), hop_starts=hop_starts.astype(xp.int32), hop_row=hop_row,
        members=members,
        sending=(members.starts[1:].copy(), members.flow.copy(), members.weight.copy(), xp.zeros(num_rows)),
        filled=xp.empty(num_classes), scratch=_scratch(num_classes, num_rows, xp),
        flying=xp.empty(num_classes, xp.int32), meeting=_meeting(state.largest_shift_s, xp),
    )  # fmt: skip


def _taken(device: OnDevice, state: FlowState) -> _Moving:
    """The state as it is at home, copied to the device. Nobody has finished there yet, so instants count from 0."""
    xp: Any = device.backend.xp
    classes, patterns, rows = state.classes, state.patterns, state.rows
    at = (state.now_s, state.next_s, state.largest_shift_s, state.num_events, state.num_solves, state.is_dirty, 0, 0)
    carried = np.concatenate([state.carried[name] for name in AMOUNTS])
    columns = (
        np.array(at, np.float64), np.zeros(4 * len(patterns)), classes["phase"], state.rate, classes["left_bytes"],
        classes["end_s"], state.begin_s, state.past["stalled_s"], state.bottleneck, patterns["left"],
        patterns["last"].astype(np.uint64), patterns["last_s"], rows["capacity"], rows["load"], carried,
        np.ones(len(rows), np.int32),
    )  # fmt: skip
    device.filled.fill(0.0)
    return _Moving(*(xp.array(np.ascontiguousarray(column)) for column in columns))


def _put_in_flight(table: FlowTable, state: FlowState, device: OnDevice, moving: _Moving) -> None:
    """Send there what has been started here."""
    if not state.started:
        return
    first = table.pattern_starts[state.started]
    counts = table.pattern_starts[np.array(state.started) + 1] - first
    classes = ragged_ranges(first, counts)
    columns = classes.astype(np.int32), state.begin_s[classes], state.past["total_bytes"][classes]
    launch(
        _SOURCE, "put_in_flight", len(classes), moving.phase, moving.rate, moving.left_bytes, moving.end_s,
        moving.begin_s, moving.stalled_s, moving.left, moving.last_s, device.pattern,
        *map(device.backend.asarray, columns), np.int32(len(classes)),
    )  # fmt: skip


def _told(state: FlowState, moving: _Moving, backend: Backend) -> list[int]:
    """What came back: the clock, counts, and of each pattern that has finished how its last class fared."""
    now_s, next_s, largest_shift_s, num_events, num_solves, is_dirty, num_finished, _ = backend.to_host(moving.at)
    state.now_s, state.next_s, state.is_dirty = float(now_s), float(next_s), bool(is_dirty)
    state.tally["num_events"], state.tally["num_solves"] = num_events, num_solves
    state.tally["largest_shift_s"] = largest_shift_s
    if not num_finished:
        return []
    pattern, last, stalled_s, bottleneck = backend.to_host(moving.finished[: 4 * int(num_finished)]).reshape(-1, 4).T
    pattern, last = pattern.astype(np.int64), last.astype(np.int64)
    state.patterns["left"][pattern] = 0
    state.patterns["last"][pattern], state.patterns["last_s"][pattern] = last, now_s
    state.past["stalled_s"][last], state.bottleneck[last] = stalled_s, bottleneck
    return sorted(pattern.tolist())


def _on_big_rows(members: Members) -> tuple[Any, ...]:
    return members.big_row, np.int32(len(members.big_row)), np.int32(_MOST_MEMBERS), np.float64(TIE_RATIO)


def _scratch(num_flows: int, num_rows: int, xp: Any) -> _Scratch:
    return _Scratch(
        share=xp.empty(num_rows), blocked_at=xp.empty(num_rows, xp.int32), touched_at=xp.empty(num_rows, xp.int32),
        open=xp.empty(num_flows, xp.int32), open_share=xp.empty(num_flows), row=xp.empty(num_rows, xp.int32),
    )  # fmt: skip


def _meeting(largest_shift_s: float, xp: Any) -> tuple[Any, Any]:
    """Nobody has arrived, and there is no least value yet."""
    greatest = np.uint64(0xFFFFFFFFFFFFFFFF)
    shift = np.float64(largest_shift_s).view(np.uint64)
    return xp.zeros(4, xp.uint32), xp.array(np.array([greatest, greatest, greatest, shift]))
