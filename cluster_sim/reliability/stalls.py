"""When a job stands still because a link is down that its transports wait for."""

from bisect import bisect_right
from collections.abc import Iterable

import numpy as np

from cluster_sim.tables import Array


class Stalls:
    """Times, one after the other, in which something is down; those that overlap are one.

    They change nothing but how far the job gets, so no process waits for them: the time that they took is looked up
    when the next event comes.
    """

    def __init__(self) -> None:
        self._starts_s: list[float] = []
        self._ends_s: list[float] = []
        self._before_s: list[float] = []
        self._all_s, self._last_end_s = 0.0, 0.0

    def add(self, starts_s: Array, ends_s: Array) -> None:
        """More of them, float64[N] each, in the order of their starts, none before one that is there."""
        if not len(starts_s):
            return
        ended_s = np.maximum.accumulate(np.concatenate([[self._last_end_s], ends_s]))
        starts_s, ends_s = np.maximum(starts_s, ended_s[:-1]), ended_s[1:]
        rows = ends_s > starts_s
        starts_s, ends_s = starts_s[rows], ends_s[rows]
        total_s = self._all_s + np.cumsum(ends_s - starts_s)
        _extend(self._starts_s, starts_s)
        _extend(self._ends_s, ends_s)
        _extend(self._before_s, np.concatenate([[self._all_s], total_s[:-1]])[: len(starts_s)])
        self._all_s = float(total_s[-1]) if len(total_s) else self._all_s
        self._last_end_s = float(ended_s[-1])

    def until(self, time_s: float) -> float:
        """Time up to ``time_s`` in which something was down."""
        last = bisect_right(self._starts_s, time_s) - 1
        if last < 0:
            return 0.0
        return self._before_s[last] + min(time_s, self._ends_s[last]) - self._starts_s[last]


def _extend(values: list[float], more: Iterable[float]) -> None:
    values.extend(np.asarray(more).tolist())
