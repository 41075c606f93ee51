"""What co-packaged optics cost: at prices of the one model that was published with its totals, and the catalogue's."""

import pytest

from cluster_sim.catalogue import Given, given, technology
from cluster_sim.economics import Economics
from tests.verification.economics.claims import catalogued, needs_tables
from tests.verification.economics.gb300 import NVIDIA, built
from tests.verification.economics.networks import ENGINES, saved

pytestmark = needs_tables

#: SemiAnalysis, Co-Packaged Optics (CPO) Book, USD for each rack of 72 GB300, as quoted by "On CPO Pt. 2" (2026): tiers
#: of the network: (transceivers, all of the network, everything).
RACK_USD = {2: (363_125, 589_529, 5_216_624), 3: (499_925, 836_944, 5_464_039)}
#: Of an accelerator, without network.
SERVER_USD = (RACK_USD[3][2] - RACK_USD[3][1]) / 72
#: Share of the network's cost that is in the back end, the same source.
BACK_END = 0.85
OWN_PRICES = "the source's prices of parts, from the difference of its networks of three and two tiers"


def priced():
    """
    A third tier costs a rack 136,800 USD of transceivers and 110,615 USD of other things. It is 144 ends of 800G, so
    that a module of 1.6T costs 1900 USD; and 144 switch ports, so that a switch of 144 costs the rest, with fibres.
    """
    modules_usd = RACK_USD[3][0] - RACK_USD[2][0]
    others_usd = RACK_USD[3][1] - RACK_USD[2][1] - modules_usd
    prices = {
        "1.6t-dsp-dr8": modules_usd / 72, "800g-dsp-dr8": modules_usd / 144, "quantum-x800-q3400": others_usd,
        "gb300-nvl72": SERVER_USD,
    }  # fmt: skip
    figures = {name: {"price": usd} for name, usd in prices.items()}
    return given(Given({**figures, "constants": {"fibre_trunk_price": 0.0}}))


@pytest.fixture(scope="module")
def networks():
    """Three tiers of pluggable modules, three and two of co-packaged optics, at the source's prices."""
    with priced():
        return built("pluggable"), built("co-packaged"), built("co-packaged", tiers=2)


def test_the_network_of_the_rack_table_from_the_difference_of_two_of_its_columns(networks, ledger):
    """Six ends and five switch ports an accelerator at those prices, against 85 % of the third column."""
    before, _, _ = networks
    share = 100 * before.dollars("module") / before.dollars()
    whole = before.dollars() / BACK_END
    of_cost = 100 * whole / (whole + SERVER_USD)
    assert (before.dollars(), share, of_cost) == pytest.approx((9541, 59.7, 14.9), rel=0.01)
    claim, back_end_usd = "GB300, three tiers", BACK_END * RACK_USD[3][1] / 72
    published_share = catalogued("network_share_cluster_cost")
    verdicts = [
        ledger.compare(f"{claim}: back end for each accelerator", back_end_usd, before.dollars(), "USD", OWN_PRICES),
        ledger.compare(f"{claim}: transceivers of the network's cost", 60, share, "%", OWN_PRICES),
        ledger.compare(f"{claim}: network of the cluster's cost", published_share, of_cost, "%", OWN_PRICES),
    ]
    assert verdicts == ["reproduced"] * 3


def test_what_engines_add_to_a_switch(networks, ledger):
    """72 engines of 85 kUSD in all (80 to 90) on a switch of 110.6 kUSD."""
    _, after, _ = networks
    added = saved(after.dollars("switch"), after.dollars("switch", *ENGINES))
    assert added == pytest.approx(76.9, rel=0.01)
    why = f"engines of 85 kUSD in a switch of 110.6 kUSD; {OWN_PRICES}"
    claim = "CPO, three tiers: switches dearer by"
    assert ledger.compare(claim, catalogued("cpo_3layer", "switch cost"), added, "%", why) == "partly"


