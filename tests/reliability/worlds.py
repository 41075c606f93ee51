"""Small worlds for tests: causes, conditions, given failures, and a job that is simulated step by step."""

from dataclasses import dataclass
from math import inf

import numpy as np

from cluster_sim.reliability import Checkpoints, Conditions, Failures, Hazard, hazards_of

#: Causes of the tests: one that takes a server, one that only stops the job, one that degrades, one that flaps.
SERVER, SOFTWARE, LINK, FLAP = range(4)


def conditions(
    *, rates=(1e-4,) * 4, step_s=1.0, every=10, cost_s=2.0, lag_s=0.0, slow_s=(3.0,), servers=4, spares=1,
    detection_s=5.0, restart_s=7.0, retry_s=4.0, span_s=1000.0, repair_s=50.0, detour_s=1.0, flap_s=3.0,
):  # fmt: skip
    """Conditions with one cause of each kind; ``rates`` are of all pieces together, in failures a second."""
    rows = [
        Hazard("server", "gpu", 1, rates[SERVER], repair_s, servers=1),
        Hazard("software", "software", 1, rates[SOFTWARE], 0.0),
        Hazard("link", "link", 1, rates[LINK], repair_s, detour_s=detour_s, state="slow"),
        Hazard("flap", "flap", 1, rates[FLAP], 0.0, outage_s=flap_s),
    ]
    return Conditions(
        hazards=hazards_of(rows, ("slow",)), checkpoints=Checkpoints(step_s, every, cost_s, lag_s),
        state_step_s=slow_s, servers=servers, spares=spares, detection_s=detection_s,
        restart_s=restart_s, retry_s=retry_s, span_s=span_s,
    )  # fmt: skip


def failures(*rows):
    """Failures of (time, cause, seen, repair, place) each, in the order of time."""
    columns = list(zip(*sorted(rows), strict=True)) or [()] * 5
    floats = [np.array(columns[number], float) for number in (0, 2, 3, 4)]
    return Failures(floats[0], np.array(columns[1], np.int32), *floats[1:])


@dataclass
class Walked:
    """What a history came to; times by part as in ``PARTS``."""

    parts_s: np.ndarray
    interruptions: list[int]
    useful_steps: float


class StepByStep:
    """A history with every step, every checkpoint, failure, repair and outage an event of its own.

    Nothing is shared with the program: the clock goes to whatever comes next, and time is booked as it passes.
    """

    def __init__(self, world, failed):
        self.world, self.plan = world, world.checkpoints
        self.queue = list(failed.with_consequences(world.hazards, world.retry_s))
        rows = failed.waits(world.retry_s)
        self.outages = [(failed.time_s[row], failed.time_s[row] + failed.seen_s[row]) for row in rows]
        self.now, self.phase, self.phase_ends = 0.0, "run", inf
        self.steps, self.step_left, self.write_left = 0, self.plan.step_s, 0.0
        self.repairs = []  # (time, servers out of use, failed links)
        self.spent = dict.fromkeys(("useful", "checkpoints", "lost", "restart", "waiting", "degraded", "stalled"), 0.0)
        self.since, self.fresh, self.fresh_left = [0.0, 0.0], [0.0, 0.0], inf  # useful and degraded time
        self.interruptions = [0] * len(world.hazards)

    def walk(self):
        while self.now < self.world.span_s:
            after = min(self.events())
            self.book(after - self.now)
            self.now = after
            self.happen()
        self.settle()
        self.spent["useful"] += self.since[0]
        self.spent["degraded"] += self.since[1]
        return Walked(np.array(list(self.spent.values())), self.interruptions, self.spent["useful"] / self.plan.step_s)

    def is_stalled(self):
        return any(start <= self.now < end for start, end in self.outages)

    def pace(self):
        """Time that a second of a step takes now."""
        is_slow = any(links for _, _, links in self.repairs)
        return max(self.world.state_step_s[0] if is_slow else 0.0, self.plan.step_s) / self.plan.step_s

    def missing(self):
        return max(sum(servers for _, servers, _ in self.repairs) - self.world.spares, 0)

    def events(self):
        yield self.world.span_s
        yield from (failure.time_s for failure in self.queue[:1])
        yield from (time for time, _, _ in self.repairs)
        yield from (time for outage in self.outages for time in outage if time > self.now)
        if self.phase in ("notice", "start"):
            yield self.phase_ends
        if self.phase == "run" and not self.is_stalled():
            yield self.now + (self.write_left or self.step_left * self.pace())
            yield self.now + self.fresh_left

    def book(self, passed):
        if self.phase != "run":
            self.spent["waiting" if self.phase == "wait" else "restart"] += passed
        elif self.is_stalled():
            self.spent["stalled"] += passed
        else:
            self.fresh_left -= passed
            if self.fresh_left <= 1e-12:
                self.settle()
            self.run(passed)

    def run(self, passed):
        if self.write_left:
            self.write_left -= passed
            self.spent["checkpoints"] += passed
            if self.write_left <= 1e-12:
                self.write_left = 0.0
                self.saved()
            return
        work = passed / self.pace()
        self.step_left -= work
        self.since = [self.since[0] + work, self.since[1] + passed - work]
        if self.step_left <= 1e-12:
            self.steps, self.step_left = self.steps + 1, self.plan.step_s
            if self.steps == self.plan.every:
                self.steps, self.write_left = 0, self.plan.cost_s
                if not self.write_left:
                    self.saved()

    def saved(self):
        self.settle()
        self.fresh, self.fresh_left, self.since = self.since, self.plan.lag_s, [0.0, 0.0]
        if not self.fresh_left:
            self.settle()

    def settle(self):
        self.spent["useful"] += self.fresh[0]
        self.spent["degraded"] += self.fresh[1]
        self.fresh, self.fresh_left = [0.0, 0.0], inf

    def happen(self):
        self.repairs = [repair for repair in self.repairs if repair[0] > self.now]
        while self.queue and self.queue[0].time_s <= self.now < self.world.span_s:
            self.fail(self.queue.pop(0))
        if self.phase == "notice" and self.now >= self.phase_ends:
            self.phase = "wait"
        elif self.phase == "start" and self.now >= self.phase_ends:
            self.phase = "run"
        if self.phase == "wait" and not self.missing():
            self.phase, self.phase_ends = "start", self.now + self.world.restart_s

    def fail(self, failure):
        in_use = self.world.servers - self.missing()
        if failure.servers and failure.place_ratio * self.world.servers >= in_use:
            return
        self.repairs.append((self.now + failure.repair_s, failure.servers, int(failure.state >= 0)))
        if failure.stops and self.phase in ("run", "start"):
            self.interruptions[failure.cause] += 1
            if self.phase == "run":
                self.lose()
            self.phase, self.phase_ends = "notice", self.now + self.world.detection_s

    def lose(self):
        part = self.plan.cost_s - self.write_left if self.write_left else 0.0
        self.spent["checkpoints"] -= part
        self.spent["lost"] += part + sum(self.since) + sum(self.fresh)
        self.since, self.fresh, self.fresh_left = [0.0, 0.0], [0.0, 0.0], inf
        self.steps, self.step_left, self.write_left = 0, self.plan.step_s, 0.0
