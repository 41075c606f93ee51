"""By step time, or what else is asked for; within a tie other quantities decide."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster_sim.config import CRITERIA, Rank
from cluster_sim.studies import rank
from cluster_sim.studies.ranking import scores


def row(name, step_s, energy_j=1.0, price_usd=1.0, job="j", rate=1e11, status="ok", **others):
    return {
        "scenario": name, "job": job, "line_rate_bytes_per_s": rate, "status": status, "step_time_s": step_s,
        "network_energy_j": energy_j, "capex_usd": price_usd, **others,
    }  # fmt: skip


def order(rows, by, tie_ratio=0.0):
    """Names, best first."""
    places = [place for place, _ in rank(rows, tie_ratio, by)]
    return [rows[number]["scenario"] for number in sorted(range(len(rows)), key=lambda number: places[number])]


def test_the_fastest_is_first():
    assert rank([row("a", 3.0), row("b", 1.0), row("c", 2.0)], 0.001) == [(3, False), (1, False), (2, False)]


def test_a_tie_is_decided_by_energy():
    """100.1 s is within 0.1 % of 100 s; 100.11 s is not, however little it burns."""
    rows = [row("a", 100.0, 5.0), row("b", 100.1, 4.0), row("c", 100.11, 1.0)]
    assert rank(rows, 0.001) == [(2, True), (1, False), (3, False)]


def test_equal_energy_is_decided_by_price_and_then_by_name():
    rows = [row("d", 1.0, 1.0, 3.0), row("c", 1.0, 1.0, 2.0), row("b", 1.0, 1.0, 2.0), row("a", 1.0, 2.0, 1.0)]
    assert rank(rows, 0.001) == [(3, True), (2, True), (1, False), (4, True)]


def test_ties_are_with_the_fastest_and_do_not_chain():
    """Each within 0.1 % of the one before, but the third is 0.16 % behind the first: it leads the next group."""
    rows = [row("a", 1.0, 3.0), row("b", 1.0008, 2.0), row("c", 1.0016, 1.0)]
    assert rank(rows, 0.001) == [(2, True), (1, False), (3, False)]


def test_without_a_tie_only_equal_times_tie():
    rows = [row("a", 1.0, 2.0), row("b", 1.0, 1.0), row("c", 1.0 + 1e-15, 0.0)]
    assert rank(rows, 0.0) == [(2, True), (1, False), (3, False)]


def test_what_is_not_ok_has_no_rank():
    rows = [row("a", None, status="not_buildable"), row("b", 1.0), row("c", None, status="failed")]
    assert rank(rows, 0.001) == [(None, False), (1, False), (None, False)]


def test_jobs_and_rates_are_ranked_apart():
    rows = [row("a", 9.0), row("b", 1.0, job="k"), row("c", 2.0, rate=2e11), row("d", 8.0), row("e", 1.0, rate=2e11)]
    assert rank(rows, 0.001) == [(2, False), (1, False), (2, False), (1, False), (1, False)]


def test_nothing_is_ranked_without_complaint():
    assert rank([], 0.001) == []


ROWS = st.lists(
    st.builds(row, st.uuids().map(str), st.floats(0.9, 1.1), st.floats(1, 9), st.floats(1, 9), st.sampled_from("jk"),
              st.sampled_from([1e11, 2e11]), st.sampled_from(["ok", "ok", "failed"])),
    max_size=12, unique_by=lambda each: each["scenario"],
)  # fmt: skip


@given(ROWS, st.floats(0, 0.1))
def test_ranks_are_one_to_n_and_time_decides_outside_ties(rows, tie_ratio):
    places = rank(rows, tie_ratio)
    for key in {(each["job"], each["line_rate_bytes_per_s"]) for each in rows}:
        group = [
            (place, each)
            for each, (place, _) in zip(rows, places, strict=True)
            if (each["job"], each["line_rate_bytes_per_s"]) == key and each["status"] == "ok"
        ]
        assert sorted(place for place, _ in group) == list(range(1, len(group) + 1))
        for place, each in group:
            for other_place, other in group:
                if each["step_time_s"] > other["step_time_s"] * (1 + tie_ratio):
                    assert place > other_place


@given(ROWS, st.randoms())
def test_the_order_of_the_rows_does_not_matter(rows, random):
    ranked = dict(zip([each["scenario"] for each in rows], rank(rows, 0.01), strict=True))
    shuffled = random.sample(rows, len(rows))
    assert dict(zip([each["scenario"] for each in shuffled], rank(shuffled, 0.01), strict=True)) == ranked


# --- by something else


@pytest.mark.parametrize("name", CRITERIA)
def test_every_criterion_ranks_by_its_column(name):
    column, is_better_high = CRITERIA[name].column, CRITERIA[name].is_better_high
    rows = [row(each, 1.0) | {column: value} for each, value in (("a", 0.5), ("b", 0.9), ("c", 0.7))]
    assert order(rows, Rank(by=name)) == (["b", "c", "a"] if is_better_high else ["a", "c", "b"])


def test_a_tie_in_price_is_decided_by_step_time():
    """100.1 USD is within 0.1 % of 100; 100.2 is not, however fast."""
    rows = [row("a", 2.0, 1.0, 100.0), row("b", 1.0, 9.0, 100.1), row("c", 0.5, 0.0, 100.2)]
    assert rank(rows, 0.001, Rank(by="capex")) == [(2, True), (1, False), (3, False)]


def test_a_mix_is_the_geometric_mean_of_how_many_times_the_best_each_is():
    """a: 1 x the best time, 4 x the best energy: 4**0.5 = 2. b: 2 and 1: 2**0.5. Only proportions of weights count."""
    rows = [row("a", 10.0, 8.0), row("b", 20.0, 2.0)]
    for weights in ({"step_time": 1.0, "network_energy": 1.0}, {"step_time": 0.2, "network_energy": 0.2, "capex": 0.0}):
        by = Rank(mix=weights)
        assert scores(rows, by) == pytest.approx([2.0, 2**0.5])
        assert rank(rows, 0.001, by) == [(2, False), (1, False)]


def test_weights_decide():
    """With three quarters on time: a 4**0.25 = 1.41, b 2**0.75 = 1.68."""
    rows = [row("a", 10.0, 8.0), row("b", 20.0, 2.0)]
    by = Rank(mix={"step_time": 3.0, "network_energy": 1.0})
    assert scores(rows, by) == pytest.approx([4**0.25, 2**0.75])
    assert order(rows, by) == ["a", "b"]


def test_more_goodput_is_better_in_a_mix():
    """90 % and 45 % of the wall time are useful: the second is 2 x the best."""
    rows = [row("a", 1.0, goodput_ratio=0.45), row("b", 1.0, goodput_ratio=0.9)]
    assert scores(rows, Rank(by="goodput")) == [2.0, 1.0]
    assert scores(rows, Rank(mix={"goodput": 1.0, "step_time": 1.0})) == pytest.approx([2**0.5, 1.0])


def test_by_one_criterion_the_score_is_how_many_times_the_best():
    rows = [row("a", 3.0), row("b", 1.5), row("c", 9.0, job="k")]
    assert scores(rows, Rank()) == [2.0, 1.0, 1.0]


def test_ties_in_a_mix_are_decided_by_step_time():
    """sqrt(2 x 1) and sqrt(1 x 2) are equal."""
    rows = [row("a", 20.0, 2.0), row("b", 10.0, 4.0)]
    assert rank(rows, 0.001, Rank(mix={"step_time": 1.0, "network_energy": 1.0})) == [(2, True), (1, False)]


@pytest.mark.parametrize("by", [Rank(by="goodput"), Rank(mix={"goodput": 1.0, "capex": 1.0})])
def test_rows_without_what_is_asked_for_have_no_rank(by):
    """Nothing useful is done in c: no goodput to divide by."""
    rows = [row("a", 1.0), row("b", 2.0, goodput_ratio=0.9), row("c", 1.0, goodput_ratio=0.0), row("d", 1.0)]
    assert rank(rows, 0.001, by) == [(None, False), (1, False), (None, False), (None, False)]
    assert scores(rows, by) == [None, 1.0, None, None]


@pytest.mark.parametrize("by", [Rank(by="capex"), Rank(mix={"capex": 1.0, "network_energy": 1.0})])
def test_what_costs_nothing_is_first_and_the_others_are_told_apart(by):
    rows = [row("a", 1.0, 1.0, 8.0), row("b", 1.0, 1.0, 0.0), row("c", 1.0, 1.0, 2.0)]
    assert order(rows, by) == ["b", "c", "a"]
    assert scores(rows, Rank(by="capex")) == [4.0, 0.0, 1.0]


def test_line_rates_can_be_ranked_together():
    rows = [row("a", 9.0), row("b", 1.0, job="k"), row("c", 2.0, rate=2e11), row("d", 8.0), row("e", 1.0, rate=2e11)]
    together = rank(rows, 0.001, Rank(across="line_rates"))
    assert together == [(4, False), (1, False), (2, False), (3, False), (1, False)]
    assert scores(rows, Rank(across="line_rates")) == [9.0, 1.0, 2.0, 8.0, 1.0]


MIXES = st.dictionaries(st.sampled_from(["step_time", "network_energy", "capex"]), st.floats(0.1, 9), min_size=2)


@given(ROWS, MIXES, st.data())
def test_an_option_that_is_left_out_does_not_change_the_order_of_others(rows, mix, data):
    by, kept = Rank(mix=mix), [each for each in rows if data.draw(st.booleans())]
    ranked = [(score, each) for score, each in zip(scores(rows, by), rows, strict=True) if each in kept]
    again = scores(kept, by)
    for first in range(len(kept)):
        for second in range(len(kept)):
            both = kept[first], kept[second]
            if by.group(both[0]) == by.group(both[1]) and None not in (again[first], again[second]):
                before, after = ranked[first][0] / ranked[second][0], again[first] / again[second]
                assert before == pytest.approx(after, rel=1e-9)
