"""In-network reduction in the switches of the fabric (SHARP-like): every link of a tree carries the buffer once.

Up the tree switches add, down they copy, so every link between a rank and the root of the tree carries the buffer once
up and once down [Graham et al. 2016]. A ring whose members follow each other in the order of the endpoints loads the
same: each leaf and each pod is entered once and left once. So it is a transfer around such a ring that carries the
buffer once, in one step, up to the root and down. Roots are spread as routing spreads the ring's edges. That holds for
fabrics of leaves, spines and cores in which neighbouring endpoints hang together; switches add at line rate.
"""

import numpy as np

from cluster_sim.collectives.base import Groups, lockstep
from cluster_sim.collectives.steps import Plan, Sends
from cluster_sim.core import InputError
from cluster_sim.tables import Array, Traffic


def _plan(groups: Groups) -> Plan:
    rank, switch = np.arange(groups.size, dtype=np.int32), np.full(groups.size, groups.size, np.int32)

    def everything() -> Array:
        return np.zeros((groups.size, 1), np.int64)

    return Plan(1, ((Sends(rank, switch, 1, everything, True),), (Sends(switch, rank, 1, everything, False),)))


@lockstep("sharp_all_reduce", _plan, reducing="fabric")
def sharp_all_reduce(groups: Groups, size_bytes: float) -> Traffic:
    """The buffer once up and once down; every rank is in a scale-up domain of its own."""
    domain = np.sort(groups.domain[groups.ranks], axis=1)
    if (domain[:, 1:] == domain[:, :-1]).any():
        raise InputError("sharp_all_reduce: a group has several ranks in one scale-up domain; use "
                         "hierarchical_sharp_all_reduce")  # fmt: skip
    return Traffic.around(np.sort(groups.ranks, axis=1), size_bytes, steps=1)
