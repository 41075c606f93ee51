"""Capacities and latencies of links, and why a fabric cannot be built."""

import numpy as np
import pytest

from cluster_sim.catalogue import constants, nic, ocs, switch, technology
from cluster_sim.core import NotBuildableError
from cluster_sim.topology import Clos, Equipment, FatTree, FloorPlan, OcsSpine
from tests.networks import PORT_BYTES_PER_S, SmallSwitches, equipment, links_of_tier

FAR = FloorPlan(accelerators_per_rack=2, racks_per_row=1, row_pitch_m=200.0, slack_m=2.0)


def latencies_s(fabric, tier):
    """(up, down) latencies of the first link of a tier."""
    first = links_of_tier(fabric, tier)[0]
    return fabric.links.latency_s[first], fabric.links.latency_s[first + 1]


def reasons_of(build):
    """What stands in the way."""
    with pytest.raises(NotBuildableError) as caught:
        build()
    return caught.value.args[0]


def test_ports_carry_the_line_rate_times_the_link_efficiency():
    """800 Gb/s = 100 GB/s, of which 0.96 is payload."""
    fabric = FatTree().build(equipment(16))
    for tier in ("host_leaf", "leaf_spine", "spine_core"):
        assert fabric.links.capacity_bytes_per_s[links_of_tier(fabric, tier)] == pytest.approx(0.96e11)


def test_latency_of_a_link_is_both_modules_fec_propagation_and_the_box_it_enters():
    """
    1.5 m in one rack. Up from a NIC: NIC, two DSP modules, FEC, 1.5 m of fibre, leaf; down the same without the
    switch, since the NIC is what it enters. Between switches both ways enter a switch.
    """
    fabric = FatTree().build(equipment(16))
    module, fec_s = technology("800g-dsp-dr8"), constants().fec_latency.typical
    way_s = 2 * module.latency.typical + fec_s + 1.5 * module.propagation.typical
    nic_s, switch_s = nic("connectx8-800g").latency.typical, switch("tomahawk6").latency.typical
    assert latencies_s(fabric, "host_leaf") == pytest.approx((way_s + nic_s + switch_s, way_s + nic_s), rel=1e-12)
    assert latencies_s(fabric, "leaf_spine") == pytest.approx((way_s + switch_s,) * 2, rel=1e-12)
    assert latencies_s(fabric, "spine_core") == pytest.approx((way_s + switch_s,) * 2, rel=1e-12)


def test_ends_of_different_technologies_count_with_their_own_latency():
    """A DSP module below and a co-packaged engine above: 40 ns + 3 ns."""
    mixed = {"lower": "800g-dsp-dr8", "upper": "cpo-800g"}
    both = FatTree().build(equipment(16, host_leaf=mixed))
    alike = FatTree().build(equipment(16))
    saved_s = technology("800g-dsp-dr8").latency.typical - technology("cpo-800g").latency.typical
    for one, other in zip(latencies_s(alike, "host_leaf"), latencies_s(both, "host_leaf"), strict=True):
        assert one - other == pytest.approx(saved_s, rel=1e-9)


def test_a_circuit_has_two_modules_one_fec_and_no_switch_in_between():
    """Up: module, 1.5 m, the OCS. Down: 1.5 m, module, FEC, spine. In all what one link of 3 m and an OCS would be."""
    fabric = OcsSpine(pod_accelerators=8).build(equipment(24, ports=8))
    module, way = technology("800g-dsp-2xfr4"), constants().fec_latency.typical + switch("tomahawk6").latency.typical
    up_s, down_s = latencies_s(fabric, "spine_ocs")
    assert up_s == pytest.approx(
        module.latency.typical + 1.5 * module.propagation.typical + ocs("palomar-mems").latency.typical, rel=1e-12
    )
    assert up_s + down_s == pytest.approx(
        2 * module.latency.typical + 3.0 * module.propagation.typical + way + ocs("palomar-mems").latency.typical,
        rel=1e-12,
    )


def test_both_halves_of_the_scale_up_latency_make_the_catalogues_accelerator_to_accelerator():
    """NVLink 4: 500 ns from one accelerator through the switch to another."""
    fabric = Clos().build(equipment(8, ports=8, per_host=4))
    assert sum(latencies_s(fabric, "scale_up")) == pytest.approx(500e-9)


