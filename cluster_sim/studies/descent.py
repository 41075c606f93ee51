"""Making a function of positive numbers small, one coordinate after the other: it may have kinks."""

from collections.abc import Callable
from math import exp

import numpy as np

from cluster_sim.tables import Array

#: Factors that the search tries, shrinking.
_FIRST_STEP, _LAST_STEP, _MOST_ROUNDS = 0.5, 0.005, 60


def descend(loss: Callable[[Array], float], start: Array, most: Array, first_step: float = _FIRST_STEP) -> Array:
    """Where ``loss`` is small, in steps of factors.

    Args:
        loss: of float64[n], all above 0.
        start: float64[n], where to begin.
        most: float64[n], upper bounds.
        first_step: logarithm of the first factor tried.

    Returns:
        float64[n].
    """
    values, best, step = start.copy(), loss(start), np.full(len(start), first_step)
    for _ in range(_MOST_ROUNDS):
        for at in np.flatnonzero(step >= _LAST_STEP):
            for part in (1.0, -1.0, 0.3, -0.3):
                tried = values.copy()
                tried[at] = min(values[at] * exp(part * step[at]), most[at])
                found = loss(tried)
                if found < best - 1e-7:
                    values, best = tried, found
                    break
            else:
                step[at] *= 0.5
        if step.max(initial=0.0) < _LAST_STEP:
            break
    return values
