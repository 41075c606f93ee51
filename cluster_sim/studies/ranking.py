"""Which option is best: step time first; within a tie energy, then cost."""

from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def rank(rows: Sequence[Row], tie_ratio: float) -> list[tuple[int | None, bool]]:
    """(rank, tied with the next better) of each row, among rows of equal job and line rate.

    The fastest row leads; rows within ``tie_ratio`` of it tie with it and are ordered by network energy per step, then
    by price, then by name. The fastest of the rest leads the next group. Rows that are not ok have no rank.
    """
    result: list[tuple[int | None, bool]] = [(None, False)] * len(rows)
    for members in groups_of(rows).values():
        place = 1
        for tied in _ties(rows, members, tie_ratio):
            for position, number in enumerate(tied):
                result[number] = (place, position > 0)
                place += 1
    return result


def groups_of(rows: Sequence[Row]) -> dict[tuple[Any, ...], list[int]]:
    """Numbers of the rows that are ok, by the group whose members stand against each other."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for number, row in enumerate(rows):
        if row["status"] == "ok":
            groups.setdefault((row["job"], row["line_rate_bytes_per_s"]), []).append(number)
    return groups


def _ties(rows: Sequence[Row], members: list[int], tie_ratio: float) -> list[list[int]]:
    """Groups of rows that tie, best first, each in its order."""
    waiting = sorted(members, key=lambda number: rows[number]["step_time_s"])
    groups: list[list[int]] = []
    while waiting:
        limit_s = rows[waiting[0]]["step_time_s"] * (1 + tie_ratio)
        tied = [number for number in waiting if rows[number]["step_time_s"] <= limit_s]
        waiting = waiting[len(tied) :]
        groups.append(sorted(tied, key=lambda number: _tie_break(rows[number])))
    return groups


def _tie_break(row: Row) -> tuple[float, float, str]:
    return row["network_energy_j"], row["capex_usd"], row["scenario"]
