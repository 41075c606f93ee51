"""How unevenly tokens choose experts, and what that makes of an all-to-all."""

import numpy as np

from cluster_sim.core import stream
from cluster_sim.tables import Array
from cluster_sim.workload.experts import Experts


def expert_shares(experts: Experts, seed: int, layer: int) -> Array:
    """float64[count], sums to 1: what each expert of a layer gets of all that tokens send.

    The r-th most popular expert is chosen in proportion to r ** -popularity (Zipf), but by no token twice: it gets at
    most every token. Which experts are popular is drawn for each layer on its own.

    Args:
        experts: of the model.
        seed: of this job.
        layer: number of the layer.
    """
    weight = np.arange(1, experts.count + 1) ** -experts.popularity
    chosen = np.empty(experts.count)
    chosen[stream(seed, "popularity", layer).permutation(experts.count)] = _at_most_one(weight, experts.per_token)
    return chosen / experts.per_token


def token_matrix(experts: Experts, num_ranks: int, seed: int, layer: int) -> Array:
    """float64[n, n]: what goes from each rank to each, if every rank sends 1 and holds count / n experts in order."""
    by_rank = expert_shares(experts, seed, layer).reshape(num_ranks, -1).sum(axis=1)
    return np.tile(by_rank, (num_ranks, 1))


def _at_most_one(weight: Array, total: int) -> Array:
    """float64[n]: min(1, c * weight), with the c for which they sum to ``total``; weights descend."""
    left = np.cumsum(weight[::-1])[::-1]
    num_full = np.arange(total + 1)[: len(weight)]
    factor = (total - num_full) / left[num_full]
    full = int(np.flatnonzero(factor * weight[num_full] <= 1 + 1e-12)[0]) if total < len(weight) else len(weight)
    chosen = np.ones(len(weight))
    if full < len(weight):
        chosen[full:] = factor[full] * weight[full:]
    return chosen
