"""The comparison as a figure: where the time of a step goes, and what the network burns and costs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cluster_sim.core import bit_rate

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


def draw_comparison(rows: Sequence[Row], folder: Path, name: str = "comparison") -> tuple[Path, Path]:
    """Write ``NAME.png`` and ``NAME.svg``: a row of panels per job and line rate.

    Args:
        rows: the summary, as mappings; rows that are not ok are left out.
        folder: where the files go.
        name: of the files, without ending.

    Returns:
        The two paths.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    ok = [row for row in rows if row["status"] == "ok"]
    parts = [part for part in _PARTS if any(row[part[1]] > _SEEN * row["step_time_s"] for row in ok)]
    keys = list(dict.fromkeys((row["job"], row["line_rate_bytes_per_s"]) for row in ok))
    groups = [[row for row in ok if (row["job"], row["line_rate_bytes_per_s"]) == key] for key in keys]
    heights = [len(group) + 2.2 for group in groups] or [3.0]
    with mpl.rc_context({"svg.hashsalt": "cluster_sim", "font.size": 8, "text.parse_math": False}):
        figure, axes = plt.subplots(
            max(len(groups), 1), 3, figsize=(13, 0.24 * sum(heights) + 1.2), squeeze=False, layout="constrained",
            gridspec_kw={"width_ratios": (3, 1, 1), "height_ratios": heights},
        )  # fmt: skip
        for (job, rate), group, line in zip(keys, groups, axes, strict=False):
            title = f"{job}, {bit_rate(rate)} per accelerator"
            _draw_group(line, title, sorted(group, key=lambda row: row["rank"]), parts)
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=max(len(parts), 1), frameon=False)
        png, svg = folder / f"{name}.png", folder / f"{name}.svg"
        figure.savefig(png, dpi=130, metadata={"Software": None})
        figure.savefig(svg, metadata={"Date": None})
        plt.close(figure)
    return png, svg


def _draw_group(axes: Any, title: str, group: Sequence[Row], parts: Sequence[Part]) -> None:
    names = [f"{'=' if row['is_tie'] else ''}{row['rank']}  {row['interconnect']} · {row['topology']}" for row in group]
    position = range(len(group))
    _draw_parts(axes[0], group, parts)
    axes[0].set_yticks(position, names)
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
