"""The job: a SimPy process per lane, and a table of which tasks have what they need."""

from collections.abc import Callable, Generator
from typing import Any

import numpy as np
from simpy.events import Event

from cluster_sim.engine.clock import Clock
from cluster_sim.engine.network import Network
from cluster_sim.engine.ocs import Controller
from cluster_sim.engine.pace import Pace
from cluster_sim.tables import DP, NONE, Collective, Schedule

#: Called now and then with the number of tasks that have ended.
Progress = Callable[[int], None]

_TASKS_BETWEEN_REPORTS = 256


class Stages:
    """Runs a schedule. Its state is columns over tasks: what they still need, when they started, who released them."""

    def __init__(self, clock: Clock, schedule: Schedule, network: Network, controller: Controller) -> None:
        self.clock, self.schedule, self.network, self.controller = clock, schedule, network, controller
        num = len(schedule)
        self.needs: list[int] = schedule.num_needs.tolist()
        self.start_s, self.end_s, self.stalled_s = [np.nan] * num, [np.nan] * num, [0.0] * num
        self.released_by, self.bottleneck = [NONE] * num, [NONE] * num
        self.num_done = 0
        self.progress: Progress = lambda num_done: None
        self._unlocks: list[int] = schedule.unlocks.tolist()
        self._unlocks_starts: list[int] = schedule.unlocks_starts.tolist()
        self._collective: list[int] = schedule.collective.tolist()
        self._lane_of: list[int] = schedule.lane.tolist()
        self._duration_s: list[float] = (schedule.compute_s + schedule.fused_s).tolist()
        is_lane, num_lanes = schedule.is_lane, len(schedule.lanes)
        self._lane = _tasks_by_lane(schedule)
        self._position = [0] * num_lanes
        self._slowdown_ratio = [collective.slowdown_ratio for collective in schedule.collectives]
        self._pace = [Pace(clock) for _ in range(num_lanes)] if any(self._slowdown_ratio) else []
        total_s = schedule.compute_s + schedule.fused_s
        self._compute_ratio: list[float] = np.divide(
            schedule.compute_s, total_s, out=np.ones(num), where=total_s > 0
        ).tolist()
        self._slowed = [_slowed_by(collective, schedule) for collective in schedule.collectives] if self._pace else []
        self._waiting_for = [NONE] * num_lanes
        self._wake = [clock.event() for _ in range(num_lanes)]
        network.on_finished = self._end_collective
        for number in range(num_lanes):
            clock.process(self._work(number))
        for task in np.flatnonzero((schedule.num_needs == 0) & ~is_lane).tolist():
            self._start_collective(task, NONE)

    def _work(self, number: int) -> Generator[Event, Any, None]:
        """Process: do the lane's compute tasks in order, each as soon as it has what it needs."""
        clock, lane = self.clock, self._lane[number]
        while self._position[number] < len(lane):
            position = self._position[number]
            task = lane[position]
            if self.needs[task]:
                self._waiting_for[number] = task
                self._wake[number] = clock.event()
                yield self._wake[number]
            else:
                self.released_by[task] = lane[position - 1] if position else NONE
            self.start_s[task] = clock.now
            duration_s = self._duration_s[task]
            if self._pace:
                yield self._pace[number].run(duration_s, self._compute_ratio[task])
            else:
                yield clock.timeout(duration_s)
            self._position[number] += 1
            self._end(task)

    def _start_collective(self, task: int, released_by: int) -> None:
        self.start_s[task], self.released_by[task] = self.clock.now, released_by
        if slowdown_ratio := self._slowdown_ratio[self._collective[task]]:
            for lane in self._slowed[self._collective[task]]:
                self._pace[lane].slow_down(slowdown_ratio)
        self.network.start(task, self._collective[task])

    def _end_collective(self, task: int, stalled_s: float, row: int) -> None:
        self.stalled_s[task], self.bottleneck[task] = stalled_s, row
        self.controller.end(task, self._collective[task])
        if slowdown_ratio := self._slowdown_ratio[self._collective[task]]:
            for lane in self._slowed[self._collective[task]]:
                self._pace[lane].speed_up(slowdown_ratio)
        self._end(task)

    def _end(self, task: int) -> None:
        """Note the time, and let everything go that needed only this."""
        self.end_s[task] = self.clock.now
        self.num_done += 1
        if self.num_done % _TASKS_BETWEEN_REPORTS == 0:
            self.progress(self.num_done)
        needs = self.needs
        for after in self._unlocks[self._unlocks_starts[task] : self._unlocks_starts[task + 1]]:
            needs[after] -= 1
            if needs[after] == 0:
                if self._collective[after] != NONE:
                    self._start_collective(after, task)
                elif self._waiting_for[self._lane_of[after]] == after:
                    self.released_by[after] = task
                    self._wake[self._lane_of[after]].succeed()


def _tasks_by_lane(schedule: Schedule) -> list[list[int]]:
    """What keeps each lane busy, in its order."""
    tasks = np.flatnonzero(schedule.is_lane)
    ordered = tasks[np.argsort(schedule.lane[tasks], kind="stable")]
    ends = np.cumsum(np.bincount(schedule.lane[tasks], minlength=len(schedule.lanes)))
    return [part.tolist() for part in np.split(ordered, ends[:-1])]


def _slowed_by(collective: Collective, schedule: Schedule) -> list[int]:
    """Lanes that compute more slowly beside a collective: its own, or all that run it."""
    if collective.lane == NONE:
        return []
    return schedule.lanes.beside(collective.lane) if collective.kind == DP else [collective.lane]
