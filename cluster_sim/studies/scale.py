"""How options fare as a job grows: step time, communication that training waits for, and where each is enough."""

from collections.abc import Mapping, Sequence
from typing import Any

from cluster_sim.config import Comparison, name_and_size

Row = Mapping[str, Any]

#: What a step waits for the network for; circuits that are being switched are part of it.
_WAITING = (
    "exposed_tp_s", "exposed_cp_s", "exposed_ep_s", "exposed_pp_s", "exposed_dp_s", "switching_s",
)  # fmt: skip
#: Of the summary, as they are.
_KEPT = (
    "scenario", "interconnect", "topology", "line_rate_bytes_per_s", "num_accelerators", "status", "reason",
    "step_time_s",
)  # fmt: skip


def scale(rows: Sequence[Row], compared: Comparison) -> list[dict[str, Any]]:
    """Rows of the table ``scale``, one for each of the summary, in its order.

    Enough is a network at a size if its option works there and at most ``most_exposed`` of a step waits for it:
    tensor, context, expert, pipeline and data-parallel communication that nothing hides, and circuits. Where an option
    stops being enough says the largest size at which it is.

    The efficiency is the throughput of an accelerator over that at the smallest size at which the option works:
    with a proportional batch the inverse of the step times, with a fixed one that of step times by sizes.

    Args:
        rows: the summary, as mappings.
        compared: sizes, batch, and the share that is enough.
    """
    most = compared.most_exposed
    found = [_row(row, most) for row in rows]
    series: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in found:
        series.setdefault((row["job"], row["interconnect"], row["topology"]), []).append(row)
    for members in series.values():
        enough = max((row["num_accelerators"] for row in members if row["is_enough"]), default=None)
        ok = [row for row in members if row["status"] == "ok"]
        first = min(ok, key=lambda row: row["num_accelerators"], default=None)
        for row in members:
            row["enough_accelerators"] = enough
        for row in ok:
            row["efficiency_ratio"] = _work_s(first, compared) / _work_s(row, compared)
    return found


def _row(row: Row, most: float) -> dict[str, Any]:
    kept = {name: row[name] for name in _KEPT} | {"job": name_and_size(row["job"])[0], "is_enough": False}
    if row["status"] != "ok":
        return kept
    exposed_s = sum(row[name] for name in _WAITING)
    ratio = exposed_s / row["step_time_s"]
    return kept | {"exposed_s": exposed_s, "exposed_ratio": ratio, "is_enough": ratio <= most}


def _work_s(row: Row | None, compared: Comparison) -> float:
    """Accelerator time of a sequence, but for a factor that all sizes share."""
    assert row is not None
    size = row["num_accelerators"] if compared.batch == "fixed" else 1
    return float(row["step_time_s"] * size)
