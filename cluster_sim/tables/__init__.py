"""Frozen columns: Fabric, Traffic, Flows, Schedule. Row i of every column describes thing i."""

from cluster_sim.tables.columns import (
    NONE,
    Array,
    check_columns,
    check_groups,
    grouped,
    ragged_arange,
    ragged_ranges,
    same_length,
    starts_of,
)
from cluster_sim.tables.fabric import NODE_KINDS, CircuitPlanner, Circuits, Fabric, HybridPlanner, Links, PathFinder
from cluster_sim.tables.forms import CHOICE, DST, SRC, Form, PathForms, PathKind
from cluster_sim.tables.problem import FlowProblem
from cluster_sim.tables.schedule import (
    COMPUTE,
    CP,
    DP,
    EP,
    OPTIMIZER,
    PP,
    TASK_KINDS,
    TP,
    Collective,
    Schedule,
)
from cluster_sim.tables.traffic import Flows, Rows, Traffic

__all__ = [
    "CHOICE",
    "COMPUTE",
    "CP",
    "DP",
    "DST",
    "EP",
    "NODE_KINDS",
    "NONE",
    "OPTIMIZER",
    "PP",
    "SRC",
    "TASK_KINDS",
    "TP",
    "Array",
    "CircuitPlanner",
    "Circuits",
    "Collective",
    "Fabric",
    "FlowProblem",
    "Flows",
    "Form",
    "HybridPlanner",
    "Links",
    "PathFinder",
    "PathForms",
    "PathKind",
    "Rows",
    "Schedule",
    "Traffic",
    "check_columns",
    "check_groups",
    "grouped",
    "ragged_arange",
    "ragged_ranges",
    "same_length",
    "starts_of",
]
