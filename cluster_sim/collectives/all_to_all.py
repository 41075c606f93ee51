"""All-to-all: every rank sends every other its own part, all at once."""

from dataclasses import replace

import numpy as np

from cluster_sim.collectives.base import COLLECTIVES, Groups
from cluster_sim.tables import Traffic


@COLLECTIVES.register("all_to_all")
def all_to_all(groups: Groups, size_bytes: float) -> Traffic:
    """n(n-1) independent transfers of ``size_bytes`` / n in each group; a rank's own part stays."""
    if groups.size < 2 or size_bytes == 0:
        return Traffic.none()
    src, dst = np.nonzero(~np.eye(groups.size, dtype=bool))
    return replace(Traffic.between(src, dst, size_bytes / groups.size), ranks=groups.ranks)
