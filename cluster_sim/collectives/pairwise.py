"""Pairwise exchange: an all-to-all in rounds, in each of which every rank sends to one and receives from one."""

import numpy as np

from cluster_sim.collectives.base import Groups, stepwise
from cluster_sim.collectives.steps import Plan, Sends


@stepwise("pairwise_all_to_all", is_quadratic=True)
def pairwise_all_to_all(groups: Groups) -> Plan:
    """n-1 steps, in step t a part of the buffer to the rank t behind."""
    size = groups.size
    rank = np.arange(size, dtype=np.int32)

    def step(t: int) -> Sends:
        dst = (rank + np.int32(t)) % np.int32(size)
        return Sends(rank, dst, 1, lambda: (rank.astype(np.int64) * size + dst)[:, None], reduces=False)

    return Plan(size, tuple((step(t),) for t in range(1, size)))
