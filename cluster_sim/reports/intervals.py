"""Intervals of a comparison as a figure: a panel for each quantity, a line for each option."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cluster_sim.reports.canvas import canvas, files
from cluster_sim.reports.uncertainty import SHOWN, groups, unit_of

Row = Mapping[str, Any]

_LINE, _TYPICAL = "#0072B2", "#D55E00"


def draw_uncertainty(rows: Sequence[Row], folder: Path, name: str = "uncertainty") -> tuple[Path, Path]:
    """Write ``NAME.png`` and ``NAME.svg``: 5 to 95 % of the draws, median and typical, a row of panels per group.

    Args:
        rows: the table ``uncertainty``.
        folder: where the files go.
        name: of the files, without ending.

    Returns:
        The two paths.
    """
    found = list(groups(rows).items())
    shown = [quantity for quantity in SHOWN if any(row["quantity"] == quantity for row in rows)]
    heights = [len({row["scenario"] for row in group}) + 2.5 for _, group in found] or [3.0]
    size_in = 3.5 + 2.1 * len(shown), 0.22 * sum(heights) + 0.8
    with canvas(folder, name, max(len(found), 1), max(len(shown), 1), size_in, heights=heights) as (figure, axes):
        for (title, group), line in zip(found, axes, strict=False):
            _draw_group(line, title, group, shown)
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    return files(folder, name)


def _draw_group(axes: Any, title: str, group: Sequence[Row], shown: Sequence[str]) -> None:
    options = {row["scenario"]: row for row in group}
    names = [
        f"{row['rank']}  {row['interconnect']} · {row['topology']}  ({100 * row['wins_ratio']:.0f} %)"
        for row in options.values()
    ]
    for panel, quantity in zip(axes, shown, strict=True):
        label, scale = unit_of(quantity, group)
        known = [
            (at, row)
            for at, scenario in enumerate(options)
            for row in group
            if row["scenario"] == scenario and row["quantity"] == quantity and row["low"] is not None
        ]
        where = [at for at, _ in known]
        low, median, high, typical = (
            [row[end] / scale for _, row in known] for end in ("low", "median", "high", "typical")
        )
        panel.hlines(where, low, high, color=_LINE, linewidth=3, alpha=0.5, label="5 to 95 % of the draws")
        panel.plot(median, where, "|", color=_LINE, markersize=8, markeredgewidth=2, label="median")
        panel.plot(typical, where, "o", color=_TYPICAL, markersize=3.5, label="typical figures")
        panel.set_yticks(range(len(names)), names if panel is axes[0] else [""] * len(names))
        panel.set_ylim(len(names) - 0.4, -0.6)
        panel.set_xlabel(label)
        panel.locator_params(axis="x", nbins=4)
        panel.ticklabel_format(axis="x", useOffset=False)
        panel.spines[["top", "right"]].set_visible(False)
    axes[0].set_title(f"{title} (share of draws won)", loc="left", fontweight="bold")
