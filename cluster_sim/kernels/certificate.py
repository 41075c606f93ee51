"""The proof that rates are max-min fair, independent of how they were found."""

import numpy as np

from cluster_sim.tables import Array


def unfair_flows(
    hop_starts: Array,
    hop_row: Array,
    hop_weight: Array,
    capacity: Array,
    rate: Array,
    tolerance: float = 1e-9,
) -> Array:
    """Flows without a bottleneck: a full row that they cross and on which no flow is faster.

    Args:
        hop_starts: int64[F+1], as in maxmin_rates.
        hop_row: int32[H], likewise.
        hop_weight: float64[H], likewise.
        capacity: float64[R], likewise.
        rate: float64[F], the rates to judge.
        tolerance: relative.

    Returns:
        int64[...], ids of unfair flows; empty if and only if the rates are max-min fair. All flows when a row carries
        more than its capacity.
    """
    hop_flow = np.repeat(np.arange(len(hop_starts) - 1), np.diff(hop_starts))
    load = np.bincount(hop_row, weights=rate[hop_flow] * hop_weight, minlength=len(capacity))
    if np.any(load > capacity * (1 + tolerance)):
        return np.arange(len(rate))
    fastest = np.zeros(len(capacity))
    np.maximum.at(fastest, hop_row, rate[hop_flow])
    is_full = load >= capacity * (1 - tolerance)
    is_bottleneck = is_full[hop_row] & (rate[hop_flow] >= fastest[hop_row] * (1 - tolerance))
    has_hops = np.diff(hop_starts) > 0
    return np.setdiff1d(np.flatnonzero(has_hops), hop_flow[is_bottleneck])
