"""The catalogue's entries: that they load, what they hold, and the published figures they were taken from."""

import csv
from pathlib import Path

import pytest

from cluster_sim import catalogue
from cluster_sim.catalogue import SECTIONS, entries
from cluster_sim.core import UnknownNameError

ENTRIES = [(section, name) for section in SECTIONS for name in entries(section)]
LOOK_UP = {
    "technology": catalogue.technology, "laser": catalogue.laser, "switch": catalogue.switch, "nic": catalogue.nic,
    "ocs": catalogue.ocs, "supply": catalogue.supply, "scale-up link": catalogue.scale_up,
    "accelerator": catalogue.accelerator,
    "compute": catalogue.compute,
    **{name: entries(name).__getitem__ for name in SECTIONS if name.startswith("nccl ")},
}  # fmt: skip
FACTS = Path(__file__).parents[3] / "shared" / "data" / "interconnects" / "interconnects.csv"


@pytest.mark.parametrize(("section", "name"), ENTRIES)
def test_every_entry_is_found_by_its_name(section, name):
    entry = LOOK_UP[section](name)
    assert entry is entries(section)[name]
    assert entry.title
    assert entry.figures
    assert set(entry.unverified) == {field for field, figure in entry.figures.items() if figure.status == "M"}


def test_every_section_has_a_way_to_look_up():
    assert list(LOOK_UP) == list(SECTIONS)


@pytest.mark.parametrize(
    ("section", "asked", "meant"),
    [
        ("technology", "800g-dsp-dr9", "800g-dsp-dr8"), ("technology", "cpo-1.6", "cpo-1.6t"),
        ("switch", "tomahawk-6", "tomahawk6"), ("nic", "connectx7", "connectx7-400g"),
        ("ocs", "palomar", "palomar-mems"),
        ("scale-up link", "nvlink", "nvlink"), ("accelerator", "h100", "h100-sxm"),
    ],
)  # fmt: skip
def test_an_unknown_name_suggests_the_nearest(section, asked, meant):
    with pytest.raises(UnknownNameError, match=rf"unknown {section} '{asked}'; did you mean '{meant}"):
        LOOK_UP[section](asked)


def test_a_name_that_is_near_nothing_lists_what_there_is():
    with pytest.raises(UnknownNameError) as caught:
        catalogue.switch("xyz")
    assert "did you mean" not in str(caught.value)
    assert "tomahawk6" in str(caught.value)


@pytest.mark.parametrize(("name", "bidirectional_gb_per_s"), [("nvlink4", 900), ("nvlink5", 1800), ("nvlink6", 3600)])
def test_nvlink_is_stored_per_direction(name, bidirectional_gb_per_s):
    """NVIDIA quotes both directions; links here have one each."""
    assert catalogue.scale_up(name).bandwidth.typical == bidirectional_gb_per_s * 1e9 / 2


@pytest.mark.parametrize("name", list(entries("accelerator")))
def test_every_accelerator_names_a_scale_up_link_and_a_server_inside_its_domain(name):
    entry = catalogue.accelerator(name)
    assert catalogue.scale_up(entry.scale_up)
    domain, host = entry.scale_up_domain.typical, entry.accelerators_per_host.typical
    assert domain % host == 0
    assert entry.host_power.typical > entry.power.typical, "the server's power contains the accelerator's"


@pytest.mark.parametrize("name", list(entries("technology")))
def test_energy_per_bit_derived_from_power_is_power_over_rate_of_one_end(name):
    """16 W at 800 Gb/s are 20 pJ/bit, in one direction and without the other end."""
    entry = catalogue.technology(name)
    if entry.energy_per_bit is not None and entry.energy_per_bit.status == "D":
        assert entry.energy_per_bit.typical == pytest.approx(entry.power.typical / (8 * entry.rate.typical), rel=0.01)


@pytest.mark.parametrize(
    ("name", "gbps", "ports"),
    [
        ("tomahawk6", 1600, 64), ("tomahawk6", 800, 128), ("tomahawk6", 200, 512), ("tomahawk6", 100, 512),
        ("tomahawk5", 800, 64), ("quantum2-qm9700", 400, 64), ("quantum-x800-q3400", 800, 144),
        ("quantum-hdr-qm8700", 200, 40),
    ],
)  # fmt: skip
def test_a_switch_has_as_many_ports_as_its_bandwidth_and_radix_allow(name, gbps, ports):
    """102.4 Tb/s are 64 ports of 1.6 Tb/s; never more than 512 of any rate."""
    assert catalogue.switch(name).num_ports(gbps * 1e9 / 8) == ports


