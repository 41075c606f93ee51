"""Binomial trees: those who have it send it on, twice as many in each step; for small messages."""

import numpy as np

from cluster_sim.collectives.base import Groups, stepwise
from cluster_sim.collectives.steps import Plan, Sends


@stepwise("binomial_broadcast")
def binomial_broadcast(groups: Groups) -> Plan:
    """The whole buffer in each of ceil(log2 n) steps."""
    return Plan(1, tuple((_across(groups.size, 1 << k, reduces=False),) for k in range(_num_steps(groups))))


@stepwise("binomial_reduce")
def binomial_reduce(groups: Groups) -> Plan:
    """The same backwards."""
    return Plan(1, tuple((_across(groups.size, 1 << k, reduces=True),) for k in reversed(range(_num_steps(groups)))))


def _num_steps(groups: Groups) -> int:
    return (groups.size - 1).bit_length()


def _across(size: int, apart: int, reduces: bool) -> Sends:
    """Between the first ``apart`` positions and those that far behind them."""
    near = np.arange(min(apart, size - apart), dtype=np.int32)
    far = near + np.int32(apart)
    src, dst = (far, near) if reduces else (near, far)
    return Sends(src, dst, 1, lambda: np.zeros((len(near), 1), np.int64), reduces)
