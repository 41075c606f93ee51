import io
import re
import xml.etree.ElementTree

import pytest
from rich.console import Console

from cluster_sim.reports import draw_scale, scaling


def row(size, share, interconnect="dsp", enough=1024, topology="clos", job="moe", status="ok", reason=""):
    is_ok = status == "ok"
    return {
        "scenario": f"{job}@{size} / {interconnect} / {topology}", "job": job, "interconnect": interconnect,
        "topology": topology, "line_rate_bytes_per_s": 1e11, "num_accelerators": size, "status": status,
        "reason": reason, "step_time_s": 2.0 + share if is_ok else None, "exposed_ratio": share if is_ok else None,
        "enough_accelerators": enough,
    }  # fmt: skip


@pytest.fixture
def rows():
    return [
        row(1024, 0.05), row(1024, 0.02, "[b]cpo", 4096), row(1024, 0.3, "aec", None),
        row(4096, 0.125), row(4096, 0.04, "[b]cpo", 4096),
        row(4096, 0.0, "aec", None, status="not_buildable", reason="too [far]"),
    ]  # fmt: skip


def shown(rows, width=160):
    file = io.StringIO()
    Console(file=file, width=width).print(scaling(rows, 0.1))
    return [" ".join(line.split()) for line in file.getvalue().splitlines()]


def test_the_tables_have_an_option_to_a_row_and_a_size_to_a_column(rows):
    lines = shown(rows)
    for told in (
        "interconnect topology rate 1,024 4,096", "dsp clos 800G 2.0500 2.1250", "aec clos 800G 2.3000 x",
        "interconnect topology rate 1,024 4,096 enough up to", "dsp clos 800G 5.0 12.5 1,024",
        "[b]cpo clos 800G 2.0 4.0 4,096", "aec clos 800G 30.0 x nowhere",
        "x aec (clos) at 4,096: not_buildable; at 4,096: too [far]",
    ):  # fmt: skip
        assert told in lines
    assert any("enough: at most 10 %" in line for line in lines)


def test_eight_sizes_up_to_128k_fit_into_a_page():
    sizes = [1024 * 2**power for power in range(8)]
    file = io.StringIO()
    Console(file=file, width=140).print(scaling([row(size, 0.1, "aec-dsp-800g", 131072) for size in sizes], 0.1))
    assert "…" not in file.getvalue()
    assert "131,072" in file.getvalue()


def test_jobs_have_tables_of_their_own(rows):
    lines = shown([*rows, row(1024, 0.1, job="gpt")])
    assert [line.split(":")[0] for line in lines if "step time in seconds" in line] == ["moe", "gpt"]


def test_nothing_can_be_shown():
    assert shown([]) == [] or not any(shown([]))


def test_a_figure_shows_both_curves_and_where_each_is_enough(rows, tmp_path):
    png, svg = draw_scale(rows, 0.1, tmp_path)
    assert (png.name, svg.name) == ("scale.png", "scale.svg")
    assert png.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert xml.etree.ElementTree.parse(svg).getroot().tag.endswith("svg")
    words = " ".join(svg.read_text().split())
    for told in (
        "dsp · clos: enough to 1k", "[b]cpo · clos: enough to 4k", "aec · clos: enough nowhere", "enough: 10 %",
        "step time (s)", "waits for communication (% of the step)", "4k",
    ):  # fmt: skip
        assert told in words


def test_step_times_far_apart_are_drawn_on_a_logarithmic_axis_with_plain_numbers(rows, tmp_path):
    rows[0] |= {"step_time_s": 60.0}
    words = " ".join(draw_scale(rows, 0.1, tmp_path)[1].read_text().split())
    assert "mathdefault" not in words
    assert {"<!-- 5 -->", "<!-- 10 -->", "<!-- 50 -->"} <= set(re.findall("<!-- .*? -->", words))


def test_the_same_rows_give_the_same_figure(rows, tmp_path):
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    for one, other in zip(draw_scale(rows, 0.1, tmp_path / "a"), draw_scale(rows, 0.1, tmp_path / "b"), strict=True):
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.filterwarnings("error")
def test_a_figure_of_nothing_of_failures_and_of_one_size_is_still_a_figure(rows, tmp_path):
    for some in ([], rows[-1:], rows[:1], [row(1000, 0.0)]):
        assert draw_scale(some, 0.1, tmp_path, "empty")[0].stat().st_size > 0
