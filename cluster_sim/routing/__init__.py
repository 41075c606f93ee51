"""Routing: one file per strategy behind a registry; it chooses among candidate paths and weights them."""

from cluster_sim.routing.adaptive import Adaptive
from cluster_sim.routing.base import ROUTINGS, Hops, Routing
from cluster_sim.routing.ecmp import Ecmp
from cluster_sim.routing.source_routes import SourceRoutes
from cluster_sim.routing.spray import Spray
from cluster_sim.routing.static_tables import StaticTables
from cluster_sim.routing.valiant import Valiant
from cluster_sim.routing.wcmp import Wcmp

__all__ = [
    "ROUTINGS",
    "Adaptive",
    "Ecmp",
    "Hops",
    "Routing",
    "SourceRoutes",
    "Spray",
    "StaticTables",
    "Valiant",
    "Wcmp",
]
