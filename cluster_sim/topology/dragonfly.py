"""Dragonfly: groups of fully joined switches, every group joined to every other [Kim et al. 2008]."""

from typing import Literal

import numpy as np
from pydantic import Field

from cluster_sim.core import NotBuildableError
from cluster_sim.tables import Array, Fabric
from cluster_sim.topology.base import TOPOLOGIES, Equipment, Topology
from cluster_sim.topology.floor_plan import FloorPlan
from cluster_sim.topology.graph import Joins, all_pairs_of, build_graph, check_switches, no_joins


@TOPOLOGIES.register("dragonfly")
class Dragonfly(Topology):
    """Links inside a group are of the tier ``leaf_spine``, those between groups of ``spine_core``.

    Balanced: twice as many switches in a group as accelerators below a switch, which has as many links to other groups.
    Two groups share as many links as all groups can have alike. A minimal path crosses at most one of them: one link in
    the group of the source, one to that of the destination, one inside it, and fewer where switches allow.

    Attributes:
        accelerators_per_switch: p; 0 for a quarter of the ports.
        switches_per_group: a; 0 for 2p.
        global_links: h, links of a switch to other groups; 0 for p.
    """

    kind: Literal["dragonfly"] = "dragonfly"
    accelerators_per_switch: int = Field(0, ge=0)
    switches_per_group: int = Field(0, ge=0)
    global_links: int = Field(0, ge=0)
    floor: FloorPlan = FloorPlan()

    def build(self, equipment: Equipment) -> Fabric:
        """See Topology.build."""
        below = self.accelerators_per_switch or max((equipment.interconnect.num_ports + 1) // 4, 1)
        switches, links = self.switches_per_group or 2 * below, self.global_links or below
        groups = -(-equipment.num_endpoints // (below * switches))
        if groups > switches * links + 1:
            raise NotBuildableError(
                (f"{groups} groups need {groups - 1} links out of each, {switches} switches with {links} each have "
                 f"{switches * links}; make groups larger",)
            )  # fmt: skip
        across = min(links, _alike(groups, switches, links) * (groups - 1))
        check_switches(groups * switches, below, switches - 1 + across, equipment)
        members = np.arange(groups * switches).reshape(groups, switches)
        near = members[:, all_pairs_of(np.arange(switches))].reshape(-1, 2)
        far = _between_groups(groups, switches, links)
        return build_graph(Joins(near, far, far_length=3), groups * switches, below, equipment, self.floor)


def _alike(groups: int, switches: int, links: int) -> int:
    """Links between any two groups, as many between all."""
    return switches * links // (groups - 1) if groups > 1 else 0


def _between_groups(groups: int, switches: int, links: int) -> Array:
    """int64[n, 2]: switches joined between groups; a group's first links go to the next group, and so on."""
    if groups == 1:
        return no_joins()
    alike = _alike(groups, switches, links)
    pairs, number = all_pairs_of(np.arange(groups)), np.arange(alike)
    ahead = (pairs[:, 1] - pairs[:, 0] - 1)[:, None] * alike + number
    back = (groups - 2 - (pairs[:, 1] - pairs[:, 0] - 1))[:, None] * alike + number
    one, other = pairs[:, :1] * switches + ahead // links, pairs[:, 1:] * switches + back // links
    return np.stack([one.ravel(), other.ravel()], axis=1)
