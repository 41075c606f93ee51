"""What power decides: whether air is enough, liquid is needed, or something cannot be built at all.

A module may draw what its cage can cool, a switch with its modules what its chassis bears, and a rack of servers what
can be led into it and out of it. Limits that the catalogue does not know do not decide.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from cluster_sim.catalogue import Accelerator, Interconnect, Technology, constants, technology
from cluster_sim.core import NotBuildableError
from cluster_sim.economics.pieces import count_pieces, ends_at, line_rate_of
from cluster_sim.tables import NODE_KINDS, PACKET_SWITCHES, Array, Fabric, is_scale_up

_TOLERANCE = 1 + 1e-9


@dataclass(frozen=True, slots=True)
class Cooling:
    """How a cluster is cooled.

    Attributes:
        by: air, or liquid where something needs it.
        reason: what needs it; empty for air.
    """

    by: Literal["air", "liquid"]
    reason: str


def cooling_of(
    fabric: Fabric | None,
    interconnect: Interconnect,
    accelerator: Accelerator,
    per_rack: int | None,
    decides: bool = True,
) -> Cooling:
    """What the parts of a cluster need.

    Args:
        fabric: the network; None for racks of servers alone.
        interconnect: what it is made of.
        accelerator: one of its accelerators with its share of a server.
        per_rack: accelerators of a rack; None where that is not known.
        decides: False where what liquid cannot cool is told like what it can.

    Raises:
        NotBuildableError: not even liquid is enough, and that decides; with every reason.
    """
    wet: list[str] = []
    beyond: list[str] = []
    if interconnect.switch_entry.cooling == "liquid":
        wet.append(f"{interconnect.switch} is cooled by liquid")
    if fabric is not None:
        sides = _sides(fabric, interconnect)
        _cages(sides, interconnect, wet, beyond)
        _chassis(fabric, sides, interconnect, beyond)
    if per_rack is not None:
        inside_w = _inside_w(fabric, interconnect, accelerator) if fabric else 0.0
        in_rack = min(per_rack, fabric.num_endpoints) if fabric else per_rack
        _racks(in_rack, inside_w, interconnect, accelerator, wet, beyond)
    if beyond and decides:
        raise NotBuildableError(tuple(beyond))
    reasons = (*wet, *beyond)
    return Cooling("liquid" if reasons else "air", "; ".join(reasons))


def _cages(sides: list["_Side"], interconnect: Interconnect, wet: list[str], beyond: list[str]) -> None:
    """Modules and cables against the cages of the switch."""
    entry = interconnect.switch_entry
    if entry.cage_power is None:
        return
    air_w = entry.cage_power.typical
    liquid_w = max(air_w, entry.liquid_cage_power.typical if entry.liquid_cage_power else np.inf)
    plugged = {side.name: side.technology for side in sides}
    for name, carrier in plugged.items():
        power_w = 0.0 if carrier.form == "engine" else carrier.power.typical
        if power_w > liquid_w * _TOLERANCE:
            beyond.append(f"{name} draws {power_w:g} W, a cage of {interconnect.switch} cools {liquid_w:g} W at most")
        elif power_w > air_w * _TOLERANCE:
            wet.append(f"{name} draws {power_w:g} W, a cage of {interconnect.switch} cools {air_w:g} W by air")


@dataclass(frozen=True, slots=True)
class _Side:
    """One end of the links of a tier, where it is at packet switches: its technology, nodes here and there, rate."""

    name: str
    technology: Technology
    node: Array
    other: Array
    line_rate_bytes_per_s: float


def _sides(fabric: Fabric, interconnect: Interconnect) -> list[_Side]:
    found = []
    is_switch = np.isin(fabric.node_kind, [NODE_KINDS.index(kind) for kind in PACKET_SWITCHES])
    for number, tier in enumerate(fabric.tiers):
        up = np.flatnonzero(fabric.links.tier == number)[::2]
        if is_scale_up(tier) or not len(up):
            continue
        ends, line_rate = interconnect.ends(tier), line_rate_of(fabric, up)
        low, high = fabric.links.src[up], fabric.links.dst[up]
        box = fabric.endpoint_host[low] if tier == "host_leaf" else low  # accelerators of a server share its cables
        for name, carrier, node, other in zip(
            (ends.lower, ends.upper), ends.technologies, (low, high), (high, box), strict=True
        ):
            if is_switch[node[0]]:
                found.append(_Side(name, carrier, node, other, line_rate))
    return found


def _chassis(fabric: Fabric, sides: list[_Side], interconnect: Interconnect, beyond: list[str]) -> None:
    """The busiest switch of each kind with everything that is plugged into it."""
    entry = interconnect.switch_entry
    if entry.max_power is None:
        return
    optics_w = np.zeros(len(fabric.node_kind))
    for side in sides:
        num_ends = ends_at(side.technology, side.node, side.other, side.line_rate_bytes_per_s)
        optics_w[: len(num_ends)] += num_ends * side.technology.power.typical
    for kind in PACKET_SWITCHES:
        most_w = float(optics_w[fabric.node_kind == NODE_KINDS.index(kind)].max(initial=0.0))
        if most_w and entry.power.typical + most_w > entry.max_power.typical * _TOLERANCE:
            beyond.append(
                f"{interconnect.switch} as {kind} draws {entry.power.typical:g} W and its optics {most_w:g} W, its "
                f"chassis bears {entry.max_power.typical:g} W"
            )


def _inside_w(fabric: Fabric, interconnect: Interconnect, accelerator: Accelerator) -> float:
    """What scale-up links of a technology of their own draw for each accelerator, both ends of them."""
    if not any(interconnect.inside(tier) for tier in fabric.tiers if is_scale_up(tier)):
        return 0.0
    pieces = count_pieces(fabric, interconnect, accelerator.scale_up)
    ends = [piece for piece in pieces if is_scale_up(piece.tier) and piece.kind in ("cable", "module", "engine")]
    total_w = sum(
        piece.count * (2 if piece.kind == "cable" else 1) * technology(piece.part).power.typical for piece in ends
    )
    return total_w / fabric.num_endpoints


def _racks(
    per_rack: int, inside_w: float, interconnect: Interconnect, accelerator: Accelerator, wet: list[str],
    beyond: list[str],
) -> None:  # fmt: skip
    """A rack full of servers with their NICs and what joins them inside domains."""
    server_w = accelerator.host_power.typical - accelerator.included_nic_power.typical
    rack_w = per_rack * (server_w + interconnect.nic_entry.power.typical + inside_w)
    air_w, liquid_w = constants().rack_power_air.typical, constants().rack_power_liquid.typical
    optics = f", {per_rack * inside_w / 1e3:.1f} of them in scale-up links" if inside_w else ""
    told = f"a rack of {per_rack} accelerators draws {rack_w / 1e3:.1f} kW{optics}"
    if rack_w > liquid_w * _TOLERANCE:
        beyond.append(f"{told}, liquid cools {liquid_w / 1e3:g} kW; put fewer in (floor.accelerators_per_rack)")
    elif rack_w > air_w * _TOLERANCE:
        wet.append(f"{told}, air cools {air_w / 1e3:g} kW")
