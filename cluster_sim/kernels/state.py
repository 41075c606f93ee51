"""What may flow, and where everything stands: the tables that the kernels work on."""

from dataclasses import dataclass

import numpy as np

from cluster_sim.tables import Array


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


def tick_s(now_s: float) -> float:
    """The resolution of the clock: times closer than this are one instant."""
    return 4.0 * float(np.spacing(max(now_s, 1e-9)))
