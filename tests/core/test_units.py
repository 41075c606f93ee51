import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster_sim.core import Bytes, BytesPerSecond, Ratio, Seconds, Spec, bit_rate
from cluster_sim.core.units import (
    BYTES,
    BYTES_PER_S,
    COUNT,
    DIMENSIONS,
    DOLLARS,
    DOLLARS_PER_JOULE,
    FLOP_PER_S,
    JOULES_PER_BIT,
    KELVIN,
    METRES,
    PER_YEAR,
    RATIO,
    SECONDS,
    SECONDS_PER_METRE,
    WATTS,
    dimension_in,
    strip_unit,
)


@pytest.mark.parametrize(
    ("dimension", "text", "expected"),
    [
        (BYTES_PER_S, "400 Gbps", 5e10),
        (BYTES_PER_S, "1.6 Tbps", 2e11),
        (BYTES_PER_S, "0.4 Tbit/s", 5e10),
        (BYTES_PER_S, "8 b/s", 1.0),
        (BYTES_PER_S, "900 GB/s", 9e11),
        (BYTES_PER_S, "1 GiB/s", 2.0**30),
        (BYTES, "1 GB", 1e9),
        (BYTES, "1 GiB", 2.0**30),
        (BYTES, "40 kB", 40e3),
        (BYTES, "0.1 TB", 1e11),
        (SECONDS, "500 ns", 5e-7),
        (SECONDS, "500ns", 5e-7),
        (SECONDS, "  3 us ", 3e-6),
        (SECONDS, "3 µs", 3e-6),
        (SECONDS, "1_000 ms", 1.0),
        (SECONDS, "1.5 h", 5400.0),
        (SECONDS, "2 min", 120.0),
        (SECONDS, "1 day", 86400.0),
        (SECONDS, "1e-3 s", 1e-3),
        (SECONDS, "+.5 s", 0.5),
        (SECONDS, "-1 s", -1.0),
        (FLOP_PER_S, "989 TFLOP/s", 9.89e14),
        (FLOP_PER_S, "1 PFLOPS", 1e15),
        (METRES, "3 cm", 0.03),
        (METRES, "2 km", 2000.0),
        (WATTS, "0.5 kW", 500.0),
        (DOLLARS, "800 USD", 800.0),
        (DOLLARS, "1.5 MUSD", 1.5e6),
        (RATIO, "0.1 %", 0.001),
        (RATIO, "0.8", 0.8),
        (COUNT, "64", 64.0),
        (SECONDS_PER_METRE, "4.9 ns/m", 4.9e-9),
        (PER_YEAR, "1.0 %/year", 0.01),
        (JOULES_PER_BIT, "15 pJ/bit", 1.5e-11),
        (KELVIN, "55 degC", 328.15),
        (KELVIN, "-40 °C", 233.15),
        (KELVIN, "328 K", 328.0),
    ],
)
def test_a_quantity_is_read_exactly(dimension, text, expected):
    """Exactly: 400 * 1e9 / 8 is computed in decimal, so no rounding is left in 5e10 or in 500 ns."""
    assert dimension.parse(text) == expected


def test_a_kilowatt_hour_is_three_point_six_megajoules():
    assert DOLLARS_PER_JOULE.parse("3.6 USD/kWh") == pytest.approx(1e-6, rel=1e-15)


def test_gb_is_not_gib():
    assert BYTES.parse("1 GiB") / BYTES.parse("1 GB") == 1.073741824


@given(
    st.sampled_from([(dimension, unit) for dimension in (*DIMENSIONS, COUNT) for unit in dimension.units]),
    st.floats(min_value=-1e15, max_value=1e15, allow_nan=False, allow_subnormal=False),
    st.sampled_from(["", " ", "   "]),
)
def test_what_is_written_is_what_is_read(kind, value, gap):
    """parse(f"{value} {unit}") is value times the unit, above its zero, to the last bits.

    The text is exact, value and unit are floats: three roundings here and one there, each of 2**-53 of what it rounds.
    (A subnormal float has fewer bits than its text says, so that a factor of a year shows the difference.)
    """
    dimension, unit = kind
    product = value * dimension.units[unit]
    expected = product + dimension.zeros.get(unit, 0.0)
    slack = 4 * 2.0**-53 * max(abs(product), abs(expected)) + 1e-320
    assert abs(dimension.parse(f"{value!r}{gap}{unit}") - expected) <= slack


@pytest.mark.parametrize("text", ["-273.15 degC", "0 K"])
def test_temperatures_have_a_zero_of_their_own(text):
    assert KELVIN.parse(text) == 0.0


