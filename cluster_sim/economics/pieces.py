"""What a network is made of: every cable, module, engine, laser, fibre, switch, NIC and OCS, counted, without a price.

Both ends of every link are counted. A module that carries several ports is shared by the ports of one switch, or of one
server. Cables and fibres are counted by length, so that they can be ordered. There is one NIC for each accelerator.
"""

from dataclasses import dataclass

import numpy as np

from cluster_sim.catalogue import OCS_TIERS, Interconnect, Technology, constants, lasers_per_end, scale_up
from cluster_sim.tables import NODE_KINDS, PACKET_SWITCHES, Array, Fabric, is_scale_up

#: Lengths that cables and fibres come in, metres.
LENGTHS_M = (0.5, 1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 30.0, 50.0, 100.0, 500.0, 2000.0, 10_000.0, 40_000.0)
FIBRE = "fibre trunk"


@dataclass(frozen=True, slots=True)
class Pieces:
    """So many pieces of one part in one place.

    Attributes:
        part: name in the catalogue.
        kind: cable, module, engine, laser, switch, nic, ocs or fibre.
        tier: where they are used: of links, or the kind of a switch.
        count: pieces.
        length_class_m: of cables and fibres: the shortest of ``LENGTHS_M`` that reaches; 0 for others.
        mean_length_m: of cables and fibres, 0 for others.
        feeds: of lasers: the engine whose ends they feed.
        num_ends: of lasers: how many ends.
    """

    part: str
    kind: str
    tier: str
    count: int
    length_class_m: float = 0.0
    mean_length_m: float = 0.0
    feeds: str = ""
    num_ends: int = 0


def count_pieces(fabric: Fabric, interconnect: Interconnect, scale_up_link: str = "") -> tuple[Pieces, ...]:
    """Everything a network is made of, in the order of its tiers.

    Args:
        fabric: the network.
        interconnect: what it is made of. Scale-up links count where it names their technology; otherwise they are part
            of the servers.
        scale_up_link: name of the accelerators' scale-up link, where they count.
    """
    found: list[Pieces] = []
    for number, tier in enumerate(fabric.tiers):
        up = np.flatnonzero(fabric.links.tier == number)[::2]
        if not len(up):
            continue
        if not is_scale_up(tier):
            found += _links(tier, up, fabric, interconnect)
        elif interconnect.inside(tier) is not None:
            found += _inside(tier, up, fabric, interconnect, scale_up_link)
    return (
        *found,
        *_switches(fabric, interconnect),
        *_ocs(fabric, interconnect),
        Pieces(interconnect.nic, "nic", "host_leaf", fabric.num_endpoints),
    )


