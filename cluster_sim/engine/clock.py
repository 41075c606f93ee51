"""SimPy's environment with two things more: events at an exact time, and the rest of an instant."""

from heapq import heappush

import simpy
from simpy.core import EmptySchedule
from simpy.events import NORMAL, Event, EventPriority

#: After everything else of the same instant.
LATE = EventPriority(NORMAL + 1)


class Clock(simpy.Environment):
    """Owns the time of a simulation."""

    def ring_at(self, event: Event, time_s: float, priority: EventPriority = NORMAL) -> Event:
        """Trigger ``event`` at exactly ``time_s`` (``now + (time - now)`` may differ from it by an ulp)."""
        event._ok, event._value = True, None
        heappush(self._queue, (time_s, priority, next(self._eid), event))
        return event

    def run_to_end(self) -> None:
        """Process events until there are none."""
        step = self.step
        try:
            while True:
                step()
        except EmptySchedule:
            return
