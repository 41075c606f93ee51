"""What a user may say about money, and what happens where it makes no sense."""

import pytest

from cluster_sim.backend import choose_backend
from cluster_sim.catalogue import Given, given
from cluster_sim.config import load_config
from cluster_sim.core import ConfigError, NotBuildableError
from cluster_sim.economics import Economics
from cluster_sim.run import evaluate
from tests.small import small_run, write_small


def with_economics(folder, *lines):
    """The small run with a key ``economics`` from line 2 on."""
    return write_small(folder, ("name: small\n", "\n".join(["name: small", "economics:", *lines, ""])))


def test_what_is_given_is_read_in_si_units(tmp_path):
    lines = (
        "  lifetime: 5 years",
        "  electricity: 0.09 USD/kWh",
        "  pue: 1.3",
        "  vendor_margin: 60 %",
        "  tokens: 15.6e12",
    )
    found = load_config(with_economics(tmp_path, *lines)).scenario.economics
    assert found == Economics(
        lifetime_s=5 * 365 * 86400.0,
        electricity_usd_per_j=0.09 / 3.6e6,
        pue=1.3,
        vendor_margin_ratio=0.6,
        tokens=15.6e12,
    )
    assert found.used_pue == 1.3
    assert found.used_electricity_usd_per_j == pytest.approx(0.09 / 3.6e6)


def test_the_catalogue_stands_in_for_what_is_not_given():
    with given(Given({"constants": {"pue": 1.4, "electricity_price": 1e-8}})):
        assert (Economics().used_pue, Economics().used_electricity_usd_per_j) == (1.4, 1e-8)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("electricity: 0.08 EUR/kWh", "'0.08 EUR/kWh' is not a quantity of this kind; did you mean 'USD/kWh'?"),
        ("electricity: 0.08", "0.08 has no unit; write e.g. '0.08 USD/kWh'"),
        ("electricity: -0.08 USD/kWh", "greater than or equal to 0"),
        ("electricity: 80 USD/kWh", "less than or equal to"),
        ("pue: 0.9", "greater than or equal to 1"),
        ("pue: 100", "less than or equal to 10"),
        ("pue: true", "True is not a quantity"),
        ("vendor_margin: 100 %", "less than or equal to 99 %"),
        ("vendor_margin: -0.1", "greater than or equal to 0"),
        ("lifetime: 0 years", "greater than or equal to 0.00273973 years"),
        ("lifetime: -1 year", "greater than or equal to 0.00273973 year"),
        ("lifetime: 4", "4 has no unit"),
        ("lifetime: 1000 years", "less than or equal to"),
        ("tokens: -1", "greater than or equal to 0"),
        ("price: 3 USD", "unknown key"),
    ],
)
def test_nonsense_is_one_error_with_file_and_line(tmp_path, line, told):
    path = with_economics(tmp_path, f"  {line}")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{path}:3: economics.{line.partition(':')[0]}: ")
    assert told in problem


def test_all_mistakes_are_told_at_once(tmp_path):
    path = with_economics(tmp_path, "  pue: 0.5", "  lifetime: 0 s", "  vendor_margin: 2", "  electricity: 1 CNY/kWh")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert len(caught.value.problems) == 4


def test_negative_and_absurd_prices_of_the_catalogue_are_refused(tmp_path):
    lines = ("800g-dsp-dr8: {price: -5 USD, power: 1e9 W}", "tomahawk5: {price: 3 EUR}")
    text = "\n".join(["name: small", "catalogue:", *(f"  {line}" for line in lines), ""])
    with pytest.raises(ConfigError) as caught:
        load_config(write_small(tmp_path, ("name: small\n", text)))
    problems = caught.value.problems
    assert len(problems) == 3
    assert "out of the question" in problems[0]
    assert "'3 EUR' is not a quantity of this kind" in problems[2]


def test_limits_of_power_make_a_run_not_buildable_unless_they_are_only_told(tmp_path):
    """64 accelerators of a rack of 100 kW."""
    hot = "catalogue={constants: {rack_power_liquid: 50 kW}}"
    with pytest.raises(NotBuildableError, match=r"a rack of 64 accelerators draws .* kW, liquid cools 50 kW"):
        evaluate(small_run(tmp_path, hot).scenario, choose_backend("numpy"))
    told = evaluate(small_run(tmp_path, hot, "economics.limits=false").scenario, choose_backend("numpy"))
    assert "liquid cools 50 kW" in told["summary"]["cooling_reason"][0].as_py()
