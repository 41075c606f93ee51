"""The network: a SimPy process that lets the kernels run whenever nobody else's turn comes first."""

from collections import deque
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
from simpy.events import Event

from cluster_sim.backend import Backend
from cluster_sim.core import StalledFlowsError
from cluster_sim.engine.clock import LATE, Clock
from cluster_sim.engine.routes import Routes
from cluster_sim.kernels import AMOUNTS, FlowState, advance, set_capacity, settle, tick_s
from cluster_sim.tables import NONE, Array, Collective

#: Called when a collective has finished: task, time it stood still for want of bandwidth, row class that held it back.
Finished = Callable[[int, float, int], None]


class Network:
    """All flows of a simulation, their rates, and what the rows have carried.

    Collectives on the same route go one after the other, as on one communicator.
    """

    def __init__(
        self,
        clock: Clock,
        routes: Routes,
        collectives: tuple[Collective, ...],
        backend: Backend,
        capacity: Array,
    ) -> None:
        self.clock, self.routes, self.backend = clock, routes, backend
        self.state = FlowState.idle(routes.table, capacity)
        self.route = routes.route.tolist()
        self.collectives = collectives
        self.queue: list[deque[tuple[int, int]]] = [deque() for _ in range(len(routes.route_patterns) - 1)]
        self.stalled_s = [0.0] * len(self.queue)
        self.on_finished: Finished = _nobody_asked
        self._rung = clock.event()
        self._is_rung = False
        clock.process(self._run())

    def start(self, task: int, collective: int) -> None:
        """Run ``collective`` for ``task`` from now on, or when its route is free."""
        route = self.route[collective]
        self.queue[route].append((task, collective))
        if len(self.queue[route]) == 1:
            self._launch(route, 0)

    def set_capacity(self, capacity: Array) -> None:
        """Give the rows new capacities, float64[row classes] in bytes/s, from now on."""
        set_capacity(self.routes.table, self.state, capacity, self.clock.now)
        self._ring()

    def take_carried(self, is_meant: Array | None = None) -> Array:
        """float64[4, R]: bytes, busy s, full s and peak bytes/s of every row up to now; starts to count anew.

        Args:
            is_meant: bool[R], rows to be counted, others go on and give 0; None for all.
        """
        settle(self.routes.table, self.state, max(self.clock.now, self.state.now_s))
        is_meant = np.ones(len(self.routes.class_row), bool) if is_meant is None else is_meant
        carried = np.where(is_meant, np.stack([self.state.carried[amount] for amount in AMOUNTS]), 0.0)
        for amount in AMOUNTS:
            self.state.carried[amount][is_meant] = 0.0
        return carried

    def check_not_stalled(self) -> None:
        """StalledFlowsError if flows are in flight that nothing can finish."""
        waiting = [queue[0] for queue in self.queue if queue]
        if waiting:
            settle(self.routes.table, self.state, self.state.now_s)
            flying = self.state.flying
            row = int(self.state.bottleneck[flying[0]]) if len(flying) else NONE
            names = tuple(f"{self.collectives[collective].name} (task {task})" for task, collective in waiting)
            raise StalledFlowsError(names, self.routes.link_of(row), self.clock.now)

    def _launch(self, route: int, round_number: int) -> None:
        first, last = self.routes.route_patterns[route : route + 2]
        if first + round_number < last:
            collective = self.collectives[self.queue[route][0][1]]
            start_s = self.clock.now + (0.0 if round_number else collective.overhead_s)
            self.state.start(self.routes.table, int(first) + round_number, start_s, collective.size_bytes)
            self._ring()
        else:  # nothing to send
            event = self.clock.ring_at(Event(self.clock), self.clock.now)
            event.callbacks.append(lambda _: self._complete(route, NONE))

    def _run(self) -> Generator[Event, Any, None]:
        """Process: let flows move until something else can happen or a pattern finishes, repeat."""
        while True:
            yield self._rung
            self._rung, self._is_rung = self.clock.event(), False
            finished = advance(self.routes.table, self.state, self.clock.now, self.clock.peek(), self.backend)
            if finished:
                if self.state.now_s > self.clock.now:
                    yield self.clock.ring_at(self.clock.event(), self.state.now_s)
                for pattern in finished:
                    self._end_round(pattern)
                self._ring()
            elif self.state.next_s < np.inf:
                timer = self.clock.ring_at(Event(self.clock), self.state.next_s)
                timer.callbacks.append(self._on_timer)

    def _end_round(self, pattern: int) -> None:
        route = int(self.routes.pattern_route[pattern])
        round_number = pattern - int(self.routes.route_patterns[route])
        stalled_s, row = self.state.last_class(pattern)
        self.stalled_s[route] += stalled_s
        if pattern + 1 < self.routes.route_patterns[route + 1]:
            self._launch(route, round_number + 1)
        else:
            self._complete(route, row)

    def _complete(self, route: int, row: int) -> None:
        task, _ = self.queue[route].popleft()
        stalled_s, self.stalled_s[route] = self.stalled_s[route], 0.0
        if self.queue[route]:
            self._launch(route, 0)
        self.on_finished(task, stalled_s, row)

    def _on_timer(self, _: Event) -> None:
        """A stale timer only shortened the horizon."""
        if self.state.next_s <= self.clock.now + tick_s(self.clock.now):
            self._ring()

    def _ring(self) -> None:
        """Wake the process once everything else of this instant has happened."""
        if not self._is_rung:
            self._is_rung = True
            self.clock.ring_at(self._rung, self.clock.now, LATE)


def _nobody_asked(task: int, stalled_s: float, row: int) -> None:
    """Until somebody wants to know what has finished."""
