"""How sure a comparison is, as a table and in words: intervals, how often each option wins, what that hangs on."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

Row = Mapping[str, Any]

#: Quantities that are shown: heading, scale, digits of the largest; ``*`` is for the prefix of the unit.
SHOWN = {
    "step_time_s": ("step s", 1.0, 5),
    "network_energy_j": ("net *J/step", 1.0, 3),
    "facility_energy_j": ("all *J/step", 1.0, 4),
    "capex_usd": ("net *USD", 1.0, 3),
    "cluster_usd_per_mtoken": ("USD/Mtoken", 1.0, 3),
    "goodput_ratio": ("goodput %", 0.01, 3),
}
_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
#: Figures named in a line.
_NAMED = 5
#: A difference of shares counts from so many standard deviations of chance.
_SURE = 3.0


def uncertainty(rows: Sequence[Row], drivers: Sequence[Row], notes: Row) -> RenderableType:
    """One table per group of options that stand against each other, and the figures that its first place hangs on.

    Args:
        rows: the table ``uncertainty``.
        drivers: the table ``drivers``.
        notes: what the manifest says of the draws.
    """
    parts: list[RenderableType] = []
    for group in groups(rows).values():
        first = group[0]
        mine = [row for row in drivers if row["scenario"] == first["scenario"]]
        parts += [_table(group, notes), *_hangs_on(first, mine), Text("")]
    return Group(*parts, *_notes(notes))


def groups(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows of options that stand against each other, by what these are called; best first."""
    found: dict[str, list[Row]] = {}
    for row in sorted((row for row in rows if row["rank"]), key=lambda row: int(row["rank"])):
        found.setdefault(row["group"], []).append(row)
    return {name: found[name] for name in dict.fromkeys(row["group"] for row in rows) if name in found}


def _table(group: Sequence[Row], notes: Row) -> Table:
    shown = [name for name in SHOWN if any(row["quantity"] == name for row in group)]
    title = Text(f"{group[0]['group']}: {notes['draws']:,} draws of the catalogue's figures, 5 to 95 % of them")
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", padding=(0, 1, 0, 0))
    for name in ("#", "interconnect", "topology"):
        table.add_column(name, no_wrap=True)
    built = ("built %",) if any(row["buildable_ratio"] < 1 for row in group) else ()
    units = {name: unit_of(name, group) for name in shown}
    for name in ("wins %", "mean #", *built, *(words for words, _ in units.values())):
        table.add_column(name, justify="right", no_wrap=True)
    for rank in dict.fromkeys(row["rank"] for row in group):
        mine = {row["quantity"]: row for row in group if row["rank"] == rank}
        any_row = next(iter(mine.values()))
        table.add_row(
            str(rank), escape(any_row["interconnect"]), escape(any_row["topology"]),
            f"{100 * any_row['wins_ratio']:.0f}",
            "-" if any_row["mean_rank"] is None else f"{any_row['mean_rank']:.1f}",
            *(f"{100 * any_row['buildable_ratio']:.0f}" for _ in built),
            *(_interval(mine[name], units[name][1], group) if name in mine else "-" for name in shown),
        )  # fmt: skip
    return table


def unit_of(quantity: str, group: Sequence[Row]) -> tuple[str, float]:
    """(heading, what is 1 of its unit) of a quantity, with the prefix that suits the largest of a group."""
    words, scale, _ = SHOWN[quantity]
    if "*" not in words:
        return words, scale
    largest = _largest(quantity, group)
    factor, prefix = next(((factor, prefix) for factor, prefix in _PREFIXES if largest >= factor), (1.0, ""))
    return words.replace("*", prefix), factor * scale


def _largest(quantity: str, group: Sequence[Row]) -> float:
    return max((row["high"] or 0.0 for row in group if row["quantity"] == quantity), default=0.0)


