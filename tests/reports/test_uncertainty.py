"""Intervals and what they hang on, as people read them."""

import xml.etree.ElementTree

import pytest

from cluster_sim.reports import draw_uncertainty, uncertainty
from tests.reports.test_ranking import shown


def _row(option, rank, wins, quantity="step_time_s", **more):
    return {
        "scenario": f"j / {option} / clos", "job": "j", "interconnect": option, "topology": "clos", "group": "j, 800G",
        "line_rate_bytes_per_s": 1e11, "rank": rank, "quantity": quantity, "unit": "s", "typical": 11.0, "low": 10.5,
        "median": 11.1, "high": 12.25, "wins_ratio": wins, "mean_rank": 1.5, "buildable_ratio": 1.0, "draws": 400,
        "method": "response", **more,
    }  # fmt: skip


def _driver(figure, influence, status="V1", low="j / a / clos", high="j / a / clos", quantity="rank"):
    return {
        "group": "j, 800G", "scenario": "j / a / clos", "second": "j / b / clos", "figure": figure, "status": status,
        "quantity": quantity, "influence": influence, "winner_low": low, "winner_high": high,
    }  # fmt: skip


@pytest.fixture
def intervals():
    energy = {"typical": 1e7, "low": 9e6, "median": 1e7, "high": 1.23e7}
    short = {"buildable_ratio": 0.9}
    return [
        _row("b", 2, 0.25, **short), _row("b", 2, 0.25, "network_energy_j", **short, **energy),
        _row("a", 1, 0.75), _row("a", 1, 0.75, "network_energy_j", **energy),
    ]  # fmt: skip


NOTES = {
    "draws": 400, "method": "response", "draws_simulated": 8, "largest_step_error_ratio": 3.1e-4,
    "largest_goodput_error_ratio": None,
}  # fmt: skip


def test_the_table_has_the_best_first_with_its_share_of_wins_and_its_intervals(intervals):
    text = shown(uncertainty(intervals, [], NOTES))
    assert "j, 800G: 400 draws" in text
    small = [row | {"low": 2.0, "high": 40.0} if row["quantity"] == "network_energy_j" else row for row in intervals]
    assert "net J/step" in shown(uncertainty(small, [], NOTES))
    first, second = [line.split() for line in text.splitlines() if " clos " in f"{line} "][:2]
    assert first[:6] == ["1", "a", "clos", "75", "1.5", "100"]
    assert " ".join(first[6:]) == "10.500..12.250 9.0..12.3"
    assert "net MJ/step" in text
    assert second[3:6] == ["25", "1.5", "90"]
    assert "built %" not in shown(uncertainty([row | {"buildable_ratio": 1.0} for row in intervals], [], NOTES))


def test_figures_that_make_another_first_are_named_and_those_without_a_source_once_more(intervals):
    """With 400 draws and 75 % wins chance parts two halves by 2 x sqrt(0.1875 / 400) = 4.3 points; 13 are sure."""
    drivers = [
        _driver("x power", -0.6, "V2", high="j / b / clos"),
        _driver("y price", 0.2, "M"),
        _driver("z latency", 0.1, "M"),
        _driver("w price", -0.9, "M", quantity="capex_usd"),
    ]
    text = " ".join(shown(uncertainty(intervals, drivers, NOTES)).split())
    assert "First place of a in clos hangs on x power (V2): wins 60 points less often in its upper half" in text
    assert "b in clos is first at its high end" in text
    assert "y price (M): wins 20 points more often in its upper half." in text
    assert "no source was retrieved for y price." in text
    assert "z latency" not in text
    assert "w price" not in text


def test_a_place_that_no_figure_takes_away_says_so(intervals):
    text = shown(uncertainty(intervals, [_driver("z latency", 0.02)], NOTES))
    assert "a in clos is first whatever single figure moves in its range" in text


def test_an_option_that_cannot_be_built_with_a_figure_at_its_end(intervals):
    text = shown(uncertainty(intervals, [_driver("dac reach", None, low=None)], NOTES))
    assert "dac reach (V1): not buildable at its low end" in text


@pytest.mark.parametrize(
    ("notes", "words"),
    [
        (NOTES, "In 8 draws that were simulated in full: step times off by at most 0.031 %; --resimulate"),
        (NOTES | {"largest_goodput_error_ratio": 0.002}, "0.031 %, goodput off by at most 0.200 %; --resimulate"),
        (NOTES | {"method": "simulated"}, "Every option was simulated in every draw"),
        (NOTES | {"largest_step_error_ratio": None}, "at their ends."),
    ],
)
def test_the_table_says_how_step_times_were_found(intervals, notes, words):
    assert words in " ".join(shown(uncertainty(intervals, [], notes)).split())


def test_nothing_to_show_is_no_crash(tmp_path):
    assert "Every figure with a range" in shown(uncertainty([], [], NOTES))
    assert all(path.stat().st_size > 0 for path in draw_uncertainty([], tmp_path))


def test_the_figure_is_the_same_each_time(intervals, tmp_path):
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    first, second = draw_uncertainty(intervals, tmp_path / "a"), draw_uncertainty(intervals, tmp_path / "b")
    assert [one.read_bytes() for one in first] == [one.read_bytes() for one in second]
    assert xml.etree.ElementTree.parse(first[1]).getroot().tag.endswith("svg")
