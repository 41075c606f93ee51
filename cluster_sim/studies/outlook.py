"""What becomes of goodput with other figures, from the histories with typical ones.

Histories of every draw would take hours, and their chance would hide what the figures do. To first order each part of
the wall time that is not useful is in proportion to something that the rates of failures say: work lost to how often
the job stops times half the way between checkpoints, restarts to how often it stops times how long one takes (as an
exponential, since what is starting can fail again), degraded running to failures times repair time, and so on. So each
part of the histories is scaled as that changes, with the hazards and checkpoints that the figures give. Waiting for
servers is far from linear; it changes by as much as the birth-death chain of servers that are out says. With typical
figures goodput is what the histories have, exactly.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cluster_sim.catalogue import given
from cluster_sim.config import Scenario
from cluster_sim.economics import per_useful_token
from cluster_sim.reliability import LEAST_GOODPUT, Checkpoints, Hazard, Hazards, Reliability, hazards_of, take_inventory
from cluster_sim.studies.reliability import checkpoints_of, time_to_train_s
from cluster_sim.studies.sampled import Option
from cluster_sim.tables import NONE, Array, Fabric

#: Parts of the wall time in which the job runs without getting on, and those that interruptions take besides waiting.
_RUNNING, _STOPPED = ("checkpoints", "degraded", "stalled"), ("lost_work", "restart")

#: Above these there is no progress, however far.
_MOST_WAITING, _MOST_TO_RESTART = 1e9, 100.0
#: Weights of the chain above this are made smaller, all in the same proportion; only their ratios count.
_LARGE = 1e100


@dataclass(frozen=True, slots=True)
class Outlook:
    """The histories of an option, ready to be looked at with other figures.

    Attributes:
        scenario: with ``reliability``.
        built: its fabric.
        goodput_ratio: with typical figures.
        num_pieces: of each cause that the histories have.
        spent: seconds of each part of the wall time for each useful second, with typical figures; of waiting, for
            each second of the others.
        typical: what each part is in proportion to, with typical figures.
    """

    scenario: Scenario
    built: Fabric
    goodput_ratio: float
    num_pieces: dict[str, int]
    spent: dict[str, float]
    typical: dict[str, float]

    @classmethod
    def of(cls, option: Option, built: Fabric) -> "Outlook | None":
        """Of an option that has histories; None of others, and where nothing useful was done."""
        useful_s = option.parts_s.get("useful", 0.0)
        if not useful_s:
            return None
        spent = {part: option.parts_s[part] / useful_s for part in (*_RUNNING, *_STOPPED)}
        spent["waiting"] = option.parts_s["waiting"] / (sum(option.parts_s.values()) - option.parts_s["waiting"])
        outlook = cls(option.scenario, built, option.row["goodput_ratio"], option.num_pieces, spent, {})
        with given(option.scenario.catalogue):
            return replace(outlook, typical=outlook.measures(option.row["step_time_s"]))

    def columns(self, step_s: float, costs: Mapping[str, Any]) -> dict[str, Any]:
        """Of the summary, with the figures that hold now, this time of a step and what it costs without failures.

        Where they leave no progress the status is ``failed``, as of histories.
        """
        goodput = self._goodput_ratio(step_s)
        if goodput < LEAST_GOODPUT:
            no_time = {"status": "failed", "time_to_train_s": None}
            return {"goodput_ratio": goodput, **no_time, **per_useful_token(costs, goodput)}
        asked_s = time_to_train_s(self.scenario, step_s, goodput)
        to_train = {} if asked_s is None else {"time_to_train_s": asked_s}
        return {"goodput_ratio": goodput, **to_train, **per_useful_token(costs, goodput)}

    def _goodput_ratio(self, step_s: float) -> float:
        now = self.measures(step_s)
        spent = {
            part: self.spent[part] * now[part] / self.typical[part] if self.typical[part] else self.spent[part]
            for part in (*_RUNNING, *_STOPPED)
        }
        waiting = max(self.spent["waiting"] + now["waiting"] - self.typical["waiting"], 0.0)
        running, before = (1 + sum(times[part] for part in _RUNNING) for times in (spent, self.spent))
        stopped, stopped_before = (sum(times[part] for part in _STOPPED) for times in (spent, self.spent))
        wall = (running + stopped * running / before) * (1 + waiting)  # it stops while it runs
        return self.goodput_ratio * (before + stopped_before) * (1 + self.spent["waiting"]) / wall

    def measures(self, step_s: float) -> dict[str, float]:
        """What each part of the wall time is in proportion to, with the figures that hold now."""
        settings, hazards = self.scenario.reliability or Reliability(), self._hazards()
        retry_s = settings.used_s("retry")
        stops_per_s = hazards.stops_per_s(retry_s)
        saved = checkpoints_of(self.scenario.job, settings, step_s, stops_per_s)
        failures_per_s = hazards.failures_per_s
        to_restart_s = settings.used_s("detection") + settings.used_s("restart")
        return {
            "checkpoints": saved.cost_s / (saved.every * step_s),
            "lost_work": stops_per_s * _mean_lost_s(saved),
            "restart": float(np.expm1(min(stops_per_s * to_restart_s, _MOST_TO_RESTART))),
            "waiting": self._waiting(settings, float((failures_per_s * hazards.servers) @ hazards.repair_s)),
            "degraded": float(failures_per_s[hazards.state != NONE] @ hazards.repair_s[hazards.state != NONE]),
            "stalled": float(failures_per_s @ _mean_stall_s(hazards, retry_s)),
        }

    def _waiting(self, settings: Reliability, mean_out: float) -> float:
        """Seconds of waiting for each other one, where ``mean_out`` servers would be out if the job went on."""
        servers = self.scenario.job.num_servers
        return min(shortage(servers, settings.num_spares(servers), mean_out), _MOST_WAITING)

    def _hazards(self) -> Hazards:
        scenario, settings = self.scenario, self.scenario.reliability or Reliability()
        everything = np.ones(len(self.built.links), bool)  # what the job does not use has no pieces in the histories
        inventory = take_inventory(
            self.built, everything, scenario.interconnect, scenario.job.accelerator_entry, scenario.job.accelerators,
            settings,
        )  # fmt: skip
        rows = [self._counted(row) for row in inventory.rows]
        return hazards_of(rows, tuple(state.name for state in inventory.states))

    def _counted(self, row: Hazard) -> Hazard:
        """With as many pieces as the histories have."""
        return replace(row, num_pieces=self.num_pieces.get(row.name, 0))


def shortage(servers: int, spares: int, mean_out: float) -> float:
    """Seconds in which a job has not all its servers, for each in which it has; inf where it hardly ever has.

    The number that are out is a birth-death chain: each is repaired by itself, and those in use fail, which are fewer
    than ``servers`` where more than ``spares`` are out.

    Args:
        servers: of the job.
        spares: that stand by.
        mean_out: failures in a repair time while all servers are in use.
    """
    weight, enough, short = 1.0, 1.0, 0.0
    for out in range(1, servers + spares + 1):
        weight *= mean_out / out * (1 - max(out - 1 - spares, 0) / servers)
        enough, short = (enough + weight, short) if out <= spares else (enough, short + weight)
        if weight < 1e-12 * (enough + short) and out > mean_out:
            break
        if weight > _LARGE:
            weight, enough, short = 1.0, enough / weight, short / weight
    return short / enough if enough else math.inf


def _mean_lost_s(saved: Checkpoints) -> float:
    """Since the last whole checkpoint, on average."""
    return (saved.every * saved.step_s + saved.cost_s) / 2 + saved.lag_s


def _mean_stall_s(hazards: Hazards, retry_s: float) -> Array:
    """float64[C]: that transports wait for a failure, until it is over, led around, or stops the job."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ends_per_s = 1 / hazards.outage_s + 1 / hazards.detour_s
        waited_s = -np.expm1(-retry_s * ends_per_s) / ends_per_s
    return np.where(np.isinf(ends_per_s), 0.0, np.where(ends_per_s > 0, waited_s, 0.0))
