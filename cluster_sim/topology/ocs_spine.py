"""Pods joined by circuits: optical circuit switches in the place of the core [Poutievski et al. 2022, Jupiter]."""

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from cluster_sim.core import NotBuildableError
from cluster_sim.tables import Array, Circuits, Fabric
from cluster_sim.topology.base import TOPOLOGIES, Equipment, Topology
from cluster_sim.topology.circuit_paths import OcsPaths
from cluster_sim.topology.equip import switch_s
from cluster_sim.topology.floor_plan import FloorPlan
from cluster_sim.topology.matching import share_all_ports, share_ports, two_way
from cluster_sim.topology.ocs_pods import circuits_of, join_pods
from cluster_sim.topology.pods import Pods, size_pods


@TOPOLOGIES.register("ocs_spine")
class OcsSpine(Topology):
    """Leaves and spines as in a Clos; every spine uplink goes to an OCS, which joins it to another pod.

    The circuits give each pair of pods with traffic a share of the ports; the u-th uplinks of all a-th spines meet in
    one OCS, and all planes are set alike, so that spraying loads the spines of a pod evenly.

    Attributes:
        transit: 0: only direct circuits are used, and pods that share none cannot talk. Otherwise traffic also goes
            over one other pod, whose spine passes it on: a path carries as much of a pair's traffic as the smaller of
            its two trunks has circuits, times this, against the circuits of the direct one. At 1 all paths are loaded
            by what they can carry, whatever the demand, as in Jupiter's Valiant-like routing [Poutievski et al. 2022].
            A pair without circuits has paths over other pods only.
        reconfigure: circuits for the traffic of the job, or of each phase of a step.
    """

    kind: Literal["ocs_spine"] = "ocs_spine"
    pod_accelerators: int = Field(ge=1, description="accelerators of a pod")
    leaf_oversubscription: float = Field(1.0, ge=1)
    spine_oversubscription: float = Field(1.0, ge=1)
    rail_optimised: bool = False
    transit: float = Field(0.0, ge=0, le=1, description="weight of paths over another pod; 0: direct circuits only")
    reconfigure: Literal["per_job", "per_phase"] = "per_job"
    floor: FloorPlan = FloorPlan()

    def build(self, equipment: Equipment) -> Fabric:
        """See Topology.build."""
        pods = size_pods(
            equipment, self.pod_accelerators, self.leaf_oversubscription, self.spine_oversubscription,
            self.rail_optimised,
        )  # fmt: skip
        is_two_way = equipment.interconnect.circulators
        if is_two_way and self.transit:
            what = "circulators make every circuit two-way, with transit each way is set on its own"
            raise NotBuildableError((f"{what}; leave out one of the two",))
        planner = OcsPlanner(
            pods, switch_s("spine_ocs", equipment.interconnect), self.reconfigure == "per_phase", self.transit > 0,
            is_two_way,
        )  # fmt: skip
        return join_pods(pods, equipment, self.floor, OcsPaths(pods, self.transit), planner)


@dataclass(frozen=True, slots=True)
class OcsPlanner:
    """Sets the circuits of an OCS spine; see tables.CircuitPlanner.

    Attributes:
        pods: sizes.
        switch_s: switching plus re-acquisition.
        per_phase: True when every phase of a step gets circuits of its own.
        transit: whether traffic may go over a third pod.
        is_two_way: whether there are as many circuits back as there.
    """

    pods: Pods
    switch_s: float
    per_phase: bool
    transit: bool = False
    is_two_way: bool = False

    def connect(self, demand_bytes: Array) -> Circuits:
        """Share the uplinks of a spine by traffic, and set all planes alike."""
        pods = self.pods
        share = share_all_ports if self.transit else share_ports
        demand = two_way(demand_bytes) if self.is_two_way else demand_bytes
        return circuits_of(pods, share(demand, pods.spine_up))
