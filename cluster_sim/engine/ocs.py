"""The OCS controllers: they switch circuits as soon as nobody needs the old ones, ahead of who needs the new ones."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from simpy.events import Event

from cluster_sim.engine.clock import Clock
from cluster_sim.engine.network import Network
from cluster_sim.engine.routes import Routes
from cluster_sim.tables import EP, NONE, Array, Schedule


@dataclass(frozen=True, slots=True)
class Switching:
    """One reconfiguration: when it began, when light and data were back, and how many circuits it made."""

    start_s: float
    end_s: float
    setting: int
    num_circuits: int


class Controller(Protocol):
    """Takes the OCS through the settings of a step.

    Attributes:
        log: what has been switched.
    """

    log: list[Switching]

    @property
    def carried(self) -> list[tuple[int, Array]]:
        """As in Outcome; complete when closed."""

    def end(self, task: int, collective: int) -> None:
        """``task`` has ended, a run of ``collective``."""

    def close(self) -> None:
        """Everything has ended: put aside what the rows have carried."""


def controller_of(clock: Clock, routes: Routes, network: Network, schedule: Schedule) -> Controller:
    """What sets the OCS of a fabric; without any it has nothing to do."""
    if routes.light.is_by_layer:
        return LayerController(clock, routes, network, schedule)
    return PhaseController(clock, routes, network, schedule)


def first_capacity(routes: Routes, schedule: Schedule) -> Array:
    """float64[row classes]: bytes/s when a step begins. A step follows on a step: its first setting is the last one."""
    if not routes.light.is_by_layer:
        return np.array(routes.capacity[routes.light.phase_setting[-1]])
    return _together(routes, {lane: setting[-1] for lane, (_, setting) in _tasks_by_lane(routes, schedule).items()})


def _tasks_by_lane(routes: Routes, schedule: Schedule) -> dict[int, tuple[Array, list[int]]]:
    """(tasks of its experts in their order, setting of each) of every lane that has any."""
    tasks = np.flatnonzero(schedule.kind == EP)
    by_lane = {int(lane): tasks[schedule.lane[tasks] == lane] for lane in np.unique(schedule.lane[tasks])}
    setting = routes.light.collective_setting
    return {lane: (mine, setting[schedule.collective[mine]].tolist()) for lane, mine in by_lane.items()}


def _together(routes: Routes, lit: dict[int, int]) -> Array:
    """Rows have what they have without circuits, and what the setting of each lane adds."""
    total: Array = routes.capacity[0].copy()
    for setting in lit.values():
        total += routes.capacity[setting] - routes.capacity[0]
    return total


class PhaseController:
    """One setting of all OCS for each phase.

    A phase is over for the OCS when those of its collectives have ended that send between pods: what the stages still
    compute, or send inside, is time to switch in.
    """

    def __init__(self, clock: Clock, routes: Routes, network: Network, schedule: Schedule) -> None:
        self.clock, self.routes, self.network = clock, routes, network
        self.setting = int(routes.light.phase_setting[-1])
        self.log: list[Switching] = []
        self._carried: list[tuple[int, Array]] = []
        self._phase = [collective.phase for collective in schedule.collectives]
        self._uses_circuits: list[bool] = routes.light.uses_circuits.tolist()
        runs = schedule.collective[schedule.collective != NONE]
        phase = np.array(self._phase, np.int64)[runs[routes.light.uses_circuits[runs]]]
        self._left: list[int] = np.bincount(phase, minlength=len(schedule.phases)).tolist()
        self._over = [clock.event() for _ in schedule.phases]
        for number, left in enumerate(self._left):
            if not left:
                self._over[number].succeed()
        if len(routes.light.settings) > 1:
            clock.process(self._run())

    @property
    def carried(self) -> list[tuple[int, Array]]:
        """See Controller; one entry for each stretch of time."""
        return self._carried

    def end(self, task: int, collective: int) -> None:
        """See Controller; rings when a phase is over."""
        if not self._uses_circuits[collective]:
            return
        phase = self._phase[collective]
        self._left[phase] -= 1
        if not self._left[phase]:
            self._over[phase].succeed()

    def close(self) -> None:
        """See Controller."""
        self._carried.append((self.setting, self.network.take_carried()))

    def _run(self) -> Generator[Event, Any, None]:
        """Process: before each phase, switch what changes, as soon as nobody of the phase before needs it."""
        for phase, setting in enumerate(self.routes.light.phase_setting.tolist()):
            if setting != self.setting:
                yield from self._switch(setting)
            yield self._over[phase]

    def _switch(self, setting: int) -> Generator[Event, Any, None]:
        """Changed ports are dark until the circuit has switched and the transceivers have locked; the rest goes on."""
        planner, new = self.routes.fabric.planner, self.routes.light.settings[setting]
        assert planner is not None
        assert new is not None
        start_s, change = self.clock.now, self.routes.switching[self.setting, setting]
        self.network.set_capacity(self.routes.capacity[change])
        yield self.clock.timeout(planner.switch_s)
        self.network.set_capacity(self.routes.capacity[setting])
        self.close()
        self.setting = setting
        num_kept = int(np.count_nonzero(self.routes.rows[change].link_row[new.in_link] != NONE))
        self.log.append(Switching(start_s, self.clock.now, setting, len(new) - num_kept))


class LayerController:
    """Each lane (a pipeline stage of a class of replicas) has circuits of its own.

    They follow what its layers send to their experts, one after the other.

    The order is known: a lane switches when the collectives of one layer have ended, while it computes what comes
    before those of the next. All its circuits are dark meanwhile.
    """

    def __init__(self, clock: Clock, routes: Routes, network: Network, schedule: Schedule) -> None:
        self.clock, self.routes, self.network = clock, routes, network
        self.log: list[Switching] = []
        self._carried: dict[int, Array] = {}
        by_lane = _tasks_by_lane(routes, schedule)
        self._over = {task: clock.event() for tasks, _ in by_lane.values() for task in tasks.tolist()}
        self._lit = {lane: settings[-1] for lane, (_, settings) in by_lane.items()}
        for lane, (tasks, settings) in by_lane.items():
            clock.process(self._run(lane, tasks.tolist(), settings))

    @property
    def carried(self) -> list[tuple[int, Array]]:
        """See Controller; one entry for each setting."""
        return list(self._carried.items())

    def end(self, task: int, collective: int) -> None:
        """See Controller."""
        if task in self._over:
            self._over[task].succeed()

    def close(self) -> None:
        """See Controller."""
        for lane in self._lit:
            self._put_aside(lane)
        self._add(0, self.network.take_carried())

    def _run(self, lane: int, tasks: list[int], settings: list[int]) -> Generator[Event, Any, None]:
        """Process: before each collective of experts of the lane, switch to what it needs."""
        for task, setting in zip(tasks, settings, strict=True):
            if setting != self._lit[lane]:
                yield from self._switch(lane, setting)
            yield self._over[task]

    def _switch(self, lane: int, setting: int) -> Generator[Event, Any, None]:
        planner, new = self.routes.fabric.planner, self.routes.light.settings[setting]
        assert planner is not None
        assert new is not None
        start_s = self.clock.now
        self._put_aside(lane)
        self._lit[lane] = 0
        self.network.set_capacity(_together(self.routes, self._lit))
        yield self.clock.timeout(planner.switch_s)
        self._lit[lane] = setting
        self.network.set_capacity(_together(self.routes, self._lit))
        self.log.append(Switching(start_s, self.clock.now, setting, len(new)))

    def _put_aside(self, lane: int) -> None:
        """What the circuits of a lane have carried; its rows are nobody else's."""
        setting = self._lit[lane]
        capacity = self.routes.capacity
        self._add(setting, self.network.take_carried(capacity[setting] != capacity[0]))

    def _add(self, setting: int, carried: Array) -> None:
        known = self._carried.get(setting, np.zeros_like(carried))
        self._carried[setting] = np.concatenate([known[:3] + carried[:3], np.maximum(known[3:], carried[3:])])
