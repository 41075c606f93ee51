"""Program to Schedule: the lanes of all stages as one table of tasks, with what unlocks what."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from cluster_sim.core import PlanError
from cluster_sim.tables import DP, NONE, OPTIMIZER, PP, Array, Lanes, Schedule, grouped
from cluster_sim.workload.program import PHASES, Program
from cluster_sim.workload.schedules import BACKWARD, FORWARD, INPUT
from cluster_sim.workload.segments import AHEAD, BEHIND, WAIT
from cluster_sim.workload.templates import Lane, lane_of

#: Of a job whose replicas are simulated apart, and of the steps of a neighbour: hours of work.
MOST_TASKS = 2**23


def assemble(program: Program, fused_s: Mapping[int, float]) -> Schedule:
    """The schedule of one step.

    Args:
        program: what the stages do.
        fused_s: collectives that run between a stage's kernels without meeting any other traffic, with the time each
            takes: they become part of their compute task.

    Raises:
        PlanError: replicas that are simulated apart have too many tasks together.
    """
    table = _Tasks(len(program.orders))
    for lane in range(program.num_lanes):
        if lane == len(program.orders):
            _check_size(table.num * len(program.replicas))
        table.add_lane(lane, lane_of(program, lane, fused_s), program.job.parallelism.shards_parameters)
    _connect_stages(table, program)
    _share_parameters(table, program)
    return table.schedule(program)


def _check_size(num_tasks: int) -> None:
    if num_tasks > MOST_TASKS:
        raise PlanError(
            f"about {num_tasks:,} tasks, since replicas differ, and {MOST_TASKS:,} is the most; set replicas: "
            "together, so that the slowest sets the pace of all, or let fewer replicas differ"
        )


class _Tasks:
    """Columns that grow while the schedule is put together, and edges (before, after).

    Attributes:
        passes: by lane, as in Lane, with numbers of rows of the whole table.
        shared: by stage, gathers and reductions of its passes, those of a collective in order: one task each for all
            its lanes.
        behind: by stage, reductions that run behind passes, in order.
        first, last: by lane, the first and the last row that the lane waits for.
    """

    def __init__(self, num_stages: int) -> None:
        self.num_stages = num_stages
        self.columns: list[dict[str, Array]] = []
        self.edges: list[tuple[Array, Array]] = []
        self.num = 0
        self.passes: list[Array] = []
        self.shared: list[Array] = []
        self.behind: list[list[int]] = []
        self.first: list[int] = []
        self.last: list[int] = []

    def add_lane(self, number: int, lane: Lane, limits_gathers: bool) -> None:
        """All passes of a lane in their order; what it shares with the lanes of its stage is there from the first."""
        row = self._rows_of(number, lane)
        mine = row >= self.num
        self._append(
            kind=lane.kind[mine], lane=np.full(int(mine.sum()), number), microbatch=lane.microbatch[mine],
            chunk=lane.chunk[mine], pass_kind=lane.pass_kind[mine], compute_s=lane.compute_s[mine],
            fused_s=lane.fused_s[mine], collective=lane.collective[mine],
        )  # fmt: skip
        self.connect(row[lane.edges[:, 0]], row[lane.edges[:, 1]])
        self._follow(lane, row)
        is_first = number < self.num_stages
        self._gather_ahead(lane, row, is_first, limits_gathers)
        if is_first:
            behind = row[lane.role == BEHIND]
            self.connect(behind[:-1], behind[1:])
            self.behind.append(behind.tolist())
        waited = row[lane.role == WAIT]
        self.first.append(int(waited[0]))
        self.last.append(int(waited[-1]))
        passes = lane.passes.copy()
        passes[:, 3:] = row[passes[:, 3:]]
        self.passes.append(passes)

    def _rows_of(self, number: int, lane: Lane) -> Array:
        """int64[n]: the row of the table for each row of a lane; new ones follow the last."""
        is_shared = lane.kind == DP
        shared = np.flatnonzero(is_shared)
        shared = shared[np.argsort(lane.collective[shared], kind="stable")]
        if number < self.num_stages:
            row = self.num + np.arange(len(lane))
            self.shared.append(row[shared])
            return row
        row = self.num + np.cumsum(~is_shared) - 1
        row[shared] = self.shared[number % self.num_stages]
        return row

    def add(self, kind: int, lane: int, after: Sequence[int], compute_s: float = 0.0, collective: int = NONE) -> int:
        """One task that needs the tasks in ``after``; its row."""
        self._append(
            kind=np.array([kind]), lane=np.array([lane]), microbatch=np.array([NONE]), chunk=np.array([NONE]),
            pass_kind=np.array([NONE]), compute_s=np.array([compute_s]), fused_s=np.array([0.0]),
            collective=np.array([collective]),
        )  # fmt: skip
        self.connect(np.array(after, dtype=np.int64), np.full(len(after), self.num - 1))
        return self.num - 1

    def add_sends(self, lane: int, kind: int, collective: int, microbatch: Array, after: Array, before: Array) -> None:
        """One send of each microbatch after the task in ``after`` that the task in ``before`` waits for."""
        num = len(after)
        rows = np.arange(self.num, self.num + num)
        self._append(
            kind=np.full(num, PP), lane=np.full(num, lane), microbatch=microbatch, chunk=np.full(num, NONE),
            pass_kind=np.full(num, kind), compute_s=np.zeros(num), fused_s=np.zeros(num),
            collective=np.full(num, collective),
        )  # fmt: skip
        self.connect(after, rows)
        self.connect(rows, before)

    def connect(self, before: Array, after: Array) -> None:
        """``after`` needs ``before``, row by row."""
        self.edges.append((before, after))

    def schedule(self, program: Program) -> Schedule:
        """The finished table."""
        joined = {name: np.concatenate([part[name] for part in self.columns]) for name in self.columns[0]}
        before = np.concatenate([edge[0] for edge in self.edges]).astype(np.int32)
        after = np.concatenate([edge[1] for edge in self.edges]).astype(np.int32)
        unlocks, unlocks_starts = grouped(before, after, self.num)
        return Schedule(
            **joined,
            unlocks=unlocks,
            unlocks_starts=unlocks_starts,
            num_needs=np.bincount(after, minlength=self.num).astype(np.int32),
            collectives=tuple(program.collectives),
            lanes=Lanes.of_one_job(self.num_stages, len(program.replicas)),
            phases=PHASES,
        )

    def _append(self, **columns: Array) -> None:
        dtypes = {"compute_s": np.float64, "fused_s": np.float64}
        self.columns.append({name: column.astype(dtypes.get(name, np.int32)) for name, column in columns.items()})
        self.num += len(columns["kind"])

    def _follow(self, lane: Lane, row: Array) -> None:
        """A pass begins after a collective that ends the one before; compute waits for compute by order alone."""
        exits, entries = lane.passes[:-1, 4], lane.passes[1:, 3]
        meets = (lane.collective[exits] != NONE) | (lane.collective[entries] != NONE)
        meets &= exits < entries  # passes that run together do not follow on one another
        self.connect(row[exits[meets]], row[entries[meets]])

    def _gather_ahead(self, lane: Lane, row: Array, is_first: bool, limits: bool) -> None:
        """Gathers one after the other; with limits none starts before what the one before is for may start."""
        gathers = np.flatnonzero(lane.role == AHEAD)
        if not len(gathers):
            return
        if is_first:
            self.connect(row[gathers[:-1]], row[gathers[1:]])
        if limits:
            waited = np.flatnonzero(lane.role == WAIT)
            anchor = waited[np.searchsorted(waited, gathers)]  # what needs each
            previous = np.searchsorted(gathers, waited[np.maximum(np.searchsorted(waited, anchor) - 1, 0)]) - 1
            at = np.searchsorted(waited, anchor[np.maximum(previous, 0)]) - 1
            has = (previous >= 0) & (at >= 0)
            self.connect(row[waited[at[has]]], row[gathers[has]])


def _connect_stages(table: _Tasks, program: Program) -> None:
    """Activations go to the next virtual stage, their gradients to the previous one."""
    p = program.job.parallelism
    ways = program.schedule.ways(p.pipeline, p.virtual_stages)
    for first in range(0, program.num_lanes, p.pipeline):
        for way in ways:
            for (stage, chunk), (after_stage, after_chunk) in pairwise(way):
                _send(table, program, (first + stage, chunk), (first + after_stage, after_chunk))


def _send(table: _Tasks, program: Program, here: tuple[int, int], there: tuple[int, int]) -> None:
    """From one (lane, chunk) to the next one, and back."""
    lane, after = here[0], there[0]
    forward, backward = program.sends[lane, after, 0], program.sends[after, lane, 1]
    mine, theirs = (_ends(table, *place, (FORWARD,)) for place in (here, there))
    table.add_sends(lane, FORWARD, forward, mine[:, 0], mine[:, 2], theirs[:, 1])
    back, from_there = (_ends(table, *place, (BACKWARD, INPUT)) for place in (here, there))
    table.add_sends(after, BACKWARD, backward, back[:, 0], from_there[:, 2], back[:, 1])


def _ends(table: _Tasks, lane: int, chunk: int, kinds: tuple[int, ...]) -> Array:
    """int64[m, 3]: microbatch, first and last task of the passes of some kinds of a chunk, by microbatch."""
    passes = table.passes[lane]
    mine = passes[(passes[:, 1] == chunk) & np.isin(passes[:, 0], kinds)]
    return np.asarray(mine[np.argsort(mine[:, 2], kind="stable"), 2:])


def _share_parameters(table: _Tasks, program: Program) -> None:
    """Gather before the first pass, reduce behind or after the last ones, then the optimiser."""
    last: list[list[int]] = []
    for stage in range(program.job.parallelism.pipeline):
        previous: list[int] = []
        for collective in program.gathers[stage]:
            previous = [table.add(DP, stage, previous, collective=collective)]
        for lane in program.lanes_of(stage) if previous else ():
            table.connect(np.array(previous), np.array([table.first[lane]]))
        previous = [*table.behind[stage][-1:], *(table.last[lane] for lane in program.lanes_of(stage))]
        for collective in program.reduces[stage]:
            previous = [table.add(DP, stage, previous, collective=collective)]
        last.append(previous)
    for collective, (first, other) in program.ties:
        tied = table.add(DP, first, [*last[first], *last[other]], collective=collective)
        last[first] = last[other] = [tied]
    for lane in range(program.num_lanes):
        stage = program.stage_of(lane)
        others = {table.last[other] for other in program.lanes_of(stage)} - {table.last[lane]}
        previous = [task for task in last[stage] if task not in others]
        table.add(OPTIMIZER, lane, previous, compute_s=program.optimizer_s[lane])
