"""Interconnect options: what fits together, and what a user is told where it does not."""

import pytest
from pydantic import ValidationError

from cluster_sim.catalogue import Interconnect, LinkEnds

FIELDS = {
    "port_rate": "800 Gbps", "nic": "connectx8-800g", "switch": "tomahawk6", "host_leaf": "aec-800g",
    "leaf_spine": "800g-dsp-dr8", "spine_core": "cpo-800g",
}  # fmt: skip


def option(**changes):
    return Interconnect.model_validate(FIELDS | changes)


def test_one_name_stands_for_both_ends():
    assert option().host_leaf == LinkEnds(lower="aec-800g", upper="aec-800g")
    assert option().host_leaf.label == "aec-800g"


def test_ends_may_differ():
    """A pluggable module in the NIC meets a co-packaged engine in the switch; the shorter reach counts."""
    ends = option(host_leaf={"lower": "800g-dsp-sr8", "upper": "cpo-800g"}).ends("host_leaf")
    assert ends.label == "800g-dsp-sr8 / cpo-800g"
    assert ends.reach_m == 50
    assert [technology.form for technology in ends.technologies] == ["module", "engine"]


def test_links_into_an_ocs_are_those_into_the_core_unless_named():
    assert option().ends("spine_ocs") == option().spine_core
    assert option(spine_ocs="800g-dsp-2xfr4").ends("spine_ocs").lower == "800g-dsp-2xfr4"


def test_ports_are_the_switchs_at_the_port_rate():
    """102.4 Tb/s: 128 ports of 800 Gb/s, 256 of 400."""
    assert option().num_ports == 128
    assert option(port_rate="400 Gbps").num_ports == 256


def test_a_module_slower_than_the_port_is_refused():
    with pytest.raises(ValidationError, match=r"(?s)host_leaf.*800G active electrical cable.* is slower than a port"):
        option(port_rate="1.6 Tbps")
    with pytest.raises(ValidationError, match=r"(?s)spine_ocs.* is slower than a port"):
        option(spine_ocs="400g-dsp-dr4")


def test_a_module_may_carry_several_ports():
    assert option(leaf_spine="1.6t-dsp-dr8").leaf_spine.technologies[0].rate.typical == 2e11


def test_a_cable_has_the_same_ends():
    with pytest.raises(ValidationError, match="a cable is the same at both ends; got 'aec-800g' and 'dac-800g'"):
        option(host_leaf={"lower": "aec-800g", "upper": "dac-800g"})


def test_copper_does_not_meet_optics():
    """An active optical cable and a passive copper one are cables too, and are refused as such first."""
    with pytest.raises(ValidationError, match="a cable is the same at both ends"):
        option(host_leaf={"lower": "dac-800g", "upper": "800g-dsp-dr8"})


def test_copper_and_optics_that_are_no_cables_do_not_meet(monkeypatch):
    """No copper module is in the catalogue; one that were would not meet an optical one."""
    from cluster_sim.catalogue import interconnect, load

    found = {name: load.technology(name) for name in ("acc-800g", "800g-dsp-dr8")}
    found["acc-800g"] = found["acc-800g"].model_copy(update={"form": "module"})
    monkeypatch.setattr(interconnect.load, "technology", found.__getitem__)
    with pytest.raises(ValidationError, match="'acc-800g' is copper, '800g-dsp-dr8' is optical: they do not meet"):
        LinkEnds(lower="acc-800g", upper="800g-dsp-dr8")


@pytest.mark.parametrize(
    ("field", "value", "meant"),
    [
        ("nic", "connectx8", "connectx8-800g"), ("switch", "tomahawk", "tomahawk"), ("ocs", "palomar", "palomar-mems"),
        ("host_leaf", "aec-800", "aec-800g"), ("spine_core", {"lower": "cpo-800g", "upper": "cpo800g"}, "cpo-800g"),
    ],
)  # fmt: skip
def test_an_unknown_part_suggests_the_nearest(field, value, meant):
    with pytest.raises(ValidationError, match=f"did you mean '{meant}"):
        option(**{field: value})


def test_every_mistake_is_reported_at_once():
    with pytest.raises(ValidationError) as caught:
        option(nic="connectx8", switch="tomahawk", host_leaf="aec-800")
    assert {error["loc"][0] for error in caught.value.errors()} >= {"nic", "switch", "host_leaf"}


def test_an_unknown_tier_suggests_the_nearest():
    with pytest.raises(ValidationError, match="did you mean 'host_leaf'"):
        option(host_leafs="aec-800g")


@pytest.mark.parametrize("rate", ["0 Gbps", "-1 Gbps"])
def test_a_port_has_a_rate(rate):
    with pytest.raises(ValidationError):
        option(port_rate=rate)
