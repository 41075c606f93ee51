"""Point-to-point: the first rank of each pair sends to the second."""

import numpy as np

from cluster_sim.collectives.base import Groups, lockstep
from cluster_sim.collectives.steps import Plan, Sends
from cluster_sim.tables import Traffic


def _plan(groups: Groups) -> Plan:
    ends = np.zeros(1, np.int32), np.ones(1, np.int32)
    return Plan(1, ((Sends(*ends, 1, lambda: np.zeros((1, 1), np.int64), reduces=False),),))


@lockstep("point_to_point", _plan)
def point_to_point(groups: Groups, size_bytes: float) -> Traffic:
    """One transfer of ``size_bytes`` per pair; groups have two ranks."""
    assert groups.size == 2, "point-to-point is between two ranks"
    return Traffic.between(groups.ranks[:, 0], groups.ranks[:, 1], size_bytes)
