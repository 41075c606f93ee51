import xml.etree.ElementTree

import pytest

from cluster_sim.config import Rank
from cluster_sim.reports import draw_pareto


@pytest.fixture
def trade(make_row, make_not_ok):
    """Two rates of a job, a second job, members of fronts and others, and one that cannot be built."""
    on, off = {"is_pareto_cost": True, "is_pareto_energy": True}, {"is_pareto_cost": False, "is_pareto_energy": False}
    return [
        make_row("cpo", **on),
        make_row("dsp", "ocs", step_time_s=11.0, capex_usd=1e8, **on),
        make_row("lpo", step_time_s=12.0, capex_usd=2e8, **off),
        make_row("dsp2", line_rate_bytes_per_s=2e11, step_time_s=8.0, capex_usd=9e8, **on),
        make_row("cpo", job="other", scenario="other / cpo / clos", **on),
        make_not_ok("copper", "clos", "too far"),
    ]


def words_of(svg):
    """Text in the picture, line by line: matplotlib writes it as a comment before its glyphs."""
    return " ".join(svg.read_text().split())


def test_a_figure_is_written_as_png_and_svg(trade, tmp_path):
    png, svg = draw_pareto(trade, tmp_path)
    assert (png.name, svg.name) == ("pareto.png", "pareto.svg")
    assert png.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert xml.etree.ElementTree.parse(svg).getroot().tag.endswith("svg")


def test_every_option_that_could_be_simulated_is_named_in_both_panels(trade, tmp_path):
    words = words_of(draw_pareto(trade, tmp_path)[1])
    for told, times in (("cpo · clos", 4), ("dsp · ocs", 2), ("lpo · clos", 2), ("dsp2 · clos", 2), ("copper", 0)):
        assert words.count(told) == times, told
    for told in ("800G", "1.6T", "step time (s)", "network price (million USD)", "on the front"):
        assert told in words
    assert "time to train" not in words


def test_time_to_train_is_drawn_where_there_is_one(trade, tmp_path):
    trade[0] |= {"time_to_train_s": 8.64e6}
    words = words_of(draw_pareto(trade, tmp_path)[1])
    assert "time to train (days)" in words
    assert "dsp · ocs" not in words  # no time to train, no place


def test_values_far_apart_are_drawn_on_logarithmic_axes_with_plain_numbers(trade, tmp_path):
    trade[1] |= {"step_time_s": 99.0, "capex_usd": 9e9}
    words = words_of(draw_pareto(trade, tmp_path)[1])
    for told in ("mathdefault", "10^"):
        assert told not in words
    for told in ("<!-- 20 -->", "<!-- 50 -->", "<!-- 1000 -->", "<!-- 5000 -->"):
        assert told in words


def test_the_same_rows_give_the_same_figure(trade, tmp_path):
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    first, second = (draw_pareto(trade, tmp_path / folder, by=Rank(across="line_rates")) for folder in ("a", "b"))
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.filterwarnings("error")
def test_a_figure_of_failures_of_nothing_and_of_what_costs_nothing_is_still_a_figure(make_row, make_not_ok, tmp_path):
    free = make_row("free", capex_usd=0.0, network_energy_j=0.0, is_pareto_cost=True, is_pareto_energy=None)
    for rows in ([], [make_not_ok("copper", "clos", "too far")], [free], [free, make_row("$a_$") | {
        "is_pareto_cost": False, "is_pareto_energy": False}]):  # fmt: skip
        assert draw_pareto(rows, tmp_path, "empty")[0].stat().st_size > 0