def _interval(row: Row, scale: float, group: Sequence[Row]) -> str:
    """``11.85..11.92``; the largest of the group has as many digits as are shown."""
    if row["low"] is None:
        return "-"
    largest = _largest(row["quantity"], group) / scale
    digits = max(SHOWN[row["quantity"]][2] - 1 - math.floor(math.log10(largest)), 0) if largest else 0
    return f"{row['low'] / scale:.{digits}f}..{row['high'] / scale:.{digits}f}"


def _hangs_on(first: Row, drivers: Sequence[Row]) -> list[Text]:
    """The figures that decide who is first, and which of them nobody has verified."""
    found = sorted(decisive(first, drivers), key=lambda row: -abs(row["influence"] or 0.0))
    if not found:
        return [Text(f"  {_option(first['scenario'])} is first whatever single figure moves in its range.")]
    told = "; ".join(_told(row) for row in found[:_NAMED])
    more = f"; and {len(found) - _NAMED} more, see drivers.arrow" if len(found) > _NAMED else ""
    lines = [Text(f"  First place of {_option(first['scenario'])} hangs on {told}{more}.")]
    unverified = [row["figure"] for row in found if row["status"] == "M"]
    if unverified:
        lines.append(Text(f"  Of these no source was retrieved for {', '.join(unverified)}.", style="yellow"))
    return lines


def decisive(first: Row, drivers: Sequence[Row]) -> list[Row]:
    """Rows ``rank`` of the drivers that are more than chance: another option wins with the figure at one end, or the
    first wins more often in one half of the figure's range than in the other.
    """
    share, num = first["wins_ratio"], first["draws"]
    chance = 2 * math.sqrt(max(share * (1 - share), 0.25 / num) / num)
    return [
        row
        for row in drivers
        if row["quantity"] == "rank" and (_others(row) or abs(row["influence"] or 0.0) > _SURE * chance)
    ]


def _others(row: Row) -> bool:
    """Whether another option than the first wins with the figure at one of its ends."""
    return {row["winner_low"], row["winner_high"]} != {row["scenario"]}


def _told(row: Row) -> str:
    """``1.6t-lpo-dr8 power (V1): wins 71 points less often in its upper half, at its high end dsp is first``."""
    told = []
    if row["influence"]:
        less = "less" if row["influence"] < 0 else "more"
        told.append(f"wins {100 * abs(row['influence']):.0f} points {less} often in its upper half")
    for end in ("low", "high"):
        winner = row[f"winner_{end}"]
        if winner != row["scenario"]:
            told.append(f"{_option(winner)} is first at its {end} end" if winner else f"not buildable at its {end} end")
    return f"{row['figure']} ({row['status']}): {', '.join(told)}"


def _option(scenario: str) -> str:
    """``cpo-800g in fat-tree``."""
    return " in ".join(scenario.split(" / ")[1:])


def _notes(notes: Row) -> list[Text]:
    told = [
        "Every figure with a range is drawn between low and high, most often near typical (triangular), each by "
        "itself; a draw holds for all options. Places are by the ranking in use; wins are of the draws in which "
        "any option of the table can be built.",
    ]
    if notes["method"] == "simulated":
        told.append("Every option was simulated in every draw.")
    else:
        off = [
            f"{what} off by at most {_percent(notes[key])}"
            for what, key in (("step times", "largest_step_error_ratio"), ("goodput", "largest_goodput_error_ratio"))
            if notes[key] is not None
        ]
        goodput = "; goodput: parts of the wall time in proportion to what failures take" if len(off) > 1 else ""
        told.append(
            "Step times: piecewise linear between simulations with the figures that set times at their ends"
            + f"{goodput}."
            + (f" In {notes['draws_simulated']} draws that were simulated in full: {', '.join(off)}; --resimulate does "
               "so with all." if off else "")
        )  # fmt: skip
    return [Text(f"  {note}", style="dim") for note in told]


def _percent(ratio: float) -> str:
    """``0.031 %``."""
    return f"{100 * ratio:.3f} %"
