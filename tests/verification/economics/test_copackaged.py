"""Co-packaged optics: what is claimed for a port, and what is left of it in a switch, a network and a cluster.

GB300 NVL72, 800G an accelerator, switches of 144 ports. "Network" is the back end without NICs: SemiAnalysis has 86 % of
its network power and 85 % of its network cost there, and does not count NICs to it, since 435 MW, of which the network
is 9 %, leave no room for them. Power of transceivers is that of pluggable modules; engines belong to switches.
"""

import pytest

from cluster_sim.catalogue import Given, accelerator, given, switch, technology
from cluster_sim.topology import Clos, FatTree, FullMesh
from tests.verification.economics.claims import catalogued, needs_tables, published
from tests.verification.economics.gb300 import NVIDIA, OPTIONS, built, parts
from tests.verification.economics.networks import CLOSE, network, saved

pytestmark = needs_tables

def one_switch(option):
    """A switch whose 144 ports all have optics."""
    full = FullMesh(accelerators_per_switch=144, floor=CLOSE)
    return network(full, 144, accelerator("gb300-nvl72"), parts(option))


def chassis_watts(option):
    made = one_switch(option)
    optics = OPTIONS[option][1]
    return 144 * (made.watts("switch") + made.watts("module", "engine", parts=(optics,)))


def pluggable_at(watts):
    return given(Given({"1.6t-dsp-dr8": {"power": watts}}))


def test_the_multiple_of_the_port_is_less_than_claimed(ledger):
    """30 W and 9 W make 3.33, the catalogue's 25 W and 9 W make 2.78; the claim was 3.5 in 2025 and 5 in 2026."""
    before, after = (technology(name).power.typical for name in ("1.6t-dsp-dr8", "cpo-1.6t"))
    claimed = published(54) / published(55)
    assert (claimed, before / after) == pytest.approx((3.33, 2.78), abs=0.01)
    verdicts = [
        ledger.compare("CPO: power efficiency of a 1.6T port, 2025, of the claim's own watts", published(47), claimed, "x",
                       f"{published(54):.0f} W and {published(55):.0f} W"),
        ledger.compare("CPO: power efficiency of a 1.6T port, 2025, of the catalogue's", published(47), before / after, "x",
                       f"{before:.0f} W and {after:.0f} W"),
        ledger.compare("CPO: power efficiency of a 1.6T port, 2026", published(58)[1], claimed, "x",
                       "no figures of parts were given with it"),
    ]  # fmt: skip
    assert verdicts == ["reproduced", "partly", "not reproduced"]


#: Saved in per cent where 1.6T modules draw 25 W and 30 W, and the pluggable switch's maximum.
CHASSIS = {25: -16.0, 30: -21.9}


def test_a_switch_saves_far_less_than_its_ports(ledger):
    """Q3400 of 2.9 kW and 72 modules against a Q3450 of 3.95 kW with its optics, which leaves them 14.6 W each."""
    whole_w = catalogued("system_power_q3450", option=NVIDIA)
    for watts, expected in CHASSIS.items():
        with pluggable_at(watts):
            before = chassis_watts("pluggable")
        assert before == 2900 + 72 * watts
        assert saved(before, whole_w) == pytest.approx(expected, abs=0.1)
        after = chassis_watts("co-packaged")
        assert after == 2900 + 72 * 9
        ledger.compare(f"CPO: power of a switch saved, modules of {watts} W", 100 * (1 - published(55) / published(54)),
                       -saved(before, whole_w), "%", f"{before:,.0f} W against {whole_w:,.0f} W of a Q3450; from parts, "
                       f"{after:,.0f} W, {-saved(before, after):.0f} %; published is what a port saves")  # fmt: skip
    assert chassis_watts("Q3450") == pytest.approx(whole_w)


def test_what_a_switch_saves_by_its_vendors_arithmetic(ledger):
    """
    Lambda with NVIDIA, 2026: 7.0 kW against 3.95 kW, 3.05 kW for each switch. 7 kW is the most that a Q3400 may draw with
    active cables; its typical power with 72 modules of 25 W is 4.7 kW.
    """
    most = switch("quantum-x800-q3400").max_power.typical
    whole_w = catalogued("system_power_q3450", option=NVIDIA)
    ours = chassis_watts("pluggable") - whole_w
    assert (most - whole_w, ours) == (3050, 750)
    assert ledger.compare("CPO: power saved by a Q3450 (Lambda, NVIDIA 2026)", 3050, ours, "W",
                          "the claim takes the 7 kW that a Q3400 may draw at most; its typical 2.9 kW and 72 modules of "
                          "25 W are 4.7 kW", digits=4) == "not reproduced"  # fmt: skip


@pytest.mark.parametrize(("size", "switches"), [(576, 12), (4_608, 100), (10_368, 216), (41_472, 1_440)])
def test_switches_of_published_sizes(size, switches, ledger):
    """Lambda with NVIDIA, 2026: clusters of GB300 NVL72 with Q3450; the largest has three tiers."""
    topology = Clos(floor=CLOSE) if size > 144**2 / 2 else Clos(tiers=2, floor=CLOSE)
    ours = network(topology, size, accelerator("gb300-nvl72"), parts("co-packaged")).count("switch")
    assert ours == switches
    ledger.compare(f"Q3450 switches of {size:,} GB300 (Lambda, NVIDIA 2026)", switches, ours, why="exact", digits=4)


