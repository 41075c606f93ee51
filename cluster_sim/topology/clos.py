"""Clos of two or three tiers and any size: leaves and spines, and pods of them joined by core switches."""

from dataclasses import dataclass
from math import prod
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from cluster_sim.core import NotBuildableError, raise_problems
from cluster_sim.tables import Array, Circuits, Fabric, PathForms
from cluster_sim.topology.base import TOPOLOGIES, Equipment, Topology
from cluster_sim.topology.equip import equip
from cluster_sim.topology.floor_plan import FloorPlan, Racks
from cluster_sim.topology.paths import PodPaths, digits
from cluster_sim.topology.planes import in_planes
from cluster_sim.topology.pods import Number, Pods, size_pods
from cluster_sim.topology.wiring import Offsets, Tier, node_kinds, racks_of_pods, racks_of_top, wire_pods


@TOPOLOGIES.register("clos")
class Clos(Topology):
    """Two or three tiers of the interconnect's switches, as large as the job.

    With two tiers all leaves hang from the same spines, which use all their ports for them. With three, spines a of all
    pods share core switches of their own. An oversubscription of f has f times as many links down as up.

    Breakout: ports run at the interconnect's port rate, so switches and modules of a higher rate carry several; links
    between switches can join ``link_ports`` of them again: 400G down to accelerators and 800G up from the leaves is a
    port rate of 400 Gbps and 2. Parallel links: a leaf has as many links to each spine, and a spine to each core
    switch, as it takes to use the fewest switches that have the ports. Planes: the port of an accelerator can be split
    over ``planes`` disjoint networks of 1/``planes`` of the rate each, whose switches have as many more ports; spraying
    uses all planes evenly, and ECMP picks a plane with the path.
    """

    kind: Literal["clos"] = "clos"
    tiers: Literal[2, 3] = 3
    planes: int = Field(1, ge=1, le=64, description="ports of an accelerator, each into a network of its own")
    link_ports: int = Field(1, ge=1, le=64, description="ports that a link between switches joins")
    pod_accelerators: int = Field(0, ge=0, description="accelerators of a pod; 0: the largest possible")
    leaf_accelerators: int = Field(0, ge=0, description="accelerators below a leaf; 0: as many as it has ports for")
    leaf_oversubscription: float = Field(1.0, ge=1)
    spine_oversubscription: float = Field(1.0, ge=1)
    rail_optimised: bool = False
    floor: FloorPlan = FloorPlan()

    @model_validator(mode="after")
    def _two_tiers_are_one_pod(self) -> Self:
        if self.tiers == 2:
            raise_problems("Clos", [
                ((name,), f"there is nothing above the spines of two tiers; leave out {name}")
                for name in ("pod_accelerators", "spine_oversubscription")
                if getattr(self, name) != type(self).model_fields[name].default
            ])  # fmt: skip
        return self

    def build(self, equipment: Equipment) -> Fabric:
        """See Topology.build."""
        return in_planes(self.planes, equipment, self._plane)

    def _plane(self, equipment: Equipment) -> Fabric:
        pods = size_pods(
            equipment, self.pod_accelerators, self.leaf_oversubscription, self.spine_oversubscription,
            self.rail_optimised, self.link_ports, is_only_pod=self.tiers == 2,
            leaf_accelerators=self.leaf_accelerators,
        )  # fmt: skip
        return build_clos(pods, equipment, self.floor)


@dataclass(frozen=True, slots=True)
class Core:
    """A plane of core switches for each spine of a pod: ``cores`` switches, ``parallel`` links to each."""

    cores: int
    parallel: int


def build_clos(pods: Pods, equipment: Equipment, floor: FloorPlan) -> Fabric:
    """Wire and equip a three-tier Clos of the given pods."""
    core = _size_core(pods, equipment.interconnect.num_ports // pods.link_ports)
    endpoint = np.arange(pods.num_endpoints)
    tiers = wire_pods(pods, floor)
    if pods.num_pods > 1:
        tiers = (*tiers, _wire_core(pods, core, floor))
    return Fabric(
        num_endpoints=pods.num_endpoints,
        endpoint_host=(endpoint // pods.per_host).astype(np.int32),
        endpoint_domain=pods.domain_of(endpoint).astype(np.int32),
        endpoint_pod=pods.pod_of(endpoint).astype(np.int32),
        num_pods=pods.num_pods,
        node_kind=node_kinds(pods, "core", pods.spines * core.cores if pods.num_pods > 1 else 0),
        tiers=tuple(tier.name for tier in tiers),
        links=equip(tiers, equipment),
        paths=ClosPaths(pods, core),
        planner=None,
    )


def _size_core(pods: Pods, ports: int) -> Core:
    """The fewest core switches that take every uplink, equally many from each pod."""
    for parallel in range(min(pods.spine_up, ports // pods.num_pods), 0, -1):
        if pods.spine_up % parallel == 0:
            return Core(pods.spine_up // parallel, parallel)
    raise NotBuildableError((f"too few ports: a core switch has {ports}, the fabric has {pods.num_pods} pods",))


def _wire_core(pods: Pods, core: Core, floor: FloorPlan) -> Tier:
    shape = (pods.num_pods, pods.spines, core.cores, core.parallel)
    count = prod(shape)
    pod, spine, switch, _ = np.unravel_index(np.arange(count), shape)
    at, here = Offsets.of(pods), racks_of_pods(pods, floor)
    return Tier(
        "spine_core", at.spine + pod * pods.spines + spine, at.top + spine * core.cores + switch, pod, pod,
        floor.length_m(Racks(here.row[pod], here.rack[pod]), racks_of_top(pods, floor, count)),
        ports=pods.link_ports,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ClosPaths(PodPaths):
    """Between pods: a spine, a link up to it, a core switch of its plane, a link each way, and a link down."""

    core: Core

    @property
    def _between_pods(self) -> tuple[int, ...]:
        pods = self.pods
        return (
            pods.spines,
            pods.parallel,
            self.core.cores,
            self.core.parallel,
            self.core.parallel,
            pods.parallel,
        )

    def count_between(self, src_pod: Array, dst_pod: Array, circuits: Circuits | None) -> Array:
        """See PodPaths."""
        return np.full(len(src_pod), prod(self._between_pods), np.int64)

    def links_between(self, src: Any, dst: Any, choice: Any, circuits: Circuits | None) -> tuple[Any, ...]:
        """See PodPaths."""
        spine, up, switch, in_up, in_down, down = digits(choice, self._between_pods)
        return (
            self.leaf_link(src, spine, up),
            self._core_link(self.pods.pod_of(src), spine, switch, in_up),
            self._core_link(self.pods.pod_of(dst), spine, switch, in_down) + 1,
            self.leaf_link(dst, spine, down) + 1,
        )

    def forms(self) -> PathForms | None:
        """See tables.PathFinder."""
        return self.forms_between(prod(self._between_pods))

    def top_link(self, endpoint: Array) -> tuple[Array, ...] | None:
        """See PodPaths."""
        zero = np.zeros(len(endpoint), np.int64)
        return (self._core_link(self.pods.pod_of(endpoint), zero, zero, zero),) if self.pods.num_pods > 1 else ()

    def _core_link(self, pod: Number, spine: Number, switch: Number, parallel: Number) -> Number:
        row = ((pod * self.pods.spines + spine) * self.core.cores + switch) * self.core.parallel + parallel
        return self.at.top_links + 2 * row
