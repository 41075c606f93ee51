"""What breaks, and where the wall time goes: a table and a figure."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cluster_sim.reports.canvas import canvas, files
from cluster_sim.reports.text import percent

Row = Mapping[str, Any]

_DAY_S = 86400.0
#: Parts of the wall time: what they are called, and colours that colour-blind readers tell apart [Okabe and Ito 2008].
_PARTS = {
    "useful": ("useful steps", "#0072B2"), "checkpoints": ("checkpoints", "#56B4E9"),
    "lost_work": ("lost work", "#D55E00"), "restart": ("detection and restart", "#E69F00"),
    "waiting": ("waiting for servers", "#CC79A7"), "degraded": ("degraded network", "#009E73"),
    "stalled": ("stalls", "#999999"),
}  # fmt: skip
#: Colours of groups of causes.
_GROUPS = {
    "gpu": "#0072B2", "host": "#56B4E9", "nic": "#009E73", "software": "#999999", "link": "#D55E00", "laser": "#CC79A7",
    "flap": "#E69F00", "switch": "#F0E442", "ocs": "#000000",
}  # fmt: skip


def failures(row: Row, causes: Sequence[Row], parts: Sequence[Row]) -> RenderableType:
    """Interruptions by cause, the parts of the wall time, and what comes of it.

    Args:
        row: of the summary.
        causes: the table ``interruptions``.
        parts: the table ``goodput``.
    """
    told = [Text(f"  {row['status']}: {row['reason']}", style="yellow")] if row["reason"] else []
    return Group(Text(str(row["scenario"])), _causes(causes), _wall(parts), *told, *_notes(row))


def _causes(causes: Sequence[Row]) -> Table:
    """Most interruptions first."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("cause", "part"):
        table.add_column(name)
    for name in ("pieces", "%/year", "failures", "interruptions", "5-95 %", "share", "lost h"):
        table.add_column(name, justify="right", no_wrap=True)
    for cause in sorted(causes, key=lambda one: (-one["interruptions_mean"], -one["failures_mean"])):
        table.add_row(
            cause["cause"], cause["part"], f"{cause['num_pieces']:,}",
            f"{100 * cause['failures_per_year']:.3g}", f"{cause['failures_mean']:,.1f}",
            f"{cause['interruptions_mean']:.1f}",
            f"{cause['interruptions_low']:.0f}-{cause['interruptions_high']:.0f}", percent(cause["share_ratio"]),
            f"{cause['lost_s'] / 3600:.1f}",
        )  # fmt: skip
    table.add_section()
    failed, stopped, lost_s = (
        sum(c[name] for c in causes) for name in ("failures_mean", "interruptions_mean", "lost_s")
    )
    table.add_row("all", "", "", "", f"{failed:,.1f}", f"{stopped:.1f}", "", "", f"{lost_s / 3600:.1f}")
    return table


def _wall(parts: Sequence[Row]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("wall time")
    for name in ("hours", "5-95 %", "share"):
        table.add_column(name, justify="right", no_wrap=True)
    for part in parts:
        low, high = part["low_s"] / 3600, part["high_s"] / 3600
        share = f"{100 * part['share_ratio']:.2f} %"
        table.add_row(_PARTS[part["part"]][0], f"{part['mean_s'] / 3600:,.2f}", f"{low:,.2f}-{high:,.2f}", share)
    return table


def _notes(row: Row) -> list[Text]:
    lines = [
        f"goodput {percent(row['goodput_ratio'])} (5-95 % of histories: {percent(row['goodput_low_ratio'])} to "
        f"{percent(row['goodput_high_ratio'])}) · availability {percent(row['availability_ratio'])} · "
        f"{row['interruptions_per_day']:.2f} interruptions a day · a checkpoint every {row['checkpoint_every']:,} steps"
    ]
    if row["time_to_train_s"] is not None:
        lines.append(f"all tokens in {row['time_to_train_s'] / _DAY_S:,.1f} days")
    if row["unverified"]:
        lines.append(f"Figures without a retrieved source: {row['unverified']}.")
    return [Text(f"  {line}") for line in lines]


def draw_reliability(
    row: Row, causes: Sequence[Row], parts: Sequence[Row], folder: Path, name: str = "reliability"
) -> tuple[Path, Path]:
    """Write ``NAME.png`` and ``NAME.svg``: interruptions by cause, and where the wall time goes besides useful steps.

    Args:
        row: of the summary.
        causes: the table ``interruptions``; those that interrupt less than once in a hundred histories are left out.
        parts: the table ``goodput``.
        folder: where the files go.
        name: of the files, without ending.

    Returns:
        The two paths.
    """
    seen = sorted((c for c in causes if c["interruptions_mean"] >= 0.01), key=lambda one: -one["interruptions_mean"])
    size_in = 13, 0.28 * max(len(seen), 6) + 1.6
    with canvas(folder, name, 1, 2, size_in, widths=(3, 2)) as (figure, axes):
        _draw_causes(axes[0, 0], seen)
        _draw_parts(axes[0, 1], [part for part in parts if part["part"] != "useful"])
        figure.suptitle(
            f"{row['scenario']}: goodput {percent(row['goodput_ratio'])}, "
            f"{row['interruptions_per_day']:.2f} interruptions a day", fontweight="bold",
        )  # fmt: skip
    return files(folder, name)


def _draw_causes(panel: Any, seen: Sequence[Row]) -> None:
    names = [f"{cause['cause']} ({cause['part']})" if cause["part"] else cause["cause"] for cause in seen]
    means = [cause["interruptions_mean"] for cause in seen]
    below = [max(cause["interruptions_mean"] - cause["interruptions_low"], 0.0) for cause in seen]
    above = [max(cause["interruptions_high"] - cause["interruptions_mean"], 0.0) for cause in seen]
    colours = [_GROUPS[cause["group"]] for cause in seen]
    panel.barh(range(len(seen)), means, xerr=[below, above], color=colours, height=0.72, error_kw={"linewidth": 0.8})
    panel.set_yticks(range(len(seen)), names)
    panel.set_xlabel("interruptions in a history, mean and 5-95 % of histories")
    _tidy(panel)


def _draw_parts(panel: Any, parts: Sequence[Row]) -> None:
    shares = [100 * part["share_ratio"] for part in parts]
    bars = panel.barh(range(len(parts)), shares, color=[_PARTS[part["part"]][1] for part in parts], height=0.72)
    panel.bar_label(bars, fmt="%.2f %%", padding=2, fontsize=7)
    panel.set_yticks(range(len(parts)), [_PARTS[part["part"]][0] for part in parts])
    panel.set_xlim(0, max(shares) * 1.2 or 1.0)
    panel.set_xlabel("share of the wall time (%); the rest is useful")
    _tidy(panel)


def _tidy(panel: Any) -> None:
    panel.invert_yaxis()
    panel.spines[["top", "right"]].set_visible(False)