def modules_at(technology: Technology, node: Array, line_rate_bytes_per_s: float) -> Array:
    """int64[nodes]: pieces that carry the links of every node, each node with its own.

    A link of more than one can carry, as graphs may have them, takes several, by its bandwidth as it is given there.

    Args:
        technology: what carries them.
        node: int64[links], where each ends.
        line_rate_bytes_per_s: of each.
    """
    links = np.bincount(node)
    ports = min(technology.rate.typical / line_rate_bytes_per_s * (1 + 1e-9), float(links.max(initial=1)))
    if ports < 1:
        bandwidth = line_rate_bytes_per_s * constants().link_efficiency.typical
        return np.asarray(links * int(np.ceil(bandwidth / technology.rate.typical - 1e-9)))
    return np.asarray(-(-links // int(ports)))


def ends_at(technology: Technology, node: Array, other: Array, line_rate_bytes_per_s: float) -> Array:
    """int64[nodes]: ends of cables or modules that each node has for its links.

    Args:
        technology: what carries them.
        node: int64[links], nodes at this end.
        other: int64[links], nodes at the other end.
        line_rate_bytes_per_s: of each.
    """
    if technology.form != "cable":
        return modules_at(technology, node, line_rate_bytes_per_s)
    first, cables = _cables(technology, node, other, line_rate_bytes_per_s)
    return np.bincount(node[first], cables).astype(np.int64)


def _cables(technology: Technology, lower: Array, upper: Array, line_rate_bytes_per_s: float) -> tuple[Array, Array]:
    """(a link of each pair of boxes that are joined, cables between them); a cable joins two boxes."""
    joined = lower.astype(np.int64) << 32 | upper.astype(np.int64)
    _, first, boxes = np.unique(joined, return_index=True, return_inverse=True)
    return first, modules_at(technology, boxes, line_rate_bytes_per_s)


def line_rate_of(fabric: Fabric, links: Array) -> float:
    """Bytes/s that the modules of links of one tier carry."""
    return float(fabric.links.capacity_bytes_per_s[links].max()) / constants().link_efficiency.typical


def _links(tier: str, up: Array, fabric: Fabric, interconnect: Interconnect) -> list[Pieces]:
    """Cables, or modules and the fibre between them."""
    ends, length_m = interconnect.ends(tier), fabric.links.length_m[up]
    lower, upper = ends.technologies
    lower_node, upper_node = fabric.links.src[up], fabric.links.dst[up]
    line_rate = line_rate_of(fabric, up)
    if tier in ("host_leaf", "host_ocs"):
        lower_node = fabric.endpoint_host[lower_node]
    if lower.form == "cable":
        first, cables = _cables(lower, lower_node, upper_node, line_rate)
        return _by_length(ends.lower, "cable", tier, cables, length_m[first])
    counts = {ends.lower: int(modules_at(lower, lower_node, line_rate).sum())}
    if tier not in OCS_TIERS:  # the other end of a link into an OCS is glass
        counts[ends.upper] = counts.get(ends.upper, 0) + int(modules_at(upper, upper_node, line_rate).sum())
    return [
        *(piece for name, t in ends.by_name.items() if name in counts for piece in _ends(name, t, tier, counts[name])),
        *_by_length(FIBRE, "fibre", tier, np.ones(len(up), np.int64), length_m),
    ]


def _inside(tier: str, up: Array, fabric: Fabric, interconnect: Interconnect, link: str) -> list[Pieces]:
    """Scale-up links of a technology of their own: as many modules at both ends as their bandwidth takes."""
    ends, length_m = interconnect.ends(tier), fabric.links.length_m[up]
    bandwidth = float(fabric.links.capacity_bytes_per_s[up].max()) / scale_up(link).efficiency.typical
    per_link = {name: int(np.ceil(bandwidth / t.rate.typical - 1e-9)) for name, t in ends.by_name.items()}
    side_by_side = np.full(len(up), per_link[ends.lower])
    if ends.technologies[0].form == "cable":
        return _by_length(ends.lower, "cable", tier, side_by_side, length_m)
    num_ends = len(up) * (2 if ends.lower == ends.upper else 1)
    return [
        *(piece for name, t in ends.by_name.items() for piece in _ends(name, t, tier, num_ends * per_link[name])),
        *_by_length(FIBRE, "fibre", tier, side_by_side, length_m),
    ]


def _ends(name: str, technology: Technology, tier: str, count: int) -> list[Pieces]:
    """Modules or engines, and the external lasers that feed them, in whole modules."""
    found = [Pieces(name, technology.form, tier, count)]
    if technology.external_laser is not None:
        lasers = int(np.ceil(count * lasers_per_end(technology) - 1e-9))
        found.append(Pieces(technology.external_laser, "laser", tier, lasers, feeds=name, num_ends=count))
    return found


def _by_length(part: str, kind: str, tier: str, count: Array, length_m: Array) -> list[Pieces]:
    """One line for each class of length, of pieces int64[n] with lengths float64[n]."""
    known_m = np.array(LENGTHS_M)
    number = np.minimum(np.searchsorted(known_m, length_m * (1 - 1e-9)), len(known_m) - 1)
    return [
        Pieces(
            part, kind, tier, int(count[mine].sum()), float(known_m[one]),
            float(np.average(length_m[mine], weights=count[mine])),
        )
        for one in np.unique(number)
        for mine in [number == one]
    ]  # fmt: skip


def _switches(fabric: Fabric, interconnect: Interconnect) -> list[Pieces]:
    counts = [(kind, int((fabric.node_kind == NODE_KINDS.index(kind)).sum())) for kind in PACKET_SWITCHES]
    return [Pieces(interconnect.switch, "switch", kind, count) for kind, count in counts if count]


def _ocs(fabric: Fabric, interconnect: Interconnect) -> list[Pieces]:
    """A port needs as many OCS ports as it has fibre pairs, so that many OCS switch in step; circulators halve them."""
    count = int((fabric.node_kind == NODE_KINDS.index("ocs")).sum())
    if not count:
        return []
    tier = next(name for name in OCS_TIERS if name in fabric.tiers)
    module = interconnect.ends(tier).technologies[0]
    assert module.fibre_pairs is not None, "copper into an OCS is not buildable"
    line_rate = line_rate_of(fabric, fabric.links.tier == fabric.tiers.index(tier))
    pairs = int(np.ceil(module.fibre_pairs.typical * line_rate / module.rate.typical - 1e-9))
    boxes = count * max(pairs, 1)
    return [Pieces(interconnect.ocs, "ocs", tier, -(-boxes // 2) if interconnect.circulators else boxes)]
