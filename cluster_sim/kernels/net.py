"""What the compiled kernels keep beside the state: who is on each row, heaps, and lists of what a solve touches."""

from typing import NamedTuple
from zlib import crc32

import numpy as np

from cluster_sim.kernels.state import CARRIED, CLASS, IDLE, PAST, PATTERN, ROW, SENDING, WAITING, FlowState, FlowTable
from cluster_sim.tables import Array, starts_of

HOP = np.dtype([("row", "u4"), ("slot", "u4"), ("weight", "f8")], align=True)
MEMBER = np.dtype([("flow", "u4"), ("hop", "u4"), ("weight", "f8")], align=True)
ENTRY = np.dtype([("key", "f8"), ("row", "u4"), ("unused", "u4")])


class Net(NamedTuple):
    """State, and what is kept beside it; lists of ids are as long as ``at`` says.

    Attributes:
        flows: the classes of the state.
        rate: that of the state; NaN while a flow is open.
        bottleneck: that of the state.
        begin_s: that of the state.
        past: that of the state.
        patterns: those of the state.
        rows: those of the state.
        carried: that of the state.
        hops: record[H]; ``slot`` is where the hop stands in ``members`` while its flow sends.
        members: record[H]; the hops over row r of flows that send are ``num_members`` from ``rows[r].first_member`` on.
        waiting: record[2C], a heap of classes with their ``begin_s``.
        noted: uint32[R], rows to be filled that have no level yet; it is -inf.
        levels: record[2R], a heap of the rows to be filled, with their least possible level.
        level: float64[R], the keys of that heap.
        ends: record[2R], a heap of rows with the earliest finish of a flow that they hold back.
        end_s: float64[R], the keys of that heap.
        next_end_s: float64[R], what they will be after the solve; NaN where they stay.
        least: float64[R], the least level on the rows of an open flow of the row.
        begun: uint32[C], flows that have begun since the last solve.
        open: uint32[C], flows that are open while rows are filled in rounds.
        changed: uint32[C], flows whose rates this solve has changed.
        finished: uint32[P], patterns that have finished at this instant.
        touched: uint32[R], rows to look at in the next solve.
        filled: uint32[R], bottlenecks that this solve has found.
        above: uint32[H], members of a row that are faster than a level, or flows that it lets go.
        held: uint32[H], flows that a row holds back from now on.
        due: uint32[2R], rows on which somebody may have finished.
        at: record[1], where everything stands, how long the lists are, and the addresses of all other columns.
    """

    flows: Array
    rate: Array
    bottleneck: Array
    begin_s: Array
    past: Array
    patterns: Array
    rows: Array
    carried: Array
    hops: Array
    members: Array
    waiting: Array
    noted: Array
    levels: Array
    level: Array
    ends: Array
    end_s: Array
    next_end_s: Array
    least: Array
    begun: Array
    open: Array
    changed: Array
    finished: Array
    touched: Array
    filled: Array
    above: Array
    held: Array
    due: Array
    at: Array


# Numba caches what it compiles by the types of arguments, and ``at`` is the only one: so that another layout of what it
# points to is another type, too.
_LAYOUT = crc32(repr((HOP, MEMBER, ENTRY, CLASS, PAST, PATTERN, ROW, CARRIED, IDLE, WAITING, SENDING)).encode())

AT = np.dtype(
    [(name, "f8") for name in ("now_s", "next_s", "time_tolerance", "largest_shift_s", "first_begin_s")]
    + [
        (name, "i8")
        for name in (
            "num_events", "num_steps", "num_solves", "num_waiting", "num_sending", "num_open", "num_begun",
            "num_touched", "num_changed", "num_filled", "num_noted", "num_levels", "num_ends", "num_due",
            "num_finished",
        )
    ]
    + [(f"{name}_at", "i8") for name in Net._fields] + [(f"{name}_length", "i8") for name in Net._fields]
    + [(f"layout_{_LAYOUT:08x}", "i8")]
)  # fmt: skip


def net_of(table: FlowTable, state: FlowState) -> Net:
    """Rates are found at the next event."""
    num_flows, num_rows, num_hops = len(table.size_bytes), len(state.rows), len(table.hop_row)
    state.classes["pattern"] = table.pattern
    state.classes["first_hop"], state.classes["last_hop"] = table.hop_starts[:-1], table.hop_starts[1:]
    state.rows["first_member"] = starts_of(np.bincount(table.hop_row, minlength=num_rows))[:-1]
    hops = np.empty(num_hops, HOP)
    hops["row"], hops["weight"] = table.hop_row, table.hop_weight
    at = np.zeros(1, AT)
    at["now_s"], at["time_tolerance"], at["first_begin_s"] = state.now_s, state.time_tolerance, np.inf
    for name in ("num_events", "num_solves", "largest_shift_s"):
        at[name] = state.tally[name]
    state.tally = at
    net = Net(
        flows=state.classes, rate=state.rate, bottleneck=state.bottleneck, begin_s=state.begin_s, past=state.past,
        patterns=state.patterns, rows=state.rows, carried=state.carried, hops=hops, members=np.empty(num_hops, MEMBER),
        waiting=np.empty(2 * num_flows, ENTRY), noted=_list(num_rows), levels=np.empty(2 * num_rows, ENTRY),
        level=np.full(num_rows, np.inf), ends=np.empty(2 * num_rows, ENTRY), end_s=np.full(num_rows, np.inf),
        next_end_s=np.full(num_rows, np.nan), least=np.empty(num_rows), begun=_list(num_flows), open=_list(num_flows),
        changed=_list(num_flows), finished=_list(len(state.patterns)), touched=_list(num_rows), filled=_list(num_rows),
        above=_list(num_hops), held=_list(num_hops), due=_list(2 * num_rows), at=at,
    )  # fmt: skip
    for name, array in net._asdict().items():
        at[f"{name}_at"], at[f"{name}_length"] = array.ctypes.data, len(array)
    return net


def _list(length: int) -> Array:
    return np.empty(length, np.uint32)
