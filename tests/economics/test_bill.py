"""Bills of materials counted by hand.

The hall: a fat-tree of 4-port switches, 8 accelerators in 4 servers of 2: 4 leaves, 4 spines, 2 cores. Each tier has 8
links: one per accelerator, 2 up from each leaf, 2 up from each spine.
"""

import numpy as np
import pytest

from cluster_sim.catalogue import Given, constants, given, laser, nic, ocs, switch, technology
from cluster_sim.economics import LENGTHS_M, Economics, bill_of_materials, modules_at
from cluster_sim.topology import Clos, FatTree, FloorPlan, OcsSpine
from tests.networks import count, equipment

TIERS = ("host_leaf", "leaf_spine", "spine_core")


def bill(topology, num_endpoints, ports=4, per_host=2, **changes):
    parts = equipment(num_endpoints, ports, per_host, **changes)
    return bill_of_materials(topology.build(parts), parts.interconnect)


def counted(items):
    """Pieces by (kind, tier, part)."""
    counts = {}
    for item in items:
        key = item.kind, item.tier, item.part
        counts[key] = counts.get(key, 0) + item.count
    return counts


def test_a_fat_tree_of_modules_is_counted_by_hand():
    """A module at both ends of each of 24 links, a fibre for each, 10 switches, 8 NICs."""
    module = "800g-dsp-dr8"
    assert counted(bill(FatTree(), 8)) == {
        **{("module", tier, module): 16 for tier in TIERS},
        **{("fibre", tier, "fibre trunk"): 8 for tier in TIERS},
        ("switch", "leaf", "tomahawk6"): 4,
        ("switch", "spine", "tomahawk6"): 4,
        ("switch", "core", "tomahawk6"): 2,
        ("nic", "host_leaf", "connectx8-800g"): 8,
    }


def test_a_module_of_twice_the_port_rate_carries_two_ports_of_its_box():
    """
    1.6T modules on 800G ports: one per server of 2 accelerators, one each way for every switch of 2 + 2 ports; a core
    switch has 4 ports down, 2 modules. host_leaf 4 + 4, leaf_spine 4 + 4, spine_core 4 + 2 x 2. Links stay 8 a tier.
    """
    twin = dict.fromkeys(TIERS, "1.6t-dsp-dr8")
    counts = counted(bill(FatTree(), 8, **twin))
    assert [counts["module", tier, "1.6t-dsp-dr8"] for tier in TIERS] == [8, 8, 8]
    assert [counts["fibre", tier, "fibre trunk"] for tier in TIERS] == [8, 8, 8]


@pytest.mark.parametrize(("gbps", "pieces"), [(400, [2, 1]), (800, [2, 1]), (1600, [4, 2]), (3200, [8, 4])])
def test_a_link_of_a_graph_may_take_several_modules(gbps, pieces):
    """Two links at one node and one at another, of 800G modules; a link of 800G in a graph carries so much payload."""
    line_rate = gbps * 1e9 / 8 / constants().link_efficiency.typical
    carrier = technology("800g-dsp-dr8" if gbps > 400 else "400g-dsp-dr4")
    assert modules_at(carrier, np.array([0, 0, 1]), line_rate).tolist() == pieces


def test_servers_of_one_accelerator_do_not_share_modules():
    """8 servers with half a module each need 8; their leaves still 4."""
    counts = counted(bill(FatTree(), 8, per_host=1, host_leaf="1.6t-dsp-dr8"))
    assert counts["module", "host_leaf", "1.6t-dsp-dr8"] == 8 + 4


def test_an_odd_port_needs_a_module_of_its_own():
    """Servers of 3: 2 modules each for 3 ports; 2 servers, 6 accelerators below leaves of 4 and 2: 2 + 1 above."""
    counts = counted(bill(Clos(), 6, ports=8, per_host=3, host_leaf="1.6t-dsp-dr8"))
    assert counts["module", "host_leaf", "1.6t-dsp-dr8"] == 2 * 2 + 2 + 1


