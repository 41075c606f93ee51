"""The bill of materials: every cable, module, switch, NIC and OCS of a fabric, with power and price.

Both ends of every link are counted. A module that carries several ports is shared by the ports of one switch, or of one
server.
"""

from dataclasses import dataclass

import numpy as np

from cluster_sim.catalogue import OCS_TIERS, Figure, Interconnect, Technology, constants
from cluster_sim.tables import NODE_KINDS, PACKET_SWITCHES, Array, Fabric, is_scale_up


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the bill.

    Attributes:
        part: name in the catalogue.
        kind: cable, module, engine, switch, nic, ocs or fibre.
        tier: where it is used.
        count: pieces.
        unit_power_w: of one piece, all its ends.
        unit_price_usd: of one piece.
        mean_length_m: of cables and fibres, 0 for others.
        power_status, price_status: trust in the figures.
    """

    part: str
    kind: str
    tier: str
    count: int
    unit_power_w: float
    unit_price_usd: float
    mean_length_m: float
    power_status: str
    price_status: str

    @property
    def power_w(self) -> float:
        """Of all pieces."""
        return self.count * self.unit_power_w

    @property
    def price_usd(self) -> float:
        """Of all pieces."""
        return self.count * self.unit_price_usd


def bill_of_materials(fabric: Fabric, interconnect: Interconnect) -> tuple[Item, ...]:
    """Everything the network is made of, in the order of its tiers."""
    items: list[Item] = []
    for number, tier in enumerate(fabric.tiers):
        up = np.flatnonzero(fabric.links.tier == number)[::2]
        if not is_scale_up(tier) and len(up):  # those are part of the server, not of the network
            items += _links(tier, up, fabric, interconnect)
    return (
        *items,
        *_switches(fabric, interconnect),
        *_ocs(fabric, interconnect),
        _nics(fabric, interconnect),
    )


def _links(tier: str, up: Array, fabric: Fabric, interconnect: Interconnect) -> list[Item]:
    """Cables, or modules and the fibre between them."""
    ends, length_m = interconnect.ends(tier), float(fabric.links.length_m[up].mean())
    lower, upper = ends.technologies
    lower_node, upper_node = fabric.links.src[up], fabric.links.dst[up]
    line_rate = float(fabric.links.capacity_bytes_per_s[up].max()) / constants().link_efficiency.typical
    if tier in ("host_leaf", "host_ocs"):
        lower_node = fabric.endpoint_host[lower_node]
    if lower.form == "cable":
        _, boxes = np.unique(np.stack([lower_node, upper_node]), axis=1, return_inverse=True)
        count = _modules(lower, boxes.ravel(), line_rate)  # a cable joins two boxes
        return [_item(ends.lower, "cable", tier, count, lower.power, lower.price, length_m, num_ends=2)]
    counts = {ends.lower: _modules(lower, lower_node, line_rate)}
    if tier not in OCS_TIERS:  # the other end of a link into an OCS is glass
        counts[ends.upper] = counts.get(ends.upper, 0) + _modules(upper, upper_node, line_rate)
    trunk = constants().fibre_trunk_price
    return [
        *(
            _item(name, t.form, tier, counts[name], t.power, t.price)
            for name, t in ends.by_name.items()
            if name in counts
        ),
        Item("fibre trunk", "fibre", tier, len(up), 0.0, trunk.typical, length_m, trunk.status, trunk.status),
    ]


def _modules(technology: Technology, node: Array, line_rate_bytes_per_s: float) -> int:
    """Pieces that carry the links of every node, each node with its own."""
    links = np.bincount(node)
    ports = min(technology.rate.typical / line_rate_bytes_per_s * (1 + 1e-9), float(links.max(initial=1)))
    return int(np.sum(-(-links // int(ports))))


def _item(
    part: str,
    kind: str,
    tier: str,
    count: int,
    power: Figure,
    price: Figure,
    length_m: float = 0.0,
    num_ends: int = 1,
) -> Item:
    return Item(
        part, kind, tier, count, num_ends * power.typical, price.typical, length_m, power.status, price.status
    )  # fmt: skip


def _switches(fabric: Fabric, interconnect: Interconnect) -> list[Item]:
    entry = interconnect.switch_entry
    counts = [(kind, int((fabric.node_kind == NODE_KINDS.index(kind)).sum())) for kind in PACKET_SWITCHES]
    return [
        _item(interconnect.switch, "switch", kind, count, entry.power, entry.price) for kind, count in counts if count
    ]


def _ocs(fabric: Fabric, interconnect: Interconnect) -> list[Item]:
    """A port needs as many OCS ports as it has fibre pairs, so that many OCS switch in step; circulators halve them."""
    count = int((fabric.node_kind == NODE_KINDS.index("ocs")).sum())
    if not count:
        return []
    tier = next(name for name in OCS_TIERS if name in fabric.tiers)
    entry, module = interconnect.ocs_entry, interconnect.ends(tier).technologies[0]
    assert module.fibre_pairs is not None, "copper into an OCS is not buildable"
    capacity = fabric.links.capacity_bytes_per_s[fabric.links.tier == fabric.tiers.index(tier)].max()
    line_rate = float(capacity) / constants().link_efficiency.typical
    pairs = int(np.ceil(module.fibre_pairs.typical * line_rate / module.rate.typical - 1e-9))
    boxes = count * max(pairs, 1)
    if interconnect.circulators:
        boxes = -(-boxes // 2)
    return [
        Item(
            interconnect.ocs, "ocs", tier, boxes, entry.power.typical,
            entry.price_per_port.typical * entry.ports.typical, 0.0, entry.power.status, entry.price_per_port.status,
        )
    ]  # fmt: skip


def _nics(fabric: Fabric, interconnect: Interconnect) -> Item:
    entry = interconnect.nic_entry
    return _item(interconnect.nic, "nic", "host_leaf", fabric.num_endpoints, entry.power, entry.price)
