import io

import pytest
from rich.console import Console

from cluster_sim.config import Rank
from cluster_sim.reports import ranking


def shown(renderable, width=200):
    file = io.StringIO()
    Console(file=file, width=width).print(renderable)
    return file.getvalue()


def test_the_ranking_has_a_table_per_job_and_rate_in_the_order_of_the_ranks(rows):
    text = shown(ranking([*rows[2::-1], *rows[3:]], 0.001))
    assert text.index("64 b300-sxm, 800G per accelerator") < text.index("64 b300-sxm, 1.6T per accelerator")
    lines = [line.split() for line in text.splitlines()]
    assert [[line[0], line[1].strip("*")] for line in lines if line and line[0].strip("=").isdigit()] == [
        ["=1", "cpo"],
        ["=2", "dsp"],
        ["3", "lpo"],
        ["1", "dsp2"],
    ]


def test_the_ranking_shows_the_numbers_with_their_units(rows):
    text = shown(ranking(rows, 0.001))
    line = next(line for line in text.splitlines() if " lpo " in line)
    for number in ("11.0000", "43.1", "2.5", "25", "123", "12,345"):
        assert number in line
    for unit in ("%", "MW", "MJ", "MUSD"):
        assert unit in text


def test_what_cannot_be_built_stands_below_with_its_reason(rows):
    text = shown(ranking(rows, 0.001))
    assert "not_buildable: copper (clos): leaf_spine: too far" in text
    assert "not_buildable: copper (ocs): an OCS switches light" in text


def test_options_and_topologies_that_fail_for_the_same_reason_share_a_line(make_not_ok):
    bad = [make_not_ok(option, name, "too small") for option in ("dsp", "lpo") for name in ("torus", "mesh")]
    assert "not_buildable: dsp, lpo (torus, mesh): too small" in shown(ranking(bad, 0.001))


def test_ties_and_unverified_figures_are_explained(rows):
    text = shown(ranking(rows, 0.001))
    assert "within 0.1 %" in text
    assert "unverified" in text
    assert "unverified" not in shown(ranking(rows[1:2], 0.001))


def test_parts_that_nobody_waits_for_are_left_out(rows):
    text = shown(ranking(rows[:3], 0.001))
    assert " dp " in text
    assert " cp " not in text


def test_a_ranking_of_failures_and_of_nothing_can_be_shown(make_not_ok):
    assert "copper" in shown(ranking([make_not_ok("copper", "clos", "why [not]")], 0.001))
    assert shown(ranking([], 0.001))


@pytest.mark.parametrize("name", ["[red]x", "[/x]", "a[b]c"])
def test_names_are_shown_as_they_are(make_row, name):
    assert name in shown(ranking([make_row(name)], 0.001))
    assert name in shown(ranking([make_row("dsp", job=name)], 0.001))


# --- what was asked for, and what there is room for


ECONOMY = {
    "energy_per_token_j": 4.0129, "cluster_usd_per_mtoken": 0.777, "goodput_ratio": 0.9512, "time_to_train_s": 864000.0,
    "supply_months": 0.33, "cooling": "liquid", "facility_energy_j": 1.25e8, "network_usd_per_mtoken": 0.0987,
    "is_pareto_cost": True, "is_pareto_energy": False,
}  # fmt: skip


def titles(text):
    """Words of the line above the first rule."""
    lines = text.splitlines()
    return lines[next(number for number, line in enumerate(lines) if "──" in line) - 1].split()


@pytest.mark.parametrize(
    ("by", "told"),
    [
        (None, "ranked by step time"),
        (Rank(by="capex"), "ranked by price of the network"),
        (Rank(mix={"step_time": 3, "capex": 1}), "ranked by step time^0.75 x price of the network^0.25"),
    ],
)
def test_the_ranking_says_what_it_is_by(make_row, by, told):
    row = make_row("dsp", score_ratio=1.25)
    assert told in shown(ranking([row], 0.001, by))


