"""The trade as a figure: what the network costs, and what it burns, against the time that training takes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cluster_sim.config import Rank, time_column
from cluster_sim.core import bit_rate
from cluster_sim.reports.canvas import canvas, files
from cluster_sim.reports.labels import COLOURS, MARKERS, Label, label_beside, make_logarithmic

Row = Mapping[str, Any]

#: Left and right panel: column of the summary that says who is on the front, column that is drawn, its unit, its name.
_PANELS = (
    ("is_pareto_cost", "capex_usd", 1e6, "network price (million USD)"),
    ("is_pareto_energy", "network_energy_j", 1e6, "network energy per step (MJ)"),
)
#: What stands for time: its unit and its name.
_TIMES = {"time_to_train_s": (86400.0, "time to train (days)"), "step_time_s": (1.0, "step time (s)")}
#: Axes over which values differ by more than this factor are logarithmic.
_WIDE = 5.0
_LABEL_IN, _LEAST_IN = 0.135, 2.4


def draw_pareto(rows: Sequence[Row], folder: Path, name: str = "pareto", by: Rank | None = None) -> tuple[Path, Path]:
    """Write ``NAME.png`` and ``NAME.svg``: two panels per job, with every option that could be simulated.

    A point's colour is its line rate, its marker its topology; those on the front of their group are filled, and a
    line of steps joins them: below and left of it is nobody.

    Args:
        rows: the summary, as mappings; rows that are not ok are left out.
        folder: where the files go.
        name: of the files, without ending.
        by: which rows are a group; None for those of equal job and line rate.

    Returns:
        The two paths.
    """
    ok, by = [row for row in rows if row["status"] == "ok"], by or Rank()
    jobs = {job: [row for row in ok if row["job"] == job] for job in dict.fromkeys(row["job"] for row in ok)}
    heights = [max(_LABEL_IN * len(group), _LEAST_IN) for group in jobs.values()] or [_LEAST_IN]
    looks = _Looks(ok)
    size_in = 14, sum(heights) + 0.75 * len(heights) + 0.5
    with canvas(folder, name, max(len(jobs), 1), 2, size_in, heights=heights) as (figure, axes):
        for (job, group), height, line in zip(jobs.items(), heights, axes, strict=False):
            first = group[0]
            line[0].set_title(
                f"{job}, {first['num_accelerators']:,} {first['accelerator']}", loc="left", fontweight="bold"
            )
            for panel, (front, column, scale, label) in zip(line, _PANELS, strict=True):
                points = _points(group, column, scale)
                panel.set_ylabel(label)
                _draw_panel(panel, [row for row in group if row["scenario"] in points], points, looks, front, by)
                panel.set_xlabel(_TIMES[time_column(group)][1])
                if panel.get_xscale() == "linear":
                    panel.ticklabel_format(useOffset=False, axis="x")
                label_beside(panel, _labels(group, points, looks, front), height)
        figure.legend(handles=looks.handles(), loc="outside lower center", ncols=8, frameon=False)
    return files(folder, name)


class _Looks:
    """Colour by line rate, marker by topology."""

    def __init__(self, rows: Sequence[Row]) -> None:
        rates = list(dict.fromkeys(row["line_rate_bytes_per_s"] for row in rows))
        topologies = list(dict.fromkeys(row["topology"] for row in rows))
        self.colours = {rate: COLOURS[number % len(COLOURS)] for number, rate in enumerate(rates)}
        self.markers = {name: MARKERS[number % len(MARKERS)] for number, name in enumerate(topologies)}

    def colour(self, row: Row) -> str:
        return self.colours[row["line_rate_bytes_per_s"]]

    def handles(self) -> list[Any]:
        """Of the legend."""
        from matplotlib.lines import Line2D

        plain: dict[str, Any] = {"linestyle": "", "markersize": 6, "color": "#555555"}
        return [
            *(Line2D([], [], color=colour, label=bit_rate(rate)) for rate, colour in self.colours.items()),
            *(Line2D([], [], marker=marker, markerfacecolor="none", label=name, **plain)
              for name, marker in self.markers.items()),
            *([Line2D([], [], marker="o", label="on the front", **plain)] if self.colours else []),
        ]  # fmt: skip


def _points(group: Sequence[Row], column: str, scale: float) -> dict[str, tuple[float, float]]:
    """(time, what is drawn against it) of the rows that have both, by scenario."""
    time = time_column(group)
    unit, _ = _TIMES[time]
    return {
        row["scenario"]: (row[time] / unit, row[column] / scale)
        for row in group
        if row.get(time) is not None and row.get(column) is not None
    }


def _draw_panel(
    panel: Any, group: Sequence[Row], points: Mapping[str, tuple[float, float]], looks: _Looks, front: str, by: Rank
) -> None:
    for row in group:
        x, y = points[row["scenario"]]
        panel.plot(
            x, y, linestyle="", marker=looks.markers[row["topology"]], color=looks.colour(row), markersize=5.5,
            markerfacecolor=looks.colour(row) if row[front] else "white", zorder=3 if row[front] else 2,
        )  # fmt: skip
    for key in dict.fromkeys(map(by.group, group)):
        members = [row for row in group if by.group(row) == key and row[front]]
        xs, ys = zip(*sorted(points[row["scenario"]] for row in members), strict=True) if members else ((), ())
        colour = "#555555" if by.across == "line_rates" else looks.colour(members[0]) if members else ""
        panel.step(xs, ys, where="post", color=colour or "#555555", linewidth=1.2, alpha=0.8, zorder=1)
    for number, name in enumerate("xy"):
        values = [point[number] for point in points.values()]
        if values and min(values) > 0 and max(values) > _WIDE * min(values):
            make_logarithmic(panel, name)
    panel.grid(alpha=0.25)
    panel.margins(0.06)
    panel.autoscale_view()
    panel.spines[["top", "right"]].set_visible(False)


def _labels(group: Sequence[Row], points: Mapping[str, tuple[float, float]], looks: _Looks, front: str) -> list[Label]:
    return [
        Label(
            f"{row['interconnect']} · {row['topology']}", *points[row["scenario"]], looks.colour(row), bool(row[front])
        )
        for row in group
        if row["scenario"] in points
    ]
