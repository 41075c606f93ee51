"""A step of a pipeline as a picture: what every stage does when, and what it waits for."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cluster_sim.reports.canvas import files
from cluster_sim.reports.text import seconds
from cluster_sim.tables import Array

#: What a pass is called in the table and in the legend, and its colour [Okabe and Ito 2008; olive: Tol 2021].
_PASSES = (
    ("forward", "forward", "#0072B2"),
    ("backward", "backward", "#009E73"),
    ("input", "backward, inputs", "#999933"),
    ("weight", "backward, weights", "#F0E442"),
)
#: The same of communication, in the colours that it has in a comparison.
_COMMUNICATION = (
    ("tp", "tensor parallel", "#56B4E9"),
    ("cp", "context parallel", "#999999"),
    ("ep", "expert parallel", "#D55E00"),
    ("pp", "pipeline transfers", "#CC79A7"),
    ("dp", "data parallel", "#E69F00"),
)
_OPTIMIZER = "#444444"
#: Names of passes, and kinds of tasks that they are made of.
_NAMES, _OF_PASSES = pa.array([name for name, _, _ in _PASSES]), pa.array(["compute", "tp", "cp", "ep"])

#: Where bars of passes and of communication lie in the row of a stage, which is 1 high.
_PASS_ROW, _THIN_ROW = (0.06, 0.66), (0.70, 0.94)
#: How much nearer to white the last chunk is, and a pass that waits for its own communication.
_LAST_CHUNK, _WAITING = 0.5, 0.7
#: Inches: width of the sheet, margins left, right, above and below, and the least and most height of a row.
_WIDTH, _LEFT, _RIGHT, _ABOVE, _BELOW, _ROW = 16.0, 0.6, 0.2, 0.45, 0.85, (0.2, 0.6)
#: Points: an inch, the least and largest number of a microbatch, and the narrowest bar with an edge.
_INCH, _NUMBER, _EDGED = 72.0, (4.0, 8.0), 3.0
#: Stages of which not every one is named at the side, and bars that become an image, also in the SVG.
_MANY_STAGES, _MANY_BARS = 32, 20_000
_STYLE = {"svg.hashsalt": "cluster_sim", "font.size": 8, "text.parse_math": False}


@dataclass(frozen=True, slots=True, eq=False)
class _Sheet:
    """What is drawn on.

    Attributes:
        axes: of matplotlib; down go the stages, right goes the time in ``unit``.
        unit: of time.
        per_s: units in a second.
        unit_pt: points to a unit.
        row_pt: points to a row.
        is_image: bars become an image.
    """

    axes: Any
    unit: str
    per_s: float
    unit_pt: float
    row_pt: float
    is_image: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Bars:
    """B bars.

    Attributes:
        start_s: float64[B], left end.
        end_s: float64[B], right end.
        top: float64[B], in rows from the top.
        bottom: float64[B].
        colour: float64[B, 3].
    """

    start_s: Array
    end_s: Array
    top: Array
    bottom: Array
    colour: Array


def draw_pipeline(tasks: pa.Table, title: str, folder: Path, name: str = "pipeline") -> tuple[Path, Path]:
    """Write ``NAME.png`` and ``NAME.svg``.

    Args:
        tasks: as ``pipeline_figure`` takes them.
        title: above the picture.
        folder: where the files go.
        name: of the files, without ending.

    Returns:
        The two paths.
    """
    import matplotlib as mpl

    figure = pipeline_figure(tasks, title)
    png, svg = files(folder, name)
    with mpl.rc_context(_STYLE):
        figure.savefig(png, dpi=130, metadata={"Software": None})
        figure.savefig(svg, dpi=130, metadata={"Date": None})
    return png, svg


def pipeline_figure(tasks: pa.Table, title: str) -> Any:
    """A row for every stage: its passes with the numbers of their microbatches, its communication in thin bars below.

    Passes that run at the same time share the height. A pass is pale while it waits for communication of its own; what
    was fused into compute has no bar. White is bubble.

    Args:
        tasks: the table of that name of one run; of its columns kind, stage, chunk, microbatch, pass, start_s, end_s.
            Of replicas that were simulated apart the one that computes longest is drawn, of several jobs the main one.
        title: above the picture; the step time is added to it.

    Returns:
        A figure of matplotlib.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    tasks, title = _one_pipeline(tasks, title)
    step_s, num_stages = pc.max(tasks["end_s"]).as_py() or 0.0, (pc.max(tasks["stage"]).as_py() or 0) + 1
    with mpl.rc_context(_STYLE):
        row = float(np.clip(8.0 / num_stages, *_ROW))
        height = num_stages * row + _ABOVE + _BELOW
        figure = Figure(figsize=(_WIDTH, height))
        wide = _WIDTH - _LEFT - _RIGHT
        axes = figure.add_axes((_LEFT / _WIDTH, _BELOW / height, wide / _WIDTH, num_stages * row / height))
        unit, per_s = _unit(step_s)
        unit_pt = wide * _INCH / (step_s * per_s or 1.0)
        sheet = _Sheet(axes, unit, per_s, unit_pt, row * _INCH, len(tasks) > _MANY_BARS)
        _draw_axes(sheet, num_stages, step_s, f"{title}, step {seconds(step_s)}")
        _draw_passes(sheet, tasks)
        _draw_others(sheet, tasks)
        figure.legend(handles=_legend(tasks), loc="lower center", ncols=12, frameon=False)
    return figure


