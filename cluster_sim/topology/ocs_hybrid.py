"""A packet network with circuits beside it: the traffic of heavy pairs of scale-up domains takes the short way."""

from dataclasses import replace
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from cluster_sim.core import NotBuildableError, raise_problems
from cluster_sim.tables import NODE_KINDS, NONE, Array, Fabric, Links
from cluster_sim.topology.base import TOPOLOGIES, Equipment, Topology
from cluster_sim.topology.clos import Clos
from cluster_sim.topology.domain_circuits import DomainCircuits, DomainPorts, HybridPaths
from cluster_sim.topology.equip import equip, switch_s
from cluster_sim.topology.floor_plan import FloorPlan
from cluster_sim.topology.planes import in_planes
from cluster_sim.topology.wiring import Tier


@TOPOLOGIES.register("ocs_hybrid")
class OcsHybrid(Topology):
    """Every accelerator's port is split: some parts go into a packet network, others into a regional OCS.

    The OCS of a region joins its scale-up domains [Liao et al. 2025, MixNet]: the heaviest pairs of domains get
    circuits, and any accelerator of a domain reaches them through the scale-up links. So much of a pair's traffic takes
    its circuits that all would end together, if each collective were alone; the rest, and what has no circuits, takes
    the packet network.

    Attributes:
        ports: parts of equal rate that an accelerator's port is split into.
        ocs_ports: how many of them go into the OCS.
        region_domains: scale-up domains whose circuits meet, next to each other; 0: all.
        reconfigure: circuits for the traffic of the job, or for one layer of experts after the other, of which each
            pipeline stage must then have domains of its own; other traffic then takes packets only.
        packet: the packet network.
    """

    kind: Literal["ocs_hybrid"] = "ocs_hybrid"
    ports: int = Field(2, ge=2, le=64)
    ocs_ports: int = Field(1, ge=1, le=63)
    region_domains: int = Field(0, ge=0)
    reconfigure: Literal["per_job", "per_layer"] = "per_layer"
    packet: Clos = Clos()

    @model_validator(mode="after")
    def _some_for_packets(self) -> Self:
        raise_problems("OcsHybrid", [
            ((field,), message) for is_wrong, field, message in (
                (self.ocs_ports >= self.ports, "ocs_ports",
                 f"is {self.ocs_ports} of {self.ports} ports; the packet network needs at least one"),
                (self.packet.planes > 1, "packet", "planes are the parts that go into it; leave out planes"),
            ) if is_wrong
        ])  # fmt: skip
        return self

    @property
    def hall(self) -> FloorPlan:
        """See Topology.hall."""
        return self.packet.floor

    def build(self, equipment: Equipment) -> Fabric:
        """See Topology.build."""
        packet = in_planes(self.ports, equipment, self.packet.build, self.ports - self.ocs_ports)
        ports = self._ports(equipment, len(packet.links))
        part = replace(equipment, interconnect=equipment.interconnect.split(self.ports))
        tier = _wire(ports, self.packet, len(packet.node_kind))
        own = equip((tier,), part)
        links = {
            name: np.concatenate([getattr(packet.links, name), getattr(own, name)])
            for name in Links.__dataclass_fields__
        }
        links["tier"][len(packet.links) :] = len(packet.tiers)
        narrow = self.packet.leaf_oversubscription * self.packet.spine_oversubscription
        return replace(
            packet,
            endpoint_pod=packet.endpoint_domain,
            num_pods=ports.num_domains,
            node_kind=np.append(
                packet.node_kind, np.full(len(np.unique(tier.upper)), NODE_KINDS.index("ocs"), np.int32)
            ),
            tiers=(*packet.tiers, tier.name),
            links=Links(**links),
            paths=HybridPaths(packet.paths, packet.endpoint_domain, ports),
            planner=DomainCircuits(
                ports, switch_s(tier.name, equipment.interconnect), self.reconfigure == "per_layer",
                ports.per_domain * (self.ports - self.ocs_ports) / narrow, equipment.interconnect.circulators,
            ),
        )  # fmt: skip

    def _ports(self, equipment: Equipment, first_link: int) -> DomainPorts:
        per_domain = int(equipment.accelerator.scale_up_domain.typical)
        num_domains, rest = divmod(equipment.num_endpoints, per_domain)
        if rest:
            what = f"{equipment.num_endpoints} accelerators are not a whole number of scale-up domains of {per_domain}"
            raise NotBuildableError((f"{what}, which circuits join; change the number of accelerators",))
        region = min(self.region_domains or num_domains, num_domains)
        width = int(equipment.interconnect.ocs_entry.ports.typical)
        if region > width:
            raise NotBuildableError(
                (f"the OCS has {width} ports, a region has {region} scale-up domains; set region_domains",)
            )  # fmt: skip
        return DomainPorts(num_domains, per_domain, self.ocs_ports, region, width // region, first_link)


def _wire(ports: DomainPorts, packet: Clos, first_node: int) -> Tier:
    """Ports of equal slots of the domains of a region to one OCS."""
    endpoint, number = np.divmod(
        np.arange(ports.num_domains * ports.per_domain * ports.per_endpoint), ports.per_endpoint
    )
    domain = endpoint // ports.per_domain
    slot, region = number * ports.per_domain + endpoint % ports.per_domain, domain // ports.region
    boxes = -(-ports.per_domain * ports.per_endpoint // ports.slots_per_box)
    size = ports.region * ports.per_domain
    middle = np.minimum(region * size + size // 2, len(endpoint) // ports.per_endpoint - 1)
    length_m = packet.floor.length_m(packet.floor.of_endpoints(endpoint), packet.floor.of_endpoints(middle))
    dark = np.full(len(endpoint), NONE)
    return Tier(
        "host_ocs", endpoint, first_node + region * boxes + slot // ports.slots_per_box, dark, dark, length_m,
        way_m=length_m + _farthest_other_m(length_m, domain, region),
    )  # fmt: skip


def _farthest_other_m(length_m: Array, domain: Array, region: Array) -> Array:
    """float64[n]: longest link of another domain of the same region; 0 where there is none."""
    by_domain = np.zeros(int(domain.max()) + 1)
    np.maximum.at(by_domain, domain, length_m)
    region_of = np.zeros(len(by_domain), np.int64)
    region_of[domain] = region
    order = np.lexsort((-by_domain, region_of))
    first = np.flatnonzero(np.diff(region_of[order], prepend=-1))
    second = np.append(by_domain[order], 0.0)[first + 1] * (
        np.append(region_of[order], -1)[first + 1] == region_of[order[first]]
    )
    is_longest = np.zeros(len(by_domain), bool)
    is_longest[order[first]] = True
    longest = by_domain[order[first]]
    return np.asarray(np.where(is_longest[domain], second[region], longest[region]))
