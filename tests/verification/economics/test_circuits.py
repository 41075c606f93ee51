"""What optical circuit switches cost, burn and save: TPU v4, Jupiter, photonic rails."""

import pytest

from cluster_sim.catalogue import Interconnect
from cluster_sim.topology import Clos, FatTree, FloorPlan, OcsHybrid, OcsSpine, OcsTorus
from tests.networks import small_accelerator
from tests.verification.economics.claims import catalogued, needs_tables, published
from tests.verification.economics.networks import CLOSE, GBPS, network, saved

pytestmark = needs_tables

CHIPS = 4096


def tpu_pod(**power_and_price):
    """
    64 cubes of 4 x 4 x 4, links of 400G (50 GB/s) as in TPU v4: copper inside a cube, 800G 2xFR4 modules that carry two
    links between cubes. An accelerator stands for a chip and its share of a host; chips need no NIC.
    """
    names = ("host_leaf", "leaf_spine")
    parts = Interconnect(
        port_rate_bytes_per_s=400 * GBPS, nic="connectx7-400g", switch="tomahawk5", **dict.fromkeys(names, "dac-400g"),
        spine_core="800g-dsp-2xfr4", ocs="palomar-mems",
    )  # fmt: skip
    chip = small_accelerator(per_host=4).model_copy(update=power_and_price)
    return network(OcsTorus(shape=(16, 16, 16), floor=FloorPlan(slack_m=1.0)), CHIPS, chip, parts)


def test_a_tpu_pod_has_as_many_circuit_switches_and_optical_links_as_published(ledger):
    """64 cubes of 64 chips, an OCS port for each of two cubes' faces that meet in it."""
    pod = tpu_pod()
    ours = pod.count("ocs"), pod.links("spine_ocs") / 64
    assert ours == (48, published(18))
    shown = ", ".join(f"{number:.0f}" for number in ours)
    ledger.note("TPU v4 pod: OCS; optical links of a cube", f"48, {published(18):.0f}", shown, "reproduced", "exact")


def test_the_chip_at_which_circuits_are_five_per_cent_of_cost_and_three_of_power(ledger):
    """
    Per chip: one module of 1100 USD and 16 W, 1.5 fibres of 150 USD, 48 x 128 x 520 USD and 48 x 108 W of OCS over
    4096. At a share s of everything the rest is (1 - s) / s times that.
    """
    pod = tpu_pod()
    usd, watts = (add("ocs", "module", "fibre") for add in (pod.dollars, pod.watts))
    assert (usd, watts) == pytest.approx((1100 + 225 + 780, 16 + 1.266), rel=1e-3)
    chip_usd = usd * (1 / (published(15)[1] / 100) - 1) - pod.dollars("cable")
    chip_watts = watts * (1 / (published(16)[1] / 100) - 1) - pod.watts("cable")
    assert (chip_usd, chip_watts) == pytest.approx((39_658, 558), rel=0.01)
    share = (usd / (usd + pod.dollars("cable") + chip_usd), watts / (watts + pod.watts("cable") + chip_watts))
    assert share == pytest.approx((0.05, 0.03))
    why = (
        f"{usd:,.0f} USD a chip at market prices (OCS {pod.dollars('ocs'):.0f}, 2xFR4 {pod.dollars('module'):,.0f}); "
        "5 % needs a chip, with its share of a host, dearer than an H100 with its server; what Google pays is not known"
    )
    dearer_usd = usd * (1 / 0.03 - 1) - pod.dollars("cable")
    assert dearer_usd == pytest.approx(67_725, rel=0.01)
    ours = f"5 % at {chip_usd:,.0f} USD a chip, 3 % at {dearer_usd:,.0f}"
    ledger.note("TPU v4: OCS and optics of the system's cost", "below 5 %", ours, "open", why)
    why = (
        f"{watts:.1f} W a chip, {pod.watts('ocs'):.1f} of them for OCS; a chip draws at most 192 W, which leaves "
        f"{chip_watts - 192:.0f} W for its share of a host; modules of today at full power"
    )
    ours = f"3 % at {chip_watts:.0f} W a chip"
    ledger.note("TPU v4: OCS and optics of the system's power", "below 3 %", ours, "not reproduced", why)


@pytest.mark.parametrize(("ocs_usd", "chip_usd"), [(230, 31_400), (520, 39_660)])
def test_the_price_of_a_port_moves_the_chip_by_a_quarter(ocs_usd, chip_usd):
    """The range of the catalogue, 230 to 520 USD."""
    pod = tpu_pod()
    usd = pod.dollars("module", "fibre") + 1.5 * ocs_usd
    assert 19 * usd - pod.dollars("cable") == pytest.approx(chip_usd, rel=0.01)


