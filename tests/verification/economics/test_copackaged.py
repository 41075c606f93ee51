"""Co-packaged optics: what is claimed for a port, and what is left of it in a switch, a network and a cluster.

GB300 NVL72, 800G an accelerator, switches of 144 ports. "Network" is the back end without NICs. SemiAnalysis does not
count NICs to it, since 9 % of 435 MW leave no room for them, and -84 % of transceiver power is 5 of 6 ends of a back
end of three tiers, so that its savings are those of the back end, too; it has 86 % of a network's power and 85 % of its
cost there. Power of transceivers is that of pluggable modules; engines belong to switches.
"""

import pytest

from cluster_sim.catalogue import Given, accelerator, given, switch, technology
from cluster_sim.topology import Clos, FatTree, FullMesh
from tests.verification.economics.claims import catalogued, needs_tables, published
from tests.verification.economics.gb300 import NVIDIA, built, parts
from tests.verification.economics.networks import CLOSE, ENGINES, network, saved

pytestmark = needs_tables

#: W of a Q3450 with its optics.
Q3450_W = 3950
#: Share of the network's power that is in the back end, SemiAnalysis.
BACK_END = 0.86


def one_switch(option):
    """A switch whose 144 ports all have optics."""
    full = FullMesh(accelerators_per_switch=144, floor=CLOSE)
    return network(full, 144, accelerator("gb300-nvl72"), parts(option))


def chassis_watts(option):
    """The switch and the optics of its ports; the modules of 800G are those of accelerators."""
    made = one_switch(option)
    return 144 * (made.watts("switch", "module", *ENGINES) - made.watts("module", parts=("800g-dsp-dr8",)))


def pluggable_at(watts):
    return given(Given({"1.6t-dsp-dr8": {"power": watts}}))


def test_the_multiple_of_the_port_is_less_than_claimed(ledger):
    """30 W and 9 W make 3.33, the catalogue's 25 W and 9 W make 2.78; the claim was 3.5 in 2025 and 5 in 2026."""
    before, after = (technology(name).power.typical for name in ("1.6t-dsp-dr8", "cpo-1.6t"))
    claimed = published(54) / published(55)
    assert (claimed, before / after) == pytest.approx((3.33, 2.78), abs=0.01)
    claim = "CPO: power efficiency of a 1.6T port"
    its_own = f"{published(54):.0f} W over {published(55):.0f} W, the claim's own"
    verdicts = [
        ledger.compare(f"{claim}, 2025", published(47), claimed, "x", its_own),
        ledger.compare(f"{claim}, 2025", published(47), before / after, "x", f"the catalogue's {before:g} W"),
        ledger.compare(f"{claim}, 2026", published(58)[1], claimed, "x", f"{its_own}; none came with the later 5x"),
    ]
    assert verdicts == ["reproduced", "partly", "not reproduced"]


@pytest.mark.parametrize(("watts", "expected"), [(25, -16.0), (30, -21.9)])
def test_a_switch_saves_far_less_than_its_ports(watts, expected, ledger):
    """Q3400 of 2.9 kW and 72 modules against a Q3450 of 3.95 kW with its optics, which leaves them 14.6 W each."""
    assert catalogued("system_power_q3450", option=NVIDIA) == Q3450_W == pytest.approx(chassis_watts("Q3450"))
    with pluggable_at(watts):
        before = chassis_watts("pluggable")
    after = chassis_watts("co-packaged")
    assert (before, after) == pytest.approx((2900 + 72 * watts, 2900 + 72 * 9))
    assert saved(before, Q3450_W) == pytest.approx(expected, abs=0.1)
    port = 100 * (1 - published(55) / published(54))
    why = (
        f"{before:,.0f} W with 72 modules, {Q3450_W:,} W of a Q3450; {-saved(before, after):.0f} % where its chip "
        "draws what a Q3400's does"
    )
    claim = f"CPO: what a port saves, found at a switch, modules of {watts} W"
    assert ledger.compare(claim, port, -saved(before, Q3450_W), "%", why) == "not reproduced"


