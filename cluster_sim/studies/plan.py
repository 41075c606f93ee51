"""The best way to split a job: all splits estimated, the best ones simulated, and why the others fell.

How many are simulated: the ``keep`` best by estimate, and the job's own split if it is among those searched. An
estimate may be wrong, and more so for one kind of split than for another. So the next ones follow as long as one of
them would be the best if its estimate were as much too high as the worst one seen so far, and ``most`` is not reached.
Splits that differ in recomputation only, and take equally long by estimate, are simulated once: the one that repeats
least.
"""

import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cluster_sim.backend import BackendName, choose_backend
from cluster_sim.config import RunConfig, Scenario
from cluster_sim.core import InputError, stream
from cluster_sim.results import Recorder, Run, check_output, claim_folder, provenance, table_of_columns, table_of_rows
from cluster_sim.run import facts_of
from cluster_sim.studies.compare import simulate_one
from cluster_sim.studies.estimate import ESTIMATE_PARTS, Estimator
from cluster_sim.studies.plan_reasons import alternatives, no_plan, reasons
from cluster_sim.studies.ranking import rank
from cluster_sim.studies.workers import Workers
from cluster_sim.tables import Array, Fabric
from cluster_sim.topology import Equipment
from cluster_sim.workload import Found, Job, PlanSpace, Split, job_with, search, unchecked_job_with

#: Called with what is going on, how many simulations are done, and how many there are to do so far.
Progress = Callable[[str, int, int], None]

#: Estimates that differ by less are equal.
_EQUAL = 1e-9
#: Simulated before it is asked again which might still be better; the same whatever the number of workers.
_AT_A_TIME = 4


@dataclass
class Plans:
    """What a search has come to.

    Attributes:
        found: splits that divide and fit.
        estimates: float64[splits, parts], by ESTIMATE_PARTS.
        order: int64[splits], best first by estimate.
        rows: of the summary, by split, of those that were simulated.
        own: the split of the job itself, where it is among them.
    """

    found: Found
    estimates: Array
    order: Array
    own: Split | None = None
    rows: dict[int, dict[str, Any]] = field(default_factory=dict)

    @cached_property
    def estimate_s(self) -> Array:
        """float64[splits]."""
        return np.asarray(self.estimates.sum(axis=1))

    @cached_property
    def distinct(self) -> list[int]:
        """Best first, without those that differ from a better one in recomputation only and are no faster."""
        seen: dict[Split, float] = {}
        chosen = []
        for number in self.order.tolist():
            key, time_s = self.found.splits[number]._replace(recompute=""), float(self.estimate_s[number])
            if time_s < seen.get(key, np.inf) * (1 - _EQUAL):
                seen[key] = time_s
                chosen.append(number)
        return chosen

    @property
    def step_time_s(self) -> dict[int, float]:
        """Simulated, by split."""
        return {number: row["step_time_s"] for number, row in self.rows.items() if row["status"] == "ok"}

    @property
    def best(self) -> int:
        """The fastest; of equals the one that was estimated best."""
        times = self.step_time_s
        return min(times, key=lambda number: times[number])


