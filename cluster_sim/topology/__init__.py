"""Fabrics: one file per topology behind a registry; pods, wiring and equipment are shared."""

from cluster_sim.topology.base import TOPOLOGIES, Equipment, Topology
from cluster_sim.topology.check import Finding, check
from cluster_sim.topology.clos import Clos
from cluster_sim.topology.fat_tree import FatTree
from cluster_sim.topology.floor_plan import FloorPlan
from cluster_sim.topology.ocs_spine import OcsSpine
from cluster_sim.topology.survey import Survey, survey

__all__ = [
    "TOPOLOGIES",
    "Clos",
    "Equipment",
    "FatTree",
    "Finding",
    "FloorPlan",
    "OcsSpine",
    "Survey",
    "Topology",
    "check",
    "survey",
]
