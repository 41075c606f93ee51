"""Rotor: circuit switches that go round a fixed cycle of matchings, whatever the traffic [Mellette et al. 2017]."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from pydantic import Field

from cluster_sim.core import NotBuildableError, Seconds
from cluster_sim.tables import Array, Circuits, Fabric
from cluster_sim.topology.base import TOPOLOGIES, Equipment, Topology
from cluster_sim.topology.circuit_paths import OcsPaths
from cluster_sim.topology.equip import switch_s
from cluster_sim.topology.floor_plan import FloorPlan
from cluster_sim.topology.ocs_pods import circuits_of, join_pods
from cluster_sim.topology.pods import Pods, size_pods


@TOPOLOGIES.register("ocs_rotor")
class OcsRotor(Topology):
    """Pods as in ``ocs_spine``; every uplink meets each other pod in turn, for one slot of a cycle of P - 1.

    What is simulated is the exact mean over a cycle: between two pods the uplinks of a pod, divided by the P - 1
    others, for the share of a slot that is not guard time. That holds where a cycle is far shorter than any transfer;
    how long a message waits for its slot is left out.

    Attributes:
        slot_s: how long a matching lasts, guard time included.
        guard_s: of a slot, time without light; None: switching of the OCS, then re-acquisition by the transceivers.
        two_hop: weight of ways over another pod, which stores what it passes on, against 1 of the direct one. 0: all
            traffic waits for its own slot. 1: it goes out at once, to whoever comes first [Valiant 1982].
    """

    kind: Literal["ocs_rotor"] = "ocs_rotor"
    pod_accelerators: int = Field(ge=1, description="accelerators of a pod")
    leaf_oversubscription: float = Field(1.0, ge=1)
    spine_oversubscription: float = Field(1.0, ge=1)
    rail_optimised: bool = False
    slot_s: Seconds = Field(gt=0)
    guard_s: Seconds | None = Field(None, ge=0)
    two_hop: float = Field(1.0, ge=0, le=1)
    floor: FloorPlan = FloorPlan()

    def build(self, equipment: Equipment) -> Fabric:
        """See Topology.build."""
        pods = size_pods(
            equipment, self.pod_accelerators, self.leaf_oversubscription, self.spine_oversubscription,
            self.rail_optimised,
        )  # fmt: skip
        if equipment.interconnect.circulators:
            raise NotBuildableError(("circulators make every circuit two-way, which matchings of a rotor are not",))
        guard_s = switch_s("spine_ocs", equipment.interconnect) if self.guard_s is None else self.guard_s
        if guard_s >= self.slot_s:
            what = f"a slot of {self.slot_s * 1e3:g} ms is over before its guard time of {guard_s * 1e3:g} ms"
            raise NotBuildableError((f"{what}; make slot longer, or take an OCS and transceivers that are faster",))
        if pods.spine_up < pods.num_pods - 1:
            what = f"a spine has {pods.spine_up} uplinks for {pods.num_pods - 1} other pods"
            raise NotBuildableError((f"{what}, and all shall be lit at any time; make pods larger",))
        rotor = Rotor(pods, 1 - guard_s / self.slot_s)
        return join_pods(pods, equipment, self.floor, OcsPaths(pods, self.two_hop), rotor)


@dataclass(frozen=True, slots=True)
class Rotor:
    """Circuits that are as wide as those of a rotor are on average; see tables.CircuitPlanner.

    Attributes:
        pods: sizes.
        lit_ratio: share of a slot with light.
    """

    pods: Pods
    lit_ratio: float

    @property
    def switch_s(self) -> float:
        """See tables.CircuitPlanner: what the cycle costs is in the width of the circuits."""
        return 0.0

    @property
    def per_phase(self) -> bool:
        """See tables.CircuitPlanner."""
        return False

    def connect(self, demand_bytes: Array) -> Circuits:
        """Every uplink stands for one of the pods it meets, with the width that makes up the mean of all of them."""
        pods = self.pods
        others, rest = divmod(pods.spine_up, pods.num_pods - 1)
        ahead = (np.arange(pods.num_pods) - np.arange(pods.num_pods)[:, None]) % pods.num_pods
        counts = np.where(ahead > 0, others + (ahead <= rest), 0)
        circuits = circuits_of(pods, counts)
        mean = pods.spine_up / (pods.num_pods - 1) * self.lit_ratio
        return replace(circuits, width_ratio=mean / counts[circuits.src_pod, circuits.dst_pod])
