"""What can fail of the small cluster of the tests: 64 accelerators in two pods of 32, servers of eight, at 800G."""

from math import exp, inf

import numpy as np
import pytest

from cluster_sim.catalogue import Given, constants, given, laser, switch, technology
from cluster_sim.economics import count_pieces
from cluster_sim.reliability import Reliability, laser_ageing, take_inventory
from cluster_sim.topology import Equipment
from tests.small import small_run

YEAR_S = 365 * 86400.0


@pytest.fixture
def count(tmp_path):
    """Rows by name, and the inventory, of the small run with settings."""

    def rows(*settings, is_used=None, **reliability):
        config = small_run(tmp_path, *settings)
        chip = config.job.accelerator_entry
        fabric = config.topology.fabric(Equipment(64, chip, config.interconnect))
        used = np.ones(len(fabric.links), bool) if is_used is None else is_used(fabric)
        found = take_inventory(fabric, used, config.interconnect, chip, 64, Reliability(**reliability))
        return {row.name: row for row in found.rows}, found

    return rows


def per_year(row):
    return row.rate_per_s * YEAR_S


def test_servers_and_software(count):
    rows, _ = count()
    assert [rows[name].num_pieces for name in ("accelerator", "host", "nic", "software")] == [64, 8, 64, 64]
    assert [rows[name].servers for name in ("accelerator", "host", "nic", "software")] == [1, 1, 1, 0]
    assert per_year(rows["software"]) == pytest.approx(constants().software_failure.typical)
    assert rows["software"].repair_s == 0
    assert rows["accelerator"].detour_s == rows["accelerator"].outage_s == inf


def test_modules_of_both_ends_and_their_lasers(count):
    """A link has a module at each end; lasers are a share of its failures."""
    rows, _ = count()
    module = technology("800g-dsp-dr8")
    for name in ("host_leaf host", "host_leaf leaf", "leaf_spine leaf", "leaf_spine spine", "spine_core core"):
        both = rows[f"{name} module"], rows[f"{name} laser"]
        assert [row.num_pieces for row in both] == [64, 64]
        assert sum(map(per_year, both)) == pytest.approx(module.annual_failure.typical)
        assert per_year(both[1]) == pytest.approx(module.annual_failure.typical * module.laser_share.typical)


def test_links_of_accelerators_cut_them_off_and_others_are_gone_around(count):
    rows, found = count(reroute_s=2.0)
    assert (rows["host_leaf leaf module"].servers, rows["host_leaf leaf module"].detour_s) == (1, inf)
    assert (rows["leaf_spine leaf module"].servers, rows["leaf_spine leaf module"].detour_s) == (0, 2.0)
    assert rows["leaf_spine leaf module"].state == "leaf_spine"
    assert rows["host_leaf flaps"].detour_s == inf
    assert {state.name for state in found.states} == {"leaf_spine", "spine_core", "spine", "core"}


def test_accelerator_0_can_be_cut_off_like_any_other(count):
    rows, _ = count(is_used=lambda fabric: fabric.links.src == 0)
    assert (rows["host_leaf flaps"].num_pieces, rows["host_leaf flaps"].detour_s) == (1, inf)


def test_transports_of_many_paths_leave_one_at_once(count):
    rows, _ = count(transport="multipath")
    assert rows["leaf_spine flaps"].detour_s == rows["core switch"].detour_s == 0
    assert rows["host_leaf flaps"].detour_s == inf


def test_a_leaf_takes_its_servers_with_it(count):
    """Two leaves of 32 accelerators, which are four servers; a switch of another kind does not."""
    rows, _ = count()
    assert (rows["leaf switch"].num_pieces, rows["leaf switch"].servers, rows["leaf switch"].state) == (2, 4, "")
    assert (rows["spine switch"].servers, rows["spine switch"].state) == (0, "spine")
    assert per_year(rows["leaf switch"]) == pytest.approx(switch("tomahawk5").annual_failure.typical)


def test_leaves_by_rail_take_a_server_for_each_accelerator(count):
    rows, _ = count("topology.rail_optimised=true", "topology.pod_accelerators=0")
    below = rows["leaf switch"].num_pieces
    assert rows["leaf switch"].servers == 64 // below == 8


def test_a_module_that_carries_two_ports_takes_both_down(count):
    twin = [f"interconnect.{tier}=1.6t-dsp-dr8" for tier in ("host_leaf", "leaf_spine", "spine_core")]
    rows, found = count(*twin)
    assert rows["leaf_spine leaf module"].num_pieces == 32
    assert {"2 leaf_spine of a leaf", "2 leaf_spine of a spine"} <= {state.name for state in found.states}
    assert rows["host_leaf leaf module"].servers == 1


