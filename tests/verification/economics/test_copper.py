"""Copper where it reaches: layouts of InfiniBand clusters, scale-up inside a rack, and what optics cost instead."""

import pytest

from cluster_sim.catalogue import Interconnect, accelerator
from cluster_sim.core import NotBuildableError
from cluster_sim.topology import Clos, FatTree, FloorPlan
from tests.verification.economics.claims import catalogued, needs_tables
from tests.verification.economics.networks import CLOSE, GBPS, network, saved

pytestmark = needs_tables

#: 400G modules in NICs, modules of two ports in switches.
OPTICS = {"lower": "400g-dsp-dr4", "upper": "800g-dsp-dr8"}
#: Four servers of 8 in a rack.
AIR = FloorPlan(accelerators_per_rack=32)


def infiniband(topology, num_endpoints=1024, switch="quantum2-qm9700", **tiers):
    """H100 with 400G each."""
    carried = {"host_leaf": OPTICS, "leaf_spine": "800g-dsp-dr8", "spine_core": "800g-dsp-dr8", **tiers}
    parts = Interconnect(port_rate_bytes_per_s=400 * GBPS, nic="connectx7-400g", switch=switch, **carried)
    return network(topology, num_endpoints, accelerator("h100-sxm"), parts)


def rails(**changes):
    return Clos(tiers=2, rail_optimised=True, **changes)


#: (topology, tiers that are copper, per cent saved as computed here, what the source says before it, verdict).
LAYOUTS = {
    "leaves at the top of racks": (
        Clos(tiers=2, floor=AIR), {"host_leaf": "dac-400g"}, -29.7, "typical", "partly",
    ),
    "leaves and spines side by side": (
        rails(floor=CLOSE), {"leaf_spine": "dac-800g"}, -24.0, "switch", "reproduced",
    ),
    "leaves and spines side by side, 2:1": (
        rails(leaf_oversubscription=2, floor=CLOSE), {"leaf_spine": "dac-800g"}, -29.9, "oversubscription", "partly",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_copper_in_an_infiniband_fabric_of_1024(name, ledger):
    """Against rails with optics everywhere. SemiAnalysis, AI Neocloud Playbook (2024); switches 30 kUSD, unverified."""
    topology, copper, expected, key, wanted = LAYOUTS[name]
    before = infiniband(rails(floor=AIR))
    ours = saved(before.dollars(), infiniband(topology, **copper).dollars())
    assert ours == pytest.approx(expected, abs=0.5)
    claim = f"1,024 H100, copper, {name}: fabric cost saved"
    why = f"{before.dollars():,.0f} USD an accelerator before; switches of 30 kUSD, unverified; no NICs"
    assert ledger.compare(claim, -catalogued("copper_tor", key), -ours, "%", why) == wanted


def test_rails_are_too_far_for_copper():
    """A leaf of a rail has 32 servers below it, in eight racks."""
    with pytest.raises(NotBuildableError, match="dac-400g reaches 3 m"):
        infiniband(rails(floor=AIR), host_leaf="dac-400g")


def test_modules_that_copper_to_the_leaves_replaces(ledger):
    """98,304 accelerators in three tiers of 128 ports: a module in each NIC, and half a module at the leaf."""
    topology = FatTree(floor=CLOSE)
    before = infiniband(topology, 98_304, "tomahawk5").count("module")
    ours = before - infiniband(topology, 98_304, "tomahawk5", host_leaf="dac-400g").count("module")
    assert ours == 98_304 + 98_304 // 2
    claim, why = "100,000 H100: modules that leaves in the middle of racks save", "98,304 in NICs, and 49,152 at leaves"
    table = -catalogued("mor_vs_rail_transceivers")
    assert ledger.compare(claim, table, ours, why=f"{why}, of two ports each", digits=6) == "not reproduced"


def test_copper_inside_a_rack_of_72_saves_twenty_kilowatts(ledger):
    """72 accelerators of 7.2 Tb/s, 9 modules of 800G at both ends of their links, 16 W each; copper draws nothing."""
    inside = {}
    for name in ("800g-dsp-dr8", "nvlink-backplane"):
        parts = Interconnect(
            port_rate_bytes_per_s=800 * GBPS, nic="connectx8-800g", switch="tomahawk6", scale_up=name,
            **dict.fromkeys(("host_leaf", "leaf_spine", "spine_core"), "800g-dsp-dr8"),
        )  # fmt: skip
        inside[name] = network(Clos(tiers=2, floor=CLOSE), 72, accelerator("gb200-nvl72"), parts)
    optical, copper = inside.values()
    kilowatts = [72 * made.watts("module", "cable", tiers=("scale_up",)) / 1e3 for made in (optical, copper)]
    assert optical.count("module", tiers=("scale_up",)) == 2 * 72 * 9
    ours = kilowatts[0] - kilowatts[1]
    assert ours == pytest.approx(20.7, rel=0.01)
    claim, why = "NVL72: power that copper saves in a rack (NVIDIA 2024)", "1,296 modules of 800G and 16 W"
    assert ledger.compare(claim, 20, ours, "kW", f"{why}; from the bill of both") == "reproduced"


def test_a_network_of_eight_planes_of_131_072_accelerators(ledger):
    """
    1.6T an accelerator, split over 8 planes of two tiers of 512 ports of 200G: 6144 switches, and 4 modules of 1.6T an
    accelerator (the source has two of 800G and three of 1.6T). The bill has a fibre of 150 USD for each link of 200G.
    """
    tiers = dict.fromkeys(("host_leaf", "leaf_spine", "spine_core"), "1.6t-dsp-dr8")
    parts = Interconnect(port_rate_bytes_per_s=1600 * GBPS, nic="connectx9-1.6t", switch="tomahawk6", **tiers)
    made = network(Clos(tiers=2, planes=8, floor=CLOSE), 131_072, accelerator("b300-sxm"), parts)
    assert (made.count("switch"), made.count("module")) == (8 * (512 + 256), 4 * 131_072)
    usd, fibres = made.dollars("switch", "module"), made.dollars("fibre")
    assert (usd, fibres) == pytest.approx((9956, 2400), rel=0.01)
    why = (
        f"switches of 110 kUSD, unverified, {made.dollars('switch'):,.0f} USD; modules {made.dollars('module'):,.0f}; "
        f"without fibres, which the bill has for each link of 200G ({fibres:,.0f})"
    )
    claim = "MI455X: network cost for each of 131,072 accelerators"
    assert ledger.compare(claim, catalogued("mi455x_network_cost"), usd, "USD", why) == "partly"
