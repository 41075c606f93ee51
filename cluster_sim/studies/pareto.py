"""Options that no other beats: in price and time, and in energy and time."""

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

from cluster_sim.config import Rank, time_column
from cluster_sim.studies.ranking import groups_of, ties

Row = Mapping[str, Any]
#: What is weighed against time, by the column of the summary that says who is on its front.
AGAINST = {"is_pareto_cost": "capex_usd", "is_pareto_energy": "network_energy_j"}


def pareto(rows: Sequence[Row], tie_ratio: float, by: Rank | None = None) -> list[dict[str, bool | None]]:
    """For each row and name of ``AGAINST`` whether it is on the front of its group; None for rows that are not ok.

    Times within ``tie_ratio`` of the fastest of a block count as equal, in the blocks of the ranking by time; price
    (of the network) and energy (of the network, per step) as they are. On the front are the cheapest of each block,
    where no faster block has an option as cheap: for every option there is one on the front that is as cheap, and as
    fast but for ``tie_ratio``. A row without a time to train, where others have one, is not.

    Args:
        rows: the summary, as mappings.
        tie_ratio: what counts as equal.
        by: which rows are a group; None for those of equal job and line rate.
    """
    by = by or Rank()
    result: list[dict[str, bool | None]] = [dict.fromkeys(AGAINST) for _ in rows]
    for members in groups_of(rows, by).values():
        time = time_column([rows[number] for number in members])
        for name, column in AGAINST.items():
            both = {number: (rows[number].get(time), rows[number].get(column)) for number in members}
            known = {
                number: (one, other) for number, (one, other) in both.items() if one is not None and other is not None
            }
            front = _front(known, tie_ratio)
            for number in members:
                result[number][name] = number in front
    return result


def _front(points: Mapping[int, tuple[float, float]], tie_ratio: float) -> set[int]:
    """Numbers of the points (time, price) on the front, block by block of equal times, the fastest first."""
    found: set[int] = set()
    least = inf
    for tied in ties({number: time for number, (time, _) in points.items()}, tie_ratio):
        cheapest = min(points[number][1] for number in tied)
        if cheapest < least:
            found |= {number for number in tied if points[number][1] == cheapest}
            least = cheapest
    return found
