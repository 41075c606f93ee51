"""Which figures a ranking hangs on: those that part the first option from the second, or make another one first."""

from collections.abc import Mapping, Sequence

import numpy as np

from cluster_sim.studies.draws import Uncertain
from cluster_sim.studies.sampled import QUANTITIES, Ranking, Row, Sample, decided
from cluster_sim.tables import Array

#: Changes of a gap below this are rounding.
_SAME = 1e-12
_ENDS = ("low", "high")


def driver_rows(
    name: str, group: Sequence[Sample], place: Array, ranking: Ranking, drawn: Mapping[tuple[str, str], Array]
) -> list[Row]:
    """Rows of the table ``drivers`` for options that stand against each other.

    A figure has a row for each quantity in which it, moved alone from end to end, changes the gap between the options
    that are first and second with typical figures; and a row ``rank`` if it changes any gap, or who is first. An option
    that stands alone has no second and no gaps, but may not be buildable at an end.

    Args:
        name: what they are called together.
        group: the options.
        place: float64[options, draws], of each in each draw.
        ranking: by which they stand against each other.
        drawn: float64[draws], values of every figure.
    """
    ranked = sorted((sample for sample in group if sample.option.row["rank"]), key=lambda one: one.option.row["rank"])
    if not ranked:
        return []
    first, second = ranked[0], next(iter(ranked[1:]), None)
    figures = dict.fromkeys(figure for sample in group for figure in sample.option.figures)
    won = decided(place)
    at_first = place[[sample is first for sample in group].index(True), won]
    rows = []
    for figure in figures:
        found = _gaps(first, second, figure, drawn[figure.key]) if second else []
        winners = [_winner(group, ranking, figure, end) for end in _ENDS]
        if found or any(winner != first.option.row["scenario"] for winner in winners):
            rest = dict(zip(("winner_low", "winner_high"), winners, strict=True))
            found.append({"quantity": "rank", "influence": _by_halves(at_first, drawn[figure.key][won]), **rest})
        common = _described(first, second, figure)
        rows += [{"group": name, **common, **row} for row in found]
    return rows


def _described(first: Sample, second: Sample | None, figure: Uncertain) -> Row:
    return {
        "scenario": first.option.row["scenario"], "second": second.option.row["scenario"] if second else None,
        "figure": figure.name, "status": figure.status, "figure_unit": figure.unit,
        "low": figure.low, "typical": figure.typical, "high": figure.high,
    }  # fmt: skip


def _gaps(first: Sample, second: Sample, figure: Uncertain, drawn: Array) -> list[Row]:
    """A row for each quantity whose gap the figure changes."""
    rows = []
    for quantity in QUANTITIES:
        if first.option.row.get(quantity) is None or second.option.row.get(quantity) is None:
            continue
        typical = _gap(first.option.row, second.option.row, quantity)
        low, high = (_gap(first.row_with(figure.key, end), second.row_with(figure.key, end), quantity) for end in _ENDS)
        if not (_is_same(low, typical) and _is_same(high, typical)):
            gap = _gaps_of(first.values(quantity), second.values(quantity))
            told = dict(zip(("gap_low_ratio", "gap_ratio", "gap_high_ratio"), (low, typical, high), strict=True))
            rows.append({
                "quantity": quantity, "influence": rank_correlation(drawn, gap),
                **{name: one if np.isfinite(one) else None for name, one in told.items()},
            })  # fmt: skip
    return rows


def _gap(first: Row, second: Row, quantity: str) -> float:
    """How much more the second has of it, relative to the first; NaN where one of the two cannot be built."""
    if (first["status"], second["status"]) != ("ok", "ok"):
        return np.nan
    return float(_gaps_of(*(np.array(row[quantity], np.float64) for row in (first, second))))


def _gaps_of(first: Array, second: Array) -> Array:
    """The same of many: 0 between equals, two that cost nothing too; infinite over something that costs nothing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(second == first, 0.0, second / first - 1)


def _is_same(one: float, other: float) -> bool:
    """But for rounding; NaN, where one of the two cannot be built, is like nothing."""
    return one == other or abs(one - other) <= _SAME


def _winner(group: Sequence[Sample], ranking: Ranking, figure: Uncertain, end: str) -> str | None:
    """Who is first with one figure moved."""
    ranked = ranking([sample.row_with(figure.key, end) for sample in group])
    first = [sample for sample, (place, _) in zip(group, ranked, strict=True) if place == 1]
    return str(first[0].option.row["scenario"]) if first else None


def _by_halves(place: Array, drawn: Array) -> float | None:
    """Share of draws with a winner that it wins where the figure is above its median, less that where it is not."""
    above = drawn > np.median(drawn) if len(drawn) else np.zeros(0, bool)
    return float((place[above] == 1).mean() - (place[~above] == 1).mean()) if above.any() else None


def rank_correlation(x: Array, y: Array) -> float | None:
    """Spearman's: the correlation of places by size, ties sharing theirs; None where there is none, as with one draw.

    Args:
        x: float64[n]; pairs with NaN are left out.
        y: float64[n].
    """
    known = ~(np.isnan(x) | np.isnan(y))
    a, b = (_places(column[known]) for column in (x, y))
    spread = float(np.sqrt((a @ a) * (b @ b))) if len(a) else 0.0
    return float(a @ b) / spread if spread else None


def _places(column: Array) -> Array:
    """float64[n]: place by size, less the mean; equal values share theirs."""
    _, which, count = np.unique(column, return_inverse=True, return_counts=True)
    middle = np.cumsum(count) - (count - 1) / 2
    placed = middle[which.ravel()]
    return np.asarray(placed - placed.mean()) if len(placed) else placed