def test_infiniband_switches_of_a_comparable_fat_tree(ledger):
    """40 ports of 200G, 4096 accelerators: pods of 18 leaves and 20 spines need the fewest of all sizes of pod."""
    optics = dict.fromkeys(("host_leaf", "leaf_spine", "spine_core"), "200g-hdr-aoc")
    parts = Interconnect(port_rate_bytes_per_s=200 * GBPS, nic="connectx6-200g", switch="quantum-hdr-qm8700", **optics)
    counts = {
        pod: network(Clos(pod_accelerators=pod, floor=CLOSE), CHIPS, small_accelerator(4), parts).count("switch")
        for pod in range(120, 420, 20)
    }
    counts["fat-tree"] = network(FatTree(floor=CLOSE), CHIPS, small_accelerator(4), parts).count("switch")
    fewest = min(counts.values())
    assert (fewest, counts[360], counts["fat-tree"]) == (576, 576, 640)
    why = "40-port switches, best size of pod (18 leaves); 628 in pods of 20 servers of 8, 640 as a plain fat-tree"
    claim = "TPU v4: InfiniBand switches of a comparable fat-tree"
    assert ledger.compare(claim, published(26), fewest, why=why) == "reproduced"


def jupiter(topology, **changes):
    """16 pods of 1024, 400G ports, copper below, 2xFR4 modules above on both, since they pass an OCS."""
    optics = dict.fromkeys(("leaf_spine", "spine_core"), "800g-dsp-2xfr4")
    parts = Interconnect(
        port_rate_bytes_per_s=400 * GBPS, nic="connectx7-400g", switch="tomahawk5", host_leaf="dac-400g", **optics,
        **changes,
    )  # fmt: skip
    return network(topology, 16_384, small_accelerator(8), parts)


def above_leaves(made, add):
    """What is between the top-of-rack switches and the spine, which is what the paper compares."""
    tiers = ("leaf_spine", "spine_core", "spine_ocs")
    return add("switch", tiers=("spine", "core")) + add("module", "fibre", tiers=tiers) + add("ocs")


#: Saved by circuits in the place of a spine: (cost, power) in per cent, whole network and above the leaves.
JUPITER = {False: ((-11.9, -21.0), (-15.9, -27.0)), True: ((-16.1, -21.6), (-21.5, -27.8))}


@pytest.mark.parametrize("circulators", JUPITER)
def test_circuits_in_the_place_of_a_spine(circulators, ledger):
    """
    Jupiter [Poutievski et al. 2022]: -41 % power, -30 % capital cost for the whole architecture: direct connection,
    circulators, wavelengths, and control by software. Here only the spine goes and OCS come, with circuits for direct
    traffic alone; bandwidth of a pod stays.
    """
    clos = jupiter(Clos(pod_accelerators=1024, floor=CLOSE))
    direct = jupiter(OcsSpine(pod_accelerators=1024, floor=CLOSE), circulators=circulators)
    whole = [saved(add(), less()) for add, less in ((clos.dollars, direct.dollars), (clos.watts, direct.watts))]
    above = [
        saved(above_leaves(clos, add), above_leaves(direct, less))
        for add, less in ((clos.dollars, direct.dollars), (clos.watts, direct.watts))
    ]
    assert whole == pytest.approx(JUPITER[circulators][0], abs=1.0)
    assert above == pytest.approx(JUPITER[circulators][1], abs=1.0)
    if not circulators:
        return
    for number, what, claim in ((1, "power", 33), (0, "capital cost", 32)):
        why = (
            f"{-100 * above[number] / published(claim):.0f} % of the claim, which has multi-stage spine blocks, WDM "
            "and software, too; OCS with circulators for the spine, what is above the leaves; "
            f"{-whole[number]:.0f} % of the whole network"
        )
        title = f"Jupiter: {what} saved; here by OCS alone"
        assert ledger.compare(title, published(claim), -above[number], "%", why) == "not reproduced"


def test_jupiter_is_quoted_alike_in_both_tables():
    assert (-catalogued("jupiter_ocs_power"), 30) == (published(33), published(32))


def test_photonic_rails(ledger):
    """
    2048 accelerators, 400G each: the half of the port that goes into packets (two tiers), and the half that goes into
    one OCS for each rail, which joins 256 servers. Modules of accelerators are on both sides.
    """
    optics = dict.fromkeys(("host_leaf", "leaf_spine", "spine_core"), "800g-dsp-2xfr4")
    parts = Interconnect(
        port_rate_bytes_per_s=800 * GBPS, nic="connectx8-800g", switch="tomahawk5", ocs="lumentum-r300", **optics
    )
    both = network(OcsHybrid(packet=Clos(tiers=2, floor=CLOSE)), 2048, small_accelerator(8), parts)
    assert (both.count("ocs"), both.count("switch")) == (8, 48)
    light = {"tiers": ("host_ocs",)}
    packets = {"tiers": ("host_leaf", "leaf_spine")}
    usd, watts = (
        (add("switch") + add("module", "fibre", **packets)) / (add("ocs") + add("module", "fibre", **light))
        for add in (both.dollars, both.watts)
    )
    own_w = both.watts("module", **light)
    apart = (both.watts("switch") + both.watts("module", **packets) - own_w) / both.watts("ocs")
    assert (usd, watts, apart) == pytest.approx((4.06, 6.46, 81.0), rel=0.02)
    why = "2048 accelerators of 400G, 8 OCS of 300 ports for 48 switches"
    claim = "photonic rails: network {} of packets over that of circuits"
    assert ledger.compare(claim.format("cost"), published(44), usd, "x", why) == "reproduced"
    why += f"; with the accelerators' own modules, which both need; without them {apart:.0f}x: the claim lies between"
    assert ledger.compare(claim.format("power"), published(43), watts, "x", why) == "not reproduced"
