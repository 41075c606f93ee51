"""One history of a training job: SimPy processes of what fails, what is repaired, and the job in between."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import simpy

from cluster_sim.engine import Clock
from cluster_sim.reliability.conditions import Conditions
from cluster_sim.reliability.failures import Failure, Failures
from cluster_sim.reliability.progress import Progress
from cluster_sim.reliability.stalls import Stalls
from cluster_sim.tables import NONE, Array

#: Where the wall time of a history goes; the parts sum to it.
PARTS = ("useful", "checkpoints", "lost_work", "restart", "waiting", "degraded", "stalled")
#: So many interruptions without a whole checkpoint between them, and the job is given up.
_MOST_IN_VAIN = 1000
#: More failures than any job lives through: the rates are absurd, and all of them would take minutes to draw.
_MOST_FAILURES = 10**7

_RUNNING, _NOTICING, _WAITING, _STARTING = "running", "noticing", "waiting", "starting"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a history.

    Attributes:
        start_s, end_s: when it began and was over; at the end of the history, if it lasted longer.
        what: interruption; degraded; outage, which transports outlast; or down for what failed while the job did not
            run.
        cause: row of ``Hazards``.
        lost_s: work that it took away.
    """

    start_s: float
    end_s: float
    what: str
    cause: int
    lost_s: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What became of one history.

    Attributes:
        wall_s: its length; shorter than asked for where the job was given up.
        parts_s: float64[7], where it went, in the order of ``PARTS``.
        failures: int64[C], by cause, in use or not.
        interruptions: int64[C], of these, those that stopped the job or its restart.
        lost_s: float64[C], work lost, restart and waiting, by the cause that stopped the job.
        checkpoints: that were whole.
        reason: why the job was given up; "" if it was not.
        events: what happened, where that is recorded.
    """

    wall_s: float
    parts_s: Array
    failures: Array
    interruptions: Array
    lost_s: Array
    checkpoints: int
    reason: str
    events: tuple[Event, ...]


def live(conditions: Conditions, failures: Iterable[Failures], is_recorded: bool = False) -> Outcome:
    """One history under ``conditions``.

    Args:
        conditions: what it runs under.
        failures: all of its span, in stretches one after the other.
        is_recorded: whether its events are kept.
    """
    return _History(conditions, failures, is_recorded).run()


@dataclass(slots=True)
class _Events:
    """Events as they happen: those that last are put in when they begin, and ended later."""

    is_kept: bool
    rows: list[Event] = field(default_factory=list)

    def add(self, *values: float | str) -> None:
        if self.is_kept:
            self.rows.append(Event(*values))  # type: ignore[arg-type]


class _History:
    """State of a history. Everything between two events is computed when the second one comes."""

    def __init__(self, conditions: Conditions, failures: Iterable[Failures], is_recorded: bool) -> None:
        num_causes = len(conditions.hazards)
        self.conditions, self.stretches = conditions, failures
        self.env = Clock()
        self.progress, self.stalls = Progress(conditions.checkpoints), Stalls()
        #: Up to when progress is counted, and how long the job stood still of that.
        self.counted_s = self.stalled_s = 0.0
        self.phase, self.since_s = _RUNNING, 0.0
        self.restart_s = self.waiting_s = 0.0
        #: Servers that are out of use; failures under repair by degraded state.
        self.out = 0
        self.present = [0] * len(conditions.state_step_s)
        self.stopped, self.repaired, self.over = (self.env.event() for _ in range(3))
        self.culprit, self.stopped_s, self.taken_s = NONE, 0.0, 0.0
        self.in_vain, self.kept = 0, 0
        self.num_failures = np.zeros(num_causes, np.int64)
        self.interruptions, self.lost_s = [0] * num_causes, [0.0] * num_causes
        self.events = _Events(is_recorded)

    def run(self) -> Outcome:
        """From the beginning to the end of the span, or until the job is given up."""
        self.env.process(self._fail())
        self.env.process(self._train())
        self.env.ring_at(self.env.event(), self.conditions.span_s).callbacks.append(lambda _: self._end(""))
        reason = str(self.env.run(until=self.over))
        wall_s = self.env.now
        self._get_on()
        if self.phase != _RUNNING:
            self._enter(_RUNNING)
            self._close_interruption()
        self.progress.finish()
        went = self.progress
        parts_s = np.array([
            went.useful_s, went.checkpoints_s, went.lost_s, self.restart_s, self.waiting_s, went.degraded_s,
            self.stalled_s,
        ])  # fmt: skip
        events = tuple(sorted(self.events.rows, key=lambda event: (event.start_s, event.end_s)))
        return Outcome(
            wall_s, parts_s, self.num_failures, np.array(self.interruptions, np.int64), np.array(self.lost_s),
            went.num_checkpoints, reason, events,
        )  # fmt: skip

    def _fail(self) -> simpy.events.ProcessGenerator:
        """Process: things fail, one after the other; where they would be absurdly many, only those drawn first."""
        expected = float(self.conditions.hazards.failures_per_s.sum()) * self.conditions.span_s
        for stretch in self.stretches:
            self.num_failures += np.bincount(stretch.cause, minlength=len(self.num_failures))
            self._stand_still(stretch)
            for failure in stretch.with_consequences(self.conditions.hazards, self.conditions.retry_s):
                yield self.env.ring_at(self.env.event(), failure.time_s)
                self._happens(failure)
            if expected > _MOST_FAILURES and len(stretch):
                yield self.env.ring_at(self.env.event(), float(stretch.time_s[-1]))
                told = f"{self.num_failures.sum():,} failures of {expected:.2g} that are to come"
                self._end(f"given up after {told}; lower their rates, or the span")
                return

    def _stand_still(self, stretch: Failures) -> None:
        """Whenever something is down that transports wait for."""
        rows = stretch.waits(self.conditions.retry_s)
        starts_s, ends_s = stretch.time_s[rows], (stretch.time_s + stretch.seen_s)[rows]
        self.stalls.add(starts_s, ends_s)
        if self.events.is_kept:
            ends_s = np.minimum(ends_s, self.conditions.span_s)
            for row in zip(starts_s.tolist(), ends_s.tolist(), stretch.cause[rows].tolist(), strict=True):
                self.events.add(*row[:2], "outage", row[2])

    def _get_on(self) -> None:
        """Count steps up to now, if the job runs."""
        now_s = self.env.now
        if self.phase == _RUNNING:
            stalled_s = self.stalls.until(now_s) - self.stalls.until(self.counted_s)
            self.progress.advance(now_s - self.counted_s - stalled_s)
            self.stalled_s += stalled_s
        self.counted_s = now_s

    def _happens(self, failure: Failure) -> None:
        """What a failure does to servers, network and job."""
        if failure.servers and failure.place_ratio * self.conditions.servers >= self._servers_in_use():
            return  # where a server is missing already
        self._get_on()
        if failure.servers or failure.state != NONE:
            self.env.process(self._repair(failure))
        if failure.state != NONE:
            self._note("degraded", failure.repair_s, failure)
        if failure.stops and self.phase in (_RUNNING, _STARTING):
            self._stop(failure)
        elif failure.stops:
            self._note("down", 0.0, failure)

    def _note(self, what: str, lasts_s: float, failure: Failure) -> None:
        self.events.add(self.env.now, min(self.env.now + lasts_s, self.conditions.span_s), what, failure.cause)

    def _repair(self, failure: Failure) -> simpy.events.ProcessGenerator:
        """Process: what has failed is out of use, until it is repaired."""
        self._change(failure, 1)
        yield self.env.ring_at(self.env.event(), self.env.now + failure.repair_s)
        self._get_on()
        self._change(failure, -1)
        if failure.servers:
            repaired, self.repaired = self.repaired, self.env.event()
            repaired.succeed()

    def _change(self, failure: Failure, num: int) -> None:
        """So many more, or fewer, failures of the kind: the job runs at the pace of the slowest state present."""
        self.out += num * failure.servers
        if failure.state != NONE:
            self.present[failure.state] += num
            steps_s = self.conditions.state_step_s
            slowest_s = max((steps_s[state] for state, there in enumerate(self.present) if there), default=0.0)
            self.progress.step_s = max(slowest_s, self.conditions.checkpoints.step_s)

    def _servers_in_use(self) -> int:
        return self.conditions.servers - self._missing()

    def _missing(self) -> int:
        """Servers that the job has not got, because no spares are left."""
        return max(self.out - self.conditions.spares, 0)

    def _stop(self, failure: Failure) -> None:
        """The job, or its restart, is lost."""
        self._count_vain()
        if self.phase == _RUNNING:
            self.taken_s, self.stopped_s = self.progress.lose(), self.env.now
        else:
            self._close_interruption()
        self._enter(_NOTICING)
        self.culprit = failure.cause
        self.interruptions[failure.cause] += 1
        self.lost_s[failure.cause] += self.taken_s
        self.stopped.succeed()

    def _count_vain(self) -> None:
        """Give up where a thousand interruptions have left no whole checkpoint between them."""
        kept = self.progress.num_checkpoints
        self.in_vain, self.kept = (0 if kept > self.kept else self.in_vain + 1), kept
        if self.in_vain >= _MOST_IN_VAIN:
            self._end(f"no progress: {_MOST_IN_VAIN} interruptions in a row came before a checkpoint was whole")

    def _train(self) -> simpy.events.ProcessGenerator:
        """Process: the job runs until it is stopped, comes back, runs on."""
        while True:
            yield self.stopped
            yield from self._come_back()

    def _come_back(self) -> simpy.events.ProcessGenerator:
        """Process: notice, wait for servers, start; and all over if something fails while it starts."""
        while self.stopped.triggered:
            self._enter(_NOTICING)
            yield self.env.timeout(self.conditions.detection_s)
            self._enter(_WAITING)
            while self._missing():
                yield self.repaired
            self._enter(_STARTING)
            self.stopped = self.env.event()
            yield self.stopped | self.env.timeout(self.conditions.restart_s)
        self._get_on()
        self._enter(_RUNNING)
        self._close_interruption()

    def _enter(self, phase: str) -> None:
        """The next phase; the time of the one that ends is booked."""
        spent_s, self.since_s = self.env.now - self.since_s, self.env.now
        if self.phase == _WAITING:
            self.waiting_s += spent_s
        elif self.phase != _RUNNING:
            self.restart_s += spent_s
        if self.phase != _RUNNING:
            self.lost_s[self.culprit] += spent_s
        self.phase = phase

    def _close_interruption(self) -> None:
        self.events.add(self.stopped_s, self.env.now, "interruption", self.culprit, self.taken_s)
        self.taken_s, self.stopped_s = 0.0, self.env.now

    def _end(self, reason: str) -> None:
        if not self.over.triggered:
            self.over.succeed(reason)
