"""Claims about modules: linear drive, lasers, failures; and what is left of them in a network."""

import pytest

from cluster_sim.catalogue import Interconnect, accelerator, laser, technology
from tests.verification.economics.claims import catalogued, needs_tables, published
from tests.verification.economics.gb300 import NVIDIA, built
from tests.verification.economics.networks import CLOSE, GBPS, network, saved
from cluster_sim.topology import Clos, FullMesh

pytestmark = needs_tables

BAILLY = "CPO Broadcom TH5-Bailly (51.2T)"


def watts(name):
    return technology(name).power.typical


@pytest.mark.parametrize(
    ("rate", "before", "after", "key", "expected"),
    [("800G", "800g-dsp-dr8", "800g-lpo-dr8", "typical", -46.9), ("1.6T", "1.6t-dsp-dr8", "1.6t-lpo-dr8", "=", -60.0)],
)
def test_linear_modules(rate, before, after, key, expected, ledger):
    ours = saved(watts(before), watts(after))
    assert ours == pytest.approx(expected, abs=0.1)
    table = catalogued("lpo_module_saving", "1.6T 24->10 =" if rate == "1.6T" else key)
    verdict = ledger.compare(f"LPO for DSP, {rate}: module power saved", table, -ours, "%",
                             f"{watts(before):g} W and {watts(after):g} W, DR8")  # fmt: skip
    assert verdict == "reproduced"


def test_linear_modules_in_a_back_end(ledger):
    """Three tiers of 144 ports; 800G modules at both ends of all links, and modules of 1.6T in switches."""
    found = {}
    for rate, drives in {"800G": ("800g-dsp-dr8", "800g-lpo-dr8"), "1.6T": ("1.6t-dsp-dr8", "1.6t-lpo-dr8")}.items():
        before, after = (back_end(drive, f"800g-{drive[5:]}" if rate == "1.6T" else drive) for drive in drives)
        found[rate] = (saved(before.watts("module"), after.watts("module")), saved(before.watts(), after.watts()))
    assert found["800G"] == pytest.approx((-46.9, -22.9), abs=0.3)
    assert found["1.6T"] == pytest.approx((-57.3, -25.1), abs=0.3)
    for number, what, name in ((0, "transceiver", "lpo_transceiver_power_cluster"), (1, "network", "lpo_network_power_cluster")):
        verdict = ledger.compare(f"LPO in the back end, three tiers: {what} power saved", -catalogued(name),
                                 -found["800G"][number], "%", f"800G modules everywhere; {-found['1.6T'][number]:.0f} % "
                                 "with 1.6T in switches; the claim is of a network whose front end (14 % of its power) "
                                 "keeps DSPs, and of linear modules that save less, 42 % of it")  # fmt: skip
        assert verdict == "not reproduced"


def back_end(in_switches, in_nics):
    parts = Interconnect(
        port_rate_bytes_per_s=800 * GBPS, nic="connectx8-800g", switch="quantum-x800-q3400", leaf_spine=in_switches,
        spine_core=in_switches, host_leaf={"lower": in_nics, "upper": in_switches},
    )  # fmt: skip
    return network(Clos(pod_accelerators=2592, floor=CLOSE), 10_368, accelerator("gb300-nvl72"), parts)
