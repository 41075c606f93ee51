"""The catalogue's entries: that they load, what they hold, and the published figures they were taken from."""

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


def test_copper_of_a_scale_up_link_reaches_no_further_than_its_rack():
    """The backplane reaches 1.5 m, UALink's cables less than 4 m; engines reach along a row of racks."""
    assert catalogue.technology("nvlink-backplane").reach.typical <= 1.5
    assert catalogue.scale_up("ualink").reach.typical == 4
    assert catalogue.technology("cpo-scale-up-1.6t").reach.typical > 10 * catalogue.scale_up("nvlink5").reach.typical


def test_ualink_is_72_lanes_of_200g_each_way():
    assert catalogue.scale_up("ualink").bandwidth.typical == pytest.approx(72 * 200e9 / 8)
    assert catalogue.scale_up("ualink").largest_domain.typical == 1024


@pytest.mark.parametrize("name", list(entries("accelerator")))
def test_every_accelerator_names_a_scale_up_link_and_a_server_inside_its_domain(name):
    entry = catalogue.accelerator(name)
    assert catalogue.scale_up(entry.scale_up)
    domain, host = entry.scale_up_domain.typical, entry.accelerators_per_host.typical
    assert domain % host == 0
    assert domain <= catalogue.scale_up(entry.scale_up).largest_domain.typical
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
        ("quantum-x-photonics-q3450", 800, 144), ("spectrum-x-photonics-sn6810", 800, 128),
        ("tomahawk6-davisson", 1600, 64), ("tomahawk5-bailly", 400, 128),
    ],
)  # fmt: skip
def test_a_switch_has_as_many_ports_as_its_bandwidth_and_radix_allow(name, gbps, ports):
    """102.4 Tb/s are 64 ports of 1.6 Tb/s; never more than 512 of any rate."""
    assert catalogue.switch(name).num_ports(gbps * 1e9 / 8) == ports
