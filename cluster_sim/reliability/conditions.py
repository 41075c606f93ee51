"""What a history runs under: checkpoints, step times, servers, and how long everything takes."""

from dataclasses import dataclass
from math import inf, sqrt

from cluster_sim.reliability.hazards import Hazards


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """When state is saved.

    Attributes:
        step_s: time of a step in the healthy network.
        every: steps from one to the next.
        cost_s: that training waits for one.
        lag_s: from there until it is whole; at most the time to the next.
    """

    step_s: float
    every: int
    cost_s: float
    lag_s: float = 0.0


def young_daly_steps(step_s: float, cost_s: float, stops_per_s: float) -> int:
    """Steps between checkpoints that lose least time, to first order.

    The interval is sqrt(2 x cost x mean time between interruptions) [Young 1974, "A first order approximation to the
    optimum checkpoint interval", CACM 17(9); Daly 2006, "A higher order estimate of the optimum checkpoint interval for
    restart dumps", FGCS 22(3)], rounded to whole steps. Where nothing stops the job, or a checkpoint is free, that is
    as rarely, or as often, as can be.
    """
    interval_s = sqrt(2 * cost_s / stops_per_s) if stops_per_s > 0 else inf
    return max(round(min(interval_s / step_s, 2.0**40)), 1)


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a history runs under.

    Attributes:
        hazards: what can fail.
        checkpoints: when state is saved.
        state_step_s: time of a step in each degraded state of the network; inf where it joins not everybody.
        servers: of the job.
        spares: servers that stand by.
        detection_s: from a failure that stops the job to its noticing it.
        restart_s: from there to the first step.
        retry_s: that transports go on trying before the job is lost.
        span_s: of a history.
    """

    hazards: Hazards
    checkpoints: Checkpoints
    state_step_s: tuple[float, ...]
    servers: int
    spares: int
    detection_s: float
    restart_s: float
    retry_s: float
    span_s: float
