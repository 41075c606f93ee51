"""Arrays in, arrays out: rates, the passage of time, symmetry, and the certificate of fairness."""

from cluster_sim.kernels.advance import advance, reroute, set_capacity, settle
from cluster_sim.kernels.certificate import unfair_flows
from cluster_sim.kernels.maxmin import maxmin_rates
from cluster_sim.kernels.parts import components, independent_parts
from cluster_sim.kernels.paths import PathsOnDevice
from cluster_sim.kernels.refine import Quotient, equitable, refine
from cluster_sim.kernels.scramble import hashed, hashed_choice, scrambled
from cluster_sim.kernels.segments import added_up, segment_min, segment_sum
from cluster_sim.kernels.slack import without_slack
from cluster_sim.kernels.state import AMOUNTS, FlowState, FlowTable, tick_s

__all__ = [
    "AMOUNTS",
    "FlowState",
    "FlowTable",
    "PathsOnDevice",
    "Quotient",
    "added_up",
    "advance",
    "components",
    "equitable",
    "hashed",
    "hashed_choice",
    "independent_parts",
    "maxmin_rates",
    "refine",
    "reroute",
    "scrambled",
    "segment_min",
    "segment_sum",
    "set_capacity",
    "settle",
    "tick_s",
    "unfair_flows",
    "without_slack",
]
