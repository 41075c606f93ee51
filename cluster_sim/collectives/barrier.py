"""Barrier: nobody goes on before everybody has come."""

import numpy as np

from cluster_sim.collectives.base import Groups, stepwise
from cluster_sim.collectives.steps import Plan, Sends


@stepwise("dissemination_barrier")
def dissemination_barrier(groups: Groups) -> Plan:
    """ceil(log2 n) steps of one notice: in step k to the rank 2**k behind [Hensgen, Finkel and Manber 1988]."""
    size = groups.size
    rank = np.arange(size, dtype=np.int32)

    def step(apart: int) -> Sends:
        dst = (rank + np.int32(apart)) % np.int32(size)
        return Sends(rank, dst, 1, lambda: np.zeros((size, 1), np.int64), reduces=True)

    return Plan(1, tuple((step(1 << k),) for k in range((size - 1).bit_length())))
