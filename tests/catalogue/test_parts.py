"""What entries tell of themselves: failures by part, draw under load, prices by margin, and what they need."""

import pytest
from pydantic import ValidationError

from cluster_sim.catalogue import (
    Figure,
    Given,
    Technology,
    entries,
    fit_by_part,
    given,
    laser,
    lasers_per_end,
    supply,
    switch,
    technology,
)

TECHNOLOGIES = list(entries("technology").items())
SWITCHES = list(entries("switch").items())


def test_failures_in_time_are_those_of_the_published_mtbf():
    """A 400G module with an MTBF of 550,000 h fails 1,818 times in 10**9 h, 63 % of it by a laser."""
    fit = technology("400g-dsp-dr4").fit
    assert sum(fit.values()) == pytest.approx(1e9 / 550_000, rel=0.002)
    assert fit["laser"] == pytest.approx(0.63 * sum(fit.values()))


def test_the_failures_of_a_cable_are_shared_by_its_ends():
    """2 %/year of a cable: 0.01 / 8760 h for each end."""
    fit = technology("aoc-800g").fit
    assert sum(fit.values()) == pytest.approx(0.01 / 8760 * 1e9)
    assert technology("dac-800g").fit == {"rest": pytest.approx(0.0005 / 8760 * 1e9)}


def test_an_external_laser_fails_once_for_all_the_ends_that_it_feeds():
    """Eight lasers, one for each 800G end: an eighth of the module's failures; two for each 1.6T end: a quarter."""
    module = laser("elsfp").annual_failure.typical / 8760 * 1e9
    assert lasers_per_end(technology("cpo-800g")) == 1 / 8
    assert lasers_per_end(technology("cpo-1.6t")) == 1 / 4
    assert fit_by_part(technology("cpo-1.6t"))["external laser"] == pytest.approx(module / 4)
    assert fit_by_part(technology("cpo-1.6t"))["rest"] == technology("cpo-1.6t").fit["rest"]
    assert lasers_per_end(technology("1.6t-dsp-dr8")) == 0
    assert fit_by_part(technology("1.6t-dsp-dr8")) == technology("1.6t-dsp-dr8").fit


def test_given_failures_of_lasers_are_counted():
    with given(Given({"elsfp": {"annual_failure": 0.08}})):
        assert fit_by_part(technology("cpo-800g"))["external laser"] == pytest.approx(0.01 / 8760 * 1e9)


@pytest.mark.parametrize("name", ["cpo-800g", "cpo-1.6t", "npo-800g", "npo-1.6t"])
def test_the_catalogues_margin_gives_the_catalogues_price(name):
    """36 kUSD of cost at 58 % margin are the 85 kUSD that a buyer pays for the optics of a Q3450."""
    entry = technology(name)
    assert entry.price_at(entry.vendor_margin.typical) == pytest.approx(entry.price.typical, rel=0.02)
    assert entry.price_at(0.0) == entry.vendor_cost.typical


def test_cost_below_and_price_above_pluggables_depend_on_the_margin():
    """Half of 72 pluggables at 1000 USD as cost to the vendor, more than they cost at 60 % margin (SemiAnalysis)."""
    entry = technology("cpo-1.6t")
    assert entry.price_at(0.0) == 500
    assert entry.price_at(0.6) == pytest.approx(1250)


def test_a_part_without_known_cost_has_its_price_at_any_margin():
    entry = technology("1.6t-dsp-dr8")
    assert entry.price_at(0.0) == entry.price_at(0.9) == entry.price.typical


@pytest.mark.parametrize("margin", [-0.1, 1.0, 1.5])
def test_a_margin_is_a_share(margin):
    with pytest.raises(ValueError, match="a vendor's margin is a share of the price"):
        technology("cpo-1.6t").price_at(margin)


@pytest.mark.parametrize(("name", "entry"), TECHNOLOGIES)
def test_names_of_other_entries_are_known(name, entry):
    if entry.external_laser is not None:
        assert laser(entry.external_laser)
        assert 0 < lasers_per_end(entry) <= 1
    if entry.supply is not None:
        assert supply(entry.supply)


