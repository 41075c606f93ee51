"""Totals of a network and its cluster: sums over the bill, computed by hand once."""

import pytest

from cluster_sim.catalogue import technology
from cluster_sim.economics import account
from cluster_sim.topology import FatTree, OcsSpine
from tests.networks import equipment


def accounted(topology=None, num_endpoints=8, **changes):
    parts = equipment(num_endpoints, per_host=2, **changes)
    fabric = (topology or FatTree()).build(parts)
    return account(fabric, parts.interconnect, parts.accelerator)


def test_power_and_price_of_a_small_fat_tree():
    """
    48 modules of 16 W and 800 USD, 24 trunks of 150 USD, 10 switches of 3375 W and 110 kUSD, 8 NICs of 40 W and
    2248 USD: 768 + 33750 + 320 W; 38400 + 3600 + 1100000 + 17984 USD.
    """
    total = accounted()
    assert total.network_power_w == pytest.approx(768 + 33_750 + 320)
    assert total.capex_usd == pytest.approx(38_400 + 3_600 + 1_100_000 + 17_984)
    assert total.num_modules == 48


def test_totals_are_sums_of_the_bill():
    total = accounted(OcsSpine(pod_accelerators=8), num_endpoints=24, ports=8)
    assert total.network_power_w == pytest.approx(sum(item.power_w for item in total.bill))
    assert total.capex_usd == pytest.approx(sum(item.price_usd for item in total.bill))


def test_the_cluster_counts_nics_once():
    """Servers' power in the catalogue has their own NICs of 25 W in it: 8 x (1275 - 25) W, and the network with its."""
    total = accounted()
    assert total.cluster_power_w == pytest.approx(8 * (1275 - 25) + total.network_power_w)


def test_modules_and_engines_count_as_modules_and_cables_do_not():
    """8 cables below, 16 engines, 16 modules above."""
    total = accounted(host_leaf="aec-800g", leaf_spine="cpo-800g")
    assert total.num_modules == 32


def test_a_thriftier_module_saves_its_power_at_both_ends():
    """LPO instead of DSP in every tier: 48 x (16 - 8.5) W."""
    lpo = dict.fromkeys(("host_leaf", "leaf_spine", "spine_core"), "800g-lpo-dr8")
    saved_w = accounted().network_power_w - accounted(**lpo).network_power_w
    one_end_w = technology("800g-dsp-dr8").power.typical - technology("800g-lpo-dr8").power.typical
    assert saved_w == pytest.approx(48 * one_end_w)
    assert saved_w == pytest.approx(360)


def test_figures_without_a_source_are_named_once():
    """Of the parts here the price of the switch has none, and power without traffic, though three tiers use them."""
    assert accounted().unverified == ("tomahawk6 price", "800g-dsp-dr8 idle power", "tomahawk6 idle power")


def test_an_unverified_technology_is_named_with_price_and_power():
    names = accounted(leaf_spine="800g-dsp-sr8").unverified
    of_power = {name for name in names if not name.endswith("idle power")}
    assert of_power == {"800g-dsp-sr8 price", "800g-dsp-sr8 power", "tomahawk6 price"}
