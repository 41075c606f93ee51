import xml.etree.ElementTree

import pytest

from cluster_sim.config import Rank
from cluster_sim.reports import draw_comparison


def test_a_figure_is_written_as_png_and_svg(rows, tmp_path):
    png, svg = draw_comparison(rows, tmp_path)
    assert (png.name, svg.name) == ("comparison.png", "comparison.svg")
    assert png.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert xml.etree.ElementTree.parse(svg).getroot().tag.endswith("svg")


def test_the_same_rows_give_the_same_figure(rows, tmp_path):
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    first, second = draw_comparison(rows, tmp_path / "a"), draw_comparison(rows, tmp_path / "b")
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_a_figure_of_failures_or_of_nothing_is_still_a_figure(make_not_ok, tmp_path):
    for rows in ([], [make_not_ok("copper", "clos", "too far")]):
        png, svg = draw_comparison(rows, tmp_path, "empty")
        assert png.stat().st_size > 0
        assert svg.stat().st_size > 0


@pytest.mark.parametrize("name", ["$a_$", "$\\foo$"])
def test_dollar_signs_in_names_are_no_formula(make_row, tmp_path, name):
    draw_comparison([make_row(name, job=name)], tmp_path)


@pytest.mark.filterwarnings("error")
def test_a_network_that_costs_nothing_can_be_drawn(make_row, tmp_path):
    draw_comparison([make_row("free", capex_usd=0.0, network_power_w=0.0)], tmp_path)


def test_plotting_changes_no_settings_of_the_caller(rows, tmp_path):
    import matplotlib as mpl

    before = mpl.rcParams["font.size"], mpl.rcParams["svg.hashsalt"]
    draw_comparison(rows, tmp_path)
    assert (mpl.rcParams["font.size"], mpl.rcParams["svg.hashsalt"]) == before


def test_options_without_a_rank_are_drawn_last(make_row, tmp_path):
    rows = [make_row("lpo", rank=None, is_tie=None), make_row("dsp")]
    text = draw_comparison(rows, tmp_path, by=Rank(by="goodput"))[1].read_text()
    assert text.index("1  dsp") < text.index("-  lpo")
    assert "by goodput" in text


def test_line_rates_that_are_ranked_together_share_a_panel(make_row, tmp_path):
    rows = [make_row("dsp"), make_row("dsp2", line_rate_bytes_per_s=2e11)]
    assert "job, 800G and 1.6T" in draw_comparison(rows, tmp_path, by=Rank(across="line_rates"))[1].read_text()
