"""Power and energy by kind of part."""

import pytest

from cluster_sim.catalogue import Given, given
from cluster_sim.economics import account, burners
from cluster_sim.topology import FatTree, OcsSpine
from tests.economics.fixed import FIGURES, FOUR_YEARS, NETWORK_W, SERVERS_W
from tests.networks import count, equipment


def burnt(utilisation=None, topology=None, num=8, ports=4, **changes):
    """By kind, a step of 10 s at a PUE of 1.2."""
    parts = equipment(num, ports, per_host=2, **changes)
    with given(FIGURES):
        total = account((topology or FatTree()).build(parts), parts.interconnect, parts.accelerator)
        return {one.kind: one for one in burners(total, utilisation or {}, 10.0, FOUR_YEARS)}


def test_every_kind_of_part_by_hand():
    found = burnt()
    assert {kind: one.power_w for kind, one in found.items()} == pytest.approx({
        "module": 768, "switch": 30_000, "nic": 320, "server": SERVERS_W, "cooling": 0.2 * (NETWORK_W + SERVERS_W),
    })  # fmt: skip
    for one in found.values():
        assert one.energy_j == pytest.approx(10 * one.power_w)


def test_cooling_is_a_share_of_everything_else():
    found = burnt(topology=OcsSpine(pod_accelerators=8), num=24, ports=8)
    others = [one.power_w for kind, one in found.items() if kind != "cooling"]
    assert "ocs" in found
    assert found["cooling"].power_w == pytest.approx(0.2 * sum(others))


def test_idle_parts_burn_less(change_entry):
    """
    16 modules a tier, 16 W busy and 10 W idle: tiers that carry 50, 25 and 0 % of what they could burn 13, 11.5 and
    10 W a module; at full load all burn 16. A tier of which nothing is known runs at full load.
    """
    change_entry("800g-dsp-dr8", idle_power=count(10.0))
    found = burnt({"host_leaf": 0.5, "leaf_spine": 0.25, "spine_core": 0.0})
    assert found["module"].power_w == pytest.approx(48 * 16)
    assert found["module"].energy_j == pytest.approx(16 * (13 + 11.5 + 10) * 10)
    assert burnt({"host_leaf": 0.0})["module"].energy_j == pytest.approx(16 * (10 + 16 + 16) * 10)


def test_external_lasers_are_split_out_of_their_engines(change_entry):
    """
    16 engines of 5 W with a laser each, 8 lasers of 12 W to a module: 2 modules, 24 of the 80 W. Idle engines of 3 W
    burn 1.5 W besides their light, which is always on.
    """
    changes = {"external_laser": "elsfp", "power": count(5.0), "idle_power": count(3.0), "laser_count": count(1.0)}
    change_entry("cpo-800g", **changes)
    with given(Given({"elsfp": {"power": 12.0}})):
        found = burnt({"spine_core": 0.0}, spine_core="cpo-800g")
    assert found["laser"].power_w == pytest.approx(2 * 12)
    assert found["engine"].power_w == pytest.approx(80 - 24)
    assert found["laser"].energy_j == pytest.approx(240)
    assert found["engine"].energy_j == pytest.approx(16 * 1.5 * 10)