def test_a_cable_counts_once_with_power_at_both_ends():
    """8 active copper cables of 2 x 8 W, and no module or fibre with them."""
    items = [item for item in bill(FatTree(), 8, host_leaf="aec-800g") if item.tier == "host_leaf"]
    (cable,) = [item for item in items if item.kind != "nic"]
    entry = technology("aec-800g")
    assert (cable.kind, cable.count) == ("cable", 8)
    assert cable.unit_power_w == 2 * entry.power.typical == 16.0
    assert cable.unit_price_usd == entry.price.typical
    assert cable.mean_length_m == pytest.approx(1.5)


def test_each_end_is_billed_with_its_own_technology():
    """DSP modules in the NICs, co-packaged engines in the leaves."""
    counts = counted(bill(FatTree(), 8, host_leaf={"lower": "800g-dsp-dr8", "upper": "cpo-800g"}))
    assert counts["module", "host_leaf", "800g-dsp-dr8"] == 8
    assert counts["engine", "host_leaf", "cpo-800g"] == 8


def test_engines_are_priced_and_powered_per_end_with_the_lasers_that_feed_them():
    """8 links, 16 ends with a laser each: 16 engines, 2 modules of 8 lasers, together 16 times the catalogue's end."""
    lines = [item for item in bill(FatTree(), 8, spine_core="cpo-800g") if item.kind in ("engine", "laser")]
    assert {(line.kind, line.count) for line in lines} == {("engine", 16), ("laser", 2)}
    entry, module = technology("cpo-800g"), laser("elsfp")
    assert sum(line.power_w for line in lines) == pytest.approx(16 * entry.power.typical)
    assert sum(line.price_usd for line in lines) == pytest.approx(16 * entry.price.typical)
    (light,) = [line for line in lines if line.kind == "laser"]
    assert light.unit_power_w == pytest.approx(module.power.typical)
    assert light.unit_price_usd == pytest.approx(module.price.typical)


def test_lasers_come_in_whole_modules():
    """6 ends with a laser each: three quarters of a module are one, which has the figures of three quarters."""
    lines = bill(Clos(), 6, host_leaf={"lower": "800g-dsp-dr8", "upper": "cpo-800g"})
    mine = [line for line in lines if line.kind in ("engine", "laser")]
    assert [(line.kind, line.tier, line.count) for line in mine] == [
        ("engine", "host_leaf", 6), ("laser", "host_leaf", 1),
    ]  # fmt: skip
    assert sum(line.power_w for line in mine) == pytest.approx(6 * technology("cpo-800g").power.typical)


def test_a_laser_never_takes_more_than_the_engine_has(change_entry):
    """A laser of 100 W in engines of 1 W: all of it is light."""
    change_entry("elsfp", power=count(800.0))
    change_entry("cpo-800g", power=count(1.0))
    lines = [item for item in bill(FatTree(), 8, spine_core="cpo-800g") if item.kind in ("engine", "laser")]
    assert [line.power_w for line in lines] == pytest.approx([0.0, 16.0])


def ocs_bill(module, **changes):
    """3 pods of 8 behind 8-port switches: 2 spines x 4 uplinks x 3 pods = 24 links, 8 uplinks a pod meet in an OCS."""
    return bill(OcsSpine(pod_accelerators=8), 24, ports=8, spine_ocs=module, **changes)


@pytest.mark.parametrize(("module", "pairs"), [("800g-dsp-2xfr4", 2), ("800g-dsp-dr8", 8), ("cpo-800g", 4)])
def test_an_ocs_port_counts_as_often_as_the_module_has_fibre_pairs(module, pairs):
    """24 of 128 ports of one Palomar, times the fibre pairs: as many Palomars in step."""
    counts = counted(ocs_bill(module))
    assert counts["ocs", "spine_ocs", "palomar-mems"] == pairs


def test_a_module_that_carries_two_ports_divides_its_fibre_pairs_among_them():
    """A 1.6T 2xFR4 has 2 pairs for two 800G ports: one OCS. 12 modules carry 24 uplinks, 4 to a spine."""
    counts = counted(ocs_bill("1.6t-dsp-2xfr4"))
    assert counts["ocs", "spine_ocs", "palomar-mems"] == 1
    assert counts["module", "spine_ocs", "1.6t-dsp-2xfr4"] == 12