def test_what_a_switch_saves_by_its_vendors_arithmetic(ledger):
    """
    Lambda with NVIDIA, 2026: 7.0 kW against 3.95 kW, 3.05 kW for each switch. 7 kW is the most that a Q3400 may draw
    with active cables; its typical power with 72 modules of 25 W is 4.7 kW.
    """
    most = switch("quantum-x800-q3400").max_power.typical
    ours = chassis_watts("pluggable") - Q3450_W
    assert (most - Q3450_W, ours) == pytest.approx((3050, 750))
    why = "the claim takes the 7 kW that a Q3400 may draw at most; its typical 2.9 kW and 72 modules of 25 W are 4.7 kW"
    claim = "CPO: power saved by a Q3450 (Lambda with NVIDIA, 2026)"
    assert ledger.compare(claim, 3050, ours, "W", why, digits=4) == "not reproduced"


@pytest.mark.parametrize(("size", "switches"), [(576, 12), (4_608, 100), (10_368, 216), (41_472, 1_440)])
def test_switches_of_published_sizes(size, switches, ledger):
    """Lambda with NVIDIA, 2026: clusters of GB300 NVL72 with Q3450; the largest has three tiers."""
    topology = Clos(floor=CLOSE) if size > 144**2 / 2 else Clos(tiers=2, floor=CLOSE)
    ours = network(topology, size, accelerator("gb300-nvl72"), parts("Q3450")).count("switch")
    assert ours == switches
    tiers = "three" if size > 144**2 / 2 else "two"
    claim = f"Q3450 switches for {size:,} GB300 (Lambda with NVIDIA, 2026)"
    ledger.compare(claim, switches, ours, why=f"exact; {tiers} tiers", digits=4)


def test_pluggable_modules_that_a_large_fabric_does_without(ledger):
    """NVIDIA 2026: 655,000 transceivers for 128,000 accelerators: 5 switch ports for each of 131,072."""
    made = network(FatTree(floor=CLOSE), 128_000, accelerator("gb300-nvl72"), parts("Q3450"))
    ends = made.count("engine") * 2
    assert ends == 646_400
    claim = "transceivers in switches of 128,000 accelerators (NVIDIA 2026)"
    why = "ends of 800G in three tiers of 144 ports; the last pod is part filled"
    assert ledger.compare(claim, 655_000, ends, why=why) == "reproduced"


def test_lasers_of_a_switch(ledger):
    """72 engines with 2 lasers each, 8 to a module: 144 lasers in 18 modules, as published."""
    made = one_switch("Q3450")
    assert made.count("engine") == published(57)
    assert made.count("laser") == 18
    ledger.note("CPO: transceivers that one switch replaces; its external laser modules", "72; 18", "72; 18",
                "reproduced", "exact; 144 ports of 800G, 8 lasers a module")  # fmt: skip


@pytest.mark.parametrize(
    ("option", "expected", "why", "wanted"),
    [
        ("co-packaged", (-22.3, -2.0), "a Q3400's 2.9 kW, engines of 9 W", ["reproduced", "reproduced"]),
        ("Q3450", (-14.6, -1.3), "a Q3450's 3.95 kW", ["not reproduced", "not reproduced"]),
    ],
)
def test_what_is_left_in_a_network_of_three_tiers_and_in_its_cluster(option, expected, why, wanted, ledger):
    before, after = built("pluggable"), built(option)
    ours = saved(before.watts(), after.watts()), saved(before.cluster_watts, after.cluster_watts)
    assert ours == pytest.approx(expected, abs=0.2)
    why += f"; {-BACK_END * ours[0]:.0f} % of a network whose front end stays"
    assert wanted == [
        ledger.compare(f"CPO, three tiers: {what} saved", -catalogued("cpo_3layer", what), -found, "%", why)
        for what, found in zip(("network power", "cluster power"), ours, strict=True)
    ]


