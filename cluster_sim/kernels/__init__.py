"""Arrays in, arrays out: rates, the passage of time, symmetry, and the certificate of fairness."""

from cluster_sim.kernels.advance import FlowState, FlowTable, advance, tick_s
from cluster_sim.kernels.certificate import unfair_flows
from cluster_sim.kernels.maxmin import maxmin_rates
from cluster_sim.kernels.refine import Quotient, refine
from cluster_sim.kernels.segments import segment_min, segment_sum

__all__ = [
    "FlowState",
    "FlowTable",
    "Quotient",
    "advance",
    "maxmin_rates",
    "refine",
    "segment_min",
    "segment_sum",
    "tick_s",
    "unfair_flows",
]
