"""Samples of a comparison: what every option has in every draw, its place among the others, and its intervals."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from cluster_sim.config import Scenario
from cluster_sim.core import bit_rate
from cluster_sim.studies.draws import Key, Uncertain, uncertain_figures
from cluster_sim.tables import Array

Row = dict[str, Any]

#: Columns of the summary that get intervals, and their units.
QUANTITIES = {
    "step_time_s": "s",
    "network_energy_j": "J",
    "facility_energy_j": "J",
    "capex_usd": "USD",
    "network_usd_per_mtoken": "USD",
    "cluster_usd_per_mtoken": "USD",
    "goodput_ratio": "1",
    "time_to_train_s": "s",
}
#: Shares of the draws below what is called low, median and high.
_SHARES = (0.05, 0.5, 0.95)

#: Gives (place, is tied) of each row of a summary.
Ranking = Callable[[Sequence[Row]], list[tuple[int | None, bool]]]
#: Gives what is equal for rows of a summary that stand against each other: the job, perhaps the line rate.
Grouping = Callable[[Mapping[str, Any]], tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Option:
    """A scenario that can be built and simulated with typical figures.

    Attributes:
        scenario: what it is.
        row: of the summary.
        figures: with ranges, of the catalogue's entries that it rests on.
        utilisation: by tier and kind of switch, what is carried on average over what could be.
        num_pieces: of each cause of failure in its histories; none without histories.
        parts_s: where the wall time of its histories goes, on average.
    """

    scenario: Scenario
    row: Row
    figures: tuple[Uncertain, ...]
    utilisation: dict[str, float]
    num_pieces: dict[str, int] = field(default_factory=dict)
    parts_s: dict[str, float] = field(default_factory=dict)


def options_of(scenarios: Sequence[Scenario], tables: Mapping[str, pa.Table]) -> list[Option]:
    """Those that can be built and simulated with typical figures.

    Args:
        scenarios: of a comparison.
        tables: its results: ``summary``, a row for each in their order, ``bom``, and those of histories, if any.
    """
    more = (
        _by_scenario(tables, "bom", "tier", "utilisation_ratio"),
        _by_scenario(tables, "interruptions", "cause", "num_pieces"),
        _by_scenario(tables, "goodput", "part", "mean_s"),
    )
    return [
        Option(scenario, row, uncertain_figures(scenario), *(found.get(scenario.name, {}) for found in more))
        for scenario, row in zip(scenarios, tables["summary"].to_pylist(), strict=True)
        if row["status"] == "ok"
    ]


def _by_scenario(tables: Mapping[str, pa.Table], name: str, key: str, value: str) -> dict[str, dict[str, Any]]:
    """A column of a table that may be there, by another one, of each scenario; nulls left out."""
    found: dict[str, dict[str, Any]] = {}
    for row in tables[name].select(["scenario", key, value]).to_pylist() if name in tables else ():
        if row[value] is not None:
            found.setdefault(row["scenario"], {})[row[key]] = row[value]
    return found


#: Columns of the summary that figures change; None where the scenario cannot be built with them.
Changed = Row | None


@dataclass(frozen=True, slots=True)
class Sample:
    """What an option becomes.

    Attributes:
        option: whose it is.
        drawn: one for each draw.
        moved: with one figure at its ``low`` or ``high`` end and all others typical; figures that it does not rest on
            are not in it.
    """

    option: Option
    drawn: tuple[Changed, ...]
    moved: dict[tuple[Key, str], Changed]

    def values(self, quantity: str) -> Array:
        """float64[draws]: a column of the summary; NaN where the scenario cannot be built, or has none."""
        found = [None if row is None else row.get(quantity, self.option.row.get(quantity)) for row in self.drawn]
        return np.array([np.nan if value is None else value for value in found], np.float64)

    def row_in(self, draw: int) -> Row:
        """The row of the summary in a draw."""
        return changed(self.option.row, self.drawn[draw])

    def row_with(self, figure: Key, end: str) -> Row:
        """The row of the summary with one figure moved."""
        return changed(self.option.row, self.moved.get((figure, end), {}))


def changed(row: Row, columns: Changed) -> Row:
    """A row of the summary with other figures."""
    return row | ({"status": "not_buildable"} if columns is None else columns)


def places(samples: Sequence[Sample], ranking: Ranking) -> Array:
    """float64[samples, draws]: place of each in each draw; NaN where it has none."""
    num = len(samples[0].drawn) if samples else 0
    found = np.full((len(samples), num), np.nan)
    for draw in range(num):
        ranked = ranking([sample.row_in(draw) for sample in samples])
        found[:, draw] = [np.nan if place is None else place for place, _ in ranked]
    return found


def decided(place: Array) -> Array:
    """bool[draws]: where one of options that stand against each other is first: any of them can be built."""
    return np.asarray((place == 1).any(axis=0))


def group_name(group: tuple[Any, ...]) -> str:
    """What options that stand against each other are called: ``moe-1t, 800G``."""
    return ", ".join(part if isinstance(part, str) else bit_rate(part) for part in group)


def interval_rows(samples: Sequence[Sample], place: Array, method: str, grouping: Grouping) -> list[Row]:
    """Rows of the table ``uncertainty``: intervals of every quantity, and how the option does among the others.

    Args:
        samples: of all options.
        place: float64[samples, draws], as ``places`` has it.
        method: how step times were found.
        grouping: which options stand against each other.
    """
    groups = [grouping(sample.option.row) for sample in samples]
    won = {group: decided(place[[other == group for other in groups]]) for group in groups}
    names = ("scenario", "job", "interconnect", "topology", "line_rate_bytes_per_s", "rank")
    return [
        {
            **{name: sample.option.row[name] for name in names}, "group": group_name(group),
            "quantity": quantity, "unit": unit, "typical": sample.option.row[quantity],
            **_interval(sample.values(quantity)),
            **_standing(mine, won[group]), "draws": len(mine), "method": method,
        }
        for sample, mine, group in zip(samples, place, groups, strict=True)
        for quantity, unit in QUANTITIES.items()
        if sample.option.row.get(quantity) is not None
    ]  # fmt: skip


def _interval(values: Array) -> Row:
    known = values[~np.isnan(values)]
    if not len(known):
        return {}
    return dict(zip(("low", "median", "high"), np.quantile(known, _SHARES).tolist(), strict=True))


def _standing(place: Array, won: Array) -> Row:
    """How often it wins where anybody does, its mean place where it has one, and how often it can be built."""
    ranked = place[~np.isnan(place)]
    return {
        "wins_ratio": float((place[won] == 1).mean()) if won.any() else 0.0,
        "mean_rank": float(ranked.mean()) if len(ranked) else None,
        "buildable_ratio": len(ranked) / len(place),
    }
