"""Collective algorithms: one file each behind a registry; ranks and bytes in, Traffic out."""

from cluster_sim.collectives.all_to_all import all_to_all, all_to_all_of
from cluster_sim.collectives.base import COLLECTIVES, Algorithm, Groups
from cluster_sim.collectives.hierarchical import (
    hierarchical_all_gather,
    hierarchical_all_reduce,
    hierarchical_reduce_scatter,
)
from cluster_sim.collectives.point_to_point import point_to_point
from cluster_sim.collectives.ring import ring_all_gather, ring_all_reduce, ring_reduce_scatter

__all__ = [
    "COLLECTIVES",
    "Algorithm",
    "Groups",
    "all_to_all",
    "all_to_all_of",
    "hierarchical_all_gather",
    "hierarchical_all_reduce",
    "hierarchical_reduce_scatter",
    "point_to_point",
    "ring_all_gather",
    "ring_all_reduce",
    "ring_reduce_scatter",
]