def _one_pipeline(tasks: pa.Table, title: str) -> tuple[pa.Table, str]:
    """(what one class of replicas does, with what all do together, title that says so)."""
    if "neighbour" in tasks.column_names:
        tasks = tasks.filter(pc.equal(tasks["neighbour"], ""))
    if "replica" not in tasks.column_names:
        return tasks, title
    replica, kind = tasks["replica"].to_numpy(), tasks["kind"].to_numpy(zero_copy_only=False)
    spent_s = np.where(kind == "compute", tasks["end_s"].to_numpy() - tasks["start_s"].to_numpy(), 0.0)
    slowest = int(np.argmax(np.bincount(replica, weights=spent_s, minlength=1)))
    return tasks.filter(pa.array((replica == slowest) | (kind == "dp"))), f"{title}, replica {slowest}"


def _unit(step_s: float) -> tuple[str, float]:
    """Of a time axis that long, and how many there are in a second."""
    return next(((unit, per_s) for unit, per_s in (("s", 1.0), ("ms", 1e3)) if step_s * per_s >= 1), ("µs", 1e6))


def _draw_axes(sheet: _Sheet, num_stages: int, step_s: float, title: str) -> None:
    axes, stages = sheet.axes, np.arange(0, num_stages, 1 if num_stages <= _MANY_STAGES else 4)
    axes.set_title(title, loc="left", fontweight="bold", fontsize=11)
    axes.set_xlim(0.0, step_s * sheet.per_s or 1.0)
    axes.set_ylim(num_stages, 0.0)
    axes.set_yticks(stages + sum(_PASS_ROW) / 2, stages)
    axes.set_xlabel(f"time ({sheet.unit})")
    axes.set_ylabel("stage")
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.hlines(np.arange(num_stages), *axes.get_xlim(), color="#CCCCCC", linewidth=0.4, zorder=0.5)


def _draw_passes(sheet: _Sheet, tasks: pa.Table) -> None:
    """Pale from start to end, in full colour where they compute, numbers on top."""
    parts = tasks.filter(pc.and_(pc.is_in(tasks["kind"], _OF_PASSES), pc.is_in(tasks["pass"], _NAMES)))
    if not len(parts):
        return
    passes, microbatch, of_part = _passes_of(parts)
    is_striped = np.bincount(of_part) > 1
    _draw_bars(sheet, replace(passes, colour=_paler(passes.colour, np.where(is_striped, _WAITING, 0.0))))
    computes = np.flatnonzero(pc.equal(parts["kind"], "compute").to_numpy() & is_striped[of_part])
    of, times = of_part[computes], _times(parts.take(computes))
    _draw_bars(sheet, _Bars(*times, passes.top[of], passes.bottom[of], passes.colour[of]), edge_pt=0.0)
    _draw_starts(sheet, passes)
    _draw_numbers(sheet, passes, microbatch, is_striped)


def _passes_of(parts: pa.Table) -> tuple[_Bars, Array, Array]:
    """The passes of which tasks are parts, the microbatch of each, and the pass of each task."""
    what = pc.index_in(parts["pass"], _NAMES).to_numpy()
    keys = np.stack([what, *(parts[name].to_numpy() for name in ("chunk", "microbatch", "stage"))])
    (kind, chunk, microbatch, stage), of_part = np.unique(keys, axis=1, return_inverse=True)
    of_part = of_part.ravel()  # NumPy 2.0 gives it a second axis
    start_s, end_s = np.full(len(stage), np.inf), np.zeros(len(stage))
    np.minimum.at(start_s, of_part, parts["start_s"].to_numpy())
    np.maximum.at(end_s, of_part, parts["end_s"].to_numpy())
    colour = _paler(_rgb([colour for *_, colour in _PASSES])[kind], _LAST_CHUNK * chunk / max(chunk.max(), 1))
    return _Bars(start_s, end_s, *_share_rows(stage, kind, start_s, end_s), colour), microbatch, of_part


def _share_rows(stage: Array, kind: Array, start_s: Array, end_s: Array) -> tuple[Array, Array]:
    """Top and bottom of passes: those that run beside another of their stage have half a row, forwards the upper."""
    order = np.lexsort((start_s, stage))
    overlap_s = np.append(end_s[order][:-1] - start_s[order][1:], -np.inf)
    beside_next = np.append(np.diff(stage[order]) == 0, False) & (overlap_s > 1e-9 * end_s.max())
    is_shared = np.empty(len(stage), bool)
    is_shared[order] = beside_next | np.roll(beside_next, 1)
    is_upper, (top, bottom) = kind == 0, _PASS_ROW
    middle = (top + bottom) / 2
    tops = np.where(is_shared & ~is_upper, middle, top)
    return stage + tops, stage + np.where(is_shared & is_upper, middle, bottom)


