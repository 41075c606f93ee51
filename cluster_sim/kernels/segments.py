"""Sums and minima over groups of unequal size, empty ones included, in a fixed order."""

import numpy as np

from cluster_sim.tables import Array, starts_of


def segment_sum(values: Array, starts: Array) -> Array:
    """Sum of each group ``values[starts[i]:starts[i+1]]``; 0 for an empty one (``add.reduceat`` alone is wrong there).

    Args:
        values: [H], any numeric dtype; integers wrap around.
        starts: int64[G+1].

    Returns:
        [G], dtype of ``values``.
    """
    return _reduce(np.add, values, starts, values.dtype.type(0))


def segment_min(values: Array, starts: Array) -> Array:
    """Minimum of each group; inf for an empty one. Shapes as in ``segment_sum``, float64."""
    return _reduce(np.minimum, values, starts, np.inf)


def added_up(flow: Array, row: Array, weight: Array, num_flows: int, num_rows: int) -> tuple[Array, Array, Array]:
    """Hops of flows over rows, each pair once: (hop_starts int64[F+1], hop_row int32[H], summed weight float64[H]).

    Args:
        flow: int[...], below ``num_flows``.
        row: int[...], below ``num_rows``; ascending within a flow in the result.
        weight: float64[...], added up in the order given.
        num_flows: F.
        num_rows: R.
    """
    pair = flow.astype(np.int64) * num_rows + row
    by_pair = np.argsort(pair, kind="stable")
    pairs, first = np.unique(pair[by_pair], return_index=True)
    sums = segment_sum(weight[by_pair], np.append(first, len(pair)).astype(np.int64))
    owner, hop_row = np.divmod(pairs, max(num_rows, 1))
    return starts_of(np.bincount(owner, minlength=num_flows)), hop_row.astype(np.int32), sums


def _reduce(ufunc: np.ufunc, values: Array, starts: Array, empty: float) -> Array:
    result = np.full(len(starts) - 1, empty, dtype=values.dtype)
    filled = starts[1:] > starts[:-1]
    if filled.any():
        result[filled] = ufunc.reduceat(values, starts[:-1][filled])
    return result