def test_circulators_halve_the_ports():
    """2 fibre pairs are 2 Palomars without, 1 with them: both ways of a pair go through one fibre."""
    assert counted(ocs_bill("800g-dsp-2xfr4", circulators=True))["ocs", "spine_ocs", "palomar-mems"] == 1


def test_links_into_an_ocs_have_one_module_each_and_a_trunk():
    """The other end is glass: 24 modules and 24 trunks, not 48 modules."""
    counts = counted(ocs_bill("800g-dsp-2xfr4"))
    assert counts["module", "spine_ocs", "800g-dsp-2xfr4"] == 24
    assert counts["fibre", "spine_ocs", "fibre trunk"] == 24
    assert not [key for key in counts if key[1] in ("core", "spine_core")]


def test_small_ocs_are_bought_until_every_uplink_has_a_port():
    """
    32 ports for 12 pods of 24: 2 uplinks of every pod to an OCS, 24 uplinks a pod: 12 OCS, times 2 fibre pairs.
    """
    small = {"ocs": "ipronics-one32", "spine_ocs": "800g-dsp-2xfr4"}
    counts = counted(bill(OcsSpine(pod_accelerators=24), 12 * 24, ports=48, **small))
    assert counts["ocs", "spine_ocs", "ipronics-one32"] == 24


def test_an_ocs_costs_its_ports_and_draws_its_chassis():
    (line,) = [item for item in ocs_bill("800g-dsp-2xfr4") if item.kind == "ocs"]
    entry = ocs("palomar-mems")
    assert line.unit_price_usd == pytest.approx(entry.price_per_port.typical * entry.ports.typical)
    assert line.unit_price_usd == pytest.approx(520 * 128)
    assert line.unit_power_w == entry.power.typical


def test_units_are_those_of_the_catalogue():
    """Switches and NICs without optics, modules per piece, a fibre without power."""
    by_kind = {item.kind: item for item in bill(FatTree(), 8)}
    module, fibre = technology("800g-dsp-dr8"), constants().fibre_trunk_price
    assert (by_kind["module"].unit_power_w, by_kind["module"].unit_price_usd) == (16.0, module.price.typical)
    assert (by_kind["fibre"].unit_power_w, by_kind["fibre"].unit_price_usd) == (0.0, fibre.typical)
    for kind, entry in (("switch", switch("tomahawk6")), ("nic", nic("connectx8-800g"))):
        line = by_kind[kind]
        assert (line.unit_power_w, line.unit_price_usd) == (entry.power.typical, entry.price.typical)
        assert (line.power_status, line.price_status) == (entry.power.status, entry.price.status)


def test_a_line_is_its_count_times_its_unit():
    for item in bill(FatTree(), 8):
        assert item.power_w == item.count * item.unit_power_w
        assert item.price_usd == item.count * item.unit_price_usd


def test_scale_up_links_belong_to_the_server():
    assert "scale_up" not in {item.tier for item in bill(FatTree(), 8)}


def test_a_cable_joins_two_boxes():
    """
    1.6T cables on 800G ports: each of 4 leaves has one link to each of 2 spines. A cable has one plug at each end, so
    that each link needs its own: 8, not 4.
    """
    counts = counted(bill(FatTree(), 8, leaf_spine="aec-1.6t"))
    assert counts["cable", "leaf_spine", "aec-1.6t"] == 8


def test_a_cable_between_two_boxes_carries_as_many_of_their_links_as_fit():
    """Servers of 2 below one leaf: both 800G ports in one 1.6T cable; 4 servers, 4 cables."""
    counts = counted(bill(FatTree(), 8, host_leaf="aec-1.6t"))
    assert counts["cable", "host_leaf", "aec-1.6t"] == 4


#: 2 accelerators a rack, 4 racks in a row, 4 m apart: far tiers have links of several lengths.
HALL = FloorPlan(accelerators_per_rack=2, racks_per_row=4, rack_pitch_m=4.0, slack_m=1.5)


