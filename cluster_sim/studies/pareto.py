"""Options that no other beats: in price and time, and in energy and time."""

from collections.abc import Mapping, Sequence
from typing import Any

from cluster_sim.config import Rank, time_column
from cluster_sim.studies.ranking import groups_of

Row = Mapping[str, Any]
#: What is weighed against time, by the column of the summary that says who is on its front.
AGAINST = {"is_pareto_cost": "capex_usd", "is_pareto_energy": "network_energy_j"}


def pareto(rows: Sequence[Row], tie_ratio: float, by: Rank | None = None) -> list[dict[str, bool | None]]:
    """For each row and name of ``AGAINST`` whether it is on the front of its group; None for rows that are not ok.

    On the front is a row if no other is at least as good in both and better in one. Times within ``tie_ratio`` of each
    other count as equal; price (of the network) and energy (of the network, per step) as they are. So of options that
    are equally fast only the cheapest are on the front. A row without a time to train, where others have one, is not.

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
            points = {number: (rows[number].get(time), rows[number].get(column)) for number in members}
            for number in members:
                result[number][name] = _is_on_front(points, number, tie_ratio)
    return result


def _is_on_front(points: Mapping[int, tuple[float | None, float | None]], number: int, tie_ratio: float) -> bool:
    mine = points[number]
    if mine[0] is None or mine[1] is None:
        return False
    return not any(_beats(other, (mine[0], mine[1]), tie_ratio) for other in points.values())


def _beats(other: tuple[float | None, float | None], mine: tuple[float, float], tie_ratio: float) -> bool:
    """Whether a (time, price) is at least as good in both and better in one."""
    if other[0] is None or other[1] is None:
        return False
    is_no_slower, is_faster = other[0] <= mine[0] * (1 + tie_ratio), other[0] * (1 + tie_ratio) < mine[0]
    return is_no_slower and other[1] <= mine[1] and (is_faster or other[1] < mine[1])
