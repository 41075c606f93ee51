import xml.etree.ElementTree

import pyarrow as pa
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex

from cluster_sim.reports import draw_pipeline, pipeline_figure

FORWARD, BACKWARD, WEIGHT = "#0072b2", "#009e73", "#f0e442"


def task(kind, stage, start_s, end_s, of_pass="", microbatch=-1, chunk=-1):
    """A row of the table of tasks."""
    return {
        "kind": kind, "stage": stage, "chunk": chunk, "microbatch": microbatch, "pass": of_pass,
        "start_s": float(start_s), "end_s": float(end_s),
    }  # fmt: skip


def table(*rows):
    """The table of tasks, with no rows too."""
    kinds = {"chunk": pa.int64(), "microbatch": pa.int64(), "stage": pa.int64()}
    kinds |= {"kind": pa.string(), "pass": pa.string(), "start_s": pa.float64(), "end_s": pa.float64()}
    return pa.Table.from_pylist(list(rows), schema=pa.schema(list(kinds.items())))


@pytest.fixture
def two_stages():
    """One microbatch down and up: stage 0 stands still from 1 to 3, stage 1 from 0 to 1."""
    return table(
        task("compute", 0, 0, 1, "forward", 0, 0),
        task("pp", 0, 1, 1, "forward", 0),
        task("compute", 1, 1, 2, "forward", 0, 0),
        task("compute", 1, 2, 3, "input", 0, 0),
        task("compute", 1, 3, 4, "weight", 0, 0),
        task("compute", 0, 3, 5, "backward", 0, 0),
        task("dp", 0, 5, 6),
        task("optimizer", 0, 6, 7),
    )


def bars(figure):
    """(left, top, right, bottom, colour) of what is drawn."""
    found = []
    for collection in figure.axes[0].collections:
        if isinstance(collection, PolyCollection):
            for path, colour in zip(collection.get_paths(), collection.get_facecolors(), strict=True):
                (left, top), (right, bottom) = path.vertices.min(axis=0), path.vertices.max(axis=0)
                found.append((float(left), float(top), float(right), float(bottom), to_hex(colour)))
    return found


def coloured(figure, colour):
    """(stage, left, right) of the bars of a colour."""
    return sorted((int(top), left, right) for left, top, right, _, is_colour in bars(figure) if is_colour == colour)


def test_of_replicas_that_are_apart_the_slowest_is_drawn(two_stages):
    """A second class computes for twice as long: its passes are drawn, and what both do together."""
    slow = [{**row, "start_s": 2 * row["start_s"], "end_s": 2 * row["end_s"]} for row in two_stages.to_pylist()]
    both = pa.concat_tables([two_stages, table(*(row for row in slow if row["kind"] != "dp"))])
    both = both.append_column("replica", pa.array([0] * 8 + [1] * 7))
    figure = pipeline_figure(both, "1f1b")
    assert "replica 1" in figure.axes[0].get_title(loc="left")
    assert coloured(figure, FORWARD) == [(0, 0.0, 2.0), (1, 2.0, 4.0)]
    assert coloured(figure, "#e69f00") == [(0, 5.0, 6.0)]


def test_every_pass_has_its_bar_in_the_row_of_its_stage(two_stages):
    figure = pipeline_figure(two_stages, "1f1b")
    assert coloured(figure, FORWARD) == [(0, 0.0, 1.0), (1, 1.0, 2.0)]
    assert coloured(figure, BACKWARD) == [(0, 3.0, 5.0)]
    assert coloured(figure, WEIGHT) == [(1, 3.0, 4.0)]
    assert coloured(figure, "#e69f00") == [(0, 5.0, 6.0)]
    assert figure.axes[0].get_ylim() == (2.0, 0.0)


def test_bubbles_are_white(two_stages):
    assert not [bar for bar in bars(pipeline_figure(two_stages, "1f1b")) if int(bar[1]) == 0 and 1 < bar[2] <= 3]


def test_title_and_legend_say_what_is_seen(two_stages):
    figure = pipeline_figure(two_stages, "1f1b, 2 stages")
    assert figure.axes[0].get_title(loc="left") == "1f1b, 2 stages, step 7.0000 s"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "forward", "backward", "backward, inputs", "backward, weights", "optimiser", "bubble", "pipeline transfers",
        "data parallel",
    ]  # fmt: skip


