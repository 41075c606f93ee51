"""Copper against optics inside scale-up domains: what the links are made of, and what they burn and cost."""

from dataclasses import replace

import pytest

from cluster_sim.catalogue import Given, LinkEnds, given
from cluster_sim.core import NotBuildableError
from cluster_sim.economics import Economics, account, burners, cooling_of, count_pieces
from cluster_sim.topology import Clos, FloorPlan
from tests.networks import equipment

FIGURES = Given(
    {
        "800g-dsp-dr8": {"power": 16.0, "price": 800.0},
        "h100-sxm": {"host_power": 1275.0, "included_nic_power": 25.0},
        "connectx8-800g": {"power": 40.0},
        "constants": {"fibre_trunk_price": 150.0},
    }
)


def rack(name, per_switch=0, oversubscription=1.0):
    """72 accelerators of 7.2 Tb/s in one rack and one domain: (fabric, parts)."""
    parts = equipment(72, ports=64, per_host=4, domain=72, scale_up=name)  # servers as of H100
    parts = replace(parts, accelerator=parts.accelerator.model_copy(update={"scale_up": "nvlink5"}))
    inside = {"per_switch": per_switch, "oversubscription": oversubscription}
    return Clos(floor=FloorPlan(accelerators_per_rack=72), scale_up=inside).fabric(parts), parts


def inside(name, **with_):
    """Pieces of scale-up links: (part, kind, tier, count)."""
    fabric, parts = rack(name, **with_)
    found = count_pieces(fabric, parts.interconnect, parts.accelerator.scale_up)
    return [(one.part, one.kind, one.tier, one.count) for one in found if one.tier.startswith("scale_up")]


def test_copper_of_the_server_is_in_no_bill():
    assert inside(None) == []


def test_copper_saves_a_rack_of_72_what_modules_would_burn():
    """
    7.2 Tb/s of each accelerator are nine 800G modules, at both ends: 72 x 9 x 2 = 1,296 of 16 W, 20.7 kW. NVIDIA says
    that copper saves NVL72 about 20 kW.
    """
    assert inside("800g-dsp-dr8") == [
        ("800g-dsp-dr8", "module", "scale_up", 1296), ("fibre trunk", "fibre", "scale_up", 72 * 9),
    ]  # fmt: skip
    fabric, parts = rack("800g-dsp-dr8")
    copper = parts.interconnect.model_copy(update={"scale_up": None})
    with given(FIGURES):
        total, plain = (account(fabric, option, parts.accelerator) for option in (parts.interconnect, copper))
    (light,) = [one for one in burners(total, {}, 1.0, Economics()) if one.kind == "scale_up"]
    assert light.power_w == pytest.approx(20_736)
    assert total.network_power_w - plain.network_power_w == pytest.approx(20_736)
    assert total.capex_usd - plain.capex_usd == pytest.approx(1296 * 800 + 648 * 150)
    assert total.num_modules - plain.num_modules == 1296


def test_a_rate_that_does_not_divide_takes_one_more():
    """7.2 Tb/s over 1.6T engines are 4.5: five at each end, two lasers each, eight to a laser module."""
    assert inside("cpo-scale-up-1.6t") == [
        ("cpo-scale-up-1.6t", "engine", "scale_up", 72 * 5 * 2), ("elsfp", "laser", "scale_up", 72 * 5 * 2 * 2 // 8),
        ("fibre trunk", "fibre", "scale_up", 72 * 5),
    ]  # fmt: skip


def test_a_backplane_is_cables():
    """18 of 400G for each accelerator, in both ends of one piece: NVL72's 1,296 links."""
    assert inside("nvlink-backplane") == [("nvlink-backplane", "cable", "scale_up", 72 * 18)]


def test_a_second_tier_has_modules_for_what_it_carries():
    """6 switches of 12 x 7.2 Tb/s, half of that up: 43.2 Tb/s are 54 modules, at both ends."""
    found = inside("800g-dsp-dr8", per_switch=12, oversubscription=2.0)
    assert ("800g-dsp-dr8", "module", "scale_up", 1296) in found
    assert ("800g-dsp-dr8", "module", "scale_up_top", 6 * 54 * 2) in found


def test_the_second_tier_may_have_a_technology_of_its_own():
    """Copper of the server below; 54 modules a switch above, at both ends."""
    fabric, parts = rack(None, per_switch=12, oversubscription=2.0)
    light = LinkEnds(lower="800g-dsp-dr8", upper="800g-dsp-dr8")
    option = parts.interconnect.model_copy(update={"scale_up_top": light})
    found = count_pieces(fabric, option, "nvlink5")
    assert [(one.tier, one.kind, one.count) for one in found if one.tier.startswith("scale_up")] == [
        ("scale_up_top", "module", 6 * 54 * 2), ("scale_up_top", "fibre", 6 * 54),
    ]  # fmt: skip


def test_optics_of_scale_up_links_count_for_the_rack():
    """
    72 of 1,250 + 40 W are 92.9 kW; 20.7 kW of modules are on top: 113.6. Where liquid cools 110 kW, copper can be built
    and light cannot.
    """
    with given(FIGURES), given(Given({"constants": {"rack_power_liquid": 110e3}})):
        fabric, parts = rack("800g-dsp-dr8")
        copper = parts.interconnect.model_copy(update={"scale_up": None})
        assert cooling_of(fabric, copper, parts.accelerator, 72).by == "liquid"
        told = r"draws 113.6 kW, 20.7 of them in scale-up links, liquid cools 110 kW"
        with pytest.raises(NotBuildableError, match=told):
            cooling_of(fabric, parts.interconnect, parts.accelerator, 72)


def test_ends_may_differ():
    assert inside({"lower": "800g-dsp-dr8", "upper": "cpo-scale-up-1.6t"})[:2] == [
        ("800g-dsp-dr8", "module", "scale_up", 72 * 9), ("cpo-scale-up-1.6t", "engine", "scale_up", 72 * 5),
    ]  # fmt: skip
