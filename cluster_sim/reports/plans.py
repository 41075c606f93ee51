"""The best splits of a job as a table, and why the others fell."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cluster_sim.core import bit_rate
from cluster_sim.reports.text import STEP_PARTS, engineering

Row = Mapping[str, Any]

#: Rows of the table; a split of the job's own is shown besides.
_SHOWN = 10


def plans(rows: Sequence[Row], all_plans: Sequence[Row], facts: Mapping[str, Any]) -> RenderableType:
    """The best splits, and why others are not among them.

    Args:
        rows: the summary.
        all_plans: every split that fits, the table ``plans``.
        facts: what the manifest says under ``plan``.
    """
    by_name = {row["scenario"]: row for row in all_plans}
    return Group(_best(rows, by_name, facts), *_fallen(facts), *_others(by_name, facts), *_notes(rows, facts))


def _best(rows: Sequence[Row], by_name: Mapping[str, Row], facts: Mapping[str, Any]) -> Table:
    ok = [row for row in rows if row["status"] == "ok"]
    shown = [row for row in ok if row["rank"] <= _SHOWN or row["scenario"] == facts["own"]]
    parts = [
        (name, column) for name, column in STEP_PARTS if any(row[column] > 1e-3 * row["step_time_s"] for row in shown)
    ]
    first = ok[0]
    what = f"{engineering(first['num_parameters'], '', 4)} parameters on {first['num_accelerators']:,}"
    rate = bit_rate(first["line_rate_bytes_per_s"])
    title = Text(f"{first['job']}: {what} {first['accelerator']}, {rate} per accelerator")
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", padding=(0, 1, 0, 0))
    table.add_column("#", no_wrap=True)
    table.add_column("plan")
    for name in ("step s", "MFU %", *(name for name, _ in parts), "memory GB", "estimate s"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in shown:
        plan = by_name[row["scenario"]]
        own = " (as in the file)" if row["scenario"] == facts["own"] else ""
        table.add_row(
            str(row["rank"]), row["scenario"] + own, f"{row['step_time_s']:.4f}", f"{100 * row['mfu_ratio']:.1f}",
            *(f"{row[column]:.3f}" for _, column in parts), f"{plan['memory_bytes'] / 1e9:.0f}",
            f"{plan['estimate_s']:.4f}",
        )  # fmt: skip
    return table


def _fallen(facts: Mapping[str, Any]) -> list[Text]:
    fallen, num = facts["fallen"], facts["num_tried"]
    left = f"{facts['num_feasible']:,} divide and fit, {facts['num_simulated']} of them were simulated."
    lines = [f"Why the others fell: of {num:,} splits {left}"]
    lines += [f"  {count:>9,}  {why}" for why, count in sorted(fallen.items(), key=lambda item: -item[1])]
    return [Text(line) for line in lines]


def _others(by_name: Mapping[str, Row], facts: Mapping[str, Any]) -> list[RenderableType]:
    """What the best of other kinds lose."""
    if not facts["alternatives"]:
        return []
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for other in facts["alternatives"]:
        plan = by_name.get(other["scenario"])
        told = other["why"] if plan is None else plan["reason"]
        table.add_row(f"  {other['kind']}", other["scenario"] or "-", told)
    return [Text("What the best of other kinds lose:"), table]


def _notes(rows: Sequence[Row], facts: Mapping[str, Any]) -> list[Text]:
    errors = facts["estimate_error_ratio"]
    notes = [
        f"As keys of the job: {_as_keys(facts['best'])}",
        f"Estimates of those simulated were {100 * errors['lowest']:+.1f} to {100 * errors['highest']:+.1f} % off; the "
        f"best was number {facts['best_place']:,} by estimate. Parts of the step in seconds, as the busiest stage sees "
        "them. Memory of the fullest stage, without driver, libraries and fragmentation.",
    ]
    if facts["placement"]["why"] != "as given":
        notes.append(
            f"Placement, nearest first: {', '.join(facts['placement']['order'])}: {facts['placement']['why']}."
        )
    if facts["is_cut_short"]:
        notes.append(
            "More might be better by an estimate as wrong as the worst seen; raise 'most' under 'plan' to see."
        )
    failed = [row for row in rows if row["status"] != "ok"]
    notes += [f"{row['scenario']} could not be simulated: {row['reason']}" for row in failed]
    return [Text(note, style="dim") for note in notes]


def _as_keys(split: Mapping[str, Any]) -> str:
    """The best split as YAML; degrees of 1 too, since a file may say otherwise."""
    of_job = ("micro_batch", "schedule", "recompute")
    degrees = ", ".join(f"{name}: {value}" for name, value in split.items() if name not in of_job)
    return ", ".join([f"parallelism: {{{degrees}}}", *(f"{name}: {split[name]}" for name in of_job)])