@pytest.mark.parametrize(("name", "entry"), TECHNOLOGIES)
def test_every_entry_says_what_its_kind_has(name, entry):
    assert (entry.light is None) == (entry.medium == "copper")
    assert (entry.light == "external") == (entry.form == "engine")
    assert (entry.replaced in ("switch", "server")) == (entry.form == "engine")
    assert entry.idle_power is not None or entry.medium == "copper"
    assert entry.vendor_cost is None or entry.vendor_cost.typical < entry.price.typical
    assert (entry.vendor_cost is None) == (entry.vendor_margin is None)


@pytest.mark.parametrize(("base", "variants"), [
    ("400g-dsp-dr4", ("400g-eml-dr4", "400g-siph-dr4")), ("800g-dsp-dr8", ("800g-eml-dr8", "800g-siph-dr8")),
    ("1.6t-dsp-dr8", ("1.6t-eml-dr8", "1.6t-siph-dr8")),
])  # fmt: skip
def test_silicon_photonics_is_the_eml_module_at_assumed_ratios_with_fewer_lasers(base, variants):
    eml, siph = map(technology, variants)
    assert eml.power.typical == technology(base).power.typical
    assert siph.power.typical == pytest.approx(0.95 * eml.power.typical)
    assert siph.price.typical == pytest.approx(0.9 * eml.price.typical)
    assert {siph.power.status, siph.price.status, eml.power.status, eml.price.status} == {"M"}
    assert siph.laser_count.typical < eml.laser_count.typical


def test_optics_of_a_chassis_are_counted_once():
    """Q3450: 3950 W as published are the chassis and its 144 engines at the published 4.5 W each."""
    entry = switch("quantum-x-photonics-q3450")
    engines = entry.num_ports(100e9) * technology("cpo-800g").power.typical
    assert entry.power.typical + engines == pytest.approx(entry.power_with_optics.typical, rel=1e-9)


@pytest.mark.parametrize(("name", "entry"), SWITCHES)
def test_limits_of_a_chassis_bear_its_cages(name, entry):
    """A switch with cages tells what they bear; a full one is within the most that the chassis is said to draw."""
    assert (entry.cage_power is not None) == (entry.optics == "pluggable")
    assert (entry.power_with_optics is None) or entry.optics == "co-packaged"
    if entry.max_power is not None:
        assert entry.max_power.typical > entry.power.typical
    if entry.liquid_cage_power is not None:
        assert entry.liquid_cage_power.typical > entry.cage_power.typical


def test_published_cages_fill_the_published_chassis():
    """51.2T boxes: 1 kW without optics and 64 cages of 30 W are the 2.8 kW that they may draw, within 5 %."""
    entry = switch("tomahawk5")
    assert entry.power.typical + 64 * entry.cage_power.typical == pytest.approx(entry.max_power.typical, rel=0.06)


def figure(unit=""):
    return Figure(typical=1.0, unit=unit, year=2026, source="a test", status="D")


FIELDS = ("rate", "lanes", "reach", "power", "latency", "price", "propagation", "annual_failure", "flaps",
          "repair_time", "first_year")  # fmt: skip
OPTICS = ("fibre_pairs", "optical_margin", "reacquisition", "laser_count")


def made(medium, form, *more, **words):
    figures = {name: figure() for name in (*FIELDS, *more)}
    return Technology(title="a test", medium=medium, form=form, retimed=False, **figures, **words)


def test_each_kind_needs_what_it_has():
    assert made("copper", "cable").fit
    assert made("optical", "module", *OPTICS, "laser_share", light="eml").fit
    assert made("optical", "engine", *OPTICS, "ports_per_engine", light="external", external_laser="elsfp").fit


def test_optics_without_their_lasers_are_refused():
    with pytest.raises(ValidationError, match=r"an optical module needs light, fibre_pairs.*laser_share"):
        made("optical", "module")
    with pytest.raises(ValidationError, match="an optical engine needs external_laser, ports_per_engine"):
        made("optical", "engine", *OPTICS, light="external")


def test_copper_has_no_laser():
    with pytest.raises(ValidationError, match="copper has no light, laser_count"):
        made("copper", "cable", "laser_count", light="eml")
