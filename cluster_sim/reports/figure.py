"""The comparison as a figure: where the time of a step goes, and what the network burns and costs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cluster_sim.config import Rank
from cluster_sim.core import bit_rate
from cluster_sim.reports.canvas import canvas, files

Row = Mapping[str, Any]
Part = tuple[str, str, str]

#: Parts below this share of every step are not drawn.
_SEEN = 1e-3

#: Part of the step, its column, and a colour that is told apart by colour-blind readers [Okabe and Ito 2008].
_PARTS = (
    ("compute", "compute_s", "#0072B2"),
    ("tensor parallel", "exposed_tp_s", "#56B4E9"),
    ("context parallel", "exposed_cp_s", "#999999"),
    ("expert parallel", "exposed_ep_s", "#D55E00"),
    ("pipeline transfers", "exposed_pp_s", "#CC79A7"),
    ("data parallel", "exposed_dp_s", "#E69F00"),
    ("bubble", "bubble_s", "#DDDDDD"),
    ("OCS switching", "switching_s", "#F0E442"),
    ("optimiser", "optimizer_s", "#009E73"),
)


def draw_comparison(
    rows: Sequence[Row], folder: Path, name: str = "comparison", by: Rank | None = None
) -> tuple[Path, Path]:
    """Write ``NAME.png`` and ``NAME.svg``: a row of panels for each group that is ranked, its job and line rate.

    Args:
        rows: the summary, as mappings; rows that are not ok are left out, and those without a rank come last.
        folder: where the files go.
        name: of the files, without ending.
        by: what the ranking is by; None for step time.

    Returns:
        The two paths.
    """
    ok = [row for row in rows if row["status"] == "ok"]
    parts = [part for part in _PARTS if any(row[part[1]] > _SEEN * row["step_time_s"] for row in ok)]
    group_of = (by or Rank()).group
    groups = [[row for row in ok if group_of(row) == key] for key in dict.fromkeys(map(group_of, ok))]
    heights = [len(group) + 2.2 for group in groups] or [3.0]
    size_in = 13, 0.24 * sum(heights) + 1.2
    with canvas(folder, name, max(len(groups), 1), 3, size_in, (3, 1, 1), heights) as (figure, axes):
        for group, line in zip(groups, axes, strict=False):
            _draw_group(line, _title(group, by or Rank()), sorted(group, key=_place), parts)
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=max(len(parts), 1), frameon=False)
    return files(folder, name)


def _title(group: Sequence[Row], by: Rank) -> str:
    rates = " and ".join(dict.fromkeys(bit_rate(row["line_rate_bytes_per_s"]) for row in group))
    return f"{group[0]['job']}, {rates} per accelerator, by {by.words}"


def _place(row: Row) -> float:
    return float("inf") if row["rank"] is None else float(row["rank"])


def _name(row: Row) -> str:
    place = "-" if row["rank"] is None else f"{'=' if row['is_tie'] else ''}{row['rank']}"
    return f"{place}  {row['interconnect']} · {row['topology']}"


def _draw_group(axes: Any, title: str, group: Sequence[Row], parts: Sequence[Part]) -> None:
    position = range(len(group))
    _draw_parts(axes[0], group, parts)
    axes[0].set_yticks(position, [_name(row) for row in group])
    axes[0].set_title(title, loc="left", fontweight="bold")
    axes[0].set_xlabel("step time (s)")
    for panel, column, scale, label in (
        (axes[1], "network_power_w", 1e6, "network power (MW)"),
        (axes[2], "capex_usd", 1e6, "network price (million USD)"),
    ):
        values = [row[column] / scale for row in group]
        bars = panel.barh(position, values, color="#7F7F7F", height=0.72)
        panel.bar_label(bars, fmt="%.3g", padding=2, fontsize=7)
        panel.set_yticks(position, [""] * len(group))
        panel.set_xlim(0, max(values) * 1.2 or 1.0)
        panel.set_xlabel(label)
    for panel in axes:
        panel.invert_yaxis()
        panel.spines[["top", "right"]].set_visible(False)


def _draw_parts(panel: Any, group: Sequence[Row], parts: Sequence[Part]) -> None:
    """Stacked bars; every part gets a handle in the legend."""
    left = [0.0] * len(group)
    for label, column, colour in parts:
        widths = [row[column] for row in group]
        panel.barh(range(len(group)), widths, left=left, color=colour, label=label, height=0.72)
        left = [start + width for start, width in zip(left, widths, strict=True)]