@pytest.mark.parametrize(("kind", "technology_name"), [("fibre", "800g-dsp-dr8"), ("cable", "aoc-800g")])
def test_cables_and_fibres_are_ordered_by_length(kind, technology_name):
    """Every link of a tier is in the shortest class that reaches, and the mean of a class is the mean of its links."""
    parts = equipment(8, 4, 2, leaf_spine=technology_name)
    fabric = FatTree(floor=HALL).build(parts)
    number = fabric.tiers.index("leaf_spine")
    length_m = fabric.links.length_m[fabric.links.tier == number][::2]
    lines = [item for item in bill_of_materials(fabric, parts.interconnect) if item.kind == kind]
    mine = {item.length_class_m: item for item in lines if item.tier == "leaf_spine"}
    assert len(mine) > 1
    assert sum(item.count for item in mine.values()) == 8
    for shorter, known in zip((0.0, *LENGTHS_M), LENGTHS_M, strict=False):
        inside = length_m[(length_m > shorter + 1e-9) & (length_m <= known + 1e-9)]
        assert len(inside) == (mine[known].count if known in mine else 0)
        if len(inside):
            assert mine[known].mean_length_m == pytest.approx(inside.mean())


def test_a_length_that_is_a_class_is_ordered_as_it_is():
    """Slack of 1.5 m and half a metre to nowhere: 2 m are 2 m, in spite of the last digits."""
    hall = FloorPlan(accelerators_per_rack=8, slack_m=0.1 + 1.9)
    parts = equipment(8, 4, 2)
    lines = bill_of_materials(FatTree(floor=hall).build(parts), parts.interconnect)
    assert {line.length_class_m for line in lines if line.kind == "fibre"} == {2.0}


def test_parts_without_a_length_have_none():
    assert {line.length_class_m for line in bill(FatTree(), 8) if line.kind not in ("fibre", "cable")} == {0.0}


def test_a_margin_sets_the_price_of_parts_whose_cost_is_known(change_entry):
    """A cost of 300 USD at a margin of 60 % is a price of 750 USD; parts whose cost nobody knows keep theirs."""
    change_entry("cpo-800g", vendor_cost=count(300.0))
    change_entry("800g-dsp-dr8", vendor_cost=None)
    parts = equipment(8, 4, 2, spine_core="cpo-800g")
    fabric = FatTree().build(parts)
    with given(Given({"800g-dsp-dr8": {"price": 800.0}, "cpo-800g": {"price": 111.0}})):
        lines = bill_of_materials(fabric, parts.interconnect, economics=Economics(vendor_margin_ratio=0.6))
        plain = bill_of_materials(fabric, parts.interconnect)

    def paid_usd(items, *kinds):
        return sum(item.price_usd for item in items if item.kind in kinds)

    assert paid_usd(lines, "engine", "laser") == pytest.approx(16 * 750)
    assert paid_usd(plain, "engine", "laser") == pytest.approx(16 * 111)
    assert paid_usd(lines, "module") == paid_usd(plain, "module") == pytest.approx(32 * 800)


def test_the_margin_decides_whether_co_packaged_is_cheaper(change_entry):
    """At cost 250 against 800 for a module; with a margin of 69 % more."""
    change_entry("cpo-800g", vendor_cost=count(250.0))
    change_entry("800g-dsp-dr8", vendor_cost=None)
    parts = equipment(8, 4, 2, spine_core="cpo-800g")
    fabric = FatTree().build(parts)

    def dearer(margin):
        with given(Given({"800g-dsp-dr8": {"price": 800.0}})):
            lines = bill_of_materials(fabric, parts.interconnect, economics=Economics(vendor_margin_ratio=margin))
        return sum(item.price_usd for item in lines if item.kind in ("engine", "laser")) > 16 * 800

    assert [dearer(margin) for margin in (0.0, 0.68, 0.69, 0.9)] == [False, False, True, True]


@pytest.mark.parametrize(
    ("part", "kind"), [("800g-dsp-dr8", "module"), ("npo-800g", "engine"), ("tomahawk6", "switch")]
)
def test_a_part_that_draws_less_under_load_draws_no_more_without(part, kind):
    """Given or drawn below the catalogue's idle power, what is active bounds what is idle."""
    ends = {} if kind == "switch" else dict.fromkeys(TIERS, part)
    with given(Given({part: {"power": 0.5}})):
        items = [item for item in bill(FatTree(), 8, **ends) if item.kind == kind]
    assert items
    for item in items:
        assert item.unit_idle_w <= item.unit_power_w
        assert item.mean_power_w(0.5) <= item.power_w
