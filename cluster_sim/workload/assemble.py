"""Program to Schedule: passes in the order of the pipeline schedule, as one table of tasks with what unlocks what."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from cluster_sim.tables import (
    COMPUTE,
    DP,
    NONE,
    OPTIMIZER,
    PP,
    Array,
    Schedule,
    grouped,
    ragged_ranges,
    starts_of,
)
from cluster_sim.workload.program import PHASES, Pass, Program, Segment
from cluster_sim.workload.schedules import SCHEDULES


def assemble(program: Program, fused_s: Mapping[int, float]) -> Schedule:
    """The schedule of one step.

    Args:
        program: what the stages do.
        fused_s: collectives that run between a stage's kernels without meeting any other traffic, with the time each
            takes: they become part of their compute task.
    """
    table = _Tasks()
    passes = _PassTable(program, fused_s)
    for stage in range(program.job.parallelism.pipeline):
        table.add_stage(passes, program, stage)
    _connect_stages(table, program)
    for stage in range(program.job.parallelism.pipeline):
        _share_parameters(table, program, stage)
    return table.schedule(program)


class _PassTable:
    """Segments of every kind of pass: a run of rows for each (stage, chunk, backward, last microbatch)."""

    def __init__(self, program: Program, fused_s: Mapping[int, float]) -> None:
        p = program.job.parallelism
        self.shape = (p.pipeline, p.virtual_stages, 2, 2)
        runs = []
        for stage, chunk, backward, last in np.ndindex(*self.shape):
            segments = program.passes[stage, chunk, backward]
            runs.append(fuse(segments, fused_s, keep_buckets=bool(last and backward and p.overlap_gradients)))
        self.starts = starts_of(np.array([len(run) for run in runs]))
        flat = [segment for run in runs for segment in run]
        self.compute_s = np.array([segment.compute_s for segment in flat])
        self.fused_s = np.array([segment.fused_s for segment in flat])
        self.collective = np.array([segment.collective for segment in flat], np.int32)
        self.bucket = np.array([segment.bucket for segment in flat], np.int32)
        self.kind = np.array(
            [COMPUTE if s.collective == NONE else program.collectives[s.collective].kind for s in flat],
            np.int32,
        )


def fuse(segments: Pass, fused_s: Mapping[int, float], keep_buckets: bool) -> list[Segment]:
    """Join neighbouring segments without other traffic between them into one.

    Args:
        segments: of a pass.
        fused_s: time of each collective to be fused.
        keep_buckets: end a segment wherever gradients are complete.
    """
    joined: list[Segment] = []
    is_open = False
    for segment in segments:
        if segment.collective != NONE and segment.collective not in fused_s:
            joined.append(replace(segment, bucket=NONE))
            is_open = False
        else:
            before = joined.pop() if is_open else Segment()
            joined.append(
                Segment(
                    compute_s=before.compute_s + segment.compute_s,
                    fused_s=before.fused_s + segment.fused_s + fused_s.get(segment.collective, 0.0),
                )
            )
            is_open = True
        if keep_buckets and segment.bucket != NONE:
            joined[-1] = replace(joined[-1], bucket=segment.bucket)
            is_open = False
    return joined


class _Tasks:
    """Columns that grow while the schedule is put together, and edges (before, after)."""

    def __init__(self) -> None:
        self.columns: list[dict[str, Array]] = []
        self.edges: list[tuple[Array, Array]] = []
        self.num = 0
        self.first: dict[tuple[int, int, int], Array] = {}
        self.last: dict[tuple[int, int, int], Array] = {}
        self.bucket_task: dict[tuple[int, int, int], int] = {}
        self.stage_first: dict[int, int] = {}
        self.stage_last: dict[int, int] = {}

    def add_stage(self, passes: _PassTable, program: Program, stage: int) -> None:
        """All passes of a stage in their order."""
        job, p = program.job, program.job.parallelism
        order = SCHEDULES[job.schedule].order(stage, p.pipeline, job.num_microbatches, p.virtual_stages)
        backward, chunk, microbatch, _ = order.T.astype(np.int64)
        is_last = (microbatch == job.num_microbatches - 1).astype(np.int64)
        run = np.ravel_multi_index((np.full_like(chunk, stage), chunk, backward, is_last), passes.shape)
        counts = np.diff(passes.starts)[run]
        row = ragged_ranges(passes.starts[run], counts)
        first = self.num + starts_of(counts)
        self._append(
            kind=passes.kind[row], stage=np.full(len(row), stage), microbatch=np.repeat(microbatch, counts),
            chunk=np.repeat(chunk, counts), is_backward=np.repeat(backward, counts), compute_s=passes.compute_s[row],
            fused_s=passes.fused_s[row], collective=passes.collective[row],
        )  # fmt: skip
        self._chain(first[0], passes.collective[row] != NONE)
        self._remember(stage, order, first, passes.bucket[row])

    def add(self, kind: int, stage: int, after: list[int], compute_s: float = 0.0, collective: int = NONE) -> int:
        """One task that needs the tasks in ``after``; its row."""
        self._append(
            kind=np.array([kind]), stage=np.array([stage]), microbatch=np.array([NONE]), chunk=np.array([NONE]),
            is_backward=np.array([0]), compute_s=np.array([compute_s]), fused_s=np.array([0.0]),
            collective=np.array([collective]),
        )  # fmt: skip
        self.connect(np.array(after, dtype=np.int64), np.full(len(after), self.num - 1))
        return self.num - 1

    def add_sends(self, stage: int, is_backward: int, collective: int, after: Array, before: Array) -> None:
        """One send after each task in ``after`` that the task in ``before`` waits for."""
        num = len(after)
        rows = np.arange(self.num, self.num + num)
        self._append(
            kind=np.full(num, PP), stage=np.full(num, stage), microbatch=np.arange(num), chunk=np.full(num, NONE),
            is_backward=np.full(num, is_backward), compute_s=np.zeros(num), fused_s=np.zeros(num),
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
        dtypes = {"is_backward": np.int8, "compute_s": np.float64, "fused_s": np.float64}
        self.columns.append({name: column.astype(dtypes.get(name, np.int32)) for name, column in columns.items()})
        self.num += len(columns["kind"])

    def _chain(self, first: int, is_collective: Array) -> None:
        """A stage waits for its collectives; compute waits for compute by the order of rows alone."""
        meets = is_collective[:-1] | is_collective[1:]
        task = first + np.flatnonzero(meets)
        self.connect(task, task + 1)

    def _remember(self, stage: int, order: Array, first: Array, bucket: Array) -> None:
        """First and last task of every pass by microbatch, and the tasks after which buckets are complete."""
        self.stage_first[stage], self.stage_last[stage] = int(first[0]), int(first[-1]) - 1
        for backward in (0, 1):
            for chunk in range(int(order[:, 1].max()) + 1):
                of_kind = np.flatnonzero((order[:, 0] == backward) & (order[:, 1] == chunk))
                of_kind = of_kind[np.argsort(order[of_kind, 2], kind="stable")]
                self.first[stage, chunk, backward] = first[of_kind]
                self.last[stage, chunk, backward] = first[of_kind + 1] - 1
        tasks = np.flatnonzero(bucket != NONE)
        chunk_of = np.repeat(order[:, 1], np.diff(first))
        for task in tasks:
            self.bucket_task[stage, int(chunk_of[task]), int(bucket[task])] = int(first[0] + task)


def _connect_stages(table: _Tasks, program: Program) -> None:
    """Activations go to the next virtual stage, their gradients to the previous one."""
    p = program.job.parallelism
    for number in range(p.pipeline * p.virtual_stages - 1):
        (chunk, stage), (next_chunk, next_stage) = divmod(number, p.pipeline), divmod(number + 1, p.pipeline)
        forward, backward = program.sends.get((stage, 0), NONE), program.sends.get((next_stage, 1), NONE)
        table.add_sends(stage, 0, forward, table.last[stage, chunk, 0], table.first[next_stage, next_chunk, 0])
        table.add_sends(next_stage, 1, backward, table.last[next_stage, next_chunk, 1], table.first[stage, chunk, 1])


def _share_parameters(table: _Tasks, program: Program, stage: int) -> None:
    """Gather before the first pass, reduce behind the last ones, then the optimiser. One reduction at a time."""
    previous: list[int] = []
    for collective in program.gathers[stage]:
        previous = [table.add(DP, stage, previous, collective=collective)]
    if previous:
        table.connect(np.array(previous), np.array([table.stage_first[stage]]))
    previous = []
    for (chunk, bucket), rows in _buckets_in_order(table, program, stage):
        ready = table.bucket_task.get((stage, chunk, bucket), table.stage_last[stage])
        for collective in rows:
            previous = [table.add(DP, stage, [*previous, ready], collective=collective)]
    table.add(OPTIMIZER, stage, [*previous, table.stage_last[stage]], compute_s=program.optimizer_s[stage])


def _buckets_in_order(table: _Tasks, program: Program, stage: int) -> list[tuple[tuple[int, int], list[int]]]:
    """((chunk, bucket), reductions) of a stage in the order in which they become ready."""
    found = [((chunk, bucket), rows) for (at, chunk, bucket), rows in program.reduces.items() if at == stage]
    return sorted(found, key=lambda item: table.bucket_task.get((stage, *item[0]), table.stage_last[stage]))
