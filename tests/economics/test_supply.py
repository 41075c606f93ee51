"""What is needed against what the world makes, by hand."""

import pytest

from cluster_sim.economics import Pieces, needs
from cluster_sim.economics.supply import supply_columns
from tests.networks import count


@pytest.fixture
def supplies(change_entry):
    """Known volumes of a small world: 1,200 modules of 800G a year, 400 linear ones, an order of 600 ahead of all."""
    nothing = {"shipped_2025": None, "shipped_2026": None, "orders": None, "largest_share": None, "lead_year": None}
    change_entry("800g", **nothing | {"shipped_2026": count(1200.0), "largest_share": count(0.25)})
    change_entry("800g-dsp-dr8", supply="800g", first_year=count(2023.0))
    change_entry("800g-dsp-2xfr4", supply="800g", first_year=None)
    change_entry("800g-lpo-dr8", supply=None, first_year=None)
    return lambda **fields: change_entry("800g", **{name: count(value) for name, value in fields.items()})


def need(*pieces):
    return {found.part: found for found in needs(pieces)}


def modules(part, number, tier="host_leaf"):
    return Pieces(part, "module", tier, number)


def test_months_of_the_known_supply(supplies):
    """100 and 50 of two tiers are 150 of 1,200 a year: a month and a half."""
    found = need(modules("800g-dsp-dr8", 100), modules("800g-dsp-dr8", 50, "leaf_spine"))["800g-dsp-dr8"]
    assert (found.count, found.per_year, found.largest_share_ratio) == (150, 1200, 0.25)
    assert found.months == pytest.approx(1.5)
    assert (found.first_year, found.earliest_year, found.note) == (2023, 2026, "")


def test_parts_that_share_a_supply_compete_for_it(supplies):
    """100 + 300 of 1,200: four months for either."""
    found = need(modules("800g-dsp-dr8", 100), modules("800g-dsp-2xfr4", 300, "spine_ocs"))
    assert [one.months for one in found.values()] == pytest.approx([4, 4])
    assert [one.count for one in found.values()] == [100, 300]


@pytest.mark.parametrize(("number", "year"), [(1200, 2026), (1201, 2027), (2400, 2027), (6000, 2030)])
def test_more_than_a_year_makes_takes_longer(supplies, number, year):
    found = need(modules("800g-dsp-dr8", number))["800g-dsp-dr8"]
    assert found.earliest_year == year
    assert ("until the end of" in found.note) == (year > 2026)


def test_orders_are_ahead_of_what_is_asked_for_now(supplies):
    """600 ordered and 601 more are one too many for a year of 1,200."""
    supplies(orders=600.0)
    found = need(modules("800g-dsp-dr8", 601))["800g-dsp-dr8"]
    assert (found.order_count, found.earliest_year) == (600, 2027)
    assert "600 that are ordered before" in found.note
    assert need(modules("800g-dsp-dr8", 600))["800g-dsp-dr8"].earliest_year == 2026


def test_what_comes_last_decides(supplies):
    """Lead times into 2028; a part that is first made in 2029 comes later still."""
    supplies(lead_year=2028.0)
    found = need(modules("800g-dsp-dr8", 10))["800g-dsp-dr8"]
    assert (found.earliest_year, found.note) == (2028, "what is ordered now comes in 2028")


def test_a_part_that_is_not_made_yet_waits_for_its_first_year(supplies, change_entry):
    change_entry("800g-dsp-dr8", first_year=count(2029.0))
    found = need(modules("800g-dsp-dr8", 10))["800g-dsp-dr8"]
    assert (found.earliest_year, found.note) == (2029, "first volume in 2029")


def test_what_is_not_known_is_null(supplies):
    found = need(modules("800g-lpo-dr8", 10))["800g-lpo-dr8"]
    assert (found.months, found.per_year, found.earliest_year) == (None, None, None)
    assert found.note == ""
    assert supply_columns((found,)) == {"supply_months": None, "earliest_year": None}


def test_the_summary_has_the_scarcest_part_and_the_last_year(supplies, change_entry):
    change_entry("800g-lpo-dr8", first_year=count(2027.0))
    found = needs((modules("800g-dsp-dr8", 100), modules("800g-lpo-dr8", 10)))
    assert supply_columns(found) == {"supply_months": 1.0, "earliest_year": 2027}


def test_months_are_not_known_where_a_part_may_be_scarcer_still(supplies, change_entry):
    """Engines of a supply without a volume beside modules of one month; modules of no supply at all do not matter."""
    nothing = {"shipped_2025": None, "shipped_2026": None, "orders": None, "lead_year": None}
    change_entry("cpo", **nothing)
    change_entry("cpo-800g", supply="cpo", first_year=count(2026.0))
    plenty, engines = modules("800g-lpo-dr8", 10), Pieces("cpo-800g", "engine", "leaf_spine", 10)
    assert supply_columns(needs((modules("800g-dsp-dr8", 100), plenty)))["supply_months"] == 1.0
    found = supply_columns(needs((modules("800g-dsp-dr8", 100), engines)))
    assert found == {"supply_months": None, "earliest_year": 2026}


def test_switches_ocs_and_lasers_have_first_years_and_fibre_is_not_counted(supplies, change_entry):
    for name, year in (("tomahawk5", 2023.0), ("palomar-mems", 2022.0), ("elsfp", 2027.0)):
        change_entry(name, first_year=count(year))
    found = need(
        Pieces("tomahawk5", "switch", "leaf", 4), Pieces("palomar-mems", "ocs", "spine_ocs", 2),
        Pieces("elsfp", "laser", "leaf_spine", 3, feeds="cpo-800g", num_ends=20),
        Pieces("fibre trunk", "fibre", "leaf_spine", 9),
    )  # fmt: skip
    assert {part: (one.count, one.first_year, one.earliest_year) for part, one in found.items()} == {
        "tomahawk5": (4, 2023, 2026), "palomar-mems": (2, 2022, 2026), "elsfp": (3, 2027, 2027),
    }  # fmt: skip