def _draw_others(sheet: _Sheet, tasks: pa.Table) -> None:
    """The optimiser as a pass, and communication, each kind in a line of its own."""
    used = [(kind, colour) for kind, _, colour in _COMMUNICATION if kind in set(tasks["kind"].unique().to_pylist())]
    lines = np.linspace(*_THIN_ROW, len(used) + 1)
    rows = [("optimizer", _OPTIMIZER, *_PASS_ROW)]
    rows += [(*kind, top, bottom) for kind, top, bottom in zip(used, lines[:-1], lines[1:], strict=True)]
    for kind, colour, top, bottom in rows:
        mine = tasks.filter(pc.equal(tasks["kind"], kind))
        stage = mine["stage"].to_numpy()
        _draw_bars(sheet, _Bars(*_times(mine), stage + top, stage + bottom, _rgb([colour] * len(mine))))


def _draw_bars(sheet: _Sheet, bars: _Bars, edge_pt: float = 0.4) -> None:
    from matplotlib.collections import PolyCollection

    if not len(bars.start_s):
        return
    left, right = bars.start_s * sheet.per_s, bars.end_s * sheet.per_s
    corners: Any = np.stack([left, bars.top, right, bars.top, right, bars.bottom, left, bars.bottom], axis=1)
    edge_pt *= _are_wide(sheet, bars)
    sheet.axes.add_collection(
        PolyCollection(
            corners.reshape(-1, 4, 2), facecolors=bars.colour, edgecolors="white", linewidths=edge_pt,
            rasterized=sheet.is_image, antialiaseds=not sheet.is_image,
        ),
        autolim=False,
    )  # fmt: skip


def _draw_starts(sheet: _Sheet, passes: _Bars) -> None:
    """A white line between a pass and the one before it."""
    left, width = passes.start_s * sheet.per_s, 0.8 * _are_wide(sheet, passes)
    sheet.axes.vlines(left, passes.top, passes.bottom, color="white", linewidth=width, rasterized=sheet.is_image)


def _are_wide(sheet: _Sheet, bars: _Bars) -> bool:
    """Wide enough for lines between them."""
    return bool(np.median(bars.end_s - bars.start_s) * sheet.per_s * sheet.unit_pt > _EDGED)


def _draw_numbers(sheet: _Sheet, passes: _Bars, microbatch: Array, is_striped: Array) -> None:
    """Where the longest would fit: a digit is 0.6 of its size wide. On stripes they have an edge."""
    from matplotlib.patheffects import withStroke

    wide, digits = (passes.end_s - passes.start_s) * sheet.per_s * sheet.unit_pt, len(str(microbatch.max()))
    size = np.minimum(wide / (0.6 * digits + 0.3), 0.8 * (passes.bottom - passes.top) * sheet.row_pt)
    is_dark = (passes.colour @ (0.299, 0.587, 0.114) > 0.6) | is_striped
    for row in np.flatnonzero(size >= _NUMBER[0]):
        sheet.axes.text(
            (passes.start_s[row] + passes.end_s[row]) / 2 * sheet.per_s, (passes.top[row] + passes.bottom[row]) / 2,
            str(microbatch[row]), fontsize=min(size[row], _NUMBER[1]), color="black" if is_dark[row] else "white",
            path_effects=[withStroke(linewidth=1.5, foreground="white")] if is_striped[row] else [],
            ha="center", va="center_baseline",
        )  # fmt: skip


def _legend(tasks: pa.Table) -> list[Any]:
    """What occurs, and how bubbles look."""
    from matplotlib.patches import Patch

    kinds, passes, chunks = (set(tasks[name].unique().to_pylist()) for name in ("kind", "pass", "chunk"))
    handles = [Patch(color=colour, label=label) for name, label, colour in _PASSES if name in passes]
    half, pale = (_paler(_rgb([_PASSES[0][2]]), np.array([share]))[0] for share in (_LAST_CHUNK, _WAITING))
    handles += [Patch(color=half, label="of chunks above 0")] * (max(chunks, default=0) > 0)
    handles += [Patch(color=pale, label="waits within the pass")] * (not kinds.isdisjoint(("tp", "cp", "ep")))
    handles += [Patch(color=_OPTIMIZER, label="optimiser")] * ("optimizer" in kinds)
    handles += [Patch(facecolor="white", edgecolor="#AAAAAA", label="bubble")]
    return handles + [Patch(color=colour, label=label) for name, label, colour in _COMMUNICATION if name in kinds]


def _times(tasks: pa.Table) -> tuple[Array, Array]:
    return tasks["start_s"].to_numpy(), tasks["end_s"].to_numpy()


def _rgb(colours: list[str]) -> Array:
    from matplotlib.colors import to_rgb

    return np.array([to_rgb(colour) for colour in colours]).reshape(-1, 3)


def _paler(colour: Array, share: Array) -> Array:
    """``share`` of the way to white."""
    return colour + (1.0 - colour) * share[:, None]
