"""Links inside scale-up domains: how long they are, and what a technology of their own adds to them."""

from dataclasses import replace

import numpy as np

from cluster_sim.catalogue import Accelerator, Interconnect
from cluster_sim.tables import Array, Fabric, Links, is_scale_up
from cluster_sim.topology.floor_plan import FloorPlan, Racks

#: From an accelerator to a switch of its domain in the same rack: backplane or cable cartridge.
IN_RACK_M = 1.0


def domain_lengths_m(size: int, per_switch: int, floor: FloorPlan) -> tuple[Array, Array]:
    """How long links are in a domain, which starts with a rack of its own where one does not hold it.

    Switches stand in the rack of the middle one of their accelerators, those of a second tier in the middle of the
    domain.

    Args:
        size: accelerators of the domain.
        per_switch: of them below a switch of the first tier.
        floor: where racks stand.

    Returns:
        (float64[size], from each accelerator up; float64[switches], from each switch of the first tier up).
    """
    endpoint = np.arange(size)
    first = np.minimum(endpoint // per_switch * per_switch + per_switch // 2, size - 1)
    middle = np.full(-(-size // per_switch), size // 2)
    return _length_m(endpoint, first, floor), _length_m(first[::per_switch], middle, floor)


def _length_m(near: Array, far: Array, floor: FloorPlan) -> Array:
    here, there = floor.of_endpoints(near), floor.of_endpoints(far)
    is_same = (here.row == there.row) & (here.rack == there.rack)
    return np.where(is_same, IN_RACK_M, floor.length_m(Racks(here.row, here.rack), there))


def too_long(
    interconnect: Interconnect, accelerator: Accelerator, per_switch: int, floor: FloorPlan | None
) -> tuple[str, ...]:
    """Reasons why the technology of scale-up links cannot carry them; none where it is not named or no hall is known.

    Args:
        interconnect: may name it.
        accelerator: in its domain.
        per_switch: accelerators below a switch of the first tier; 0 for all of the domain.
        floor: where racks stand.
    """
    if floor is None:
        return ()
    size = int(accelerator.scale_up_domain.typical)
    first_m, top_m = domain_lengths_m(size, per_switch or size, floor)
    tiers_m = {"scale_up": first_m} | ({"scale_up_top": top_m} if len(top_m) > 1 else {})
    named = [(tier, ends, length_m) for tier, length_m in tiers_m.items() if (ends := interconnect.inside(tier))]
    return tuple(
        f"{tier}: {ends.label} reaches {ends.reach_m:g} m, but {int(far.sum())} of {len(far)} links of a domain of "
        f"{size} are longer (up to {length_m.max():.1f} m; racks hold {floor.accelerators_per_rack})"
        for tier, ends, length_m in named
        for far in [length_m > ends.reach_m * (1 + 1e-9)]
        if far.any()
    )


def with_lengths(fabric: Fabric, accelerator: Accelerator, per_switch: int, floor: FloorPlan) -> Fabric:
    """The fabric with scale-up links as long as the hall makes them."""
    size = int(accelerator.scale_up_domain.typical)
    first_m, top_m = domain_lengths_m(size, per_switch or size, floor)
    length_m, tier = fabric.links.length_m.copy(), fabric.links.tier
    for name, in_domain_m in (("scale_up", first_m), ("scale_up_top", top_m)):
        if name in fabric.tiers:
            links = np.flatnonzero(tier == fabric.tiers.index(name))
            length_m[links] = in_domain_m[np.arange(len(links)) // 2 % len(in_domain_m)]
    return replace(fabric, links=replace(fabric.links, length_m=length_m))


def with_technology(links: Links, tiers: tuple[str, ...], interconnect: Interconnect) -> Links:
    """The links with the latency that the technology of scale-up links adds to that of copper in the server.

    Its ends regenerate the signal or turn it into light, and light takes its time; the FEC is there in any case.
    """
    latency_s = links.latency_s.copy()
    for number, tier in enumerate(tiers):
        ends = interconnect.inside(tier) if is_scale_up(tier) else None
        if ends is not None:
            (lower, upper), mine = ends.technologies, links.tier == number
            per_m = max(lower.propagation.typical, upper.propagation.typical)
            latency_s[mine] += lower.latency.typical + upper.latency.typical + links.length_m[mine] * per_m
    return replace(links, latency_s=latency_s)


def drawn_too_long(links: Links, tiers: tuple[str, ...], interconnect: Interconnect) -> tuple[str, ...]:
    """As ``too_long``, of links whose lengths are given."""
    ends = interconnect.scale_up
    if ends is None:
        return ()
    length_m = links.length_m[::2][np.array([is_scale_up(tier) for tier in tiers])[links.tier[::2]]]
    far = length_m > ends.reach_m * (1 + 1e-9)
    if not far.any():
        return ()
    told = f"{int(far.sum())} of {len(far)} links are longer (up to {length_m.max():.1f} m)"
    return (f"scale_up: {ends.label} reaches {ends.reach_m:g} m, but {told}",)
