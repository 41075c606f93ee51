"""Pods whose spines are joined by optical circuit switches: the wiring, and circuits as rows of the matching table."""

import numpy as np

from cluster_sim.core import NotBuildableError
from cluster_sim.tables import NONE, Array, CircuitPlanner, Circuits, Fabric, PathFinder
from cluster_sim.topology.base import Equipment
from cluster_sim.topology.equip import equip
from cluster_sim.topology.floor_plan import FloorPlan
from cluster_sim.topology.matching import matchings
from cluster_sim.topology.pods import Pods
from cluster_sim.topology.wiring import Offsets, Tier, node_kinds, racks_of_pods, racks_of_top, wire_pods


def join_pods(
    pods: Pods, equipment: Equipment, floor: FloorPlan, paths: PathFinder, planner: CircuitPlanner
) -> Fabric:  # fmt: skip
    """Wire and equip pods; the u-th uplinks of all a-th spines meet in one OCS.

    Raises:
        NotBuildableError: there is one pod, or more than an OCS has ports, or they cannot be equipped.
    """
    ports = int(equipment.interconnect.ocs_entry.ports.typical)
    if ports < pods.num_pods:
        raise NotBuildableError((f"the OCS has {ports} ports, the fabric has {pods.num_pods} pods",))
    if pods.num_pods == 1:
        what = f"{equipment.num_endpoints} accelerators fill one pod: there is nothing for the OCS to join"
        raise NotBuildableError((f"{what}; make pods smaller",))
    top = _wire_ocs(pods, ports // pods.num_pods, floor)
    endpoint, tiers = np.arange(pods.num_endpoints), (*wire_pods(pods, floor), top)
    return Fabric(
        num_endpoints=pods.num_endpoints,
        endpoint_host=(endpoint // pods.per_host).astype(np.int32),
        endpoint_domain=pods.domain_of(endpoint).astype(np.int32),
        endpoint_pod=pods.pod_of(endpoint).astype(np.int32),
        num_pods=pods.num_pods,
        node_kind=node_kinds(pods, "ocs", len(np.unique(top.upper))),
        tiers=tuple(tier.name for tier in tiers),
        links=equip(tiers, equipment),
        paths=paths,
        planner=planner,
    )


def circuits_of(pods: Pods, counts: Array) -> Circuits:
    """Circuits of every spine, all planes set alike.

    Args:
        pods: sizes.
        counts: int64[P, P], circuits of a spine from pod to pod; row and column sums at most its uplinks.
    """
    matching = matchings(counts, pods.spine_up)
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
