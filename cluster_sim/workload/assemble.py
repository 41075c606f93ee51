"""Program to Schedule: the lanes of all stages as one table of tasks, with what unlocks what."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from cluster_sim.tables import DP, NONE, OPTIMIZER, PP, Array, Schedule, grouped
from cluster_sim.workload.program import PHASES, Program
from cluster_sim.workload.schedules import BACKWARD, FORWARD, INPUT
from cluster_sim.workload.segments import AHEAD, BEHIND, WAIT
from cluster_sim.workload.templates import Lane, lane_of


def assemble(program: Program, fused_s: Mapping[int, float]) -> Schedule:
    """The schedule of one step.

    Args:
        program: what the stages do.
        fused_s: collectives that run between a stage's kernels without meeting any other traffic, with the time each
            takes: they become part of their compute task.
    """
    table = _Tasks()
    for stage in range(program.job.parallelism.pipeline):
        table.add_lane(stage, lane_of(program, stage, fused_s), program.job.parallelism.shards_parameters)
    _connect_stages(table, program)
    _share_parameters(table, program)
    return table.schedule(program)


class _Tasks:
    """Columns that grow while the schedule is put together, and edges (before, after).

    Attributes:
        passes: by stage, as in Lane, with numbers of rows of the whole table.
        behind: by stage, reductions that run behind passes, in order.
        first, last: by stage, the first and the last row that the stage waits for.
    """

    def __init__(self) -> None:
        self.columns: list[dict[str, Array]] = []
        self.edges: list[tuple[Array, Array]] = []
        self.num = 0
        self.passes: list[Array] = []
        self.behind: list[list[int]] = []
        self.first: list[int] = []
        self.last: list[int] = []

    def add_lane(self, stage: int, lane: Lane, limits_gathers: bool) -> None:
        """All passes of a stage in their order."""
        base, passes = self.num, lane.passes.copy()
        passes[:, 3:] += base
        self._append(
            kind=lane.kind, stage=np.full(len(lane), stage), microbatch=lane.microbatch, chunk=lane.chunk,
            pass_kind=lane.pass_kind, compute_s=lane.compute_s, fused_s=lane.fused_s, collective=lane.collective,
        )  # fmt: skip
        self.connect(base + lane.edges[:, 0], base + lane.edges[:, 1])
        self._follow(lane, base)
        self._gather_ahead(lane, base, limits_gathers)
        behind = base + np.flatnonzero(lane.role == BEHIND)
        self.connect(behind[:-1], behind[1:])
        self.behind.append(behind.tolist())
        waited = base + np.flatnonzero(lane.role == WAIT)
        self.first.append(int(waited[0]))
        self.last.append(int(waited[-1]))
        self.passes.append(passes)

    def add(self, kind: int, stage: int, after: Sequence[int], compute_s: float = 0.0, collective: int = NONE) -> int:
        """One task that needs the tasks in ``after``; its row."""
        self._append(
            kind=np.array([kind]), stage=np.array([stage]), microbatch=np.array([NONE]), chunk=np.array([NONE]),
            pass_kind=np.array([NONE]), compute_s=np.array([compute_s]), fused_s=np.array([0.0]),
            collective=np.array([collective]),
        )  # fmt: skip
        self.connect(np.array(after, dtype=np.int64), np.full(len(after), self.num - 1))
        return self.num - 1

    def add_sends(self, stage: int, kind: int, collective: int, after: Array, before: Array) -> None:
        """One send after each task in ``after`` that the task in ``before`` waits for."""
        num = len(after)
        rows = np.arange(self.num, self.num + num)
        self._append(
            kind=np.full(num, PP), stage=np.full(num, stage), microbatch=np.arange(num), chunk=np.full(num, NONE),
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
            num_stages=program.job.parallelism.pipeline,
            phases=PHASES,
        )

    def _append(self, **columns: Array) -> None:
        dtypes = {"compute_s": np.float64, "fused_s": np.float64}
        self.columns.append({name: column.astype(dtypes.get(name, np.int32)) for name, column in columns.items()})
        self.num += len(columns["kind"])

    def _follow(self, lane: Lane, base: int) -> None:
        """A pass begins after a collective that ends the one before; compute waits for compute by order alone."""
        exits, entries = lane.passes[:-1, 4], lane.passes[1:, 3]
        meets = (lane.collective[exits] != NONE) | (lane.collective[entries] != NONE)
        meets &= exits < entries  # passes that run together do not follow on one another
        self.connect(base + exits[meets], base + entries[meets])

    def _gather_ahead(self, lane: Lane, base: int, limits: bool) -> None:
        """Gathers one after the other; with limits none starts before what the one before is for may start."""
        gathers = np.flatnonzero(lane.role == AHEAD)
        if not len(gathers):
            return
        self.connect(base + gathers[:-1], base + gathers[1:])
        if limits:
            waited = np.flatnonzero(lane.role == WAIT)
            anchor = waited[np.searchsorted(waited, gathers)]  # what needs each
            previous = np.searchsorted(gathers, waited[np.maximum(np.searchsorted(waited, anchor) - 1, 0)]) - 1
            at = np.searchsorted(waited, anchor[np.maximum(previous, 0)]) - 1
            has = (previous >= 0) & (at >= 0)
            self.connect(base + waited[at[has]], base + gathers[has])


def _connect_stages(table: _Tasks, program: Program) -> None:
    """Activations go to the next virtual stage, their gradients to the previous one."""
    p = program.job.parallelism
    ways = program.schedule.ways(p.pipeline, p.virtual_stages)
    for way in ways:
        for (stage, chunk), (after_stage, after_chunk) in pairwise(way):
            forward, backward = program.sends[stage, after_stage, 0], program.sends[after_stage, stage, 1]
            here, there = (_ends(table, *place, (FORWARD,)) for place in ((stage, chunk), (after_stage, after_chunk)))
            table.add_sends(stage, FORWARD, forward, here[:, 1], there[:, 0])
            back, from_there = (
                _ends(table, *place, (BACKWARD, INPUT)) for place in ((stage, chunk), (after_stage, after_chunk))
            )
            table.add_sends(after_stage, BACKWARD, backward, from_there[:, 1], back[:, 0])


def _ends(table: _Tasks, stage: int, chunk: int, kinds: tuple[int, ...]) -> Array:
    """int64[m, 2]: first and last task of the passes of some kinds of a chunk, by microbatch."""
    passes = table.passes[stage]
    mine = passes[(passes[:, 1] == chunk) & np.isin(passes[:, 0], kinds)]
    return np.asarray(mine[np.argsort(mine[:, 2], kind="stable"), 3:])


def _share_parameters(table: _Tasks, program: Program) -> None:
    """Gather before the first pass, reduce behind or after the last ones, then the optimiser."""
    last: list[list[int]] = []
    for stage in range(program.job.parallelism.pipeline):
        previous: list[int] = []
        for collective in program.gathers[stage]:
            previous = [table.add(DP, stage, previous, collective=collective)]
        if previous:
            table.connect(np.array(previous), np.array([table.first[stage]]))
        previous = [*table.behind[stage][-1:], table.last[stage]]
        for collective in program.reduces[stage]:
            previous = [table.add(DP, stage, previous, collective=collective)]
        last.append(previous)
    for collective, (first, other) in program.ties:
        tied = table.add(DP, first, [*last[first], *last[other]], collective=collective)
        last[first] = last[other] = [tied]
    for stage, previous in enumerate(last):
        table.add(OPTIMIZER, stage, previous, compute_s=program.optimizer_s[stage])
