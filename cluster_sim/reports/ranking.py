"""The ranking as a table, as wide as there is room for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from cluster_sim.config import CRITERIA, Rank
from cluster_sim.core import bit_rate
from cluster_sim.reports.ranking_columns import Column, columns_of, fitting, helps, unverified, unverified_everywhere
from cluster_sim.reports.text import engineering, percent, seconds

Row = Mapping[str, Any]

#: What one may look for: words, column of the summary, whether more is better, unit of its values.
_BEST = (
    ("fastest", "step_time_s", False, "s"),
    ("least network energy", "network_energy_j", False, "J a step"),
    ("cheapest network", "capex_usd", False, "USD"),
    ("least cost per token", "cluster_usd_per_mtoken", False, "USD a million"),
    ("most goodput", "goodput_ratio", True, "%"),
    ("first to be trained", "time_to_train_s", False, "days"),
)


@dataclass(frozen=True, slots=True)
class _Ranking:
    """Prints itself in the width that there is."""

    rows: Sequence[Row]
    tie_ratio: float
    by: Rank

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        left_out: list[Column] = []
        for key in dict.fromkeys(self.by.group(row) for row in self.rows):
            group = [row for row in self.rows if self.by.group(row) == key]
            ok = sorted((row for row in group if _has_rank(row)), key=lambda row: int(row["rank"]))
            columns, dropped = fitting(columns_of(ok, self.by), options.max_width)
            left_out += [column for column in dropped if column.title not in {one.title for one in left_out}]
            yield from (_title(group, self.by), *([_ranked(ok, columns)] if ok else []), *_best(ok))
            yield from (*_unranked(group, self.by), *_not_ok(group), Text(""))
        yield from _notes(self, left_out)


def ranking(rows: Sequence[Row], tie_ratio: float, by: Rank | None = None) -> RenderableType:
    """A table for each group of options that stand against each other, best first; what is not ranked stands below.

    Args:
        rows: the summary, as mappings.
        tie_ratio: what counts as equal, for the note.
        by: what the ranking is by; None for step time.
    """
    return _Ranking(rows, tie_ratio, by or Rank())


def _has_rank(row: Row) -> bool:
    return row["status"] == "ok" and row["rank"] is not None


def _title(group: Sequence[Row], by: Rank) -> Text:
    first = group[0]
    model = engineering(first["num_parameters"], "", 4)
    rates = " and ".join(dict.fromkeys(bit_rate(row["line_rate_bytes_per_s"]) for row in group))
    machine = f"{first['num_accelerators']:,} {first['accelerator']}, {rates} per accelerator"
    return Text(f"{first['job']}: {model} parameters on {machine}; ranked by {by.words}")


def _ranked(ok: Sequence[Row], columns: Sequence[Column]) -> Table:
    """Rows that tie stand in one block."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column.title, justify="left" if column.is_text else "right", no_wrap=True)
    after = [*(row["is_tie"] for row in ok[1:]), False]
    for number, row in enumerate(ok):
        if not row["is_tie"] and (after[number] or ok[number - 1]["is_tie"]):
            table.add_section()
        table.add_row(*(escape(column.cells[number]) for column in columns))
    return table


def _best(ok: Sequence[Row]) -> list[RenderableType]:
    """The answer: who is best in what one may look for, and what it costs in time."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    fastest_s = min((row["step_time_s"] for row in ok), default=0.0)
    for words, column, is_high, unit in _BEST:
        known = [row for row in ok if row.get(column) is not None]
        if known:
            best = min(known, key=lambda row: (-row[column] if is_high else row[column], row["rank"]))
            slower = "" if column == "step_time_s" else f"{percent(best['step_time_s'] / fastest_s - 1, 2)} slower"
            option = f"{best['interconnect']} in {best['topology']}"
            table.add_row(f"  {words}", escape(option), _value(best[column], unit), slower)
    return [table] if ok else []


def _value(value: float, unit: str) -> str:
    if unit == "s":
        return seconds(value)
    if unit == "%":
        return percent(value, 2)
    return f"{value / 86400:.2f} days" if unit == "days" else engineering(value, unit)


def _unranked(group: Sequence[Row], by: Rank) -> list[Text]:
    """Options that were simulated and have nothing to rank them by."""
    lines = []
    for row in group:
        if row["status"] == "ok" and not _has_rank(row):
            missing = [CRITERIA[name].words for name in by.weights if CRITERIA[name].cost(row) is None]
            lines.append(f"  not ranked: {row['interconnect']} ({row['topology']}): has no {' and no '.join(missing)}")
    return [Text(line, style="yellow") for line in lines]


def _not_ok(group: Sequence[Row]) -> list[Text]:
    """One line per reason, with the options and topologies that share it."""
    where: dict[tuple[str, str, str], list[str]] = {}
    for row in group:
        if row["status"] != "ok":
            where.setdefault((row["status"], row["reason"], row["interconnect"]), []).append(row["topology"])
    options: dict[tuple[str, str, str], list[str]] = {}
    for (status, reason, option), topologies in where.items():
        options.setdefault((status, reason, ", ".join(topologies)), []).append(option)
    return [
        Text(f"  {status}: {', '.join(names)} ({topologies}): {reason}", style="yellow")
        for (status, reason, topologies), names in options.items()
    ]


def _notes(told: _Ranking, left_out: Sequence[Column]) -> list[Text]:
    by, ok = told.by, [row for row in told.rows if row["status"] == "ok"]
    decided = "network energy per step, then price" if by.weights == Rank().weights else "step time, energy and price"
    ties = (
        f"= Rows of one block tie: their {by.words} is within {100 * told.tie_ratio:g} % of the best of them; "
        f"{decided} decided their order."
    )
    notes = [
        *([ties] if any(row["is_tie"] for row in ok) else []),
        "Parts of the step in seconds. Power and price are of the network: modules at both ends, cables, switches, "
        "NICs, OCS; no cooling.",
    ]
    if len(by.weights) > 1:
        notes.append("x best: how many times an option it is that would be best in everything that is weighed.")
    if any(row.get("is_pareto_cost") or row.get("is_pareto_energy") for row in ok):
        time = "time to train" if any(row.get("time_to_train_s") is not None for row in ok) else "step time"
        notes.append(
            f"front: no other option is as good in {time} and price ($), or in {time} and network energy (J); ties in "
            f"{time} count as equal."
        )
    notes += [". ".join(helps(ok, by, left_out)) + "."] if helps(ok, by, left_out) else []
    if left_out:
        titles = ", ".join(column.title for column in left_out)
        notes.append(f"Without room for: {titles}; all columns are in summary.arrow.")
    if any(unverified(row) for row in ok):
        notes.append(
            "Figures without a retrieved source that every row rests on: "
            f"{', '.join(sorted(unverified_everywhere(ok))) or 'none'}. * rests on further ones; see 'unverified' in "
            "summary.arrow and the status columns of bom.arrow."
        )
    return [Text(f"  {note}", style="dim") for note in notes]
