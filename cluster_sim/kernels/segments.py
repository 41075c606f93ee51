"""Sums and minima over groups of unequal size, empty ones included, in a fixed order."""

import numpy as np

from cluster_sim.tables import Array


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


def _reduce(ufunc: np.ufunc, values: Array, starts: Array, empty: float) -> Array:
    result = np.full(len(starts) - 1, empty, dtype=values.dtype)
    filled = starts[1:] > starts[:-1]
    if filled.any():
        result[filled] = ufunc.reduceat(values, starts[:-1][filled])
    return result
