"""Rail-only: the i-th accelerators of all scale-up domains have a network of their own, and nothing joins them."""

from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from cluster_sim.catalogue import Accelerator
from cluster_sim.core import NotBuildableError, raise_problems
from cluster_sim.tables import Array, Circuits, Fabric, Links, PathFinder
from cluster_sim.topology.base import TOPOLOGIES, Equipment, Topology
from cluster_sim.topology.clos import build_clos
from cluster_sim.topology.equip import equip
from cluster_sim.topology.floor_plan import FloorPlan
from cluster_sim.topology.path_kinds import EvenPaths
from cluster_sim.topology.pods import size_pods
from cluster_sim.topology.wiring import Tier


@TOPOLOGIES.register("rail_only")
class RailOnly(Topology):
    """A Clos of two or three tiers for each rail [Wang et al. 2023]; also the multi-plane fat-tree of DeepSeek-V3.

    Traffic between rails goes to the accelerator of its own domain that is on the rail of the destination first, as
    NCCL's PXN does.

    Attributes:
        tiers: of the Clos of a rail.
        leaf_oversubscription: links down over links up.
        spine_oversubscription: likewise, with three tiers.
        floor: where racks stand.
    """

    kind: Literal["rail_only"] = "rail_only"
    tiers: Literal[2, 3] = 2
    leaf_oversubscription: float = Field(1.0, ge=1)
    spine_oversubscription: float = Field(1.0, ge=1)
    floor: FloorPlan = FloorPlan()

    @model_validator(mode="after")
    def _two_tiers_have_no_core(self) -> Self:
        if self.tiers == 2 and self.spine_oversubscription != 1:
            raise_problems("RailOnly", [
                (("spine_oversubscription",), "there is nothing above the spines of two tiers; leave it out")
            ])  # fmt: skip
        return self

    def build(self, equipment: Equipment) -> Fabric:
        """See Topology.build."""
        per_domain = int(equipment.accelerator.scale_up_domain.typical)
        num_domains, rest = divmod(equipment.num_endpoints, per_domain)
        if rest:
            raise NotBuildableError(
                (f"{equipment.num_endpoints} accelerators are not a whole number of scale-up domains of {per_domain}; "
                 "every rail has one accelerator of each",)
            )  # fmt: skip
        part = Equipment(num_domains, _alone(equipment.accelerator), equipment.interconnect)
        sizes = size_pods(
            part, 0, self.leaf_oversubscription, self.spine_oversubscription, False, is_only_pod=self.tiers == 2
        )
        floor = self.floor.model_copy(
            update={"accelerators_per_rack": max(self.floor.accelerators_per_rack // per_domain, 1)}
        )
        return _side_by_side(build_clos(sizes, part, floor), per_domain, equipment)


def _alone(accelerator: Accelerator) -> Accelerator:
    """The same in a server and a domain of its own."""
    one = {
        name: getattr(accelerator, name).model_copy(update={"typical": 1.0, "low": None, "high": None})
        for name in ("accelerators_per_host", "scale_up_domain")
    }
    return accelerator.model_copy(update=one)


def _side_by_side(rail: Fabric, num_rails: int, equipment: Equipment) -> Fabric:
    """A copy of ``rail`` for each accelerator of a domain; endpoint d of it is that accelerator of domain d."""
    n, num_domains = equipment.num_endpoints, rail.num_endpoints
    endpoint = np.arange(n)
    domain = (endpoint // num_rails).astype(np.int32)
    inside = equip((Tier("scale_up", endpoint, n + domain, endpoint, endpoint, np.full(n, 1.0)),), equipment)
    first = int((rail.links.tier == 0).sum())
    own_links, own_nodes = len(rail.links) - first, len(rail.node_kind) - 2 * num_domains
    number = np.repeat(np.arange(num_rails), own_links)

    def repeated(column: Array) -> Array:
        return np.tile(column[first:], num_rails)

    def moved(node: Array) -> Array:
        node = repeated(node).astype(np.int64)
        switch = n + num_domains + number * own_nodes + node - 2 * num_domains
        return np.where(node < num_domains, node * num_rails + number, switch).astype(np.int32)

    links = rail.links
    num_bundles = int(links.bundle.max(initial=-1)) + 1 - first
    columns = {
        name: repeated(getattr(links, name)) for name in ("tier", "capacity_bytes_per_s", "latency_s", "length_m")
    }
    above = Links(
        src=moved(links.src), dst=moved(links.dst),
        bundle=(repeated(links.bundle) - first + 2 * n + number * num_bundles).astype(np.int32), **columns,
    )  # fmt: skip
    kinds = rail.node_kind
    return replace(
        rail,
        num_endpoints=n,
        endpoint_host=(endpoint // int(equipment.accelerator.accelerators_per_host.typical)).astype(np.int32),
        endpoint_domain=domain,
        endpoint_pod=rail.endpoint_pod[domain],
        node_kind=np.concatenate(
            [np.repeat(kinds[:num_domains], num_rails), kinds[num_domains : 2 * num_domains],
             np.tile(kinds[2 * num_domains :], num_rails)]
        ),
        links=Links.joined(inside, above),
        paths=RailPaths(rail.paths, num_rails, first, own_links, n),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class RailPaths(EvenPaths):
    """Inside a domain through its switch, then along the rail of the destination.

    Attributes:
        rail: paths of one rail, between domains.
        num_rails: accelerators of a domain.
        rail_first: links of one rail's fabric that are left out, numbered first.
        rail_links: links of a rail.
        num_endpoints: accelerators.
    """

    rail: PathFinder
    num_rails: int
    rail_first: int
    rail_links: int
    num_endpoints: int

    def count(self, src: Array, dst: Array, circuits: Circuits | None) -> Array:
        """See tables.PathFinder."""
        near, far = src // self.num_rails, dst // self.num_rails
        return np.where(near == far, 1, self.rail.count(near, far, circuits))

    def links(self, src: Array, dst: Array, choice: Array, circuits: Circuits | None) -> tuple[Array, Array]:
        """See tables.PathFinder."""
        src, dst = src.astype(np.int64), dst.astype(np.int64)
        domain, number = src // self.num_rails, dst % self.num_rails
        is_near = domain == dst // self.num_rails
        relay = np.where(is_near, dst, domain * self.num_rails + number)
        inside, apart = np.flatnonzero((src != relay) | is_near), np.flatnonzero(~is_near)
        hop, link = self.rail.links(domain[apart], dst[apart] // self.num_rails, choice[apart], circuits)
        along = link.astype(np.int64) - self.rail_first + 2 * self.num_endpoints + number[apart[hop]] * self.rail_links
        pair = np.concatenate([inside, inside, apart[hop]])
        links = np.concatenate([2 * src[inside], 2 * relay[inside] + 1, along])
        order = np.argsort(pair, kind="stable")
        return pair[order].astype(np.int32), links[order].astype(np.int32)
