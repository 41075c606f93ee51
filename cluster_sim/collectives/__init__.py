"""Collective algorithms: one file each behind a registry; ranks and bytes in, Traffic out."""

from cluster_sim.collectives.all_to_all import all_to_all, all_to_all_of
from cluster_sim.collectives.auto import AUTO, Estimate, LinkCosts, choose, estimate_of, estimates
from cluster_sim.collectives.barrier import dissemination_barrier
from cluster_sim.collectives.base import COLLECTIVES, OPERATIONS, Algorithm, Groups, shape_on
from cluster_sim.collectives.bidirectional_ring import (
    bidirectional_ring_all_gather,
    bidirectional_ring_all_reduce,
    bidirectional_ring_reduce_scatter,
)
from cluster_sim.collectives.binomial import binomial_broadcast, binomial_reduce
from cluster_sim.collectives.bruck import bruck_all_gather, bruck_all_to_all
from cluster_sim.collectives.bucket import bucket_all_gather, bucket_all_reduce, bucket_reduce_scatter
from cluster_sim.collectives.chain import chain_broadcast, chain_reduce
from cluster_sim.collectives.direct import direct_all_gather, direct_all_reduce, direct_reduce_scatter
from cluster_sim.collectives.double_tree import double_tree_all_reduce, double_tree_broadcast, double_tree_reduce
from cluster_sim.collectives.halving_doubling import (
    halving_doubling_all_gather,
    halving_doubling_all_reduce,
    halving_doubling_reduce_scatter,
)
from cluster_sim.collectives.hierarchical import (
    hierarchical_all_gather,
    hierarchical_all_reduce,
    hierarchical_nvls_all_gather,
    hierarchical_nvls_all_reduce,
    hierarchical_nvls_reduce_scatter,
    hierarchical_nvls_tree_all_reduce,
    hierarchical_reduce_scatter,
    hierarchical_sharp_all_reduce,
    hierarchical_tree_all_reduce,
    three_level_all_gather,
    three_level_all_reduce,
    three_level_reduce_scatter,
)
from cluster_sim.collectives.hierarchical_all_to_all import hierarchical_all_to_all
from cluster_sim.collectives.library import NETWORKS, Library
from cluster_sim.collectives.nvls import nvls_all_gather, nvls_all_reduce, nvls_reduce_scatter
from cluster_sim.collectives.pairwise import pairwise_all_to_all
from cluster_sim.collectives.point_to_point import point_to_point
from cluster_sim.collectives.ring import ring_all_gather, ring_all_reduce, ring_reduce_scatter
from cluster_sim.collectives.sharp import sharp_all_reduce
from cluster_sim.collectives.steps import Plan, Sends, Step, sent_by_edge

__all__ = [
    "AUTO",
    "COLLECTIVES",
    "NETWORKS",
    "OPERATIONS",
    "Algorithm",
    "Estimate",
    "Groups",
    "Library",
    "LinkCosts",
    "Plan",
    "Sends",
    "Step",
    "all_to_all",
    "all_to_all_of",
    "bidirectional_ring_all_gather",
    "bidirectional_ring_all_reduce",
    "bidirectional_ring_reduce_scatter",
    "binomial_broadcast",
    "binomial_reduce",
    "bruck_all_gather",
    "bruck_all_to_all",
    "bucket_all_gather",
    "bucket_all_reduce",
    "bucket_reduce_scatter",
    "chain_broadcast",
    "chain_reduce",
    "choose",
    "direct_all_gather",
    "direct_all_reduce",
    "direct_reduce_scatter",
    "dissemination_barrier",
    "double_tree_all_reduce",
    "double_tree_broadcast",
    "double_tree_reduce",
    "estimate_of",
    "estimates",
    "halving_doubling_all_gather",
    "halving_doubling_all_reduce",
    "halving_doubling_reduce_scatter",
    "hierarchical_all_gather",
    "hierarchical_all_reduce",
    "hierarchical_all_to_all",
    "hierarchical_nvls_all_gather",
    "hierarchical_nvls_all_reduce",
    "hierarchical_nvls_reduce_scatter",
    "hierarchical_nvls_tree_all_reduce",
    "hierarchical_reduce_scatter",
    "hierarchical_sharp_all_reduce",
    "hierarchical_tree_all_reduce",
    "nvls_all_gather",
    "nvls_all_reduce",
    "nvls_reduce_scatter",
    "pairwise_all_to_all",
    "point_to_point",
    "ring_all_gather",
    "ring_all_reduce",
    "ring_reduce_scatter",
    "sent_by_edge",
    "shape_on",
    "sharp_all_reduce",
    "three_level_all_gather",
    "three_level_all_reduce",
    "three_level_reduce_scatter",
]
