"""Fabrics: one file per topology behind a registry; pods, graphs of routers, wiring and equipment are shared."""

from cluster_sim.topology.base import TOPOLOGIES, Equipment, Topology
from cluster_sim.topology.check import Finding, check
from cluster_sim.topology.clos import Clos
from cluster_sim.topology.custom import Custom
from cluster_sim.topology.dragonfly import Dragonfly
from cluster_sim.topology.failed import FailedLinks, node_of, without_links
from cluster_sim.topology.fat_tree import FatTree
from cluster_sim.topology.floor_plan import FloorPlan
from cluster_sim.topology.full_mesh import FullMesh
from cluster_sim.topology.hyperx import HyperX
from cluster_sim.topology.ocs_hybrid import OcsHybrid
from cluster_sim.topology.ocs_rails import OcsRails
from cluster_sim.topology.ocs_rotor import OcsRotor, Rotor
from cluster_sim.topology.ocs_spine import OcsSpine
from cluster_sim.topology.ocs_torus import OcsTorus
from cluster_sim.topology.rail_only import RailOnly
from cluster_sim.topology.scale_up import ScaleUpDomain
from cluster_sim.topology.slim_fly import SlimFly
from cluster_sim.topology.slow import SlowLinks, access_classes
from cluster_sim.topology.survey import Survey, survey
from cluster_sim.topology.torus import Torus

__all__ = [
    "TOPOLOGIES",
    "Clos",
    "Custom",
    "Dragonfly",
    "Equipment",
    "FailedLinks",
    "FatTree",
    "Finding",
    "FloorPlan",
    "FullMesh",
    "HyperX",
    "OcsHybrid",
    "OcsRails",
    "OcsRotor",
    "OcsSpine",
    "OcsTorus",
    "RailOnly",
    "Rotor",
    "ScaleUpDomain",
    "SlimFly",
    "SlowLinks",
    "Survey",
    "Topology",
    "Torus",
    "access_classes",
    "check",
    "node_of",
    "survey",
    "without_links",
]