@pytest.mark.parametrize(("step_s", "unit", "end"), [(20.0, "s", 20.0), (0.02, "ms", 20.0), (2e-5, "µs", 20.0)])
def test_time_has_the_unit_that_reads_best(step_s, unit, end):
    figure = pipeline_figure(table(task("compute", 0, 0, step_s, "forward", 0, 0)), "")
    assert figure.axes[0].get_xlabel() == f"time ({unit})"
    assert figure.axes[0].get_xlim()[1] == pytest.approx(end)
    assert bars(figure)[0][2] == pytest.approx(end)


def test_a_pass_has_one_number_and_is_pale_while_it_waits_for_its_own_communication():
    """Computes from 0 to 1 and from 3 to 4; a collective from 1 to 3."""
    figure = pipeline_figure(
        table(
            task("compute", 0, 0, 1, "forward", 7, 0),
            task("tp", 0, 1, 3, "forward", 7, 0),
            task("compute", 0, 3, 4, "forward", 7, 0),
        ),
        "",
    )
    assert [text.get_text() for text in figure.axes[0].texts] == ["7"]
    assert figure.axes[0].texts[0].get_position()[0] == 2.0
    assert coloured(figure, FORWARD) == [(0, 0.0, 1.0), (0, 3.0, 4.0)]
    assert coloured(figure, "#56b4e9") == [(0, 1.0, 3.0)]
    (pale,) = [bar for bar in bars(figure) if bar[4] not in (FORWARD, "#56b4e9")]
    assert (pale[0], pale[2]) == (0.0, 4.0)


def test_passes_that_run_together_share_the_height_and_others_do_not():
    figure = pipeline_figure(
        table(
            task("compute", 0, 0, 2, "forward", 1, 0),
            task("compute", 0, 2, 4, "forward", 2, 0),
            task("compute", 0, 2, 4, "backward", 0, 0),
            task("compute", 1, 1, 3, "backward", 1, 0),
        ),
        "",
    )
    alone, upper = sorted(bar for bar in bars(figure) if bar[4] == FORWARD)
    other, lower = sorted(bar for bar in bars(figure) if bar[4] == BACKWARD)
    assert alone[1] == upper[1] < upper[3] == lower[1] < lower[3] == alone[3]
    assert other[3] - other[1] == pytest.approx(alone[3] - alone[1])


def test_later_chunks_are_paler():
    passes = [task("compute", 0, chunk, chunk + 1, "forward", 0, chunk) for chunk in range(3)]
    colours = [bar[4] for bar in sorted(bars(pipeline_figure(table(*passes), "")))]
    red = [int(colour[1:3], 16) for colour in colours]
    assert colours[0] == FORWARD
    assert red[0] < red[1] < red[2] < 255


def test_numbers_are_left_out_where_they_do_not_fit():
    passes = [task("compute", 0, number, number + 1, "forward", number, 0) for number in range(1000)]
    assert not pipeline_figure(table(*passes), "").axes[0].texts
    assert len(pipeline_figure(table(*passes[:20]), "").axes[0].texts) == 20


def test_64_stages_have_a_row_each_that_can_be_told_apart():
    figure = pipeline_figure(
        table(*(task("compute", stage, stage, stage + 1, "forward", 0, 0) for stage in range(64))), ""
    )
    assert [stage for stage, _, _ in coloured(figure, FORWARD)] == list(range(64))
    assert figure.get_size_inches()[1] / 64 > 0.2


def test_the_same_tasks_give_the_same_files(two_stages, tmp_path):
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    first, second = draw_pipeline(two_stages, "a", tmp_path / "a"), draw_pipeline(two_stages, "a", tmp_path / "b")
    assert [path.name for path in first] == ["pipeline.png", "pipeline.svg"]
    assert first[0].read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert xml.etree.ElementTree.parse(first[1]).getroot().tag.endswith("svg")
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.filterwarnings("error")
def test_nothing_is_still_a_picture_and_dollar_signs_are_no_formula(tmp_path):
    draw_pipeline(table(), "$a_$", tmp_path)


def test_drawing_changes_no_settings_of_the_caller(two_stages, tmp_path):
    import matplotlib as mpl

    before = mpl.get_backend(), mpl.rcParams["font.size"], mpl.rcParams["svg.hashsalt"]
    draw_pipeline(two_stages, "a", tmp_path)
    assert (mpl.get_backend(), mpl.rcParams["font.size"], mpl.rcParams["svg.hashsalt"]) == before
