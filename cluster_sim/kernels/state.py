"""What may flow, and where everything stands: the tables that the kernels work on."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cluster_sim.tables import NONE, Array

#: What a class of flows is doing.
IDLE, WAITING, SENDING = 0, 1, 2

# What an event touches stands together and fills one line of the cache.
CLASS = np.dtype(
    [
        ("rate_before", "f8"), ("since_s", "f8"), ("left_bytes", "f8"), ("end_s", "f8"),
        ("first_hop", "u4"), ("last_hop", "u4"), ("pattern", "u4"), ("phase", "i4"), ("is_changed", "i4"),
        ("unused", "u4", 3),
    ]
)  # fmt: skip
PAST = np.dtype([("start_s", "f8"), ("total_bytes", "f8"), ("stalled_s", "f8")])
PATTERN = np.dtype([("last_s", "f8"), ("last", "i4"), ("left", "i4")])
ROW = np.dtype(
    [
        ("capacity", "f8"), ("load", "f8"), ("open_weight", "f8"), ("fastest", "f8"), ("num_members", "u4"),
        ("num_held", "i4"), ("num_open", "i4"), ("num_flowing", "i4"), ("first_member", "u4"), ("released_at", "i4"),
        ("is_touched", "i4"), ("unused", "i4"),
    ]
)  # fmt: skip
#: What is kept of each row since the last reset.
AMOUNTS = ("bytes", "busy_s", "full_s", "peak")
CARRIED = np.dtype([(name, "f8") for name in (*AMOUNTS, "since_s")])
TALLY = np.dtype([("num_events", "i8"), ("num_solves", "i8"), ("largest_shift_s", "f8")])
_LINE_BYTES = 64


@dataclass(frozen=True, slots=True, eq=False)
class FlowTable:
    """Everything that may ever flow: C classes of indistinguishable flows in P patterns, over R rows.

    A pattern starts as a whole and has finished when its last class has. Row i of every class column is class i.

    Attributes:
        pattern: int32[C], ascending.
        pattern_starts: int64[P+1], where each pattern's classes start.
        size_bytes: float64[C], >= 0.
        latency_s: float64[C], between the start of the pattern and the first byte.
        hop_starts: int64[C+1].
        hop_row: int32[H], a class crosses a row at most once.
        hop_weight: float64[H], load on the row by all flows of the class together, per unit of the rate of one.
    """

    pattern: Array
    pattern_starts: Array
    size_bytes: Array
    latency_s: Array
    hop_starts: Array
    hop_row: Array
    hop_weight: Array


@dataclass(slots=True, eq=False)
class FlowState:
    """Where everything stands at ``now_s``; the only thing here that is written to.

    Columns are fields of three arrays of records, so that what belongs to one class or row lies in one place of the
    memory. Amounts of a class or row hold up to its ``since_s``; ``settle`` brings all of them up to ``now_s``.

    Attributes:
        classes: record[C]; ``phase`` (IDLE, WAITING for its latency, SENDING), ``left_bytes`` still to send,
            ``end_s`` when it finishes at that rate, or has finished.
        rate: float64[C], bytes/s now.
        bottleneck: int32[C], the row that holds it back, one of several; NONE for none.
        begin_s: float64[C], when it starts sending.
        past: record[C]; ``start_s`` when it was put in flight, ``total_bytes`` it had to send, ``stalled_s`` time
            without any bandwidth.
        patterns: record[P]; ``left`` classes that have not finished, ``last`` the class that finished last, the
            highest of several, ``last_s`` when.
        rows: record[R]; ``capacity`` and ``load`` in bytes/s.
        carried: record[R]; ``bytes``, ``busy_s`` time with any load, ``full_s`` time at capacity, ``peak`` highest load
            in bytes/s, all since the last reset; record[0] where nobody wants to know.
        now_s: the last instant at which something happened.
        next_s: the next start or finish of a class if nothing else happens; inf if there is none.
        is_dirty: True when rates have to be solved again.
        time_tolerance: a class may finish early by this fraction of its own time of sending, together with another;
            0 is exact.
        tally: record[1]; ``num_events`` instants at which classes started or finished, ``num_solves`` max-min problems
            solved, ``largest_shift_s`` the most by which a class finished early.
        started: patterns put in flight since the last ``advance``.
        changed_s: the last instant at which capacities changed.
        capacity_before: float64[R], bytes/s before that instant.
        index: what a compiled backend keeps beside all this.
    """

    classes: Array
    rate: Array
    bottleneck: Array
    begin_s: Array
    past: Array
    patterns: Array
    rows: Array
    carried: Array
    capacity_before: Array
    now_s: float = 0.0
    next_s: float = np.inf
    is_dirty: bool = False
    time_tolerance: float = 0.0
    tally: Array = field(default_factory=lambda: np.zeros(1, TALLY))
    started: list[int] = field(default_factory=list)
    changed_s: float = 0.0
    index: Any = None

    @classmethod
    def idle(
        cls, table: FlowTable, capacity: Array, time_tolerance: float = 0.0, counts_bytes: bool = True
    ) -> "FlowState":
        """Nothing in flight at time 0.

        Args:
            table: what may flow.
            capacity: float64[R], bytes/s at first.
            time_tolerance: see there.
            counts_bytes: whether to keep ``carried``.
        """
        classes = aligned_zeros(len(table.size_bytes), CLASS)
        rows = aligned_zeros(len(capacity), ROW)
        rows["capacity"] = capacity
        patterns = np.zeros(len(table.pattern_starts) - 1, PATTERN)
        carried = np.zeros(len(capacity) if counts_bytes else 0, CARRIED)
        return cls(
            classes=classes, rate=np.zeros(len(classes)), bottleneck=np.full(len(classes), NONE, np.int32),
            begin_s=np.zeros(len(classes)), past=np.zeros(len(classes), PAST), patterns=patterns, rows=rows,
            carried=carried, capacity_before=capacity.astype(np.float64), time_tolerance=time_tolerance,
        )  # fmt: skip

    def start(self, table: FlowTable, pattern: int, now_s: float, scale: float = 1.0) -> None:
        """Put all classes of ``pattern`` in flight at ``now_s``, ``scale`` times their size; none may be in flight."""
        assert self.patterns["left"][pattern] == 0, f"pattern {pattern} is already in flight"
        first, last = int(table.pattern_starts[pattern]), int(table.pattern_starts[pattern + 1])
        mine, past = self.classes[first:last], self.past[first:last]
        past["start_s"], past["stalled_s"] = now_s, 0.0
        self.begin_s[first:last] = now_s + table.latency_s[first:last]
        past["total_bytes"] = mine["left_bytes"] = table.size_bytes[first:last] * scale
        mine["end_s"], mine["phase"], self.rate[first:last] = np.inf, WAITING, 0.0
        self.patterns["left"][pattern] = last - first
        self.patterns["last_s"][pattern] = np.nan
        self.started.append(pattern)

    @property
    def num_events(self) -> int:
        """Instants at which classes started or finished."""
        return int(self.tally["num_events"][0])

    @property
    def num_solves(self) -> int:
        """Max-min problems solved."""
        return int(self.tally["num_solves"][0])

    @property
    def largest_shift_s(self) -> float:
        """The most by which a class finished early."""
        return float(self.tally["largest_shift_s"][0])

    @property
    def flying(self) -> Array:
        """int64[...]: the classes in flight, waiting or sending."""
        return np.flatnonzero(self.classes["phase"] != IDLE)

    @property
    def sending(self) -> Array:
        """int64[...]: the classes that send."""
        return np.flatnonzero(self.classes["phase"] == SENDING)

    def last_class(self, pattern: int) -> tuple[float, int]:
        """Of a pattern that has finished: (time its last class had no bandwidth, row that held it back at the end)."""
        last = self.patterns["last"][pattern]
        return float(self.past["stalled_s"][last]), int(self.bottleneck[last])


def aligned_zeros(num: int, dtype: np.dtype[Any]) -> Array:
    """Records that start where a line of the cache starts."""
    memory = np.zeros(num * dtype.itemsize + _LINE_BYTES, np.uint8)
    first = -memory.ctypes.data % _LINE_BYTES
    records: Array = memory[first : first + num * dtype.itemsize].view(dtype)
    return records


def tick_s(now_s: float) -> float:
    """The resolution of the clock: times closer than this are one instant."""
    return 4.0 * float(np.spacing(max(now_s, 1e-9)))
