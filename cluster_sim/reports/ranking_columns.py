"""Columns of the printed ranking, and which of them there is room for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from cluster_sim.config import CRITERIA, Rank
from cluster_sim.core import bit_rate
from cluster_sim.reports.text import STEP_PARTS

Row = Mapping[str, Any]

#: Of columns that are never left out.
_ALWAYS = 100
#: Parts below this share of every step are not shown.
_SEEN = 1e-3
#: Parts below this share of every step are the first to go where there is no room.
_SMALL = 0.01


@dataclass(frozen=True, slots=True)
class Column:
    """A column as it is printed.

    Attributes:
        title: above it.
        cells: one for each row.
        weight: those of less weight are left out first.
        is_text: stands to the left.
    """

    title: str
    cells: tuple[str, ...]
    weight: float = _ALWAYS
    is_text: bool = False

    @property
    def width(self) -> int:
        """Characters, with those between columns."""
        return 2 + max(map(len, (self.title, *self.cells)))


class _Figure(NamedTuple):
    """A figure of the summary, by which column, how it is written, how much it matters, and what its title means.

    Those of weight 0 are shown where the ranking is by them only.
    """

    title: str
    name: str
    write: Callable[[Any], str]
    weight: float
    help: str = ""


#: From left to right, behind the parts of the step.
_FIGURES = (
    _Figure("good %", "goodput_ratio", lambda value: f"{100 * value:.2f}", 10, "good: goodput, useful over wall time"),
    _Figure("days", "time_to_train_s", lambda value: f"{value / 86400:.2f}", 11, "days: time to train"),
    _Figure("net MW", "network_power_w", lambda value: f"{value / 1e6:.3f}", 8),
    _Figure("MJ/step", "network_energy_j", lambda value: f"{value / 1e6:.2f}", 3),
    _Figure("all MJ/step", "facility_energy_j", lambda value: f"{value / 1e6:.1f}", 0,
            "all MJ/step: of the cluster with cooling"),
    _Figure("J/tok", "energy_per_token_j", lambda value: _digits(value), 6,
            "J/tok: energy of the cluster with cooling per token"),
    _Figure("net MUSD", "capex_usd", lambda value: f"{value / 1e6:.1f}", 9),
    _Figure("net USD/Mtok", "network_usd_per_mtoken", lambda value: _digits(value), 0,
            "net USD/Mtok: price and energy of the network per million tokens"),
    _Figure("USD/Mtok", "cluster_usd_per_mtoken", lambda value: _digits(value), 7,
            "USD/Mtok: price and energy of the cluster per million tokens"),
    _Figure("modules", "num_modules", lambda value: f"{value:,}", 2),
    _Figure("supply", "supply_months", lambda value: f"{value:.2g}", 4.5,
            "supply: months of all that is known to be made of its modules"),
    _Figure("cooling", "cooling", str, 4, "cooling: of modules and switches"),
)  # fmt: skip


def columns_of(ok: Sequence[Row], by: Rank) -> list[Column]:
    """All columns for some rows that have a rank, best first."""
    everywhere = unverified_everywhere(ok)
    columns = [
        Column("#", tuple(_place(row, after) for row, after in zip(ok, [*ok[1:], {}], strict=False)), is_text=True),
        Column("interconnect", tuple(row["interconnect"] + "*" * bool(unverified(row) - everywhere) for row in ok),
               is_text=True),
        Column("topology", tuple(row["topology"] for row in ok), is_text=True),
    ]  # fmt: skip
    if by.across == "line_rates":
        columns.append(Column("rate", tuple(bit_rate(row["line_rate_bytes_per_s"]) for row in ok)))
    if any(map(_front, ok)):
        columns.append(Column("front", tuple(map(_front, ok)), 12, is_text=True))
    if len(by.weights) > 1:
        columns.append(Column("x best", tuple(f"{row['score_ratio']:.4f}" for row in ok)))
    columns.append(Column("step s", tuple(f"{row['step_time_s']:.4f}" for row in ok)))
    columns.append(Column("MFU %", tuple(f"{100 * row['mfu_ratio']:.1f}" for row in ok), 5))
    columns += [
        Column(title, tuple(f"{row[name]:.3f}" for row in ok), _ALWAYS if _is_more(ok, name, _SMALL) else 1)
        for title, name in STEP_PARTS
        if _is_more(ok, name, _SEEN)
    ]
    return [*columns, *(_column(figure, ok, by) for figure in _shown(ok, by))]


def fitting(columns: Sequence[Column], width: int) -> tuple[list[Column], list[Column]]:
    """(columns that go into ``width`` characters, those left out for it: of the least weight)."""
    kept, dropped = list(columns), []
    while 1 + sum(column.width for column in kept) > width:
        least = min(kept, key=lambda column: column.weight)
        if least.weight >= _ALWAYS:
            break
        kept.remove(least)
        dropped.append(least)
    return kept, dropped


def helps(ok: Sequence[Row], by: Rank, left_out: Sequence[Column]) -> list[str]:
    """What titles stand for that do not say it themselves."""
    missing = {column.title for column in left_out}
    return [figure.help for figure in _shown(ok, by) if figure.help and figure.title not in missing]


def unverified(row: Row) -> set[str]:
    """Figures without a retrieved source that a row rests on."""
    return set(filter(None, (row["unverified"] or "").split(", ")))


def unverified_everywhere(ok: Sequence[Row]) -> set[str]:
    """Those that all rows rest on."""
    return set.intersection(*map(unverified, ok)) if ok else set()


def _shown(ok: Sequence[Row], by: Rank) -> list[_Figure]:
    """Figures that any row has."""
    ranked_by = _ranked_by(by)
    return [
        figure
        for figure in _FIGURES
        if (figure.weight or figure.name in ranked_by) and any(row.get(figure.name) is not None for row in ok)
    ]


def _column(figure: _Figure, ok: Sequence[Row], by: Rank) -> Column:
    values = [row.get(figure.name) for row in ok]
    cells = tuple("-" if value is None else figure.write(value) for value in values)
    return Column(figure.title, cells, _ALWAYS if figure.name in _ranked_by(by) else figure.weight)


def _ranked_by(by: Rank) -> set[str]:
    return {CRITERIA[name].column for name in by.weights}


def _is_more(ok: Sequence[Row], name: str, share: float) -> bool:
    """Whether a part is more than a share of any step."""
    return any(row[name] > share * row["step_time_s"] for row in ok)


def _digits(value: float) -> str:
    """Four digits that count, zeros at the end too: 0.7770, 12.30, 1234."""
    return f"{value:#.4g}".rstrip(".")


def _place(row: Row, after: Row) -> str:
    return f"{'=' if row['is_tie'] or after.get('is_tie') else ''}{row['rank']}"


def _front(row: Row) -> str:
    return "$" * bool(row.get("is_pareto_cost")) + "J" * bool(row.get("is_pareto_energy"))
