"""Errors against measurements as tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cluster_sim.reports.text import percent

Row = Mapping[str, Any]

_SIZES = {True: "16 MiB and more", False: "below 16 MiB"}


def errors(groups: Sequence[tuple[str, Sequence[Row]]], rows: Sequence[Row]) -> RenderableType:
    """Absolute errors, a table for each split, test rows last, and why rows could not be simulated.

    Args:
        groups: what errors are grouped by, in words, and the groups: ``split``, ``is_large``, ``num``, ``mean_ratio``,
            ``median_ratio``, ``worst_ratio``, and names in the other keys.
        rows: of ``verify.arrow``, for what is missing.
    """
    splits = dict.fromkeys(row["split"] for _, group in groups for row in group)
    parts: list[RenderableType] = [_errors_of(split, groups) for split in splits]
    return Group(*parts, *_missing(rows))


def _errors_of(split: str, groups: Sequence[tuple[str, Sequence[Row]]]) -> Table:
    title = Text(f"{split} rows: absolute error of the time, predicted against measured")
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", padding=(0, 1, 0, 0))
    table.add_column("by", no_wrap=True)
    table.add_column("of", no_wrap=True)
    for size in _SIZES.values():
        for name in (f"{size}: rows", "mean", "median", "worst"):
            table.add_column(name, justify="right")
    for what, group in groups:
        mine = [row for row in group if row["split"] == split]
        for name in dict.fromkeys(map(_name, mine)):
            cells = [_cells([row for row in mine if _name(row) == name and row["is_large"] is is_large])
                     for is_large in _SIZES]  # fmt: skip
            table.add_row(what, name, *cells[0], *cells[1])
        table.add_section()
    return table


def _name(row: Row) -> str:
    figures = ("split", "is_large", "num", "mean_ratio", "median_ratio", "worst_ratio")
    return ", ".join(str(value) for key, value in row.items() if key not in figures) or "all"


def _cells(rows: Sequence[Row]) -> tuple[str, ...]:
    if not rows:
        return "0", "-", "-", "-"
    (row,) = rows
    return f"{row['num']:,}", *(percent(row[f"{name}_ratio"]) for name in ("mean", "median", "worst"))


def _missing(rows: Sequence[Row]) -> list[Text]:
    """One line per reason, and one per assumption."""
    lines = []
    for is_missing, what in ((True, "not simulated"), (False, "assumed")):
        found = [row["note"] for row in rows if row["note"] and (row["predicted_s"] is None) is is_missing]
        style = "yellow" if is_missing else "dim"
        lines += [Text(f"  {what}: {found.count(note)} rows: {note}", style=style) for note in dict.fromkeys(found)]
    return lines
