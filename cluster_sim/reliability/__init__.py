"""What breaks: failures over months of training as seeded SimPy processes, and what is left of the wall time."""

from cluster_sim.reliability.conditions import Checkpoints, Conditions, young_daly_steps
from cluster_sim.reliability.failures import Failure, Failures, drawn, drawn_one_after_the_other
from cluster_sim.reliability.hazards import Hazard, Hazards, hazards_of
from cluster_sim.reliability.histories import Histories, bounds, live_all
from cluster_sim.reliability.history import PARTS, Event, Outcome, live
from cluster_sim.reliability.progress import Progress
from cluster_sim.reliability.settings import CheckpointPlan, Reliability

__all__ = [
    "PARTS",
    "CheckpointPlan",
    "Checkpoints",
    "Conditions",
    "Event",
    "Failure",
    "Failures",
    "Hazard",
    "Hazards",
    "Histories",
    "Outcome",
    "Progress",
    "Reliability",
    "bounds",
    "drawn",
    "drawn_one_after_the_other",
    "hazards_of",
    "live",
    "live_all",
    "young_daly_steps",
]
