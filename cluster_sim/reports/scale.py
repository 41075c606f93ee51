"""Step time and communication that is waited for against the size of a job: as a table and as a figure."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cluster_sim.core import bit_rate
from cluster_sim.reports.canvas import canvas, files
from cluster_sim.reports.labels import COLOURS, MARKERS, Label, label_beside, make_logarithmic

Row = Mapping[str, Any]
#: Interconnect, topology.
Option = tuple[str, str]

_DASHES = ("-", "--", ":", "-.")
#: Step times that differ by more than this factor have a logarithmic axis.
_WIDE = 5.0
_LABEL_IN, _LEAST_IN = 0.16, 3.2


def scaling(rows: Sequence[Row], most: float) -> RenderableType:
    """For each job a table of step times, and one of how much of a step waits, by option and size.

    Args:
        rows: the table ``scale``, as mappings.
        most: share of a step that may wait where a network is enough.
    """
    parts: list[RenderableType] = []
    for job in dict.fromkeys(row["job"] for row in rows):
        mine = [row for row in rows if row["job"] == job]
        parts += [
            Text(f"{job}: step time in seconds, by accelerators"), _table(mine, "step_time_s", most),
            Text(f"{job}: share of the step that waits for communication, in %; enough: at most {100 * most:g} %"),
            _table(mine, "exposed_ratio", most), *_reasons(mine), Text(""),
        ]  # fmt: skip
    return Group(*parts)


def _table(rows: Sequence[Row], column: str, most: float) -> Table:
    """An option to a row, a size to a column."""
    is_share, sizes = column == "exposed_ratio", sorted({row["num_accelerators"] for row in rows})
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for title in ("interconnect", "topology"):
        table.add_column(title, no_wrap=True)
    for title in ("rate", *(f"{size:,}" for size in sizes), *(["enough up to"] if is_share else [])):
        table.add_column(title, justify="right", no_wrap=True)
    for (interconnect, topology), series in _series(rows).items():
        by_size = {row["num_accelerators"]: row for row in series}
        cells = [_cell(by_size[size], column, most) for size in sizes]
        enough = series[0]["enough_accelerators"]
        last = [Text("nowhere" if enough is None else f"{enough:,}")] if is_share else []
        rate = bit_rate(series[0]["line_rate_bytes_per_s"])
        table.add_row(Text(interconnect), Text(topology), rate, *cells, *last)
    return table


def _cell(row: Row, column: str, most: float) -> Text:
    if row["status"] != "ok":
        return Text("x", style="yellow")
    if column == "exposed_ratio":
        return Text(f"{100 * row[column]:.1f}", style="" if row[column] <= most else "yellow")
    return Text(f"{row[column]:.4f}")


def _series(rows: Sequence[Row]) -> dict[Option, list[Row]]:
    """Rows by option, by size."""
    found: dict[Option, list[Row]] = {}
    for row in sorted(rows, key=lambda row: int(row["num_accelerators"])):
        found.setdefault((row["interconnect"], row["topology"]), []).append(row)
    order = dict.fromkeys((row["interconnect"], row["topology"]) for row in rows)
    return {option: found[option] for option in order}


def _reasons(rows: Sequence[Row]) -> list[Text]:
    """Why an option does not work, at the smallest size at which it does not."""
    lines = []
    for (interconnect, topology), series in _series(rows).items():
        wrong = [row for row in series if row["status"] != "ok"]
        if wrong:
            sizes = ", ".join(f"{row['num_accelerators']:,}" for row in wrong)
            first = wrong[0]
            lines.append(
                f"  x {interconnect} ({topology}) at {sizes}: {first['status']}; at {first['num_accelerators']:,}: "
                f"{first['reason']}"
            )
    return [Text(line, style="yellow") for line in lines]


def draw_scale(rows: Sequence[Row], most: float, folder: Path, name: str = "scale") -> tuple[Path, Path]:
    """Write ``NAME.png`` and ``NAME.svg``: for each job, step time and how much of it waits, against accelerators.

    Args:
        rows: the table ``scale``, as mappings; rows that are not ok are left out.
        most: share of a step that may wait where a network is enough: a line.
        folder: where the files go.
        name: of the files, without ending.

    Returns:
        The two paths.
    """
    ok = [row for row in rows if row["status"] == "ok"]
    looks = _Looks(ok)
    jobs = {job: _series([row for row in ok if row["job"] == job]) for job in dict.fromkeys(row["job"] for row in ok)}
    heights = [max(_LABEL_IN * len(series), _LEAST_IN) for series in jobs.values()] or [_LEAST_IN]
    size_in = 14, sum(heights) + 0.75 * len(heights) + 0.5
    with canvas(folder, name, max(len(jobs), 1), 2, size_in, heights=heights) as (figure, axes):
        for (job, series), height, line in zip(jobs.items(), heights, axes, strict=False):
            line[0].set_title(job, loc="left", fontweight="bold")
            _draw_panel(line[0], series, "step_time_s", 1.0, looks, height)
            line[0].set_ylabel("step time (s)")
            _draw_panel(line[1], series, "exposed_ratio", 100.0, looks, height, 100 * most)
            line[1].set_ylabel("waits for communication (% of the step)")
        figure.legend(handles=looks.handles(most), loc="outside lower center", ncols=8, frameon=False)
    return files(folder, name)


class _Looks:
    """Colour and marker by interconnect, dashes by topology."""

    def __init__(self, rows: Sequence[Row]) -> None:
        options = list(dict.fromkeys(row["interconnect"] for row in rows))
        topologies = list(dict.fromkeys(row["topology"] for row in rows))
        self.colours = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(options)}
        self.markers = {name: MARKERS[number % len(MARKERS)] for number, name in enumerate(options)}
        self.dashes = {name: _DASHES[number % len(_DASHES)] for number, name in enumerate(topologies)}

    def handles(self, most: float) -> list[Any]:
        """Of the legend."""
        from matplotlib.lines import Line2D

        options = [
            Line2D([], [], color=colour, marker=self.markers[name], markersize=5, label=name)
            for name, colour in self.colours.items()
        ]
        dashes = [Line2D([], [], color="#555555", linestyle=dash, label=name) for name, dash in self.dashes.items()]
        enough = Line2D([], [], color="#000000", linewidth=0.8, alpha=0.6, label=f"enough: {100 * most:g} %")
        return [*options, *dashes, enough] if options else []


def _draw_panel(
    panel: Any, series: Mapping[Option, Sequence[Row]], column: str, scale: float, looks: _Looks, height_in: float,
    limit: float | None = None,
) -> None:  # fmt: skip
    """Curves that lie on each other are seen: the first are wide, those above them ever thinner."""
    for number, ((interconnect, topology), rows) in enumerate(series.items()):
        panel.plot(
            [row["num_accelerators"] for row in rows], [scale * row[column] for row in rows],
            color=looks.colours[interconnect], linestyle=looks.dashes[topology], marker=looks.markers[interconnect],
            markersize=10 - 7 * number / len(series), linewidth=8 - 6.8 * number / len(series),
        )  # fmt: skip
    if limit is not None:
        panel.axhline(limit, color="#000000", linewidth=0.8, alpha=0.6)
    sizes = sorted({row["num_accelerators"] for rows in series.values() for row in rows})
    panel.set_xscale("log", base=2)
    panel.set_xticks(sizes, [_size(size) for size in sizes])
    panel.minorticks_off()
    panel.set_xlabel("accelerators")
    shown = [row[column] for rows in series.values() for row in rows]
    if limit is None and max(shown) > _WIDE * min(shown):
        make_logarithmic(panel, "y")
    else:
        panel.set_ylim(0)
    panel.grid(alpha=0.25)
    panel.spines[["top", "right"]].set_visible(False)
    label_beside(panel, _labels(series, column, scale, looks), height_in)


def _labels(series: Mapping[Option, Sequence[Row]], column: str, scale: float, looks: _Looks) -> list[Label]:
    """One for each option, at the end of its curve; beside shares of a step with the size up to which it is enough."""
    return [
        Label(
            f"{interconnect} · {topology}{_enough(rows[-1]) if column == 'exposed_ratio' else ''}",
            rows[-1]["num_accelerators"], scale * rows[-1][column], looks.colours[interconnect],
        )
        for (interconnect, topology), rows in series.items()
    ]  # fmt: skip


def _enough(row: Row) -> str:
    size = row["enough_accelerators"]
    return ": enough nowhere" if size is None else f": enough to {_size(size)}"


def _size(accelerators: int) -> str:
    return f"{accelerators // 1024}k" if accelerators % 1024 == 0 else f"{accelerators:,}"