def test_what_is_left_of_transceivers(ledger):
    """Modules remain at accelerators alone: 16 of 78.5 W, or 38.5 W with the engines."""
    before, after = built("pluggable"), built("co-packaged")
    modules = saved(before.watts("module"), after.watts("module"))
    engines = saved(before.watts("module"), after.watts("module", *ENGINES))
    assert (before.watts("module"), modules, engines) == pytest.approx((78.5, -79.6, -51.0), abs=0.1)
    why = f"pluggable modules alone, as published; {-engines:.0f} % with the engines"
    claim = "CPO, three tiers: transceiver power saved"
    assert ledger.compare(claim, -catalogued("cpo_3layer"), -modules, "%", why) == "partly"


def test_two_tiers_save_more_than_engines_do(ledger):
    before, after, plain = built("pluggable"), built("co-packaged", tiers=2), built("pluggable", tiers=2)
    ours = saved(before.watts(), after.watts()), saved(before.cluster_watts, after.cluster_watts)
    by_tier = saved(before.watts(), plain.watts())
    assert (*ours, by_tier) == pytest.approx((-49.8, -4.4, -36.4), abs=0.2)
    why = f"a Q3400's 2.9 kW, engines of 9 W; a tier less saves {-by_tier:.0f} % of network power with modules, too"
    for what, key, found in zip(("network", "cluster"), ("typical", "cluster power"), ours, strict=True):
        claim = f"CPO, two tiers for three: {what} power saved"
        assert ledger.compare(claim, -catalogued("cpo_2layer", key), -found, "%", why) == "reproduced"


def test_the_gain_shrinks_from_port_to_cluster(ledger):
    """3.3 times better at a port; 1.02 in a cluster."""
    before, after = built("pluggable"), built("co-packaged")
    with pluggable_at(30):
        chassis = chassis_watts("pluggable") / Q3450_W
    factors = (
        published(54) / published(55), chassis, before.watts() / after.watts(),
        before.cluster_watts / after.cluster_watts,
    )  # fmt: skip
    assert factors == pytest.approx((3.33, 1.28, 1.29, 1.020), rel=0.01)
    shown = ", ".join(f"{factor:.3g} x" for factor in factors)
    ledger.note("CPO: the same step at a port, a switch, a network, a cluster", "3.5 x at the port", shown, "open",
                "chips of switches, modules at accelerators, and servers draw what they drew before")  # fmt: skip


def test_power_of_200_000_accelerators(ledger):
    """435 MW, 17 MW of transceivers (85 W each), 9 % of power for the network; front end and storage not in ours."""
    made = network(FatTree(floor=CLOSE), 200_000, accelerator("gb300-nvl72"), parts("pluggable"))
    it_mw, transceivers_mw = (0.2 * watts for watts in (made.cluster_watts, made.watts("module")))
    share, of_network = 100 * made.watts() / made.cluster_watts, 100 * made.watts("module") / made.watts()
    assert (it_mw, transceivers_mw, share, of_network) == pytest.approx((403.7, 15.8, 9.2, 42.6), rel=0.01)
    each, alone = f"{made.watts('module'):.0f} W each, modules of 16 and 25 W", "back end only, without NICs"
    claim, optics_mw = "GB300, three tiers", catalogued("optics_power_200k")
    network_share = catalogued("network_share_cluster_power")
    verdicts = [
        ledger.compare("200,000 GB300: power", 435, it_mw, "MW", "servers of 1833 W; no front end, no storage"),
        ledger.compare("200,000 GB300: transceivers", optics_mw, transceivers_mw, "MW", f"{each}; {alone}"),
        ledger.compare(f"{claim}: network of the cluster's power", network_share, share, "%", alone),
        ledger.compare(f"{claim}: transceivers of the network's power", 45, of_network, "%", alone),
    ]
    assert verdicts == ["partly", "partly", "reproduced", "partly"]
