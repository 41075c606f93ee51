import io

import pytest
from rich.console import Console

from cluster_sim.reports import ranking, step


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


def test_one_step_is_shown_by_part(make_row):
    text = shown(step(make_row("dsp", exposed_tp_s=0.25)))
    assert "job / dsp / clos" in text
    assert "10.0000 s" in text
    assert "90.0 %" in text
    assert "MFU 43.1 %" in text
    assert "optim" not in text


@pytest.mark.parametrize("name", ["[red]x", "[/x]", "a[b]c"])
def test_names_are_shown_as_they_are(make_row, name):
    assert name in shown(step(make_row("dsp", scenario=name)))
    assert name in shown(ranking([make_row(name)], 0.001))
    assert name in shown(ranking([make_row("dsp", job=name)], 0.001))
