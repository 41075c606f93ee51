"""Why a split is not the best: the parts of the step in which it loses, or what keeps others like it from running."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cluster_sim.core import InputError
from cluster_sim.studies.estimate import ESTIMATE_PARTS
from cluster_sim.tables import Array
from cluster_sim.workload import Found, Job, Split

#: Columns of the summary, by part.
SUMMARY_PARTS = {
    name: f"{name}_s" if name in ("compute", "bubble", "optimizer") else f"exposed_{name}_s" for name in ESTIMATE_PARTS
} | {"switching": "switching_s"}
#: Parts that a reason names at most, and the share of what is lost that one has at least.
_NAMED, _LEAST_SHARE = 2, 0.1

Row = Mapping[str, Any]


def reasons(estimates: Array, order: Array, rows: Mapping[int, Row], best: int) -> list[tuple[str, str]]:
    """(verdict, reason) of every split in ``order``.

    Args:
        estimates: float64[splits, parts], by ESTIMATE_PARTS.
        order: int64[splits], best first by estimate.
        rows: of the summary, by split, of those simulated.
        best: the fastest.
    """
    lost = estimates - estimates[best]
    ratio = estimates.sum(axis=1) / estimates[best].sum() - 1
    found = []
    for number in order.tolist():
        if number in rows:
            found.append(_simulated(rows[number], rows[best]))
        else:
            through = through_parts(dict(zip(ESTIMATE_PARTS, lost[number].tolist(), strict=True)))
            found.append(("estimated", f"{100 * ratio[number]:+.1f} % by estimate{through}"))
    return found


def _simulated(row: Row, best: Row) -> tuple[str, str]:
    if row is best:
        return "best", ""
    if row["status"] != "ok":
        return "failed", row["reason"]
    lost = row["step_time_s"] / best["step_time_s"] - 1
    return "simulated", f"{100 * lost:+.1f} %{through_parts(parts_lost(row, best))}"


def parts_lost(row: Row, best: Row) -> dict[str, float]:
    """Seconds that a simulated split takes longer than the best one, by part."""
    return {name: row[column] - best[column] for name, column in SUMMARY_PARTS.items()}


def through_parts(lost_s: Mapping[str, float]) -> str:
    """``: bubble +0.120 s, ep +0.031 s``: the parts that lose most; "" where none loses anything to speak of."""
    all_lost = sum(value for value in lost_s.values() if value > 0)
    worst = sorted(lost_s, key=lambda name: -lost_s[name])[:_NAMED]
    named = [f"{name} {lost_s[name]:+.3f} s" for name in worst if lost_s[name] > max(_LEAST_SHARE * all_lost, 5e-4)]
    return f": {', '.join(named)}" if named else ""


def alternatives(
    found: Found, order: Array, best: int, fallen_among: Callable[[str, tuple[Any, ...]], Counter[str]]
) -> list[tuple[str, int | None, str]]:
    """(kind, the best of that kind by estimate, "") or (kind, None, why there is none), for kinds that tell something.

    Args:
        found: splits that fit, and how many others fell.
        order: int64[splits], best first by estimate.
        best: the split they are set against.
        fallen_among: how many splits with one of some values of a field fell, by reason.
    """
    chosen, result = found.splits[best], []
    for kind, name, belongs in _kinds(chosen):
        number = next((number for number in order.tolist() if belongs(getattr(found.splits[number], name))), None)
        if number is not None:
            result.append((kind, number, ""))
            continue
        values = tuple(value for value in found.tried[name] if not isinstance(value, str) and belongs(value))
        reasons_why = fallen_among(name, values).most_common(2) if values else []
        if reasons_why:
            result.append((kind, None, "; ".join(f"{count:,}: {why}" for why, count in reasons_why)))
    return result


def _kinds(best: Split) -> list[tuple[str, str, Callable[[Any], bool]]]:
    """(kind, field, whether a value of it is of that kind): why not without, less, or more of this?"""
    kinds: list[tuple[str, str, Callable[[Any], bool]]] = []
    if best.pipeline > 1:
        kinds.append(("without pipeline", "pipeline", lambda value: value == 1))
    if best.virtual_stages > 1:
        kinds.append(("one chunk a stage", "schedule", lambda value: value != best.schedule and value != "dualpipe"))
    for name, words, least in (("pipeline", "stages", 2), ("tensor", "tensor ranks", 1), ("expert", "expert ranks", 1)):
        kinds += _more_and_fewer(name, words, least, getattr(best, name))
    if best.context > 1:
        kinds.append(("without context ranks", "context", lambda value: value == 1))
    else:
        kinds.append(("context ranks", "context", lambda value: value > 1))
    if best.micro_batch > 1:
        kinds.append(("micro-batches of one", "micro_batch", lambda value: value == 1))
    else:
        kinds.append(("larger micro-batches", "micro_batch", lambda value: value > 1))
    if best.recompute != "none":
        kinds.append(("without recomputation", "recompute", lambda value: value == "none"))
    return kinds


def _more_and_fewer(name: str, words: str, least: int, degree: int) -> list[tuple[str, str, Callable[[Any], bool]]]:
    more = (f"more {words}", name, lambda value: value > degree)
    fewer = (f"fewer {words}", name, lambda value: least <= value < degree)
    return [more, fewer] if degree > least else [more]


class NoPlanError(InputError):
    """A search of splits in which nothing was left."""


def no_plan(found: Found, job: Job) -> NoPlanError:
    """What fell why, what was tried and what would help."""
    fallen = found.fallen.most_common()
    counts = "; ".join(f"{count:,}: {why}" for why, count in fallen)
    tried = "; ".join(f"{name} {_listed(values)}" for name, values in found.tried.items())
    helps = list(dict.fromkeys(filter(None, (_help(why, job) for why, _ in fallen))))
    return NoPlanError(
        f"no plan works: all {found.num_tried:,} fall, by the first reason: {counts}.\n"
        f"Tried: {tried}.\nWhat would help: {'; '.join(helps[:4]) or 'other values under plan'}."
    )


def _listed(values: Sequence[object], most: int = 12) -> str:
    shown = ", ".join(map(str, values[:most]))
    return f"{shown} and {len(values) - most} more" if len(values) > most else shown


def _help(why: str, job: Job) -> str:
    """What to do about a reason."""
    if why.startswith("memory"):
        kind = why.rpartition(" ")[2]
        state = f"more accelerators than {job.accelerators:,}, more memory in each than {job.accelerator} has"
        return {
            "activations": "recompute: full, micro_batch: 1, more tensor or context ranks",
            "buffers": "micro_batch: 1, more tensor or context ranks",
        }.get(kind, f"{state}, or sharding: fsdp")
    for beginning, text in _HELP.items():
        if why.startswith(beginning):
            return text
    return "other algorithms under job.algorithms"


_HELP = {
    "experts behind": "sequence: true under job.parallelism",
    "tensor x context": "degrees whose product divides the number of accelerators",
    "tensor does": "tensor degrees that divide heads and kv_heads",
    "layers": "pipeline degrees that divide the layers, or edges_are_layers: true under job.parallelism",
    "expert": "expert degrees that divide the experts and the ranks of a stage",
    "micro_batch": "a global_batch that more degrees of data parallelism divide",
    "interleaved": "schedule: 1f1b, which needs no multiple of the stages",
    "dualpipe": "a larger global_batch for dualpipe, or schedule: 1f1b",
    "shard": "under job.parallelism a shard that divides data x context, or another sharding",
    "too many": "a smaller global_batch",
    "zb-h1": "schedule: 1f1b",
    "gpipe": "schedule: 1f1b",
}
