"""One step of a job on a fabric, and what others do beside it, event by event."""

from dataclasses import dataclass

import numpy as np

from cluster_sim.backend import Backend
from cluster_sim.engine.clock import Clock
from cluster_sim.engine.network import Network
from cluster_sim.engine.ocs import Switching, controller_of, first_capacity
from cluster_sim.engine.routes import Routes
from cluster_sim.engine.stages import Progress, Stages
from cluster_sim.kernels import FlowState, advance
from cluster_sim.tables import NONE, TP, Array, Collective, Schedule


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What happened. Columns over the T tasks of the schedule.

    Attributes:
        start_s, end_s: float64[T].
        released_by: int32[T], the task whose end let it start; NONE where nothing did.
        stalled_s: float64[T], time a collective had no bandwidth at all.
        bottleneck: int32[T], row class that held a collective back at its end.
        step_time_s: end of the main job's last task.
        switchings: reconfigurations of the OCS.
        carried: (setting, float64[4, row classes] of bytes, busy s, full s, peak bytes/s), each for what was lit
            under that setting for some time.
        num_solves: max-min problems solved.
    """

    start_s: Array
    end_s: Array
    released_by: Array
    stalled_s: Array
    bottleneck: Array
    step_time_s: float
    switchings: tuple[Switching, ...]
    carried: tuple[tuple[int, Array], ...]
    num_solves: int


class Simulation:
    """SimPy processes for the network, the lanes of the jobs and the OCS controller, on one clock."""

    def __init__(self, schedule: Schedule, routes: Routes, backend: Backend) -> None:
        self.clock, self.schedule = Clock(), schedule
        self.network = Network(self.clock, routes, schedule.collectives, backend, first_capacity(routes, schedule))
        self.controller = controller_of(self.clock, routes, self.network, schedule)
        self.stages = Stages(self.clock, schedule, self.network, self.controller)

    def run(self, progress: Progress = lambda num_done: None) -> Outcome:
        """Everything until the last task has ended.

        Args:
            progress: told now and then how many tasks have ended.

        Raises:
            StalledFlowsError: flows are left that nothing can finish.
        """
        self.stages.progress = progress
        self.clock.run_to_end()
        if self.stages.num_done < len(self.schedule):
            self.network.check_not_stalled()
            raise AssertionError("tasks wait for each other in a circle")
        self.controller.close()
        end_s = np.array(self.stages.end_s)
        return Outcome(
            start_s=np.array(self.stages.start_s),
            end_s=end_s,
            released_by=np.array(self.stages.released_by, np.int32),
            stalled_s=np.array(self.stages.stalled_s),
            bottleneck=np.array(self.stages.bottleneck, np.int32),
            step_time_s=float(end_s[self.schedule.is_main].max()),
            switchings=tuple(self.controller.log),
            carried=tuple(self.controller.carried),
            num_solves=self.network.state.num_solves,
        )


def fusible(collectives: tuple[Collective, ...], routes: Routes, backend: Backend) -> dict[int, float]:
    """Collectives that meet nothing outside their own lane, with the time each takes.

    A lane waits for its tensor-parallel collectives one by one. Where none of their rows carries anything that runs
    beside the lane or belongs to another, they can be put into the compute task around them without changing anything.
    Those that are taken as if nothing else were on their links are among them in any case.

    Returns:
        seconds by row of ``collectives``.
    """
    users = _users_of_rows(collectives, routes)
    found: dict[int, float] = {}
    for number, collective in enumerate(collectives):
        if collective.kind == TP:
            rows = _rows_of(routes, int(routes.route[number]))
            if collective.is_alone or all(users[row] == {collective.lane} for row in rows):
                found[number] = alone_s(collective, int(routes.route[number]), routes, backend)
    return found


def alone_s(collective: Collective, route: int, routes: Routes, backend: Backend) -> float:
    """Time of a collective when nothing else is on the network."""
    state = FlowState.idle(routes.table, routes.capacity[0])
    overhead_s = collective.overhead_s
    for pattern in range(int(routes.route_patterns[route]), int(routes.route_patterns[route + 1])):
        state.start(routes.table, pattern, state.now_s + overhead_s, collective.size_bytes)
        overhead_s = 0.0
        finished = advance(routes.table, state, state.now_s, np.inf, backend)
        assert finished == [pattern], f"{collective.name} crosses a dark link"
    return state.now_s


def _users_of_rows(collectives: tuple[Collective, ...], routes: Routes) -> dict[int, set[int]]:
    """Lanes that use each row one collective after the other; NONE stands for whatever runs beside a lane."""
    users: dict[int, set[int]] = {}
    for number, collective in enumerate(collectives):
        for row in _rows_of(routes, int(routes.route[number])):
            users.setdefault(row, set()).add(NONE if collective.is_beside else collective.lane)
    return users


def _rows_of(routes: Routes, route: int) -> list[int]:
    """Row classes that a route crosses."""
    patterns = slice(int(routes.route_patterns[route]), int(routes.route_patterns[route + 1]) + 1)
    classes = routes.table.pattern_starts[patterns]
    hops = routes.table.hop_starts[classes[[0, -1]]]
    return [int(row) for row in np.unique(routes.table.hop_row[hops[0] : hops[1]])]
