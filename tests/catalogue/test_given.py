"""Figures that a user gives in the place of the catalogue's."""

import pickle

import pytest
from pydantic import ValidationError

from cluster_sim.catalogue import Given, constants, given, known_names, technology


def test_a_given_figure_holds_inside_and_nowhere_else():
    with given(Given({"1.6t-dsp-dr8": {"price": "1 kUSD"}, "constants": {"pue": 1.5}})):
        assert technology("1.6t-dsp-dr8").price.typical == 1000.0
        assert technology("1.6t-dsp-dr8").price.status == "G"
        assert technology("1.6t-dsp-dr8").power == technology("1.6t-dsp-dr8").power
        assert constants().pue.typical == 1.5
    assert technology("1.6t-dsp-dr8").price.status != "G"
    assert constants().pue.typical != 1.5


def test_inner_figures_win_and_outer_ones_stay():
    with (
        given(Given({"800g-dsp-dr8": {"price": 1.0, "power": 2.0}})),
        given(Given({"800g-dsp-dr8": {"price": 3.0}})),
    ):
        assert (technology("800g-dsp-dr8").price.typical, technology("800g-dsp-dr8").power.typical) == (3.0, 2.0)


@pytest.mark.parametrize(
    ("entry", "figure", "value", "message"),
    [
        ("1.6t-dsp-dr9", "price", "1 USD", "did you mean '1.6t-dsp-dr8'"),
        ("1.6t-dsp-dr8", "pric", "1 USD", "did you mean 'price'"),
        ("1.6t-dsp-dr8", "price", "3 EUR", "write e.g. '800 USD'"),
        ("1.6t-dsp-dr8", "power", "-3 W", "out of the question"),
        ("1.6t-dsp-dr8", "annual_failure", "-1 %/year", "out of the question"),
        ("1.6t-dsp-dr8", "rate", "3 Gbps", "no figure that can be given"),
        ("1.6t-dsp-dr8", "price", True, "not a quantity"),
        ("1.6t-dsp-dr8", "laser_share", 1.5, "out of the question"),
        ("cpo-1.6t", "vendor_margin", 0.5, "changes nothing in a run; give economics.vendor_margin"),
        ("800g-dsp-dr8", "list_price", "900 USD", "changes nothing in a run; give price"),
        ("800g-dsp-dr8", "energy_per_bit", "9 pJ/bit", "changes nothing in a run; give power"),
        ("h100-sxm", "power", "900 W", "changes nothing in a run; give host_power"),
        ("constants", "patch_port_price", "90 USD", "changes nothing in a run; leave it out"),
        ("constants", "link_efficiency", 0.0, "expected 0.001 to 1, the catalogue has 0.96"),
        ("nvlink4", "efficiency", 0.0, "out of the question"),
        ("hopper", "gemm_efficiency", 1.5, "out of the question"),
        ("hopper", "memory_efficiency", 0.0, "out of the question"),
        ("h100-sxm", "peak_bf16", "0 TFLOP/s", "out of the question"),
        ("h100-sxm", "memory_bandwidth", "0 TB/s", "out of the question"),
        ("cpo-800g", "laser_count", 0, "out of the question"),
        ("cpo-800g", "first_year", 1, "expected 1990 to 2100"),
        ("cpo-800g", "first_year", 2027.5, "2027.5 is no year"),
        ("cpo-800g", "propagation", "1e300 s/m", "out of the question"),
        ("cpo-800g", "reach", "1e300 km", "expected 0 km to 100000 km, the catalogue has"),
        ("h100-sxm", "host_power", "10 W", "a server with 10 W an accelerator has no NIC of 25 W in it"),
        ("h100-sxm", "included_nic_power", "2 kW", "no NIC of 2000 W in it"),
        ("constants", "electricity_price", "99 USD/kWh", "expected 0 USD/kWh to 10 USD/kWh, the catalogue has 0.082 U"),
        ("constants", "pue", 0.9, "out of the question"),
        ("constants", "laser_temperature", "200 degC", "expected -40 degC to 125 degC, the catalogue has 40 degC"),
        ("constants", "laser_temperature", "55 C", "did you mean 'degC'|write e.g. '55 degC'"),
        ("ualink", "largest_domain", 72, "no figure that can be given"),
    ],
)
def test_mistakes_are_told(entry, figure, value, message):
    with pytest.raises(ValidationError, match=message):
        Given({entry: {figure: value}})


def test_all_mistakes_are_told_at_once():
    with pytest.raises(ValidationError) as caught:
        Given({"nothing": {}, "constants": {"pue": -1, "electricity_price": "1 EUR/kWh"}})
    assert {detail["loc"] for detail in caught.value.errors()} == {
        ("nothing",), ("constants", "pue"), ("constants", "electricity_price"),
    }  # fmt: skip


def test_a_temperature_is_in_kelvin_whatever_it_was_written_in():
    with given(Given.model_validate({"constants": {"laser_temperature": "55 degC"}}, context={"from_file": True})):
        assert constants().laser_temperature.typical == 328.15


def test_gain_is_a_loss_below_zero():
    """An amplified circuit switch: what is drawn between its low and its high may be given."""
    assert Given({"ipronics-one32": {"insertion_loss": "-2 dB"}}).root["ipronics-one32"]["insertion_loss"] == -2.0


def test_it_survives_a_process_pool_and_can_be_hashed():
    figures = Given({"constants": {"pue": 1.2}})
    assert pickle.loads(pickle.dumps(figures)) == figures
    assert hash(figures.key) == hash(Given({"constants": {"pue": 1.2}}).key)


def test_names_are_of_one_entry_each():
    assert len(known_names()) == len(set(known_names()))


def test_idle_power_keeps_its_share_of_a_power_that_is_given():
    own = technology("1.6t-dsp-dr8")
    with given(Given({"1.6t-dsp-dr8": {"power": own.power.typical / 2}})):
        assert technology("1.6t-dsp-dr8").idle_power.typical == pytest.approx(own.idle_power.typical / 2)
    with given(Given({"1.6t-dsp-dr8": {"power": 10.0, "idle_power": 3.0}})):
        assert technology("1.6t-dsp-dr8").idle_power.typical == 3.0