def test_a_cable_has_one_row_for_both_ends(count):
    rows, _ = count("interconnect.host_leaf=aec-800g")
    assert rows["host_leaf cable"].num_pieces == 64
    assert "host_leaf host cable" not in rows
    assert per_year(rows["host_leaf flaps"]) == pytest.approx(technology("aec-800g").flaps.typical)


def test_an_engine_is_replaced_with_its_switch_and_its_lasers_from_outside(count):
    """
    A failed engine in a leaf takes the four servers below, one in a spine the spine. A laser module feeds eight ends;
    below a leaf those are one server.
    """
    rows, found = count(
        "interconnect.host_leaf={lower: 800g-dsp-dr8, upper: cpo-800g}", "interconnect.leaf_spine=cpo-800g",
        "interconnect.spine_core=cpo-800g",
    )  # fmt: skip
    assert (rows["host_leaf leaf engine"].servers, rows["leaf_spine leaf engine"].servers) == (4, 4)
    assert rows["leaf_spine spine engine"].state == "spine"
    assert rows["leaf_spine leaf engine"].repair_s == technology("cpo-800g").repair_time.typical
    light = rows["host_leaf leaf external laser"]
    assert (light.num_pieces, light.servers) == (8, 1)
    assert light.repair_s == laser("elsfp").repair_time.typical
    assert rows["spine_core core external laser"].state == "8 spine_core of a core"
    assert "elsfp annual_failure" in found.unverified


def test_modules_between_equals_are_told_apart_and_counted_as_in_the_bill(count, tmp_path):
    """A torus of 4 x 4 x 4: what joins accelerators in cubes and beyond; 1.6T modules carry two of a node's links."""
    torus = "topology={kind: torus, shape: [4, 4, 4]}"
    twin = [f"interconnect.{tier}=1.6t-dsp-dr8" for tier in ("leaf_spine", "spine_core")]
    rows, _ = count(torus, *twin)
    config = small_run(tmp_path, torus, *twin)
    fabric = config.topology.fabric(Equipment(64, config.job.accelerator_entry, config.interconnect))
    for tier in ("leaf_spine", "spine_core"):
        bought = sum(piece.count for piece in count_pieces(fabric, config.interconnect) if piece.tier == tier
                     and piece.kind == "module")  # fmt: skip
        assert rows[f"{tier} host module"].num_pieces + rows[f"{tier} other host module"].num_pieces == bought


def test_accelerators_with_a_port_in_each_plane_are_not_cut_off(count):
    rows, found = count("topology={kind: clos, planes: 2, pod_accelerators: 64}")
    assert rows["host_leaf host module"].servers == 0
    assert rows["leaf switch"].state == "leaf"
    assert {"leaf", "spine"} <= {state.name for state in found.states}


def test_a_laser_module_of_engines_with_two_ports_darkens_both(count):
    """Eight lasers, two for each engine of 1.6T, which carries two ports of 800G: eight links."""
    _, found = count(
        "interconnect.host_leaf={lower: 800g-dsp-dr8, upper: cpo-1.6t}", "interconnect.leaf_spine=cpo-1.6t",
        "interconnect.spine_core=cpo-1.6t",
    )  # fmt: skip
    assert {state.num_links for state in found.states if state.where == "leaf_spine"} == {8}


def test_optics_inside_scale_up_domains_fail_on_top(count):
    """450 GB/s of NVLink 4 are five modules of 800G at each end, and five links that flap."""
    rows, _ = count("interconnect.scale_up=800g-dsp-dr8")
    inside, lasers, flaps = (rows[f"scale-up {name}"] for name in ("module", "laser", "flaps"))
    module = technology("800g-dsp-dr8")
    assert (inside.num_pieces, lasers.num_pieces, flaps.num_pieces) == (64 * 2 * 5, 64 * 2 * 5, 64 * 5)
    assert (inside.servers, inside.tier, flaps.detour_s) == (1, "scale_up", inf)
    assert per_year(inside) + per_year(lasers) == pytest.approx(module.annual_failure.typical)
    assert per_year(lasers) == pytest.approx(module.annual_failure.typical * module.laser_share.typical)
    assert per_year(flaps) == pytest.approx(module.flaps.typical)
    assert not [name for name in count()[0] if name.startswith("scale-up")]


def test_lasers_inside_scale_up_domains_come_from_outside_engines(count):
    """Engines of 1.6T of accelerators: three a link, 192 at each end; each takes lasers of its laser modules."""
    rows, _ = count("interconnect.scale_up=cpo-scale-up-1.6t")
    end = technology("cpo-scale-up-1.6t")
    num_ends, lasers = rows["scale-up engine"].num_pieces, rows["scale-up external laser"]
    assert num_ends == 2 * 64 * 3
    assert lasers.num_pieces == num_ends * end.laser_count.typical / laser("elsfp").lasers.typical
    assert (lasers.part, lasers.servers) == ("elsfp", 1)
    assert rows["scale-up laser"].rate_per_s == 0


