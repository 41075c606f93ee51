"""The k-ary fat-tree: full bisection from k-port switches [Al-Fares et al. 2008]."""

from typing import Literal

from pydantic import Field

from cluster_sim.core import NotBuildableError
from cluster_sim.tables import Fabric
from cluster_sim.topology.base import TOPOLOGIES, Equipment, Topology
from cluster_sim.topology.clos import build_clos
from cluster_sim.topology.floor_plan import FloorPlan
from cluster_sim.topology.planes import in_planes
from cluster_sim.topology.pods import size_pods


@TOPOLOGIES.register("fat_tree")
class FatTree(Topology):
    """Three tiers of identical k-port switches: pods of k**2 / 4 accelerators, at most k**3 / 4 in all.

    k is what the interconnect's switch has at its port rate, or at its share of it with several planes. Pods are whole;
    the last one may be part filled.
    """

    kind: Literal["fat_tree"] = "fat_tree"
    planes: int = Field(1, ge=1, le=64, description="see Clos")
    rail_optimised: bool = False
    floor: FloorPlan = FloorPlan()

    def build(self, equipment: Equipment) -> Fabric:
        """See Topology.build."""
        return in_planes(self.planes, equipment, self._plane)

    def _plane(self, equipment: Equipment) -> Fabric:
        ports = equipment.interconnect.num_ports
        if ports % 2:
            raise NotBuildableError((f"half the ports face up, so their number must be even; the switch has {ports}",))
        if equipment.num_endpoints > ports**3 // 4:
            raise NotBuildableError(
                (f"a fat-tree of {ports}-port switches holds {ports**3 // 4} accelerators, not "
                 f"{equipment.num_endpoints}; use switches with more ports",)
            )  # fmt: skip
        pods = size_pods(equipment, ports * ports // 4, 1.0, 1.0, self.rail_optimised)
        return build_clos(pods, equipment, self.floor)
