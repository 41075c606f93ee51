"""Errors of training steps against measurements as tables, and the rows that are farthest off."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cluster_sim.reports.text import percent

Row = Mapping[str, Any]

#: Worst rows that are shown.
_WORST = 10
#: Parts of a predicted step, in words.
_PARTS = {
    "compute_s": "compute", "bubble_s": "bubble", "exposed_tp_s": "tp", "exposed_cp_s": "cp", "exposed_ep_s": "ep",
    "exposed_pp_s": "pp", "exposed_dp_s": "dp", "optimizer_s": "optimizer",
}  # fmt: skip


def step_errors(groups: Sequence[tuple[str, Sequence[Row]]], rows: Sequence[Row]) -> RenderableType:
    """Absolute errors, a table for each split, test rows last; the worst rows; and why rows could not be simulated.

    Args:
        groups: what errors are grouped by, in words, and the groups: ``split``, ``num``, ``mean_ratio``,
            ``median_ratio``, ``worst_ratio``, ``worst_row``, and names in the other keys.
        rows: of ``verify.arrow``.
    """
    splits = dict.fromkeys(row["split"] for _, group in groups for row in group)
    return Group(*(_errors_of(split, groups) for split in splits), _worst(rows), *_missing(rows))


def _errors_of(split: str, groups: Sequence[tuple[str, Sequence[Row]]]) -> Table:
    title = Text(f"{split} rows: absolute error of the step time, predicted against measured")
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", padding=(0, 1, 0, 0))
    for name in ("by", "of"):
        table.add_column(name, no_wrap=True)
    for name in ("rows", "mean", "median", "worst"):
        table.add_column(name, justify="right")
    table.add_column("worst row")
    for what, group in groups:
        for row in (row for row in group if row["split"] == split):
            figures = (percent(row[f"{name}_ratio"]) for name in ("mean", "median", "worst"))
            table.add_row(what, _name(row), f"{row['num']:,}", *figures, row["worst_row"])
        table.add_section()
    return table


def _name(row: Row) -> str:
    figures = ("split", "num", "mean_ratio", "median_ratio", "worst_ratio", "worst_row")
    return ", ".join(str(value) or "-" for key, value in row.items() if key not in figures) or "all"


def _worst(rows: Sequence[Row]) -> Table:
    """The rows that are farthest off, with where their time is predicted to go."""
    table = Table(box=box.SIMPLE_HEAD, title="farthest off", title_justify="left", padding=(0, 1, 0, 0))
    for name in ("row", "model", "on", "split"):
        table.add_column(name)
    for name in ("measured s", "error"):
        table.add_column(name, justify="right")
    for name in ("predicted to go to", "note"):
        table.add_column(name)
    simulated = [row for row in rows if row["error_ratio"] is not None]
    for row in sorted(simulated, key=lambda row: -abs(row["error_ratio"]))[:_WORST]:
        table.add_row(
            row["row_id"], row["model"], f"{row['num_accelerators']:,} {row['accelerator']}", row["split"],
            f"{row['measured_s']:.4g}", f"{100 * row['error_ratio']:+.1f} %", _shares(row), row["note"],
        )  # fmt: skip
    return table


def _shares(row: Row) -> str:
    """The three largest parts of the predicted time."""
    shares = sorted(((row[name] / row["predicted_s"], what) for name, what in _PARTS.items()), reverse=True)
    return ", ".join(f"{what} {100 * share:.0f} %" for share, what in shares[:3] if share >= 0.005)


def _missing(rows: Sequence[Row]) -> list[Text]:
    """One line per reason."""
    found = [row["note"] for row in rows if row["predicted_s"] is None]
    return [Text(f"  not simulated: {found.count(note)} rows: {note}", style="yellow") for note in dict.fromkeys(found)]