def test_light_between_racks_of_copper_fails_as_light_does(count):
    """Two domains of 32 with first switches for eight: copper below them, modules above."""
    rows, _ = count(
        "interconnect.scale_up=aec-800g", "interconnect.scale_up_top=800g-dsp-dr8",
        "topology.scale_up={size: 32, per_switch: 8}",
    )  # fmt: skip
    below, above = rows["scale-up cable"], rows["scale-up top module"]
    assert (below.part, below.tier, below.num_pieces) == ("aec-800g", "scale_up", 64 * 5)
    assert (above.part, above.tier, above.servers) == ("800g-dsp-dr8", "scale_up_top", 1)
    assert per_year(rows["scale-up flaps"]) == pytest.approx(technology("aec-800g").flaps.typical)
    assert rows["scale-up top flaps"].num_pieces == above.num_pieces / 2
    assert per_year(rows["scale-up top flaps"]) == pytest.approx(technology("800g-dsp-dr8").flaps.typical)


def test_a_leaf_takes_those_of_its_servers_with_it_that_the_job_has(count):
    """Four servers hang from each leaf; of one leaf the job has but the first, and the other one goes unused."""
    rows, _ = count(is_used=lambda fabric: fabric.links.src < 8)
    assert rows["leaf switch"].servers == 1


def test_light_above_the_servers_own_copper_fails_alone(count):
    rows, _ = count("topology.scale_up={size: 64, per_switch: 16}", "interconnect.scale_up_top=cpo-scale-up-1.6t")
    inside = {name for name in rows if name.startswith("scale-up")}
    assert {name for name in inside if rows[name].rate_per_s} == {
        "scale-up top engine", "scale-up top external laser", "scale-up top flaps",
    }  # fmt: skip


def test_circuit_switches_and_spare_ones(count):
    topology = "topology={kind: ocs_spine, pod_accelerators: 32}"
    rows, _ = count(topology, "interconnect.spine_ocs=800g-dsp-2xfr4")
    boxes = rows["optical circuit switch"]
    assert boxes.state == "ocs"
    assert boxes.repair_s > 3600
    spare, _ = count(topology, "interconnect.spine_ocs=800g-dsp-2xfr4", spare_ocs=1, rewire_s=12.0)
    assert spare["optical circuit switch"].repair_s == 12.0
    assert "spine_ocs ocs module" not in rows


def test_only_what_the_job_uses_counts(count):
    """Of the links between leaves and spines a quarter is used, and of the core nothing."""

    def some(fabric):
        tier = np.array(fabric.tiers)[fabric.links.tier]
        used = tier == "host_leaf"
        used[np.flatnonzero(tier == "leaf_spine")[:32]] = True
        return used

    rows, found = count(is_used=some)
    assert rows["leaf_spine leaf module"].num_pieces == 16
    assert rows["leaf_spine flaps"].num_pieces == 16
    assert not [name for name in rows if "core" in name]
    assert "spine_core" not in {state.name for state in found.states}


def test_one_direction_is_enough_to_use_a_cable(count):
    rows, _ = count(is_used=lambda fabric: np.arange(len(fabric.links)) % 2 == 1)
    assert rows["leaf_spine flaps"].num_pieces == 64


def test_hot_lasers_fail_more_often(count):
    """Arrhenius by hand: 0.35 eV, 40 to 55 degC."""
    energy, cool = constants().laser_activation_ev.typical, constants().laser_temperature.typical
    factor = exp(energy / 8.617333262e-5 * (1 / cool - 1 / 328.15))
    assert laser_ageing(328.15) == pytest.approx(factor)
    assert factor > 1.3
    assert laser_ageing(cool) == 1
    cold, _ = count("interconnect.scale_up=800g-dsp-dr8")
    hot, _ = count("interconnect.scale_up=800g-dsp-dr8", laser_temperature_kelvin=328.15)
    names = "leaf_spine leaf laser", "leaf_spine leaf module", "accelerator", "leaf_spine flaps", "scale-up laser"
    for name in (*names, "scale-up module"):
        assert hot[name].rate_per_s / cold[name].rate_per_s == pytest.approx(factor if "laser" in name else 1)


def test_figures_that_are_given_take_the_place_of_the_catalogues(count):
    with given(Given({"h100-sxm": {"annual_failure": 0.5}, "constants": {"reroute_time": 3.0, "flap_time": 9.0}})):
        rows, _ = count()
    assert per_year(rows["accelerator"]) == pytest.approx(0.5)
    assert rows["leaf_spine flaps"].outage_s == 9.0
    assert rows["leaf_spine flaps"].detour_s == 3.0


def test_assumptions_are_told(count):
    _, found = count()
    assert {"software failures", "reroute_time", "800g-dsp-dr8 flaps"} <= set(found.unverified)
    _, found = count(reroute_s=1.0)
    assert "reroute_time" not in found.unverified