#: Saved in per cent as computed here: network, cluster; verdicts; and why.
COST = {
    "cpo_3layer": (
        (-18.8, -2.4), ("not reproduced", "partly"),
        "the published figures differ: 31 % of a network that is 15.3 % of cost would be 4.7 % of the cluster; ours is "
        "37 % at the vendor's cost of an engine, 31 % at a margin of 30 %",
    ),
    "cpo_2layer": ((-47.3, -6.1), ("reproduced", "partly"), "a tier less alone saves 36 %"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "number"), [("cpo_3layer", 1), ("cpo_2layer", 2)])
def test_cost_that_is_saved(name, number, networks, ledger):
    before, after = networks[0], networks[number]
    expected, wanted, why = COST[name]
    ours = saved(before.dollars(), after.dollars()), saved(before.cluster_dollars, after.cluster_dollars)
    assert ours == pytest.approx(expected, abs=0.2)
    tiers = "three tiers" if name == "cpo_3layer" else "two tiers for three"
    why += f"; {-BACK_END * ours[0]:.0f} % of a network whose front end stays"
    for what, found, verdict in zip(("network cost", "cluster cost"), ours, wanted, strict=True):
        claim, table = f"CPO, {tiers}: {what} saved", -catalogued(name, what)
        assert ledger.compare(claim, table, -found, "%", f"{OWN_PRICES}; {why}") == verdict


def test_the_published_saving_of_three_tiers_contradicts_its_own_cluster():
    """-31 % of 15.3 % is -4.7 % of the cluster, where -3 % is published; -46 % of it and -7 % agree."""
    share = RACK_USD[3][1] / RACK_USD[3][2]
    implied = {name: share * catalogued(name, "network cost") for name in COST}
    assert implied["cpo_2layer"] == pytest.approx(catalogued("cpo_2layer", "cluster cost"), abs=0.5)
    assert implied["cpo_3layer"] == pytest.approx(catalogued("cpo_3layer", "cluster cost") - 1.75, abs=0.1)


def test_the_vendors_margin_decides(networks, ledger):
    """
    The vendor pays 500 USD for an engine of 1.6T. Three tiers save the published 31 % at a margin of 30 %; and with the
    catalogue's prices engines cost what modules cost at 58 %, the margin of the same source being 60 %.
    """
    before, *_ = networks
    cost_usd = catalogued("oe_cost_to_vendor", option=NVIDIA)
    assert cost_usd == technology("cpo-1.6t").vendor_cost.typical
    wanted = catalogued("cpo_3layer", "network cost")
    found = {}
    for margin in (0.0, 0.303, 0.6):
        with priced():
            sold = built("co-packaged", economics=Economics(vendor_margin_ratio=margin))
        found[margin] = saved(before.dollars(), sold.dollars())
    assert found == pytest.approx({0.0: -36.7, 0.303: wanted, 0.6: -17.0}, abs=0.2)
    flips = 1 - cost_usd / technology("1.6t-dsp-dr8").price.typical
    assert flips == pytest.approx(0.583, abs=0.01)
    claim = "CPO: the vendor's margin at which an engine costs as much as a module"
    why = (
        f"an engine of {cost_usd:.0f} USD to its vendor, a module of 1200 USD; below that margin CPO is the cheaper one"
    )
    ledger.note(claim, "60 % is taken", f"{100 * flips:.0f} %", "open", why)


def test_at_the_catalogues_prices_nothing_is_saved(ledger):
    """1181 USD an engine and 1200 USD a module of 1.6T: the cost of CPO is that of the modules it replaces."""
    ours = saved(built("pluggable").dollars(), built("co-packaged").dollars())
    assert ours == pytest.approx(-0.6, abs=0.2)
    why = "a module of 1.6T at 1200 USD (650 to 3000) where the source has 1900; an engine at 1181 USD"
    claim = "CPO, three tiers: network cost saved, at the catalogue's prices"
    assert ledger.compare(claim, -catalogued("cpo_3layer", "network cost"), -ours, "%", why) == "not reproduced"
