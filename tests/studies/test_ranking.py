"""Step time first; within a tie energy, then price, then name."""

from hypothesis import given
from hypothesis import strategies as st

from cluster_sim.studies import rank


def row(name, step_s, energy_j=1.0, price_usd=1.0, job="j", rate=1e11, status="ok"):
    return {
        "scenario": name, "job": job, "line_rate_bytes_per_s": rate, "status": status, "step_time_s": step_s,
        "network_energy_j": energy_j, "capex_usd": price_usd,
    }  # fmt: skip


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
