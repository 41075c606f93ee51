"""All-to-all: every rank sends every other its own part, all at once."""

from dataclasses import replace

import numpy as np

from cluster_sim.collectives.base import COLLECTIVES, Groups
from cluster_sim.core import InputError
from cluster_sim.tables import Array, Traffic


@COLLECTIVES.register("all_to_all")
def all_to_all(groups: Groups, size_bytes: float) -> Traffic:
    """n(n-1) independent transfers of ``size_bytes`` / n in each group; a rank's own part stays."""
    if groups.size < 2 or size_bytes == 0:
        return Traffic.none()
    src, dst = np.nonzero(~np.eye(groups.size, dtype=bool))
    return replace(Traffic.between(src, dst, size_bytes / groups.size), ranks=groups.ranks)


def all_to_all_of(groups: Groups, size_bytes: Array) -> Traffic:
    """An all-to-all with a size for every pair.

    Args:
        groups: who takes part; every group does the same.
        size_bytes: float64[n, n], from each (row) to each (column) rank of a group; the diagonal stays.

    Raises:
        InputError: it is no square matrix of the group's size, or an entry is no size.
    """
    matrix = np.asarray(size_bytes, np.float64)
    if matrix.shape != (groups.size, groups.size):
        raise InputError(f"all_to_all_of: a matrix of {' x '.join(map(str, matrix.shape))}; expected "
                         f"{groups.size} x {groups.size}, the ranks of a group")  # fmt: skip
    wrong = np.argwhere(~(np.isfinite(matrix) & (matrix >= 0)))
    if len(wrong):
        src, dst = wrong[0].tolist()
        raise InputError(f"all_to_all_of: {matrix[src, dst]:g} bytes from rank {src} to rank {dst}; expected a finite "
                         "number, 0 or more")  # fmt: skip
    src, dst = np.nonzero((matrix > 0) & ~np.eye(groups.size, dtype=bool))
    if not len(src):
        return Traffic.none()
    return replace(Traffic.between(src, dst, 1.0), size_bytes=matrix[src, dst], ranks=groups.ranks)
