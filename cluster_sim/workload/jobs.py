"""Several jobs in one cluster: their programs as one schedule, with lanes and collectives of each."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cluster_sim.core import PlanError
from cluster_sim.tables import NONE, OPTIMIZER, Array, Collective, Lanes, Schedule, grouped
from cluster_sim.workload.assemble import MOST_TASKS, assemble
from cluster_sim.workload.program import Program


@dataclass(frozen=True, slots=True)
class Jobs:
    """The main job, which does one step, and neighbours, which do some one after the other from the same start.

    Attributes:
        programs: of all, the main job's first.
        names: of the neighbours.
        steps: of the neighbours.
    """

    programs: tuple[Program, ...]
    names: tuple[str, ...] = ()
    steps: tuple[int, ...] = ()

    @property
    def collectives(self) -> tuple[Collective, ...]:
        """Those of all jobs, job after job; neighbours' with the name of the job, all with their lane of all lanes."""
        found, first_lane = [], 0
        for program, name in zip(self.programs, ("", *self.names), strict=True):
            for collective in program.collectives:
                full = f"{name}: {collective.name}" if name else collective.name
                found.append(replace(collective, lane=first_lane + collective.lane, name=full))
            first_lane += program.num_lanes
        return tuple(found) if self.names else tuple(self.programs[0].collectives)

    def num_runs(self) -> Array:
        """int64[collectives]: how often each runs, in all steps of its job."""
        times = (1, *self.steps)
        return np.concatenate([program.num_runs() * n for program, n in zip(self.programs, times, strict=True)])

    def schedule(self, fused_s: Mapping[int, float]) -> Schedule:
        """All tasks, job after job, step after step.

        Args:
            fused_s: as in ``assemble``, by row of ``collectives``.

        Raises:
            PlanError: too many tasks.
        """
        schedules, first = [], 0
        for program, num_steps in zip(self.programs, (1, *self.steps), strict=True):
            last = first + len(program.collectives)
            mine = {row - first: seconds for row, seconds in fused_s.items() if first <= row < last}
            schedules.append(_repeated(assemble(program, mine), num_steps))
            first = last
        return _side_by_side(schedules, self.collectives) if self.names else schedules[0]


def steps_of(schedule: Schedule, num_steps: int, job: int) -> Array:
    """int64[n]: the optimiser tasks that end each step of a job, all lanes of one step after the other."""
    tasks = np.flatnonzero((schedule.lanes.job[schedule.lane] == job) & (schedule.kind == OPTIMIZER))
    return np.asarray(tasks.reshape(num_steps, -1))


def _repeated(step: Schedule, times: int) -> Schedule:
    """The same step several times: a stage begins the next one when its optimiser is done in all replicas."""
    if times == 1:
        return step
    if len(step) * times > MOST_TASKS:
        raise PlanError(
            f"{times} steps of a neighbour are {len(step) * times:,} tasks, and {MOST_TASKS:,} is the most; give it "
            "fewer"
        )
    num = len(step)
    again = num * np.arange(times)[:, None]
    before = np.repeat(np.arange(num), np.diff(step.unlocks_starts))
    edges = [((before + again).ravel(), (step.unlocks + again).ravel())]
    waits = np.flatnonzero((step.num_needs == 0) & ~step.is_lane)  # compute waits by the order of its lane
    for stage in np.unique(step.stage).tolist():
        ends = np.flatnonzero((step.kind == OPTIMIZER) & (step.stage == stage))
        begins = waits[step.stage[waits] == stage]
        pairs = np.stack(np.meshgrid(ends, begins, indexing="ij")).reshape(2, -1)
        edges.append(((pairs[0] + again[:-1]).ravel(), (pairs[1] + again[1:]).ravel()))
    columns = ("kind", "lane", "microbatch", "chunk", "pass_kind", "compute_s", "fused_s", "collective")
    return _with_edges(step, {name: np.tile(getattr(step, name), times) for name in columns}, edges)


def _side_by_side(schedules: list[Schedule], collectives: tuple[Collective, ...]) -> Schedule:
    """Nothing of one waits for anything of another."""
    names = ("kind", "microbatch", "chunk", "pass_kind", "compute_s", "fused_s")
    columns = {name: np.concatenate([getattr(one, name) for one in schedules]) for name in names}
    firsts = np.cumsum([[0, 0, 0], *([len(one), len(one.lanes), len(one.collectives)] for one in schedules)], axis=0)
    edges, lanes, rows = [], [], []
    for one, (task, lane, collective) in zip(schedules, firsts.tolist(), strict=False):
        before = np.repeat(np.arange(len(one)), np.diff(one.unlocks_starts))
        edges.append((before + task, one.unlocks + task))
        lanes.append(one.lane + np.int32(lane))
        rows.append(np.where(one.collective == NONE, NONE, one.collective + collective).astype(np.int32))
    columns |= {"lane": np.concatenate(lanes), "collective": np.concatenate(rows)}
    joined = Lanes(
        stage=np.concatenate([one.lanes.stage for one in schedules]),
        replica=np.concatenate([one.lanes.replica for one in schedules]),
        job=np.repeat(np.arange(len(schedules), dtype=np.int32), [len(one.lanes) for one in schedules]),
    )
    return replace(_with_edges(schedules[0], columns, edges), collectives=collectives, lanes=joined)


def _with_edges(like: Schedule, columns: dict[str, Array], edges: list[tuple[Array, Array]]) -> Schedule:
    """A schedule with other tasks and (before, after) edges."""
    num = len(columns["kind"])
    before, after = (np.concatenate(ends).astype(np.int32) for ends in zip(*edges, strict=True))
    unlocks, unlocks_starts = grouped(before, after, num)
    needs = np.bincount(after, minlength=num).astype(np.int32)
    changes: dict[str, Any] = {**columns, "unlocks": unlocks, "unlocks_starts": unlocks_starts, "num_needs": needs}
    return replace(like, **changes)
