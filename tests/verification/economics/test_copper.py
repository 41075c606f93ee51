"""Copper where it reaches: layouts of InfiniBand clusters, scale-up inside a rack, and what optics cost in its place."""

import pytest

from cluster_sim.catalogue import Interconnect, accelerator, scale_up, technology
from cluster_sim.core import NotBuildableError
from cluster_sim.topology import Clos, FatTree, FloorPlan
from tests.verification.economics.claims import catalogued, needs_tables
from tests.verification.economics.networks import CLOSE, GBPS, network, saved

pytestmark = needs_tables

#: 400G modules in NICs, modules of two ports in switches.
OPTICS = {"lower": "400g-dsp-dr4", "upper": "800g-dsp-dr8"}


def infiniband(topology, num_endpoints=1024, switch="quantum2-qm9700", **tiers):
    """H100 with 400G each."""
    carried = {"host_leaf": OPTICS, "leaf_spine": "800g-dsp-dr8", "spine_core": "800g-dsp-dr8", **tiers}
    parts = Interconnect(port_rate_bytes_per_s=400 * GBPS, nic="connectx7-400g", switch=switch, **carried)
    return network(topology, num_endpoints, accelerator("h100-sxm"), parts)


#: (topology, tiers that are copper, per cent saved as computed here, what the source says before it, verdict).
LAYOUTS = {
    "leaves at the top of racks": (
        Clos(tiers=2, floor=FloorPlan()), {"host_leaf": "dac-400g"}, -29.7, "typical", "partly",
    ),
    "leaves and spines side by side": (
        Clos(tiers=2, rail_optimised=True, floor=CLOSE), {"leaf_spine": "dac-800g"}, -24.0, "switch", "reproduced",
    ),
    "leaves and spines side by side, 2:1": (
        Clos(tiers=2, rail_optimised=True, leaf_oversubscription=2, floor=CLOSE), {"leaf_spine": "dac-800g"}, -29.9,
        "oversubscription", "partly",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_copper_in_an_infiniband_fabric_of_1024(name, ledger):
    """Against rails with optics everywhere. SemiAnalysis, AI Neocloud Playbook (2024); switches 30 kUSD, unverified."""
    topology, copper, expected, key, wanted = LAYOUTS[name]
    before = infiniband(Clos(tiers=2, rail_optimised=True, floor=FloorPlan()))
    ours = saved(before.dollars(), infiniband(topology, **copper).dollars())
    assert ours == pytest.approx(expected, abs=0.5)
    claim = f"1,024 H100, copper, {name}: fabric cost saved"
    why = f"{before.dollars():,.0f} USD an accelerator before; optics in the other tier; the source's prices are not known"
    assert ledger.compare(claim, -catalogued("copper_tor", key), -ours, "%", why) == wanted


def test_rails_are_too_far_for_copper():
    """A leaf of a rail stands among 32 servers in four racks: with the default floor plan copper does not reach."""
    with pytest.raises(NotBuildableError, match="dac-400g reaches 3 m"):
        infiniband(Clos(tiers=2, rail_optimised=True), host_leaf="dac-400g")


def test_modules_that_copper_to_the_leaves_replaces(ledger):
    """98,304 accelerators in three tiers of 128 ports: a module in each NIC, and half a module at the leaf."""
    topology = FatTree(floor=CLOSE)
    before = infiniband(topology, 98_304, "tomahawk5").count("module")
    after = infiniband(topology, 98_304, "tomahawk5", host_leaf="dac-400g").count("module")
    assert before - after == 147_456
    verdict = ledger.compare("100,000 H100: modules that leaves in the middle of racks save",
                             -catalogued("mor_vs_rail_transceivers"), before - after,
                             why="98,304 in NICs, as published, and 49,152 of two ports at the leaves")  # fmt: skip
    assert verdict == "not reproduced"


def test_copper_inside_a_rack_of_72_saves_twenty_kilowatts(ledger):
    """72 accelerators of 7.2 Tb/s, 9 modules of 800G at each end of their links, 16 W each."""
    module = technology("800g-dsp-dr8")
    ends = 2 * 72 * scale_up("nvlink5").bandwidth.typical / module.rate.typical
    kilowatts = ends * module.power.typical / 1e3
    assert (ends, kilowatts) == pytest.approx((1296, 20.7), rel=0.01)
    verdict = ledger.compare("NVL72: power that copper saves against optics (NVIDIA 2024)", 20, kilowatts, "kW",
                             f"{ends:,.0f} modules of 800G and {module.power.typical:.0f} W")  # fmt: skip
    assert verdict == "reproduced"


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
    verdict = ledger.compare("MI455X: network cost for each of 131,072 accelerators", catalogued("mi455x_network_cost"),
                             usd, "USD", f"switches of 110 kUSD (unverified) {made.dollars('switch'):,.0f}, modules "
                             f"{made.dollars('module'):,.0f}; without fibres, which the bill has for each link of 200G "
                             f"({fibres:,.0f} USD)")  # fmt: skip
    assert verdict == "partly"
