"""How far a job has come: steps and checkpoints between two events, in closed form."""

from math import inf

from cluster_sim.reliability.conditions import Checkpoints


class Progress:
    """Steps and checkpoints of a running job, and where its time went.

    A step goes on at the pace of the moment; after so many steps training waits for a checkpoint, which counts once it
    is whole. Time in which the job does not run, or stands still, does not pass here.

    Attributes:
        step_s: time of a step now.
        useful_s: time of the steps that counted, as if nothing had been degraded; those that no failure can take away
            any more, until ``finish`` adds the others.
        degraded_s: what these steps took beyond that.
        checkpoints_s: waiting for checkpoints.
        lost_s: steps, and parts of checkpoints, that interruptions have taken away.
        num_checkpoints: that are whole.
    """

    __slots__ = (
        "checkpoints_s", "degraded_s", "lag_left_s", "lost_s", "num_checkpoints", "open_degraded_s", "open_steps",
        "open_useful_s", "plan", "step_s", "unsettled_degraded_s", "unsettled_useful_s", "useful_s", "write_left_s",
    )  # fmt: skip

    def __init__(self, plan: Checkpoints) -> None:
        self.plan, self.step_s = plan, plan.step_s
        self.useful_s = self.degraded_s = self.checkpoints_s = self.lost_s = 0.0
        self.num_checkpoints = 0
        #: Since the last checkpoint began, which is being written while something of it is left.
        self.open_steps = self.open_useful_s = self.open_degraded_s = self.write_left_s = 0.0
        #: In the checkpoint that training no longer waits for; it is whole in ``lag_left_s``, inf where there is none.
        self.unsettled_useful_s = self.unsettled_degraded_s = 0.0
        self.lag_left_s = inf

    def advance(self, time_s: float) -> None:
        """Run for ``time_s``."""
        while time_s > 0.0:
            spent_s = self._write(time_s) if self.write_left_s else self._step(time_s)
            time_s -= spent_s

    def lose(self) -> float:
        """Take away everything since the last whole checkpoint; the time that it took."""
        lost_s = self.open_useful_s + self.open_degraded_s + self.unsettled_useful_s + self.unsettled_degraded_s
        lost_s += self._written_so_far()
        self.open_steps = self.open_useful_s = self.open_degraded_s = self.write_left_s = 0.0
        self.unsettled_useful_s = self.unsettled_degraded_s = 0.0
        self.lag_left_s = inf
        self.lost_s += lost_s
        return lost_s

    def finish(self) -> None:
        """Count what nothing can take away any more, because the history is over."""
        self._settle()
        self.useful_s += self.open_useful_s
        self.degraded_s += self.open_degraded_s
        self.checkpoints_s += self._written_so_far()

    def _written_so_far(self) -> float:
        return self.plan.cost_s - self.write_left_s if self.write_left_s else 0.0

    def _write(self, time_s: float) -> float:
        """Go on with a checkpoint until it is written, or for ``time_s``; the time spent."""
        if time_s < self.write_left_s:
            self.write_left_s -= time_s
            self._pass(time_s)
            return time_s
        spent_s, self.write_left_s = self.write_left_s, 0.0
        self._pass(spent_s)
        self._written(self.open_useful_s, self.open_degraded_s)
        return spent_s

    def _step(self, time_s: float) -> float:
        """Make steps until the next checkpoint, or for ``time_s``, whole periods at once; the time spent."""
        plan = self.plan
        left_steps = max(plan.every - self.open_steps, 0.0)
        left_s = left_steps * self.step_s if left_steps else 0.0  # a network that is apart makes no step in any time
        if time_s < left_s:
            self._stepped(time_s / self.step_s, time_s)
            return time_s
        is_open = self.open_useful_s or self.open_degraded_s
        periods = 0 if is_open else int(time_s // (plan.every * self.step_s + plan.cost_s))
        if periods > 1:
            return self._repeat(periods - 1)
        self._stepped(plan.every - self.open_steps, left_s)
        self.write_left_s = plan.cost_s
        if not plan.cost_s:
            self._written(self.open_useful_s, self.open_degraded_s)
        return left_s

    def _stepped(self, num: float, time_s: float) -> None:
        useful_s = time_s * (self.plan.step_s / self.step_s)
        self.open_steps += num
        self.open_useful_s += useful_s
        self.open_degraded_s += time_s - useful_s
        self._pass(time_s)

    def _repeat(self, num: int) -> float:
        """``num`` periods of steps and a checkpoint, from the beginning of one; the time spent."""
        plan = self.plan
        useful_s, time_s = plan.every * plan.step_s, plan.every * self.step_s
        self._settle()
        self.useful_s += (num - 1) * useful_s
        self.degraded_s += (num - 1) * (time_s - useful_s)
        self.checkpoints_s += (num - 1) * plan.cost_s
        self.num_checkpoints += num - 1
        self._written(useful_s, time_s - useful_s)
        return num * (time_s + plan.cost_s)

    def _written(self, useful_s: float, degraded_s: float) -> None:
        """Training goes on after a checkpoint with so much of new steps, which is whole after ``lag_s``."""
        self._settle()
        self.checkpoints_s += self.plan.cost_s
        self.open_steps = self.open_useful_s = self.open_degraded_s = 0.0
        self.unsettled_useful_s, self.unsettled_degraded_s = useful_s, degraded_s
        self.lag_left_s = self.plan.lag_s
        self._pass(0.0)

    def _pass(self, time_s: float) -> None:
        self.lag_left_s -= time_s
        if self.lag_left_s <= 0.0:
            self._settle()

    def _settle(self) -> None:
        """The checkpoint before is whole, at the latest when the next one is written."""
        if self.lag_left_s < inf:
            self.num_checkpoints += 1
        self.useful_s += self.unsettled_useful_s
        self.degraded_s += self.unsettled_degraded_s
        self.unsettled_useful_s = self.unsettled_degraded_s = 0.0
        self.lag_left_s = inf
