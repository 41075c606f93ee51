"""Which option is best: by step time, or by what a comparison asks for; other quantities decide within a tie.

A mix of criteria is the weighted geometric mean of how many times the best of its group an option is by each:
``exp(sum of share x ln(quantity / least))``, for goodput ``most / quantity``. So a score of 1.2 says: all in all 1.2
times an option that would be best in everything. It has no units, so seconds and dollars can be mixed. And since the
best of a group only scales all scores of the group alike, an option that is added or left out never changes the order
of others by score, as it does with a mean of such ratios, or of places: a bad option cannot decide between good ones.
Halving one quantity outweighs doubling another of the same weight exactly.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from cluster_sim.config import CRITERIA, Rank

Row = Mapping[str, Any]
#: Quantities that decide within a tie, in their order: columns of the summary.
_DECIDE = ("step_time_s", "network_energy_j", "capex_usd")


def rank(rows: Sequence[Row], tie_ratio: float, by: Rank | None = None) -> list[tuple[int | None, bool]]:
    """(rank, tied with the next better) of each row, among rows of equal job and line rate, or job.

    The best row leads; rows within ``tie_ratio`` of it tie with it and are ordered by step time, network energy per
    step, price and name; by step time itself that leaves energy, price and name. The best of the rest leads the next
    group. Rows that are not ok, or have nothing of what the ranking is by, have no rank.

    Args:
        rows: the summary, as mappings.
        tie_ratio: what counts as equal.
        by: the key ``rank``; None for step time.
    """
    by = by or Rank()
    result: list[tuple[int | None, bool]] = [(None, False)] * len(rows)
    scored = scores(rows, by)
    for members in groups_of(rows, by).values():
        counted = [number for number in members if scored[number] is not None]
        if len(by.weights) == 1:
            costs = _costs(rows, counted, next(iter(by.weights)))
        else:
            costs = {number: float(scored[number] or 0.0) for number in counted}
        place = 1
        for tied in ties(costs, tie_ratio):
            for position, number in enumerate(sorted(tied, key=lambda number: _tie_break(rows[number], by))):
                result[number] = (place, position > 0)
                place += 1
    return result


def scores(rows: Sequence[Row], by: Rank) -> list[float | None]:
    """How many times the best of its group each row is by what it is ranked by; see the top of this module.

    By one criterion the best has 1; by a mix 1 would be best in everything. What is 0 in some rows, a price say, is
    compared with the least that is not, and a row with 0 has score 0. None for rows that have no rank.
    """
    result: list[float | None] = [None] * len(rows)
    for members in groups_of(rows, by).values():
        costs = {name: _costs(rows, members, name) for name in by.weights}
        least = {name: min((cost for cost in each.values() if cost > 0), default=1.0) for name, each in costs.items()}
        for number in members:
            if all(number in costs[name] for name in by.weights):
                ratios = [(costs[name][number] / least[name], share) for name, share in by.weights.items()]
                result[number] = _geometric_mean(ratios)
    return result


def groups_of(rows: Sequence[Row], by: Rank) -> dict[tuple[Any, ...], list[int]]:
    """Numbers of the rows that are ok, by the group whose members stand against each other."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for number, row in enumerate(rows):
        if row["status"] == "ok":
            groups.setdefault(by.group(row), []).append(number)
    return groups


def _costs(rows: Sequence[Row], members: Sequence[int], name: str) -> dict[int, float]:
    """What those of some rows that have it have of a criterion; less is better."""
    found = {number: CRITERIA[name].cost(rows[number]) for number in members}
    return {number: cost for number, cost in found.items() if cost is not None}


def _geometric_mean(ratios: Sequence[tuple[float, float]]) -> float:
    """Of (ratio, share) each; shares add up to 1. One ratio alone comes back as it is."""
    if len(ratios) == 1:
        return ratios[0][0]
    if any(ratio == 0 for ratio, _ in ratios):
        return 0.0
    return math.exp(math.fsum(share * math.log(ratio) for ratio, share in ratios))


def ties(costs: Mapping[int, float], tie_ratio: float) -> list[list[int]]:
    """Numbers of rows that tie, best first."""
    waiting = sorted(costs, key=lambda number: costs[number])
    groups: list[list[int]] = []
    while waiting:
        limit = costs[waiting[0]] * (1 + tie_ratio)
        tied = [number for number in waiting if costs[number] <= limit]
        waiting = waiting[len(tied) :]
        groups.append(tied)
    return groups


def _tie_break(row: Row, by: Rank) -> tuple[float | str, ...]:
    """Without what it is ranked by: of that, equals differ by less than counts."""
    ranked_by = {CRITERIA[name].column for name in by.weights} if len(by.weights) == 1 else set()
    return (*(row[column] for column in _DECIDE if column not in ranked_by), row["scenario"])
