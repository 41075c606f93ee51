"""Claims about modules: linear drive, lasers, failures; and what is left of them in a network."""

import pytest

from cluster_sim.catalogue import Technology, laser, technology
from tests.verification.economics.claims import catalogued, needs_tables, published
from tests.verification.economics.gb300 import built
from tests.verification.economics.networks import saved

pytestmark = needs_tables


def watts(name):
    return technology(name).power.typical


@pytest.mark.parametrize(
    ("rate", "key", "expected"), [("800g", "typical", -46.9), ("1.6t", "1.6T 24->10 =", -60.0)], ids=["800G", "1.6T"]
)
def test_linear_modules(rate, key, expected, ledger):
    before, after = watts(f"{rate}-dsp-dr8"), watts(f"{rate}-lpo-dr8")
    ours = saved(before, after)
    assert ours == pytest.approx(expected, abs=0.1)
    claim = f"LPO for DSP: power of a module of {rate.upper()} saved"
    why = f"DR8 of {before:g} W and of {after:g} W"
    assert ledger.compare(claim, catalogued("lpo_module_saving", key), -ours, "%", why) == "reproduced"


@pytest.mark.parametrize(
    ("what", "name", "expected"),
    [
        ("transceiver", "lpo_transceiver_power_cluster", {" 800G": -46.9, "": -57.3}),
        ("network", "lpo_network_power_cluster", {" 800G": -22.9, "": -25.1}),
    ],
)
def test_linear_modules_in_a_back_end(what, name, expected, ledger):
    """Three tiers of 144 ports; modules of 800G at both ends of all links, or of 1.6T in switches."""
    kinds = ("module",) if what == "transceiver" else ()
    ours = {
        rate: saved(*(built(f"{drive}{rate}").watts(*kinds) for drive in ("pluggable", "linear"))) for rate in expected
    }
    assert ours == pytest.approx(expected, abs=0.1)
    why = (
        f"800G modules everywhere; {-ours['']:.0f} % with 1.6T in switches; back end only, where the claim's network "
        "has a front end that keeps its DSPs (14 % of power), so that linear modules save 42 % there"
    )
    claim = f"LPO in the back end, three tiers: {what} power saved"
    assert ledger.compare(claim, -catalogued(name), -ours[" 800G"], "%", why) == "not reproduced"


def test_co_packaged_engines_that_meta_measured(ledger):
    """Bailly, 5.4 W for 800G with its lasers, against 2xFR4 modules: 15 W at Meta, 16 W in the catalogue."""
    before, after = watts("800g-dsp-2xfr4"), watts("cpo-bailly-800g")
    ours = saved(before, after)
    assert ours == pytest.approx(-66.3, abs=0.1)
    why = f"2xFR4 of {before:g} W, Bailly of {after:g} W; Meta's own 15 W would give 64 %"
    claim = "CPO at Meta: power of 800G of optics saved"
    assert ledger.compare(claim, -catalogued("meta_cpo_power"), -ours, "%", why) == "reproduced"


def lasers(part, per_switch=72):
    return per_switch * technology(part).laser_count.typical


def test_fewer_lasers_than_which_modules(ledger):
    """A switch of 72 x 1.6T: 8 lasers in an EML module, 2 to 4 in one of silicon photonics, 2 for an engine."""
    engines, eml, siph = (lasers(part) for part in ("cpo-1.6t", "1.6t-eml-dr8", "1.6t-siph-dr8"))
    most = 72 * technology("1.6t-siph-dr8").laser_count.high
    assert (engines, eml, siph, most) == (144, 576, 144, 288)
    assert eml - engines == 432
    claim, table = "CPO: lasers of the modules in a switch over its own", 100 / published(51)
    why = f"{eml:.0f} in 72 modules of 1.6T, {engines:.0f} in a Q3450; the published 432 fewer is exact"
    assert ledger.compare(f"{claim}, EML", table, eml / engines, "x", why) == "reproduced"
    why = f"{siph:.0f} to {most:.0f}: the claim does not hold against silicon photonics, which is half of sales"
    assert ledger.compare(f"{claim}, silicon photonics", table, most / engines, "x", why) == "not reproduced"


def failures(part: Technology) -> float:
    """Of an end in a year, with its share of external lasers."""
    own = part.annual_failure.typical
    if part.external_laser is None:
        return own
    source = laser(part.external_laser)
    return own + part.laser_count.typical / source.lasers.typical * source.annual_failure.typical


def test_resiliency_against_what_was_measured_and_against_the_catalogue(ledger):
    """
    Meta: 2.6 Mh for a 400G port of Bailly in a lab, 0.55 Mh for a 400G 2xFR4 module of its fleet. In the catalogue,
    with external lasers that fail, too, an end of 1.6T fails 0.9 % a year, a module 1.3 %.
    """
    bailly = catalogued("MTBF", option="CPO Broadcom TH5-Bailly (51.2T)")
    measured = bailly / catalogued("MTBF", option="400G DSP pluggable (DR4/FR4/SR4)")
    parts = [failures(technology(name)) for name in ("1.6t-dsp-dr8", "cpo-1.6t")]
    ours = parts[0] / parts[1]
    assert (measured, ours) == pytest.approx((4.73, 1.49), rel=0.01)
    claim, lab = "CPO: failures of modules over those of its optics", "2.6 Mh in a lab, 0.55 Mh in a fleet (Meta)"
    assert ledger.compare(f"{claim}, measured", published(49), measured, "x", lab) == "not reproduced"
    why = (
        f"1.6T: {100 * parts[0]:.2g} % a year a module, {100 * parts[1]:.2g} % an engine with its lasers, unverified; "
        "an engine takes its switch with it"
    )
    assert ledger.compare(f"{claim}, catalogue", published(49), ours, "x", why) == "not reproduced"


def test_signal_integrity_is_the_claims_own_decibels(ledger):
    """22 dB between chip and module, 4 dB between chip and engine: 18 dB are a factor of 63."""
    ours = 10 ** ((published(52) - published(53)) / 10)
    assert ours == pytest.approx(63.1, abs=0.1)
    why = "18 dB of electrical loss between chip and optics, the claim's own; no figure of errors stands behind it"
    assert ledger.compare("CPO: signal integrity", published(48), ours, "x", why) == "reproduced"


def test_a_site_that_saves_sixty_megawatts(ledger):
    """40 W an accelerator in three tiers, so that the site has 1.5 million of them."""
    each_w = built("pluggable").watts() - built("co-packaged").watts()
    millions = published(56)[1] / each_w
    assert (each_w, millions) == pytest.approx((40.0, 1.5), rel=0.01)
    why = f"{each_w:.0f} W an accelerator (back end, three tiers, a Q3400's 2.9 kW); the size of the site is not said"
    ledger.note("CPO: power saved at a large site", "up to 60 MW", f"by {millions:.1f} million GB300", "open", why)
