"""Rails without spines: the leaves of each rail are joined by optical circuit switches."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from pydantic import Field

from cluster_sim.core import NotBuildableError
from cluster_sim.tables import NODE_KINDS, NONE, Array, Circuits, Fabric
from cluster_sim.topology.base import TOPOLOGIES, Equipment, Topology
from cluster_sim.topology.equip import equip, switch_s
from cluster_sim.topology.floor_plan import FloorPlan
from cluster_sim.topology.matching import matchings, share_ports, two_way
from cluster_sim.topology.path_kinds import EvenPaths
from cluster_sim.topology.pods import Pods, size_pods
from cluster_sim.topology.wiring import Tier, racks_of_leaves, racks_of_top, wire_hosts


@TOPOLOGIES.register("ocs_rails")
class OcsRails(Topology):
    """The i-th accelerators of a group of servers share a leaf, whose uplinks go to the OCS of rail i.

    Circuits join the leaves of a rail that have traffic with each other: ring neighbours of data-parallel groups while
    gradients are reduced, pipeline neighbours in between. Traffic between rails changes rails in the server of the
    sender, as NCCL's PXN does.

    Attributes:
        leaf_oversubscription: links down over links up.
        reconfigure: circuits for the traffic of each phase of a step, or of the job.
        floor: where racks stand.
    """

    kind: Literal["ocs_rails"] = "ocs_rails"
    leaf_oversubscription: float = Field(1.0, ge=1)
    reconfigure: Literal["per_job", "per_phase"] = "per_phase"
    floor: FloorPlan = FloorPlan()

    def build(self, equipment: Equipment) -> Fabric:
        """See Topology.build."""
        rails = _size(equipment, self.leaf_oversubscription)
        pods = rails.pods
        top = _wire_ocs(rails, int(equipment.interconnect.ocs_entry.ports.typical) // rails.num_groups, self.floor)
        endpoint, tiers = np.arange(pods.num_endpoints), (*wire_hosts(pods, self.floor), top)
        counts = (pods.num_endpoints, pods.num_domains, pods.num_leaves, len(np.unique(top.upper)))
        kinds = [NODE_KINDS.index(kind) for kind in ("endpoint", "scale_up_switch", "leaf", "ocs")]
        return Fabric(
            num_endpoints=pods.num_endpoints,
            endpoint_host=(endpoint // pods.per_host).astype(np.int32),
            endpoint_domain=pods.domain_of(endpoint).astype(np.int32),
            endpoint_pod=pods.leaf_of(endpoint).astype(np.int32),
            num_pods=pods.num_leaves,
            node_kind=np.repeat(np.array(kinds, np.int32), counts),
            tiers=tuple(tier.name for tier in tiers),
            links=equip(tiers, equipment),
            paths=RailCircuitPaths(rails),
            planner=RailCircuits(
                rails,
                switch_s(top.name, equipment.interconnect),
                self.reconfigure == "per_phase",
                equipment.interconnect.circulators,
            ),
        )


@dataclass(frozen=True, slots=True)
class Rails:
    """Sizes: groups of servers with a leaf for each rail. A leaf has the number group x rails + rail.

    Attributes:
        pods: the groups; they have no spines.
        leaf_up: uplinks of a leaf.
    """

    pods: Pods
    leaf_up: int

    @property
    def num_groups(self) -> int:
        """Groups of servers."""
        return self.pods.num_pods

    @property
    def num_rails(self) -> int:
        """Rails."""
        return self.pods.per_host

    @property
    def first_link(self) -> int:
        """Where links into the OCS start, behind those to scale-up switches and to leaves."""
        return 4 * self.pods.num_endpoints

    def link(self, leaf: Array, uplink: Array) -> Array:
        """Link from a leaf into the OCS; the next number comes back."""
        return self.first_link + 2 * (leaf * self.leaf_up + uplink)


def _size(equipment: Equipment, oversubscription: float) -> Rails:
    largest = size_pods(equipment, 0, oversubscription, 1.0, True)
    group = largest.leaf_down * largest.per_host
    num_groups = -(-equipment.num_endpoints // group)
    reasons = []
    if equipment.num_endpoints % largest.per_host:
        what = f"{equipment.num_endpoints} accelerators are not a whole number of servers of {largest.per_host}"
        reasons.append(f"{what}; every rail has one accelerator of each")
    if num_groups == 1:
        what = f"{equipment.num_endpoints} accelerators fill one group of {largest.leaf_down} servers"
        reasons.append(f"{what}: there is nothing for the OCS to join")
    ports = int(equipment.interconnect.ocs_entry.ports.typical)
    if num_groups > ports:
        reasons.append(f"the OCS has {ports} ports, the fabric has {num_groups} groups of servers")
    if reasons:
        raise NotBuildableError(tuple(reasons))
    pods = replace(largest, leaves=largest.per_host, spines=0, parallel=0, spine_up=0, num_pods=num_groups)
    return Rails(pods, largest.leaf_up)


def _wire_ocs(rails: Rails, uplinks_per_ocs: int, floor: FloorPlan) -> Tier:
    """Uplink u of the leaves of one rail to one OCS; it takes as many such sets as it has ports for."""
    pods = rails.pods
    leaf, uplink = np.divmod(np.arange(pods.num_leaves * rails.leaf_up), rails.leaf_up)
    box = (leaf % rails.num_rails * rails.leaf_up + uplink) // uplinks_per_ocs
    by_leaf_m = floor.length_m(racks_of_leaves(pods, floor), racks_of_top(pods, floor, pods.num_leaves))
    by_group_m = by_leaf_m.reshape(rails.num_groups, -1).max(axis=1)
    others_m = np.array([np.delete(by_group_m, group).max() for group in range(rails.num_groups)])
    dark, first_leaf = np.full(len(leaf), NONE), pods.num_endpoints + pods.num_domains
    return Tier(
        "leaf_ocs", first_leaf + leaf, first_leaf + pods.num_leaves + box, dark, dark, by_leaf_m[leaf],
        way_m=by_leaf_m[leaf] + others_m[leaf // rails.num_rails],
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class RailCircuits:
    """Sets the circuits of every rail on its own; see tables.CircuitPlanner. Pods are leaves.

    Attributes:
        rails: sizes.
        switch_s: switching plus re-acquisition.
        per_phase: True when every phase of a step gets circuits of its own.
        is_two_way: whether there are as many circuits back as there.
    """

    rails: Rails
    switch_s: float
    per_phase: bool
    is_two_way: bool = False

    def connect(self, demand_bytes: Array) -> Circuits:
        """Share the uplinks of each leaf by what goes along its rail, which is that of who receives it."""
        rails = self.rails
        groups, num = rails.num_groups, rails.num_rails
        along = demand_bytes.reshape(groups, num, groups, num).sum(axis=1)
        known: dict[bytes, Array] = {}
        found = []
        for rail in range(num):
            demand = np.ascontiguousarray(along[:, :, rail])
            demand = two_way(demand) if self.is_two_way else demand
            key = demand.tobytes()
            if key not in known:  # most often all rails carry the same
                known[key] = matchings(share_ports(demand, rails.leaf_up), rails.leaf_up)
            uplink, group = np.nonzero(known[key] >= 0)
            found.append((uplink, group * num + rail, known[key][uplink, group] * num + rail))
        uplink, src, dst = (np.concatenate(column) for column in zip(*found, strict=True))
        order = np.lexsort((uplink, src * rails.pods.num_leaves + dst))
        uplink, src, dst = uplink[order], src[order], dst[order]
        return Circuits(
            src_pod=src.astype(np.int32), dst_pod=dst.astype(np.int32),
            in_link=rails.link(src, uplink).astype(np.int32),
            out_link=(rails.link(dst, uplink) + 1).astype(np.int32), num_pods=rails.pods.num_leaves,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class RailCircuitPaths(EvenPaths):
    """Inside a scale-up domain through its switch; otherwise along the rail of who receives, over one of its circuits.

    Attributes:
        rails: sizes.
    """

    rails: Rails

    def count(self, src: Array, dst: Array, circuits: Circuits | None) -> Array:
        """See tables.PathFinder."""
        relay, is_near, crosses = self._ways(src, dst)
        first, last = self._circuits_between(relay, dst, circuits)
        return np.where(~is_near & crosses, last - first, 1)

    def links(self, src: Array, dst: Array, choice: Array, circuits: Circuits | None) -> tuple[Array, Array]:
        """See tables.PathFinder."""
        assert circuits is not None
        src, dst = src.astype(np.int64), dst.astype(np.int64)
        relay, is_near, crosses = self._ways(src, dst)
        first, _ = self._circuits_between(relay, dst, circuits)
        over = ~is_near & crosses
        circuit = np.where(over, first + choice, 0)
        into, out_of = (
            np.append(column, NONE)[np.where(over, circuit, len(circuits))].astype(np.int64)
            for column in (circuits.in_link, circuits.out_link)
        )
        host = 2 * self.rails.pods.num_endpoints
        hops = np.stack([2 * src, 2 * relay + 1, host + 2 * relay, into, out_of, host + 2 * dst + 1], axis=1)
        is_hop = np.ones(hops.shape, bool)
        is_hop[:, :2] = (relay != src)[:, None]
        is_hop[:, 2:] = ~is_near[:, None]
        is_hop[:, 3:5] &= over[:, None]
        return np.repeat(np.arange(len(src)), is_hop.sum(axis=1)).astype(np.int32), hops[is_hop].astype(np.int32)

    def _ways(self, src: Array, dst: Array) -> tuple[Array, Array, Array]:
        """(who sends along the rail, whether none is needed, whether groups differ) of each pair."""
        pods = self.rails.pods
        is_near = pods.domain_of(src) == pods.domain_of(dst)
        relay = np.where(is_near, dst, src - src % pods.per_host + dst % pods.per_host)
        return relay, is_near, pods.leaf_of(relay) != pods.leaf_of(dst)

    def _circuits_between(self, relay: Array, dst: Array, circuits: Circuits | None) -> tuple[Array, Array]:
        """[first, last) rows of the circuits between the leaves of each pair."""
        assert circuits is not None, "an OCS fabric has paths only once its circuits are set"
        return circuits.between(self.rails.pods.leaf_of(relay), self.rails.pods.leaf_of(dst))
