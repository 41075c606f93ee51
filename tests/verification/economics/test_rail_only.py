"""Rail-only networks against full fat-trees of the same parts [Wang et al. 2023, arXiv 2307.12169v5, abstract]."""

import pytest

from cluster_sim.catalogue import Interconnect, accelerator
from cluster_sim.core import NotBuildableError
from cluster_sim.topology import Clos, FatTree, FullMesh, RailOnly
from tests.networks import count
from tests.verification.economics.claims import needs_tables, published
from tests.verification.economics.networks import CLOSE, GBPS, network, saved

pytestmark = needs_tables

#: Switches of 64, 128 and 256 ports of 400G in the catalogue.
SWITCHES = {64: "quantum2-qm9700", 128: "tomahawk5", 256: "tomahawk6"}
#: (accelerators, ports of a switch, scale-up domain): tiers, saved cost and saved power in per cent, as computed here.
CASES = {
    (32_768, 64, 8): ((3, 3), 0.0, 0.0),
    (32_768, 64, 256): ((3, 2), -35.6, -36.8),
    (32_768, 128, 8): ((3, 2), -36.3, -36.1),
    (32_768, 128, 256): ((3, 1), -72.6, -72.3),
    (32_768, 256, 8): ((2, 2), 0.0, 0.0),
    (32_768, 256, 256): ((2, 1), -44.9, -41.3),
    (65_536, 64, 256): ((3, 2), -35.6, -36.8),
    (65_536, 128, 8): ((3, 2), -36.3, -36.1),
    (65_536, 256, 256): ((3, 1), -71.0, -74.0),
}


def parts(ports, domain):
    optics = dict.fromkeys(("host_leaf", "leaf_spine", "spine_core"), "400g-dsp-dr4")
    interconnect = Interconnect(
        port_rate_bytes_per_s=400 * GBPS, nic="connectx7-400g", switch=SWITCHES[ports], **optics
    )
    return accelerator("h100-sxm").model_copy(update={"scale_up_domain": count(domain)}), interconnect


def smallest(topologies, num_endpoints, made_of):
    """The network of the fewest tiers that can be built, and how many it has."""
    for tiers, topology in enumerate(topologies, 1):
        try:
            return network(topology, num_endpoints, *made_of), tiers
        except NotBuildableError:
            continue
    raise AssertionError("nothing can be built")


def full(num_endpoints, made_of):
    return smallest((FullMesh(accelerators_per_switch=num_endpoints, floor=CLOSE), Clos(tiers=2, floor=CLOSE),
                     FatTree(floor=CLOSE)), num_endpoints, made_of)  # fmt: skip


def rails(num_endpoints, domain, made_of):
    """Of one tier every rail is a switch of its own, built once; the others are built whole."""
    one, tiers = full(num_endpoints // domain, made_of)
    return (one, 1) if tiers == 1 else (network(RailOnly(tiers=tiers, floor=CLOSE), num_endpoints, *made_of), tiers)


def compared(case):
    """((tiers of the fat-tree, of a rail), saved cost, saved power), NICs not counted."""
    num_endpoints, ports, domain = case
    made_of = parts(ports, domain)
    (fat_tree, above), (rail, below) = full(num_endpoints, made_of), rails(num_endpoints, domain, made_of)
    return (above, below), saved(fat_tree.dollars(), rail.dollars()), saved(fat_tree.watts(), rail.watts())


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_rails_save_depends_on_the_tiers_they_save(case):
    """Alike where both need as many tiers; a third of the cost without one tier of three, over 70 % without two."""
    tiers, cost, power = compared(case)
    assert tiers == CASES[case][0]
    assert (cost, power) == pytest.approx(CASES[case][1:], abs=1.0)


WHY = (
    "400G, 64 to 256 ports, 32,768 and 65,536 accelerators, domains of 8 and 256, catalogue prices, no NICs; {} of "
    "three tiers saved, and nothing where a rail needs as many as the fat-tree"
)


@pytest.mark.parametrize(
    ("what", "column", "claim", "verdicts"),
    [("cost", 1, 40, ["partly", "partly"]), ("power", 2, 41, ["reproduced", "reproduced"])],
)
def test_savings_against_the_published_ranges(what, column, claim, verdicts, ledger):
    """Over the cases in which rails save a tier; the paper's own sizes and prices are not in its abstract."""
    ours = sorted(-compared(case)[column] for case, (tiers, *_) in CASES.items() if tiers[0] > tiers[1])
    least, most = published(claim)
    assert verdicts == [
        ledger.compare(f"rail-only: least network {what} saved", least, ours[0], "%", WHY.format("one")),
        ledger.compare(f"rail-only: most network {what} saved", most, ours[-1], "%", WHY.format("two")),
    ]
