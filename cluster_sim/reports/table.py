"""A run as a table."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cluster_sim.reports.economy import economy_lines
from cluster_sim.reports.text import STEP_PARTS, engineering, percent, seconds

Row = Mapping[str, Any]


def step(row: Row, power: Sequence[Row] = (), supply: Sequence[Row] = ()) -> RenderableType:
    """One run: its step time by part, what it burns and costs, and whether it can be had.

    Args:
        row: of the summary.
        power: rows of the table of that name.
        supply: likewise.
    """
    table = Table(box=box.SIMPLE)
    table.add_column("part")
    table.add_column("time", justify="right")
    table.add_column("share", justify="right")
    for name, column in STEP_PARTS:
        if row[column]:
            table.add_row(name, seconds(row[column]), percent(row[column] / row["step_time_s"]))
    table.add_section()
    table.add_row("step", seconds(row["step_time_s"]), f"MFU {percent(row['mfu_ratio'])}")
    if row.get("checkpoint_s"):
        table.add_row("checkpoints", seconds(row["checkpoint_s"]), "on top, on average")
    table.add_row("network", engineering(row["network_power_w"], "W"), engineering(row["capex_usd"], "USD"))
    return Group(Text(str(row["scenario"])), table, *economy_lines(row, power, supply))