@pytest.fixture(scope="module")
def facts():
    """Typical values of the published figures by (option, field)."""
    if not FACTS.exists():
        pytest.skip("the table of published interconnect figures is not beside this checkout")
    with FACTS.open(encoding="utf-8", newline="") as file:
        return {(row["option"], row["field"]): row["typical"] for row in csv.DictReader(file)}


@pytest.mark.parametrize(
    ("section", "name", "figure", "option", "field", "si_per_unit"),
    [
        ("technology", "800g-dsp-dr8", "power", "800G DSP pluggable DR8 (2xDR4)", "power_module", 1),
        ("technology", "800g-dsp-dr8", "reach", "800G DSP pluggable DR8 (2xDR4)", "reach", 1),
        ("technology", "800g-dsp-dr8", "price", "800G DSP pluggable DR8 (2xDR4)", "unit_price", 1),
        ("technology", "800g-dsp-dr8", "latency", "800G DSP pluggable DR8 (2xDR4)", "latency_added_per_end", 1e-9),
        ("technology", "800g-dsp-dr8", "annual_failure", "800G DSP pluggable DR8 (2xDR4)", "AFR", 1e-2),
        ("technology", "1.6t-dsp-dr8", "power", "1.6T DSP pluggable DR8 (2xDR4, 5nm/3nm DSP)", "power_module", 1),
        ("technology", "1.6t-dsp-dr8", "rate", "1.6T DSP pluggable DR8 (2xDR4, 5nm/3nm DSP)", "data_rate", 1e9 / 8),
        ("technology", "800g-lpo-dr8", "power", "800G LPO DR8 (2xDR4)", "power_module", 1),
        ("technology", "1.6t-lpo-dr8", "power", "1.6T LPO", "power_module", 1),
        ("technology", "npo-800g", "power", "NPO (near-packaged optics)", "power_per_800G", 1),
        ("technology", "cpo-1.6t", "power", "CPO NVIDIA Quantum-X / Spectrum-X Photonics", "power_per_1.6T", 1),
        ("technology", "dac-800g", "reach", "DAC passive 800G", "reach", 1),
        ("technology", "dac-800g", "price", "DAC passive 800G", "unit_price_cable", 1),
        ("technology", "dac-800g", "propagation", "DAC passive 800G", "propagation", 1e-9),
        ("technology", "aec-1.6t", "power", "AEC (retimed copper) 1.6T", "power_per_end", 1),
        ("scale-up link", "nvlink4", "bandwidth", "NVLink 4 (H100)", "bandwidth_per_gpu", 1e9 / 2),
        ("scale-up link", "nvlink5", "bandwidth", "NVLink 5 (B200/GB200)", "bandwidth_per_gpu", 1e9 / 2),
        ("switch", "tomahawk5", "power", "Tomahawk 5 51.2T system (64x800G)", "power_system", 1),
        ("switch", "tomahawk6", "price", "Tomahawk 6 102.4T system", "price_system", 1),
        ("nic", "connectx7-400g", "price", "ConnectX-7 400G NIC", "price", 1),
        ("nic", "connectx8-800g", "power", "ConnectX-8 800G SuperNIC", "power", 1),
        ("ocs", "palomar-mems", "insertion_loss", "OCS MEMS Google Palomar", "insertion_loss", 1),
        ("ocs", "palomar-mems", "switch_time", "OCS MEMS Google Palomar", "switch_time", 1e-3),
        ("ocs", "coherent-dlx", "ports", "OCS liquid crystal Coherent DLX", "ports", 1),
        ("ocs", "ipronics-one32", "power", "OCS silicon photonics (iPronics ONE-32)", "power_chassis", 1),
        ("accelerator", "h100-sxm", "power", "GPU H100 SXM", "power", 1),
        ("accelerator", "h100-sxm", "host_power", "DGX H100 node", "power", 1000 / 8),
    ],
)
def test_figures_are_those_of_the_published_table(facts, section, name, figure, option, field, si_per_unit):
    published = float(facts[option, field]) * si_per_unit
    assert getattr(LOOK_UP[section](name), figure).typical == pytest.approx(published, rel=1e-12)