def test_a_mix_shows_its_score_and_one_criterion_its_own_column(make_row):
    row = make_row("dsp", **ECONOMY, score_ratio=1.25)
    assert "1.2500" in shown(ranking([row], 0.001, Rank(mix={"step_time": 1, "capex": 1})))
    assert "all MJ/step" in shown(ranking([row], 0.001, Rank(by="facility_energy")))
    assert "net USD/Mtok" in shown(ranking([row], 0.001, Rank(by="network_cost_per_token")))
    assert "net USD/Mtok" not in shown(ranking([row], 0.001))


def test_line_rates_that_are_ranked_together_share_a_table(make_row):
    rows = [make_row("dsp", rank=2), make_row("dsp2", line_rate_bytes_per_s=2e11)]
    text = shown(ranking(rows, 0.001, Rank(across="line_rates")))
    assert "64 b300-sxm, 800G and 1.6T per accelerator" in text
    lines = [line.split() for line in text.splitlines() if " clos " in line and " in " not in line]
    assert [line[:4] for line in lines] == [["1", "dsp2", "clos", "1.6T"], ["2", "dsp", "clos", "800G"]]


def test_figures_that_a_run_has_are_shown_and_others_are_not(make_row):
    text = shown(ranking([make_row("dsp", **ECONOMY)], 0.001))
    for words in (
        "J/tok",
        "4.013",
        "USD/Mtok",
        "0.7770",
        "good %",
        "95.12",
        "days",
        "10.0",
        "supply",
        "0.33",
        "liquid",
    ):
        assert words in text
    bare = shown(ranking([make_row("dsp")], 0.001))
    for words in ("J/tok", "USD/Mtok", "good", "days", "supply", "cool ", "front", "None"):
        assert words not in bare


def test_a_figure_that_one_row_lacks_is_a_dash(make_row):
    text = shown(ranking([make_row("dsp", **ECONOMY), make_row("lpo", rank=2)], 0.001))
    line = next(line for line in text.splitlines() if " lpo " in line)
    assert line.split().count("-") == 6


def test_members_of_a_front_are_marked(make_row):
    rows = [make_row("a", is_pareto_cost=True, is_pareto_energy=True), make_row("b", rank=2, is_pareto_energy=True)]
    text = shown(ranking([*rows, make_row("c", rank=3, is_pareto_cost=False)], 0.001))
    lines = [line.split() for line in text.splitlines() if " clos " in line and " in " not in line]
    assert [line[3] for line in lines] == ["$J", "J", "10.0000"]
    assert "as good in step time and price ($)" in text


@pytest.mark.parametrize("width", [100, 130, 160])
def test_columns_that_matter_least_make_room_and_are_named(make_row, width):
    parts = {f"exposed_{kind}_s": 0.5 for kind in ("tp", "cp", "ep", "pp", "dp")}
    text = shown(ranking([make_row("dsp", **ECONOMY, **parts)], 0.001), width)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    found = titles(text)
    assert "…" not in text
    assert "modules" not in found
    assert " ".join(text.split()).count("modules, ") == 1
    assert ("USD/Mtok" in found) == (width > 130)
    assert {"step", "compute", "ep"} <= set(found)


def test_the_answer_is_told_line_by_line(make_row):
    rows = [
        make_row("dsp", goodput_ratio=0.95, cluster_usd_per_mtoken=2.0),
        make_row("npo", rank=2, step_time_s=10.1, capex_usd=1e6, goodput_ratio=0.96, cluster_usd_per_mtoken=1.5),
    ]
    lines = [" ".join(line.split()) for line in shown(ranking(rows, 0.001)).splitlines()]
    for told in (
        "fastest dsp in clos 10.0000 s",
        "cheapest network npo in clos 1 MUSD 1.00 % slower",
        "least cost per token npo in clos 1.5 USD a million 1.00 % slower",
        "most goodput npo in clos 96.00 % 1.00 % slower",
    ):
        assert told in lines


def test_options_without_what_the_ranking_is_by_are_told(make_row):
    rows = [make_row("dsp", goodput_ratio=0.9), make_row("lpo", rank=None, is_tie=None)]
    text = shown(ranking(rows, 0.001, Rank(by="goodput")))
    assert "not ranked: lpo (clos): has no goodput" in text
    assert "dsp" in text
