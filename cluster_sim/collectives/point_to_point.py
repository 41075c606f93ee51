"""Point-to-point: the first rank of each pair sends to the second."""

from cluster_sim.collectives.base import COLLECTIVES, Groups
from cluster_sim.tables import Traffic


@COLLECTIVES.register("point_to_point")
def point_to_point(groups: Groups, size_bytes: float) -> Traffic:
    """One transfer of ``size_bytes`` per pair; groups have two ranks."""
    assert groups.size == 2, "point-to-point is between two ranks"
    if size_bytes == 0:
        return Traffic.none()
    return Traffic.between(groups.ranks[:, 0], groups.ranks[:, 1], size_bytes)