def test_the_sensible_range_of_temperatures_is_that_of_electronics():
    low, high = KELVIN.sensible
    assert (low, high) == (KELVIN.parse("-40 degC"), KELVIN.parse("125 degC"))


@pytest.mark.parametrize("text", ["", " ", "Gbps", "400", "400 GB", "400 gbps", "4 0 Gbps", "1,5 Gbps", "0x10 Gbps",
                                  "nan Gbps", "inf Gbps", "1e Gbps", "--1 Gbps", "1 Gbps 2", "1..2 Gbps", "½ Gbps",
                                  "400 Gbps\n# x"])  # fmt: skip
def test_text_that_is_no_quantity_says_how_one_is_written(text):
    with pytest.raises(ValueError, match=r"write e\.g\. '400 Gbps'"):
        BYTES_PER_S.parse(text)


def test_the_nearest_unit_is_suggested():
    with pytest.raises(ValueError, match=r"did you mean 'GB/s'\?"):
        BYTES_PER_S.parse("400 GB")


def test_exponents_beyond_reason_are_refused():
    for text in ("1e99999999999999999999 s", "1e999999999999999999 h"):
        with pytest.raises(ValueError, match="500 ns"):
            SECONDS.parse(text)


def test_more_than_a_float_holds_is_refused():
    with pytest.raises(ValueError, match="500 ns"):
        SECONDS.parse("1e400 s")


class _Cable(Spec):
    delay_s: Seconds
    rate_bytes_per_s: BytesPerSecond = 1.0
    buffer_bytes: Bytes = 0.0
    load_ratio: Ratio = 0.5


def from_file(**values):
    return _Cable.model_validate(values, context={"from_file": True})


@pytest.mark.parametrize("value", [5, 5.0, 0, -1, math.nan, math.inf])
def test_a_bare_number_in_a_file_is_refused(value):
    with pytest.raises(ValueError, match=r"has no unit; write e\.g\. '500 ns'"):
        from_file(delay=value)


def test_a_bare_number_in_code_is_si():
    assert _Cable(delay_s=5e-9).delay_s == 5e-9


def test_a_ratio_may_be_bare():
    assert from_file(delay="1 s", load=0.25).load_ratio == 0.25
    assert from_file(delay="1 s", load="25 %").load_ratio == 0.25


@pytest.mark.parametrize("field", ["delay", "rate", "buffer", "load"])
def test_a_boolean_is_no_quantity(field):
    with pytest.raises(ValueError, match=field):
        from_file(**({"delay": "1 s"} | {field: True}))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("link_latency_s", "link_latency"),
        ("port_rate_bytes_per_s", "port_rate"),
        ("peak_flop_per_s", "peak"),
        ("buffer_bytes", "buffer"),
        ("propagation_s_per_m", "propagation"),
        ("energy_j_per_bit", "energy"),
        ("price_usd", "price"),
        ("price_usd_per_j", "price"),
        ("failure_per_year", "failure"),
        ("tie_ratio", "tie"),
        ("length_m", "length"),
        ("power_w", "power"),
        ("laser_temperature_kelvin", "laser_temperature"),
        ("top_k", "top_k"),
        ("loss_db", "loss"),
        ("virtual_stages", "virtual_stages"),
        ("algorithms", "algorithms"),
        ("kind", "kind"),
    ],
)
def test_a_field_loses_its_unit_in_files(name, expected):
    assert strip_unit(name) == expected


@pytest.mark.parametrize(("rate", "said"), [(5e10, "400G"), (1e11, "800G"), (2e11, "1.6T"), (1.25e10, "100G")])
def test_a_rate_is_said_as_people_do(rate, said):
    assert bit_rate(rate) == said


@pytest.mark.parametrize(
    ("dimension", "value", "text", "said"),
    [
        (SECONDS, 0.05, "3 ms", "50 ms"),
        (SECONDS, 50 * 365 * 86400.0, "100 years", "50 years"),
        (KELVIN, 233.15, "-300 degC", "-40 degC"),
        (KELVIN, 233.15, 3.0, "233.15 K"),
        (DOLLARS_PER_JOULE, 10 / 3.6e6, "99 USD/kWh", "10 USD/kWh"),
        (RATIO, 1.0, "120 %", "100 %"),
        (RATIO, 1.0, 1.2, "1"),
    ],
)
def test_a_limit_is_said_in_the_unit_of_who_crossed_it(dimension, value, text, said):
    assert dimension.said(value, text) == said


@pytest.mark.parametrize(
    ("text", "dimension"), [("3 ms", SECONDS), ("-300 degC", KELVIN), ("5 %", RATIO), ("7", None), ("many", None)]
)
def test_a_unit_tells_what_a_quantity_is_of(text, dimension):
    assert dimension_in(text) is dimension
