"""The OCS controller: switches circuits when the last collective of a phase has ended."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
from simpy.events import Event

from cluster_sim.engine.clock import Clock
from cluster_sim.engine.network import Network
from cluster_sim.engine.routes import Routes
from cluster_sim.tables import NONE, Array, Schedule


class PhaseCounter:
    """How many collectives of each phase have not ended; rings when a phase is over."""

    def __init__(self, clock: Clock, schedule: Schedule) -> None:
        runs = schedule.collective[schedule.collective != NONE]
        self._phase = [collective.phase for collective in schedule.collectives]
        phase = np.array(self._phase, np.int64)[runs]
        self.left: list[int] = np.bincount(phase, minlength=len(schedule.phases)).tolist()
        self.over = [clock.event() for _ in schedule.phases]
        for number, left in enumerate(self.left):
            if not left:
                self.over[number].succeed()

    def end(self, collective: int) -> None:
        """One run of ``collective`` has ended."""
        phase = self._phase[collective]
        self.left[phase] -= 1
        if not self.left[phase]:
            self.over[phase].succeed()


@dataclass(frozen=True, slots=True)
class Switching:
    """One reconfiguration: when it began, when light and data were back, and how many circuits it made."""

    start_s: float
    end_s: float
    setting: int
    num_circuits: int


class OcsController:
    """Takes the OCS through the settings of a step. A step follows on a step, so the first setting is the last one."""

    def __init__(self, clock: Clock, routes: Routes, network: Network, phases: PhaseCounter, setting: int) -> None:
        self.clock, self.routes, self.network, self.phases = clock, routes, network, phases
        self.setting = setting
        self.log: list[Switching] = []
        self.carried: list[tuple[int, Array]] = []
        if len(routes.settings) > 1:
            clock.process(self._run())

    def _run(self) -> Generator[Event, Any, None]:
        """Process: before each phase, switch what changes, as soon as nobody of the phase before needs it."""
        for phase, setting in enumerate(self.routes.phase_setting.tolist()):
            if setting != self.setting:
                yield from self._switch(setting)
            yield self.phases.over[phase]

    def _switch(self, setting: int) -> Generator[Event, Any, None]:
        """Changed ports are dark until the circuit has switched and the transceivers have locked; the rest goes on."""
        planner, new = self.routes.fabric.planner, self.routes.settings[setting]
        assert planner is not None
        assert new is not None
        start_s, change = self.clock.now, self.routes.switching[self.setting, setting]
        self.network.set_capacity(self.routes.capacity[change])
        yield self.clock.timeout(planner.switch_s)
        self.network.set_capacity(self.routes.capacity[setting])
        self.close_setting()
        self.setting = setting
        num_kept = int(np.count_nonzero(self.routes.rows[change].link_row[new.in_link] != NONE))
        self.log.append(Switching(start_s, self.clock.now, setting, len(new.in_link) - num_kept))

    def close_setting(self) -> None:
        """Put aside what the rows carried under this setting."""
        self.carried.append((self.setting, self.network.take_carried()))
