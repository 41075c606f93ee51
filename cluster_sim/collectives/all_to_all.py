"""All-to-all: every rank sends every other its own part, all at once."""

from dataclasses import replace

import numpy as np

from cluster_sim.collectives.base import Groups, check, lockstep
from cluster_sim.collectives.steps import Plan, Sends
from cluster_sim.core import InputError
from cluster_sim.tables import Array, Traffic


def _plan(groups: Groups) -> Plan:
    src, dst = np.nonzero(~np.eye(groups.size, dtype=bool))
    ends = src.astype(np.int32), dst.astype(np.int32)
    return Plan(groups.size, ((Sends(*ends, 1, lambda: (src * groups.size + dst)[:, None], reduces=False),),))


@lockstep("all_to_all", _plan)
def all_to_all(groups: Groups, size_bytes: float) -> Traffic:
    """n(n-1) independent transfers of ``size_bytes`` / n in each group; a rank's own part stays."""
    src, dst = np.nonzero(~np.eye(groups.size, dtype=bool))
    return replace(Traffic.between(src, dst, size_bytes / groups.size), ranks=groups.ranks)


def all_to_all_of(groups: Groups, size_bytes: Array) -> Traffic:
    """An all-to-all with a size for every pair, all at once.

    Args:
        groups: who takes part.
        size_bytes: float[n, n], the same in every group, or float[G, n, n]: from each (row) to each (column) rank of a
            group; 0 for nothing. What a rank keeps for itself, on the diagonal, stays.

    Raises:
        InputError: no square matrix of the group's size, or an entry that is no size.
    """
    matrix = np.asarray(size_bytes, np.float64)
    check("all_to_all_of", groups, 0.0)
    square = (groups.size, groups.size)
    if matrix.shape not in (square, (len(groups.ranks), *square)):
        raise InputError(f"all_to_all_of: a matrix of {' x '.join(map(str, matrix.shape))}; expected "
                         f"{groups.size} x {groups.size}, the ranks of a group, or one for each group")  # fmt: skip
    wrong = np.argwhere(~(np.isfinite(matrix) & (matrix >= 0)))
    if len(wrong):
        raise InputError(f"all_to_all_of: {matrix[tuple(wrong[0])]:g} bytes from rank {wrong[0][-2]} to rank "
                         f"{wrong[0][-1]}; expected a finite number, 0 or more")  # fmt: skip
    is_sent = (matrix > 0) & ~np.eye(groups.size, dtype=bool)
    *group, src, dst = np.nonzero(is_sent)
    traffic = Traffic.between(src, dst, 1.0)
    if group:
        traffic = Traffic.between(groups.ranks[group[0], src], groups.ranks[group[0], dst], 1.0)
    return replace(traffic, size_bytes=matrix[is_sent], ranks=None if group or not len(src) else groups.ranks)
