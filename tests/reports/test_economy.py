import io

from rich.console import Console

from cluster_sim.reports import step


def told(row, power=(), supply=()):
    file = io.StringIO()
    Console(file=file, width=400).print(step(row, power, supply))
    return file.getvalue()


def need(part, supply="800g", **changes):
    return {
        "part": part, "supply": supply, "months": 1.5, "earliest_year": 2028, "order_count": None, "order_usd": None,
        "note": "what is ordered now comes in 2028", **changes,
    }  # fmt: skip


COSTS = {
    "facility_energy_j": 2.5e8, "energy_per_token_j": 13.5, "network_energy_per_token_j": 1.61, "capex_usd": 3.7e7,
    "server_capex_usd": 1.5e8, "energy_usd_per_year": 5.2e6, "network_energy_usd_per_year": 7e5,
    "cluster_usd_per_mtoken": 3.15, "network_usd_per_mtoken": 0.596, "supply_months": 1.5, "earliest_year": 2028,
    "cooling": "liquid", "cooling_reason": "it is hot",
}  # fmt: skip
POWER = [
    {"kind": "module", "power_w": 1.2e5, "share_ratio": 0.25},
    {"kind": "server", "power_w": 3.6e5, "share_ratio": 0.75},
]


def test_a_run_says_what_it_burns_and_costs_and_when_it_can_be_had(make_row):
    supply = [need("800g-dsp-dr8"), need("tomahawk6", None, months=None, earliest_year=2026, note="")]
    text = told(make_row("dsp", **COSTS), POWER, supply)
    for words in (
        "module 120 kW (25.0 %) · server 360 kW (75.0 %)", "250 MJ a step with cooling, 13.5 J a token",
        "network 37 MUSD, servers 150 MUSD, energy 5.2 MUSD a year (network 700 kUSD)",
        "3.15 USD per million tokens, the network alone 0.596 USD",
        "supply: 1.5 months of what the world makes of 800g; not before 2028 (800g-dsp-dr8: what is ordered",
        "cooling: liquid: it is hot",
    ):  # fmt: skip
        assert words in text


def test_what_others_have_ordered_is_an_order_and_no_price(make_row):
    """13.5 billion yuan at 7.2 for 12 million pieces, named once although two parts draw on it."""
    order = {"months": None, "earliest_year": 2026, "order_count": 12e6, "order_usd": 1.875e9, "note": ""}
    row = make_row("npo", **COSTS | {"supply_months": None, "earliest_year": 2026})
    text = told(row, POWER, [need("npo-800g", "npo", **order), need("npo-1.6t", "npo", **order)])
    assert text.count("others have ordered 12,000,000 of npo for 1.88 GUSD, 156 USD each, that order's price") == 1
    assert "supply: nobody has told how much of npo is made; others" in text
    del order["order_usd"]
    assert "12,000,000 of npo\n" in told(row, POWER, [need("npo-800g", "npo", **order)])


def test_where_nothing_is_known_of_any_part_that_is_said(make_row):
    row = make_row("dac", **COSTS | {"supply_months": None, "earliest_year": None})
    assert "supply: no part has a known volume\n" in told(row, POWER, [need("dac-800g", None, months=None, note="")])


def test_a_row_of_an_older_run_says_nothing_of_it(make_row):
    assert "supply" not in told(make_row("dsp"))
