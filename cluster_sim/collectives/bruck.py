"""Bruck's algorithms: few steps for small messages, for any number of ranks [Bruck et al. 1997]."""

import numpy as np

from cluster_sim.collectives.base import Groups, stepwise
from cluster_sim.collectives.steps import Plan, Sends
from cluster_sim.tables import Array


@stepwise("bruck_all_gather")
def bruck_all_gather(groups: Groups) -> Plan:
    """(n-1)/n of the buffer in ceil(log2 n) steps: in step k all that a rank has, at most 2**k parts, to 2**k before.

    After it a rank has the parts of the 2**(k+1) ranks from itself on.
    """
    size = groups.size
    rank = np.arange(size, dtype=np.int32)

    def step(apart: int) -> Sends:
        count = min(apart, size - apart)
        return Sends(
            rank, (rank - np.int32(apart)) % np.int32(size), count,
            lambda: (rank[:, None] + np.arange(count)) % size, reduces=False,
        )  # fmt: skip

    return Plan(size, tuple((step(1 << k),) for k in range((size - 1).bit_length())))


@stepwise("bruck_all_to_all")
def bruck_all_to_all(groups: Groups) -> Plan:
    """ceil(log2 n) steps: in step k what still has to go 2**k further, about half the buffer, to 2**k behind."""
    size = groups.size
    rank = np.arange(size, dtype=np.int32)

    def step(apart: int) -> Sends:
        way = np.flatnonzero(np.arange(size) & apart)  # how far a part goes in all

        def chunks() -> Array:
            origin = (rank[:, None] - way % apart) % size
            return origin * size + (origin + way) % size

        return Sends(rank, (rank + np.int32(apart)) % np.int32(size), len(way), chunks, reduces=False)

    return Plan(size, tuple((step(1 << k),) for k in range((size - 1).bit_length())))