def test_a_longer_cable_takes_longer():
    """5 m between two racks more: 5 x 4.9 ns."""
    near, far = (
        FatTree(floor=FloorPlan(accelerators_per_rack=2, racks_per_row=1, row_pitch_m=pitch)).build(equipment(4))
        for pitch in (5.0, 10.0)
    )
    difference_s = far.links.latency_s - near.links.latency_s
    difference_m = far.links.length_m - near.links.length_m
    assert difference_m.max() == pytest.approx(5.0)
    scaled_up = links_of_tier(near, "scale_up")
    assert np.delete(difference_s, scaled_up) == pytest.approx(np.delete(difference_m, scaled_up) * 4.9e-9, abs=1e-15)


def test_links_beyond_the_reach_of_their_technology_are_not_buildable():
    """
    Passive copper reaches 2 m. 4 accelerators, 2 to a rack, rows of one rack 200 m apart, 2 m slack: both leaves stand
    with their accelerators, and are reached; the spines stand with the second, 202 m from both uplinks of the first.
    """
    (reason,) = reasons_of(lambda: FatTree(floor=FAR).build(equipment(4, host_leaf="dac-800g", leaf_spine="dac-800g")))
    assert reason == "leaf_spine: dac-800g reaches 2 m, but 2 of 4 links are longer (up to 202.0 m)"


def test_reach_is_that_of_the_weaker_end():
    """50 m multimode below, 500 m single mode above: 202 m is too far for the former."""
    mixed = {"lower": "800g-dsp-sr8", "upper": "800g-dsp-dr8"}
    (reason,) = reasons_of(lambda: FatTree(floor=FAR).build(equipment(4, leaf_spine=mixed)))
    assert "reaches 50 m" in reason


def test_light_through_an_ocs_goes_both_ways_on_one_reach():
    """
    Three pods 300 m apart, the OCS with the second: each link is at most 301.5 m, within the 500 m of a DR8; the way
    from the first pod to the third is not. Each has 4 links.
    """
    floor = FloorPlan(accelerators_per_rack=4, racks_per_row=1, row_pitch_m=300.0)
    build = OcsSpine(pod_accelerators=4, floor=floor).build
    (reason,) = reasons_of(lambda: build(equipment(12, ports=8, spine_ocs="800g-dsp-dr8")))
    assert "spine_ocs: 800g-dsp-dr8 reaches 500 m, but 8 of 12 links are longer (up to 603.0 m)" in reason
    assert build(equipment(12, ports=8, spine_ocs="800g-dsp-2xfr4")).num_pods == 3


def test_reach_through_an_ocs_is_that_of_the_two_links_of_a_circuit():
    """
    Two pods 300 m apart, the OCS beside the second: 301.5 m and 1.5 m of fibre from end to end, 303 m in all. A DR8
    reaches 500 m; no circuit leads from the first pod back to itself.
    """
    floor = FloorPlan(accelerators_per_rack=4, racks_per_row=1, row_pitch_m=300.0)
    fabric = OcsSpine(pod_accelerators=4, floor=floor).build(equipment(8, ports=8, spine_ocs="800g-dsp-dr8"))
    assert fabric.num_pods == 2


def test_loss_over_the_budget_is_not_buildable():
    """The OCS takes 1.5 dB. A DR8 has 3 dB left, a captive cable none, and copper is not light (0.9 m: it reaches)."""
    build = OcsSpine(pod_accelerators=8, floor=FloorPlan(slack_m=0.9)).build
    assert build(equipment(16, ports=8, spine_ocs="800g-dsp-dr8")).num_pods == 2
    (reason,) = reasons_of(lambda: build(equipment(16, ports=8, spine_ocs="aoc-800g")))
    assert reason.startswith("spine_ocs: the OCS loses 1.5 dB, ")
    assert reason.endswith(" has 0 dB left")
    (reason,) = reasons_of(lambda: build(equipment(16, ports=8, spine_ocs="dac-800g")))
    assert reason == "spine_ocs: 800G passive copper cable is copper; an OCS switches light"


def test_a_nic_slower_than_its_port_is_not_buildable():
    """ConnectX-7: 400 Gb/s behind a port of 800."""
    (reason,) = reasons_of(lambda: FatTree().build(equipment(16, nic="connectx7-400g")))
    assert reason == "NVIDIA ConnectX-7, 400G moves at most 400G, its port runs at 800G"


class SlowHostLink(SmallSwitches):
    """A NIC with enough bandwidth on the wire and too little to its accelerator."""

    @property
    def nic_entry(self):
        entry = nic(self.nic)
        return entry.model_copy(update={"host_link": entry.host_link.model_copy(update={"typical": 0.8e11})})