def plan(
    config: RunConfig, output: Path | None = None, overwrite: bool = False, workers: int | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Run:  # fmt: skip
    """Search the splits of a job, simulate the best ones and write one folder.

    Args:
        config: the job, whose own split does not count, what carries it, and ``plan``: which splits.
        output: folder; None for the next free ``results/<name>-NNN``.
        overwrite: replace what an earlier run left in ``output``.
        workers: processes; None for as many as there are cores. The results do not depend on it.
        progress: told what is going on.

    Returns:
        The run: ``summary`` has a row for every split that was simulated, ranked, ``plans`` one for every split that
        fits, with its estimate, its memory and why it is not the best. The manifest says how many there were, and what
        the best of other kinds lose.

    Raises:
        InputError: no split fits; NotBuildableError, BackendError, OutputError, SimulationError.
    """
    began_s = time.perf_counter()
    backend, space = choose_backend(config.backend), config.plan or PlanSpace()
    check_output(output, overwrite)
    with Workers(workers) as pool:
        progress("building the fabric", 0, 0)
        fabric = _fabric(config)
        progress("searching", 0, 0)
        domain = int(np.bincount(fabric.endpoint_domain).max())
        plans = _estimated(config, search(config.job, space, domain), fabric, progress)
        searched_s = time.perf_counter() - began_s
        simulate = _Simulate(config, plans, pool, backend.name, progress)
        simulate(_first(plans, space))
        while waiting := _next(plans, min(_AT_A_TIME, space.most - len(plans.rows))):
            simulate(waiting)
        is_cut_short = bool(_next(plans, 1))
        if not plans.step_time_s:
            raise InputError(f"none of the best {len(plans.rows)} plans can be simulated: {_first_failure(plans)}")
        others = alternatives(plans.found, plans.order, plans.best, partial(_fallen_among, config.job, space, domain))
        simulate([number for _, number, _ in others if number is not None and number not in plans.rows])
    with Recorder(claim_folder(output, config.name, overwrite), provenance()) as recorder:
        recorder.write("summary", _summary(plans))
        recorder.write("plans", _plans_table(plans))
        recorder.note(
            **facts_of(config, backend, began_s), search_wall_s=round(searched_s, 3),
            plan=_facts(config, plans, others, is_cut_short),
        )  # fmt: skip
    return Run.open(recorder.folder)


def _fabric(config: RunConfig) -> Fabric:
    job = config.job
    others = sum(neighbour.job.accelerators for neighbour in config.neighbours.values())
    size = config.cluster_accelerators or job.accelerators + others
    built = config.topology.fabric(Equipment(size, job.accelerator_entry, config.interconnect))
    fabric = config.failed_links.removed_from(built, stream(config.seed, "failed_links"))
    return config.slow_links.slowed_in(fabric, stream(config.seed, "slow_links"))


# --- search and estimate


def _fallen_among(job: Job, space: PlanSpace, domain: int, name: str, values: tuple[Any, ...]) -> Counter[str]:
    """How many splits with one of some values of a field fall, by reason."""
    return search(job, space.model_copy(update={name: values}), domain).fallen


def _estimated(config: RunConfig, found: Found, fabric: Fabric, progress: Progress) -> Plans:
    """All splits that fit with their estimates; those whose collectives cannot run as the job asks fall."""
    progress(f"estimating {len(found.splits):,} of {found.num_tried:,} splits", 0, 0)
    estimator, kept, estimates = Estimator(config.job, fabric), [], []
    for number, split in enumerate(found.splits):
        try:
            parts = estimator.parts(split)
        except InputError as error:
            found.fallen[re.sub(r"\d+", "so many", str(error))] += 1
            continue
        kept.append(number)
        estimates.append([parts[name] for name in ESTIMATE_PARTS])
    if not kept:
        raise no_plan(found, config.job)
    found.splits = [found.splits[number] for number in kept]
    found.memory_bytes = [found.memory_bytes[number] for number in kept]
    table, own = np.array(estimates), Split.of(config.job)
    order = np.argsort(table.sum(axis=1), kind="stable")
    return Plans(found, table, order, own if own in found.splits else None)


# --- which to simulate


def _first(plans: Plans, space: PlanSpace) -> list[int]:
    """The best by estimate, and the job's own."""
    own = [plans.found.splits.index(plans.own)] if plans.own in plans.found.splits else []
    return list(dict.fromkeys([*plans.distinct[: space.keep], *own]))


def _next(plans: Plans, room: int) -> list[int]:
    """At most ``room`` of those that might be better than the best so far; see the top of this module."""
    times, estimate_s = plans.step_time_s, plans.estimate_s
    limit_s = np.inf
    if times:
        worst = min(time_s / estimate_s[number] for number, time_s in times.items())
        limit_s = min(times.values()) * (1 - _EQUAL) / worst
    waiting = (number for number in plans.distinct if number not in plans.rows and estimate_s[number] < limit_s)
    return list(islice(waiting, max(room, 0)))


# --- simulate


class _Simulate:
    """Simulates splits in the pool and keeps their rows."""

    def __init__(
        self, config: RunConfig, plans: Plans, pool: Workers, backend: BackendName, progress: Progress
    ) -> None:
        self.config, self.plans, self.pool, self.backend, self.progress = config, plans, pool, backend, progress

    def __call__(self, numbers: Sequence[int]) -> None:
        """Simulate the splits with these numbers."""
        splits, done = self.plans.found.splits, len(self.plans.rows)
        total = done + len(numbers)
        self.progress("simulating", done, total)
        scenarios = [self._scenario(splits[number]) for number in numbers]
        for number, (tables, _) in zip(
            numbers, self.pool.results(partial(simulate_one, backend=self.backend), scenarios), strict=True
        ):
            row = tables["summary"].to_pylist()[0]
            self.plans.rows[number] = row | {"scenario": splits[number].name}
            done += 1
            self.progress(splits[number].name, done, total)

    def _scenario(self, split: Split) -> Scenario:
        job = job_with(self.config.job, split)
        return self.config.model_copy(update={"job": job, "record": "summary"}).scenario


def _first_failure(plans: Plans) -> str:
    return str(next(iter(plans.rows.values()))["reason"])


# --- tables


def _summary(plans: Plans) -> pa.Table:
    """Best first."""
    rows = [plans.rows[number] for number in sorted(plans.rows)]
    places = rank(rows, 0.0)
    ranked = [
        row | {"rank": place, "is_tie": tie if place else None} for row, (place, tie) in zip(rows, places, strict=True)
    ]
    return table_of_rows("summary", sorted(ranked, key=lambda row: (row["rank"] is None, row["rank"] or 0)))


def _plans_table(plans: Plans) -> pa.Table:
    """Every split that fits, best first by estimate."""
    splits = [plans.found.splits[number] for number in plans.order.tolist()]
    memory = [plans.found.memory_bytes[number] for number in plans.order.tolist()]
    ordered = plans.estimates[plans.order]
    columns: dict[str, Any] = {name: [getattr(split, name) for split in splits] for name in Split._fields}
    columns |= {"scenario": [split.name for split in splits], "place": np.arange(1, len(splits) + 1)}
    columns |= {f"estimate_{part}_s": ordered[:, at] for at, part in enumerate(ESTIMATE_PARTS)}
    columns |= {f"memory_{kind}_bytes": [kinds[kind] for kinds in memory] for kind in memory[0]}
    columns |= {"estimate_s": ordered.sum(axis=1), "memory_bytes": [sum(kinds.values()) for kinds in memory]}
    verdicts = reasons(plans.estimates, plans.order, plans.rows, plans.best)
    columns |= {"verdict": [verdict for verdict, _ in verdicts], "reason": [reason for _, reason in verdicts]}
    columns["step_time_s"] = [plans.rows.get(number, {}).get("step_time_s") for number in plans.order.tolist()]
    return table_of_columns("plans", columns)


def _facts(
    config: RunConfig, plans: Plans, others: Sequence[tuple[str, int | None, str]], is_cut_short: bool
) -> dict[str, Any]:
    """What the manifest says of the search."""
    times, estimate_s, splits = plans.step_time_s, plans.estimate_s, plans.found.splits
    placed = unchecked_job_with(config.job, splits[plans.best]).parallelism.placement
    errors = [float(estimate_s[number]) / time_s - 1 for number, time_s in times.items()]
    return {
        "num_tried": plans.found.num_tried, "num_feasible": len(splits), "num_simulated": len(plans.rows),
        "is_cut_short": is_cut_short, "fallen": dict(plans.found.fallen.most_common()),
        "tried": {name: list(values) for name, values in plans.found.tried.items()},
        "estimate_error_ratio": {"lowest": min(errors), "highest": max(errors)},
        "best": splits[plans.best]._asdict(), "best_place": int(np.flatnonzero(plans.order == plans.best)[0]) + 1,
        "placement": {"order": list(placed[0]), "why": placed[1]}, "own": plans.own.name if plans.own else None,
        "alternatives": [
            {"kind": kind, "scenario": None if number is None else splits[number].name, "why": why}
            for kind, number, why in others
        ],
    }  # fmt: skip
