"""Routing: one file per strategy behind a registry; it chooses among candidate paths and weights them."""

from cluster_sim.routing.base import ROUTINGS, Routing
from cluster_sim.routing.ecmp import Ecmp
from cluster_sim.routing.spray import Spray

__all__ = ["ROUTINGS", "Ecmp", "Routing", "Spray"]
