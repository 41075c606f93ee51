"""Give the links of a wiring their technology: capacity, latency, and whether it can be built at all."""

import numpy as np

from cluster_sim.catalogue import OCS_TIERS, Interconnect, constants, scale_up
from cluster_sim.core import NotBuildableError, bit_rate
from cluster_sim.tables import NONE, Array, Links
from cluster_sim.topology.base import Equipment
from cluster_sim.topology.wiring import Tier


def equip(tiers: tuple[Tier, ...], equipment: Equipment) -> Links:
    """Directed links with capacities and latencies.

    A link's latency is that of both module ends, the FEC, the way through the cable, and the switch or NIC it enters.
    Capacities are payload: the line rate times the share of it that large messages reach.

    Raises:
        NotBuildableError: with every reason.
    """
    reasons = _why_not(tiers, equipment)
    if reasons:
        raise NotBuildableError(reasons)
    columns = [_directed(number, tier, equipment) for number, tier in enumerate(tiers)]
    first_bundle = 0
    for column, tier in zip(columns, tiers, strict=True):
        known = column["bundle"] != NONE
        column["bundle"][known] += first_bundle
        first_bundle += 2 * (int(max(tier.up_bundle.max(initial=-1), tier.down_bundle.max(initial=-1))) + 1)
    joined = {name: np.concatenate([column[name] for column in columns]) for name in columns[0]}
    return Links(**joined)


def switch_s(tier: str, interconnect: Interconnect) -> float:
    """Switching time of the OCS that a tier leads to, then re-acquisition by the transceivers."""
    transceiver = interconnect.ends(tier).technologies[0]
    reacquisition_s = transceiver.reacquisition.typical if transceiver.reacquisition else 0.0
    return interconnect.ocs_entry.switch_time.typical + reacquisition_s


def _directed(number: int, tier: Tier, equipment: Equipment) -> dict[str, Array]:
    """Columns of a tier's directed links: rows 2i go up, rows 2i+1 down."""
    up_s, down_s = _latencies(tier, equipment)
    bundle = _both(tier.up_bundle * 2, tier.down_bundle * 2 + 1, np.int32)
    bundle[_both(tier.up_bundle, tier.down_bundle, np.int32) == NONE] = NONE
    return {
        "src": _both(tier.lower, tier.upper, np.int32),
        "dst": _both(tier.upper, tier.lower, np.int32),
        "tier": np.full(2 * len(tier), number, np.int32),
        "bundle": bundle,
        "capacity_bytes_per_s": np.full(2 * len(tier), _capacity(tier, equipment)),
        "latency_s": _both(up_s, down_s, np.float64),
        "length_m": _both(tier.length_m, tier.length_m, np.float64),
    }


def _both(up: Array, down: Array, dtype: type) -> Array:
    return np.stack([up, down], axis=1).ravel().astype(dtype)


def _capacity(tier: Tier, equipment: Equipment) -> float:
    if tier.name == "scale_up":
        link = scale_up(equipment.accelerator.scale_up)
        return link.bandwidth.typical * link.efficiency.typical
    return tier.ports * equipment.interconnect.port_rate_bytes_per_s * constants().link_efficiency.typical


def _latencies(tier: Tier, equipment: Equipment) -> tuple[Array, Array]:
    """(up, down) latency of each link of a tier."""
    interconnect = equipment.interconnect
    if tier.name == "scale_up":
        half_s = np.full(len(tier), scale_up(equipment.accelerator.scale_up).latency.typical / 2)
        return half_s, half_s
    lower, upper = interconnect.ends(tier.name).technologies
    fec_s, switch_s = constants().fec_latency.typical, interconnect.switch_entry.latency.typical
    fibre_s = tier.length_m * max(lower.propagation.typical, upper.propagation.typical)
    nic_s = interconnect.nic_entry.latency.typical
    if tier.name in OCS_TIERS:
        way_s = lower.latency.typical + fibre_s
        if tier.name == "host_ocs":
            return way_s + nic_s + interconnect.ocs_entry.latency.typical, way_s + fec_s + nic_s
        return way_s + interconnect.ocs_entry.latency.typical, way_s + fec_s + switch_s
    both_s = lower.latency.typical + upper.latency.typical + fec_s + fibre_s
    if tier.name == "host_leaf":
        return both_s + nic_s + switch_s, both_s + nic_s
    return both_s + switch_s, both_s + switch_s


def _why_not(tiers: tuple[Tier, ...], equipment: Equipment) -> tuple[str, ...]:
    reasons = [
        reason for tier in tiers if tier.name != "scale_up" and len(tier) for reason in _too_far(tier, equipment)
    ]
    return (*slow_nic(equipment.interconnect), *reasons)


def slow_nic(interconnect: Interconnect) -> tuple[str, ...]:
    """Reasons why the NIC cannot feed its port."""
    port, nic = interconnect.port_rate_bytes_per_s, interconnect.nic_entry
    slow = min(nic.rate.typical, nic.host_link.typical)
    if slow >= port * (1 - 1e-9):
        return ()
    return (f"{nic.title} moves at most {bit_rate(slow)}, its port runs at {bit_rate(port)}",)


def _too_far(tier: Tier, equipment: Equipment) -> tuple[str, ...]:
    """Reasons why a tier's technology cannot carry it: reach, rate, and the loss budget through an OCS."""
    ends = equipment.interconnect.ends(tier.name)
    way_m = tier.length_m if tier.way_m is None else tier.way_m
    far = way_m > ends.reach_m * (1 + 1e-9)
    reasons = []
    if far.any():
        reasons.append(
            f"{tier.name}: {ends.label} reaches {ends.reach_m:g} m, but {int(far.sum())} of {len(tier)} links are "
            f"longer (up to {way_m.max():.1f} m)"
        )
    line_rate = tier.ports * equipment.interconnect.port_rate_bytes_per_s
    reasons.extend(
        f"{tier.name}: {technology.title} carries {bit_rate(technology.rate.typical)}, a link of {tier.ports} ports "
        f"runs at {bit_rate(line_rate)}"
        for technology in ends.by_name.values()
        if technology.rate.typical < line_rate * (1 - 1e-9)
    )
    if tier.name in OCS_TIERS:
        reasons.extend(_too_lossy(tier.name, equipment.interconnect))
    return tuple(reasons)


def _too_lossy(tier: str, interconnect: Interconnect) -> tuple[str, ...]:
    """Reasons why light does not get through the OCS."""
    technology = interconnect.ends(tier).technologies[0]
    if technology.optical_margin is None:
        return (f"{tier}: {technology.title} is copper; an OCS switches light",)
    loss_db, margin_db = interconnect.ocs_entry.insertion_loss.typical, technology.optical_margin.typical
    what = "the OCS loses"
    if interconnect.circulators:
        loss_db, what = loss_db + 2 * constants().circulator_loss.typical, "the OCS and two circulators lose"
    if loss_db <= margin_db * (1 + 1e-9):
        return ()
    return (f"{tier}: {what} {loss_db:g} dB, {technology.title} has {margin_db:g} dB left",)
