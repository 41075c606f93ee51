"""Direct: every rank sends every other what it needs, all at once: the fewest steps, for small groups."""

import numpy as np

from cluster_sim.collectives.base import Groups, stepwise
from cluster_sim.collectives.steps import Plan, Sends, one_after_another
from cluster_sim.tables import Array


@stepwise("direct_all_reduce", is_quadratic=True)
def direct_all_reduce(groups: Groups) -> Plan:
    """Two steps: reduce-scatter, then all-gather."""
    return one_after_another(_reduce_scatter(groups.size), _all_gather(groups.size))


@stepwise("direct_reduce_scatter", is_quadratic=True)
def direct_reduce_scatter(groups: Groups) -> Plan:
    """One step: to every other rank the part that is to be there, (n-1)/n of the buffer."""
    return _reduce_scatter(groups.size)


@stepwise("direct_all_gather", is_quadratic=True)
def direct_all_gather(groups: Groups) -> Plan:
    """One step: the own part to every other rank, (n-1)/n of the buffer."""
    return _all_gather(groups.size)


def _reduce_scatter(size: int) -> Plan:
    src, dst = _pairs(size)
    return Plan(size, ((Sends(src, dst, 1, lambda: dst[:, None], reduces=True),),))


def _all_gather(size: int) -> Plan:
    src, dst = _pairs(size)
    return Plan(size, ((Sends(src, dst, 1, lambda: src[:, None], reduces=False),),))


def _pairs(size: int) -> tuple[Array, Array]:
    """(src, dst) of every ordered pair of different positions, int32."""
    src, dst = np.nonzero(~np.eye(size, dtype=bool))
    return src.astype(np.int32), dst.astype(np.int32)
