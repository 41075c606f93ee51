"""What breaks: failures over months of training as seeded SimPy processes, and what is left of the wall time."""

from cluster_sim.reliability.conditions import Checkpoints, Conditions, young_daly_steps
from cluster_sim.reliability.degraded import Degraded, stays_spread
from cluster_sim.reliability.failures import Failure, Failures, drawn, drawn_one_after_the_other
from cluster_sim.reliability.hazards import Breaks, Hazard, Hazards, hazards_of
from cluster_sim.reliability.histories import LEAST_GOODPUT, Histories, bounds, live_all
from cluster_sim.reliability.history import PARTS, Event, Outcome, live
from cluster_sim.reliability.inventory import Inventory, laser_ageing, take_inventory
from cluster_sim.reliability.progress import Progress
from cluster_sim.reliability.settings import CheckpointPlan, Reliability

__all__ = [
    "LEAST_GOODPUT",
    "PARTS",
    "Breaks",
    "CheckpointPlan",
    "Checkpoints",
    "Conditions",
    "Degraded",
    "Event",
    "Failure",
    "Failures",
    "Hazard",
    "Hazards",
    "Histories",
    "Inventory",
    "Outcome",
    "Progress",
    "Reliability",
    "bounds",
    "drawn",
    "drawn_one_after_the_other",
    "hazards_of",
    "laser_ageing",
    "live",
    "live_all",
    "stays_spread",
    "take_inventory",
    "young_daly_steps",
]
