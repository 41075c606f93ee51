"""How fast a stage computes: slower while collectives beside it take processors and memory bandwidth."""

import numpy as np
from simpy.events import Event

from cluster_sim.engine.clock import Clock


class Pace:
    """One piece of work at a time, at a pace that can change while it runs.

    Beside several collectives the one that slows it most counts. Communication that is fused into the work is not
    slowed, as if it were spread evenly over the work.

    Attributes:
        left_s: time that the work would still take with nothing beside it, as of ``since_s``; NaN for no work.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.left_s, self.since_s = np.nan, 0.0
        self._beside: list[float] = []
        self._stretch = self._compute_ratio = 1.0
        self._done = clock.event()
        self._timer: Event | None = None

    def run(self, work_s: float, compute_ratio: float = 1.0) -> Event:
        """Begin a piece of work; the event rings when it is done.

        Args:
            work_s: how long it takes with nothing beside it.
            compute_ratio: share of that in which accelerators compute.
        """
        self.left_s, self._compute_ratio, self._done = work_s, compute_ratio, self.clock.event()
        self._stretch = self._stretch_now()
        self._set_timer()
        return self._done

    def slow_down(self, ratio: float) -> None:
        """A collective begins beside which work takes longer by ``ratio``."""
        self._beside.append(ratio)
        self._change()

    def speed_up(self, ratio: float) -> None:
        """Such a collective has ended."""
        self._beside.remove(ratio)
        self._change()

    def _change(self) -> None:
        stretch = self._stretch_now()
        if stretch != self._stretch:
            if self.left_s == self.left_s:
                self.left_s = max(0.0, self.left_s - (self.clock.now - self.since_s) / self._stretch)
            self._stretch = stretch
            if self.left_s == self.left_s:
                self._set_timer()

    def _stretch_now(self) -> float:
        return 1.0 + self._compute_ratio * max(self._beside, default=0.0)

    def _set_timer(self) -> None:
        self.since_s = self.clock.now
        self._timer = self.clock.ring_at(Event(self.clock), self.clock.now + self.left_s * self._stretch)
        self._timer.callbacks.append(self._on_timer)

    def _on_timer(self, timer: Event) -> None:
        """A timer from before a change of pace is stale."""
        if timer is self._timer:
            self.left_s = np.nan
            self._done.succeed()
