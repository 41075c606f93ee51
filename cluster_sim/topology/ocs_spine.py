"""Pods joined by circuits: optical circuit switches in the place of the core [Poutievski et al. 2022, Jupiter]."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field

from cluster_sim.core import NotBuildableError
from cluster_sim.tables import NONE, Array, Circuits, Fabric
from cluster_sim.topology.base import TOPOLOGIES, Equipment, Topology
from cluster_sim.topology.circuit_paths import OcsPaths
from cluster_sim.topology.equip import equip, switch_s
from cluster_sim.topology.floor_plan import FloorPlan
from cluster_sim.topology.matching import matchings, share_all_ports, share_ports
from cluster_sim.topology.pods import Pods, size_pods
from cluster_sim.topology.wiring import Offsets, Tier, node_kinds, racks_of_pods, racks_of_top, wire_pods


@TOPOLOGIES.register("ocs_spine")
class OcsSpine(Topology):
    """Leaves and spines as in a Clos; every spine uplink goes to an OCS, which joins it to another pod.

    The circuits give each pair of pods with traffic a share of the ports; the u-th uplinks of all a-th spines meet in
    one OCS, and all planes are set alike, so that spraying loads the spines of a pod evenly.

    Attributes:
        transit: 0: only direct circuits are used, and pods that share none cannot talk. Otherwise traffic also goes
            over one other pod, whose spine passes it on: a path carries as much of a pair's traffic as the smaller of
            its two trunks has circuits, times this, against the circuits of the direct one. At 1 all paths are loaded
            by what they can carry, whatever the demand, as in Jupiter's Valiant-like routing [Poutievski et al. 2022,
            sec. 4.4]. A pair without circuits has paths over other pods only.
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
        ports = int(equipment.interconnect.ocs_entry.ports.typical)
        if ports < pods.num_pods:
            raise NotBuildableError((f"the OCS has {ports} ports, the fabric has {pods.num_pods} pods",))
        if pods.num_pods == 1:
            what = f"{equipment.num_endpoints} accelerators fill one pod: there is nothing for the OCS to join"
            raise NotBuildableError((f"{what}; make pods smaller",))
        top = _wire_ocs(pods, ports // pods.num_pods, self.floor)
        endpoint, tiers = np.arange(pods.num_endpoints), (*wire_pods(pods, self.floor), top)
        return Fabric(
            num_endpoints=pods.num_endpoints,
            endpoint_host=(endpoint // pods.per_host).astype(np.int32),
            endpoint_domain=pods.domain_of(endpoint).astype(np.int32),
            endpoint_pod=pods.pod_of(endpoint).astype(np.int32),
            num_pods=pods.num_pods,
            node_kind=node_kinds(pods, "ocs", len(np.unique(top.upper))),
            tiers=tuple(tier.name for tier in tiers),
            links=equip(tiers, equipment),
            paths=OcsPaths(pods, self.transit),
            planner=OcsPlanner(
                pods, switch_s("spine_ocs", equipment.interconnect), self.reconfigure == "per_phase", self.transit > 0
            ),
        )


def _wire_ocs(pods: Pods, uplinks_per_ocs: int, floor: FloorPlan) -> Tier:
    """Uplink u of spine a of every pod to one OCS; an OCS takes as many such groups as it has ports for."""
    shape = (pods.num_pods, pods.spines, pods.spine_up)
    count = int(np.prod(shape)) if pods.num_pods > 1 else 0
    pod, spine, uplink = np.unravel_index(np.arange(count), shape)
    at, here = Offsets.of(pods), racks_of_pods(pods, floor)
    dark = np.full(count, NONE)
    by_pod_m = floor.length_m(here, racks_of_top(pods, floor, pods.num_pods))
    others_m = np.array([np.delete(by_pod_m, number).max(initial=0.0) for number in range(pods.num_pods)])
    return Tier(
        "spine_ocs", at.spine + pod * pods.spines + spine,
        at.top + (spine * pods.spine_up + uplink) // uplinks_per_ocs, dark, dark,
        by_pod_m[pod], way_m=(by_pod_m + others_m)[pod],
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class OcsPlanner:
    """Sets the circuits of an OCS spine; see tables.CircuitPlanner.

    Attributes:
        pods: sizes.
        switch_s: switching plus re-acquisition.
        per_phase: True when every phase of a step gets circuits of its own.
        transit: whether traffic may go over a third pod.
    """

    pods: Pods
    switch_s: float
    per_phase: bool
    transit: bool = False

    def connect(self, demand_bytes: Array) -> Circuits:
        """Share the uplinks of a spine by traffic, and set all planes alike."""
        pods = self.pods
        share = share_all_ports if self.transit else share_ports
        matching = matchings(share(demand_bytes, pods.spine_up), pods.spine_up)
        uplink, src_pod = np.nonzero(matching >= 0)
        dst_pod = matching[uplink, src_pod]
        plane = np.repeat(np.arange(pods.spines), len(src_pod))
        src, dst, up = (np.tile(column, pods.spines) for column in (src_pod, dst_pod, uplink))
        order = np.lexsort((up, plane, src * pods.num_pods + dst))
        src, dst, up, plane = src[order], dst[order], up[order], plane[order]
        top = Offsets.of(pods).top_links
        return Circuits(
            src_pod=src.astype(np.int32), dst_pod=dst.astype(np.int32),
            in_link=(top + 2 * ((src * pods.spines + plane) * pods.spine_up + up)).astype(np.int32),
            out_link=(top + 2 * ((dst * pods.spines + plane) * pods.spine_up + up) + 1).astype(np.int32),
            num_pods=pods.num_pods,
        )  # fmt: skip
