"""Who is beaten by nobody in price and time, and in energy and time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster_sim.config import Rank, time_column
from cluster_sim.studies.pareto import AGAINST, pareto


def row(name, step_s, price_usd=1.0, energy_j=1.0, job="j", rate=1e11, status="ok", **others):
    return {
        "scenario": name, "job": job, "line_rate_bytes_per_s": rate, "status": status, "step_time_s": step_s,
        "capex_usd": price_usd, "network_energy_j": energy_j, **others,
    }  # fmt: skip


def on_front(rows, name="is_pareto_cost", tie_ratio=0.001, by=None):
    return [each["scenario"] for each, found in zip(rows, pareto(rows, tie_ratio, by), strict=True) if found[name]]


def test_whoever_is_slower_and_dearer_than_another_is_beaten():
    rows = [row("a", 1.0, 3.0), row("b", 2.0, 1.0), row("c", 3.0, 2.0), row("d", 1.5, 2.0)]
    assert on_front(rows) == ["a", "b", "d"]


def test_energy_has_a_front_of_its_own():
    rows = [row("a", 1.0, 1.0, 9.0), row("b", 2.0, 2.0, 1.0)]
    assert on_front(rows) == ["a"]
    assert on_front(rows, "is_pareto_energy") == ["a", "b"]


def test_of_options_that_tie_in_time_only_the_cheapest_is_on_the_front():
    """1.0009 s is as fast as 1 s within 0.1 %, and cheaper; 1.0011 s is not as fast, and must be cheaper to stay."""
    assert on_front([row("a", 1.0, 2.0), row("b", 1.0009, 1.0)]) == ["b"]
    assert on_front([row("a", 1.0, 2.0), row("b", 1.0011, 1.0)]) == ["a", "b"]
    assert on_front([row("a", 1.0, 2.0), row("b", 1.0011, 2.0)]) == ["a"]


def test_equals_are_both_on_the_front():
    assert on_front([row("a", 1.0, 2.0), row("b", 1.0005, 2.0)]) == ["a", "b"]


def test_jobs_and_rates_have_fronts_of_their_own():
    rows = [row("a", 1.0, 1.0), row("b", 2.0, 2.0, rate=2e11), row("c", 3.0, 3.0, job="k"), row("d", 4.0, 4.0)]
    assert on_front(rows) == ["a", "b", "c"]
    assert on_front(rows, by=Rank(across="line_rates")) == ["a", "c"]


def test_what_is_not_ok_is_not_judged():
    rows = [row("a", None, None, None, status="failed"), row("b", 1.0)]
    assert pareto(rows, 0.001) == [dict.fromkeys(AGAINST), dict.fromkeys(AGAINST, True)]


def test_time_to_train_counts_where_there_is_one():
    """b is slower but stops less; c never ends."""
    rows = [
        row("a", 1.0, 2.0, time_to_train_s=9.0), row("b", 2.0, 2.0, time_to_train_s=8.0),
        row("c", 0.5, 1.0, time_to_train_s=None),
    ]  # fmt: skip
    assert time_column(rows) == "time_to_train_s"
    assert on_front(rows) == ["b"]
    assert time_column(rows[2:]) == "step_time_s"


ROWS = st.lists(
    st.builds(row, st.uuids().map(str), st.floats(0.99, 1.01), st.integers(1, 5).map(float)), min_size=1, max_size=15
)


@given(ROWS, st.sampled_from([0.0, 0.001, 0.005]))
def test_for_every_option_one_on_the_front_is_as_good(rows, tie_ratio):
    """As cheap, and as fast but for ties; and nobody on the front is as cheap as somebody faster there."""
    found = [each for each, is_on in zip(rows, pareto(rows, tie_ratio), strict=True) if is_on["is_pareto_cost"]]
    for row in rows:
        assert any(
            one["capex_usd"] <= row["capex_usd"] and one["step_time_s"] <= row["step_time_s"] * (1 + tie_ratio)
            for one in found
        )
    for one in found:
        for other in found:
            if other["step_time_s"] * (1 + tie_ratio) < one["step_time_s"]:
                assert other["capex_usd"] > one["capex_usd"]


@pytest.mark.parametrize("tie_ratio", [0.0, 0.001])
def test_without_ties_the_fastest_and_the_cheapest_are_on_the_front(tie_ratio):
    rows = [row(str(step), 1.0 + 0.01 * step, 10.0 - step) for step in range(5)]
    assert on_front(rows, tie_ratio=tie_ratio) == [each["scenario"] for each in rows]


def test_ties_do_not_chain():
    """
    1.0009 s ties with 1 s and is cheaper; 1.0018 s is cheaper still, and ties with the second but not with the first:
    it leads a block of its own, so that the fastest block keeps its cheapest.
    """
    assert on_front([row("a", 1.0, 9.0), row("b", 1.0009, 8.0), row("c", 1.0018, 7.0)]) == ["b", "c"]