def test_a_nic_whose_host_link_is_slower_than_its_port_is_not_buildable():
    """800 Gb/s on the wire, 640 Gb/s to the accelerator."""
    parts = equipment(16)
    slow = SlowHostLink(**parts.interconnect.model_dump())
    (reason,) = reasons_of(lambda: FatTree().build(Equipment(16, parts.accelerator, slow)))
    assert reason == "NVIDIA ConnectX-8 SuperNIC, 800G moves at most 640G, its port runs at 800G"


def test_a_nic_as_fast_as_its_port_is_enough():
    """Two ConnectX-8 for a port of 1.6 Tb/s; one is too slow."""
    twice = {"port_rate_bytes_per_s": 2 * PORT_BYTES_PER_S} | dict.fromkeys(
        ("host_leaf", "leaf_spine", "spine_core", "spine_ocs"), "1.6t-dsp-dr8"
    )
    assert FatTree().build(equipment(16, nic="connectx8-dual-1.6t", **twice)).num_endpoints == 16
    (reason,) = reasons_of(lambda: FatTree().build(equipment(16, nic="connectx8-800g", **twice)))
    assert reason.endswith("moves at most 800G, its port runs at 1.6T")


def test_every_reason_is_given_at_once():
    """A slow NIC, two tiers of copper that is too short, and copper into an OCS."""
    copper = dict.fromkeys(("host_leaf", "leaf_spine", "spine_ocs"), "dac-800g")
    floor = FloorPlan(accelerators_per_rack=2, racks_per_row=1, row_pitch_m=200.0)
    build = OcsSpine(pod_accelerators=8, floor=floor).build
    reasons = reasons_of(lambda: build(equipment(16, ports=8, nic="connectx7-400g", **copper)))
    assert [reason.split(":")[0].split(" moves")[0] for reason in reasons] == [
        "NVIDIA ConnectX-7, 400G", "host_leaf", "leaf_spine", "spine_ocs", "spine_ocs",
    ]  # fmt: skip


def test_the_errors_text_holds_every_reason():
    error = NotBuildableError(("too far", "too dark"))
    assert str(error) == "not buildable: too far; too dark"


def test_more_pods_than_ocs_ports_are_not_buildable():
    """33 pods of 4 on a 32-port OCS."""
    (reason,) = reasons_of(lambda: OcsSpine(pod_accelerators=4).build(equipment(33 * 4, ports=8, ocs="ipronics-one32")))
    assert reason == "the OCS has 32 ports, the fabric has 33 pods"


def test_more_pods_than_ports_of_a_core_switch_are_not_buildable():
    """5 pods of 4 accelerators behind 4-port switches."""
    (reason,) = reasons_of(lambda: Clos(pod_accelerators=4).build(equipment(20)))
    assert reason == "too few ports: a core switch has 4, the fabric has 5 pods"


def test_a_pod_with_more_leaves_than_its_spines_have_ports_is_not_buildable():
    """4-port switches: 2 accelerators below a leaf, 2 leaves below a spine; a pod of 6 needs 3."""
    (reason,) = reasons_of(lambda: Clos(pod_accelerators=6).build(equipment(12)))
    assert reason.startswith("too few ports: 3 leaves with 2 uplinks need spines with more than 2 ports down")


@pytest.mark.parametrize(
    ("by_rail", "unit", "multiple"), [(False, "leaf of 4 accelerators", 4), (True, "rail group of 4 servers", 8)]
)
def test_a_pod_is_a_whole_number_of_leaves_or_rail_groups(by_rail, unit, multiple):
    (reason,) = reasons_of(
        lambda: Clos(pod_accelerators=10, rail_optimised=by_rail).build(equipment(40, ports=8, per_host=2))
    )
    assert reason == (
        f"a pod of 10 accelerators is not a whole number of times a {unit}; take a multiple of {multiple}"
    )


def test_circulators_take_of_the_loss_budget():
    """Palomar 1.5 dB and twice 0.8 are 3.1: within the 4 dB of an FR4, not within the 3 of a DR8."""
    build = OcsSpine(pod_accelerators=8).build
    assert build(equipment(16, ports=8, spine_ocs="800g-dsp-2xfr4", circulators=True)).num_pods == 2
    (reason,) = reasons_of(lambda: build(equipment(16, ports=8, spine_ocs="800g-dsp-dr8", circulators=True)))
    assert reason.startswith("spine_ocs: the OCS and two circulators lose 3.1 dB, ")
    assert reason.endswith(" has 3 dB left")