def test_pluggable_modules_that_a_large_fabric_does_without(ledger):
    """NVIDIA 2026: 655,000 transceivers for 128,000 accelerators: 5 switch ports for each of 131,072."""
    made = network(FatTree(floor=CLOSE), 128_000, accelerator("gb300-nvl72"), parts("co-packaged"))
    ends = made.count("engine") * 2
    assert ends == pytest.approx(648_000, rel=0.01)
    assert ledger.compare("optical ends at switches of 128,000 accelerators (NVIDIA 2026)", 655_000, ends,
                          why="three tiers of 144 ports; last pod part filled") == "reproduced"  # fmt: skip


@pytest.mark.parametrize(("option", "expected"), [("co-packaged", (-22.3, -2.0)), ("Q3450", (-14.6, -1.3))])
def test_what_is_left_in_a_network_of_three_tiers_and_in_its_cluster(option, expected, ledger):
    before, after = built("pluggable"), built(option)
    network_saved = saved(before.watts(), after.watts())
    cluster_saved = saved(before.cluster_watts, after.cluster_watts)
    assert (network_saved, cluster_saved) == pytest.approx(expected, abs=0.2)
    why = {
        "co-packaged": "a Q3400's 2.9 kW and engines of 9 W",
        "Q3450": "a Q3450's 3.95 kW",
    }[option]
    for what, key, ours in (("network", "network power", network_saved), ("cluster", "cluster power", cluster_saved)):
        ledger.compare(f"CPO, three tiers: {what} power saved", -catalogued("cpo_3layer", key), -ours, "%", why)


def test_what_is_left_of_transceivers(ledger):
    """Modules remain at accelerators alone: 16 of 78.5 W, or 38.5 W with the engines."""
    before, after = built("pluggable"), built("co-packaged")
    modules = saved(before.watts("module"), after.watts("module"))
    engines = saved(before.watts("module"), after.watts("module", "engine"))
    assert (before.watts("module"), modules, engines) == pytest.approx((78.5, -79.6, -51.0), abs=0.1)
    verdict = ledger.compare("CPO, three tiers: transceiver power saved", -catalogued("cpo_3layer"), -modules, "%",
                             f"pluggable modules only, as published; {-engines:.0f} % with the engines")  # fmt: skip
    assert verdict == "partly"


def test_two_tiers_save_more_than_engines_do(ledger):
    before, after, plain = built("pluggable"), built("co-packaged", tiers=2), built("pluggable", tiers=2)
    network_saved = saved(before.watts(), after.watts())
    cluster_saved = saved(before.cluster_watts, after.cluster_watts)
    by_tier = saved(before.watts(), plain.watts())
    assert (network_saved, cluster_saved, by_tier) == pytest.approx((-49.8, -4.4, -36.4), abs=0.2)
    why = f"a tier less alone saves {-by_tier:.0f} % of the network's power, with pluggable modules, too"
    for what, key, ours in (("network", "typical", network_saved), ("cluster", "cluster power", cluster_saved)):
        verdict = ledger.compare(f"CPO, two tiers for three: {what} power saved", -catalogued("cpo_2layer", key), -ours,
                                 "%", why)  # fmt: skip
        assert verdict == ("reproduced" if what == "network" else "partly")


def test_the_gain_shrinks_from_port_to_cluster(ledger):
    """3.3 times better at a port; 1.02 in a cluster."""
    before, after = built("pluggable"), built("co-packaged")
    with pluggable_at(30):
        chassis = chassis_watts("pluggable") / catalogued("system_power_q3450", option=NVIDIA)
    factors = (
        published(54) / published(55), chassis, before.watts() / after.watts(),
        before.cluster_watts / after.cluster_watts,
    )  # fmt: skip
    assert factors == pytest.approx((3.33, 1.28, 1.29, 1.020), rel=0.01)
    assert factors[0] > 2 * max(factors[1:3]) > 2 * factors[3]
    ledger.note("CPO, the same parts at port, switch, network and cluster", "3.5 x at the port",
                " → ".join(f"{factor:.3g} x" for factor in factors), "open",
                "switches' chips, modules at accelerators, and servers draw what they drew")  # fmt: skip


def test_power_of_200_000_accelerators(ledger):
    """435 MW, 17 MW of transceivers (85 W each), 9 % of power for the network; front end and storage not in ours."""
    made = network(FatTree(floor=CLOSE), 200_000, accelerator("gb300-nvl72"), parts("pluggable"))
    it_mw, transceivers_mw = (0.2 * watts for watts in (made.cluster_watts, made.watts("module")))
    share, of_network = 100 * made.watts() / made.cluster_watts, 100 * made.watts("module") / made.watts()
    assert (it_mw, transceivers_mw, share, of_network) == pytest.approx((403.7, 15.8, 9.2, 42.6), rel=0.01)
    verdicts = [
        ledger.compare("200,000 GB300: power", 435, it_mw, "MW", "servers of 1833 W; no front end, no storage"),
        ledger.compare("200,000 GB300: power of transceivers", catalogued("optics_power_200k"), transceivers_mw, "MW",
                       f"{made.watts('module'):.1f} W each, modules of 16 and 25 W; back end only (86 %)"),
        ledger.compare("GB300, three tiers: the network's share of power", catalogued("network_share_cluster_power"),
                       share, "%", "back end only, without NICs"),
        ledger.compare("GB300, three tiers: transceivers' share of the network's power", 45, of_network, "%",
                       "back end only, without NICs"),
    ]  # fmt: skip
    assert verdicts == ["partly", "partly", "reproduced", "partly"]
