"""SimPy decides when, kernels decide how fast: one step of one job on one fabric."""

from cluster_sim.engine.accounting import PARTS, busiest_lane, hidden_switching_s, step_parts
from cluster_sim.engine.clock import Clock
from cluster_sim.engine.ocs import Switching
from cluster_sim.engine.problem import Finishes, run_problem
from cluster_sim.engine.routes import Routes, route_collectives
from cluster_sim.engine.simulation import Outcome, Simulation, alone_s, fusible
from cluster_sim.engine.transport import TRANSPORTS, Transport
from cluster_sim.engine.utilisation import mean_utilisation

__all__ = [
    "PARTS",
    "TRANSPORTS",
    "Clock",
    "Finishes",
    "Outcome",
    "Routes",
    "Simulation",
    "Switching",
    "Transport",
    "alone_s",
    "busiest_lane",
    "fusible",
    "hidden_switching_s",
    "mean_utilisation",
    "route_collectives",
    "run_problem",
    "step_parts",
]
