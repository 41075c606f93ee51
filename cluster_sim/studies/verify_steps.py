"""Measured training steps against simulated ones: what each row of a table would take here."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cluster_sim.backend import BackendName, choose_backend
from cluster_sim.core import stream
from cluster_sim.results import Recorder, Run, check_output, claim_folder, provenance, table_of_rows
from cluster_sim.studies.compare import simulate_one
from cluster_sim.studies.measured_steps import MeasuredStep, read_steps
from cluster_sim.studies.model_facts import facts_beside
from cluster_sim.studies.step_scenario import StepScenario, scenario_of
from cluster_sim.studies.workers import side_by_side

#: Called after each row: how many are done, how many there are, the name of the one just done.
Progress = Callable[[int, int, str], None]
Row = dict[str, Any]

#: What the simulation says of a step besides its time.
_PARTS = (
    "compute_s", "exposed_tp_s", "exposed_cp_s", "exposed_ep_s", "exposed_pp_s", "exposed_dp_s", "bubble_s",
    "optimizer_s", "mfu_ratio",
)  # fmt: skip


def verify_steps(
    path: Path, output: Path | None = None, overwrite: bool = False, backend: BackendName = "auto", sample: int = 0,
    seed: int = 1, workers: int | None = None, progress: Progress = lambda done, total, name: None,
) -> Run:  # fmt: skip
    """Simulate every row of a table of measured training steps and write ``verify.arrow``.

    Args:
        path: the table, a CSV file as in ``studies.measured_steps``; ``models.csv`` beside it, if there is one, says
            more about its models.
        output: folder; None for the next free ``results/verify-<name>-NNN``.
        overwrite: replace what an earlier run left in ``output``.
        backend: as in ``choose_backend``.
        sample: how many rows, as evenly from all families as there are; 0 for all.
        seed: of the sample.
        workers: processes; None for as many as there are cores. The results do not depend on it.
        progress: told after each row.

    Raises:
        ConfigError: mistakes in the table; BackendError, OutputError.
    """
    began_s = time.perf_counter()
    chosen = choose_backend(backend)
    check_output(output, overwrite)
    rows, beside = read_steps(path), facts_beside(path)
    steps = [scenario_of(row, beside) for row in (sampled(rows, sample, seed) if sample else rows)]
    found = []
    for result in simulated(steps, chosen.name, workers):
        found.append(result)
        progress(len(found), len(steps), result["row_id"])
    with Recorder(claim_folder(output, f"verify-{path.stem}", overwrite), provenance()) as recorder:
        recorder.write("verify", table_of_rows("verify_steps", found))
        recorder.note(
            table=path.name, backend=chosen.name, backend_reason=chosen.why, seed=seed, sample=sample,
            wall_s=round(time.perf_counter() - began_s, 3),
        )  # fmt: skip
    return Run.open(recorder.folder)


def sampled(rows: Sequence[MeasuredStep], num: int, seed: int) -> tuple[MeasuredStep, ...]:
    """So many rows, in order: drawn from the families in turn, until one of them has no more."""
    families: dict[str, list[int]] = {}
    for at in stream(seed, "verify", "sample").permutation(len(rows)).tolist():
        families.setdefault(rows[at].source_family, []).append(at)
    turns = sorted((turn, family, at) for family, found in families.items() for turn, at in enumerate(found))
    return tuple(rows[at] for at in sorted(at for _, _, at in turns[:num]))


def simulated(
    steps: Sequence[StepScenario], backend: BackendName, workers: int | None = None
) -> Iterator[Row]:  # fmt: skip
    """Rows of ``verify.arrow``, in order, computed side by side."""
    return side_by_side(partial(_row, backend=backend), steps, workers)


def _row(step: StepScenario, backend: BackendName) -> Row:
    """What the table says of a row, with its simulation or the reason why there is none."""
    row = step.row
    known: Row = {
        "row_id": row.row_id, "accelerator": row.accelerator, "source_family": row.source_family, "split": row.split,
        "model": row.model, "num_accelerators": row.num_accelerators, "measured_s": row.measured_s,
        "software": step.software,
    }  # fmt: skip
    if step.scenario is None:
        return known | {"note": step.note}
    tables, _ = simulate_one(step.scenario, backend)
    (summary,) = tables["summary"].to_pylist()
    if summary["status"] != "ok":
        return known | {"note": "; ".join(filter(None, (summary["reason"], step.note)))}
    predicted_s = summary["step_time_s"]
    simulated = {"predicted_s": predicted_s, "error_ratio": predicted_s / row.measured_s - 1, "note": step.note}
    return known | simulated | {name: summary[name] for name in _PARTS}


def step_error_summary(rows: Iterable[Mapping[str, Any]], *by: str) -> list[Row]:
    """Absolute errors of the rows that were simulated, by split and the columns ``by``.

    Returns:
        for each group its keys, ``num``, ``mean_ratio``, ``median_ratio``, ``worst_ratio`` and ``worst_row``.
    """
    groups: dict[tuple[str, ...], list[tuple[float, str]]] = {}
    for row in rows:
        if row["error_ratio"] is not None:
            key = tuple(str(row[name]) for name in ("split", *by))
            groups.setdefault(key, []).append((abs(row["error_ratio"]), row["row_id"]))
    return [
        {
            **dict(zip(("split", *by), key, strict=True)), "num": len(errors),
            "mean_ratio": float(np.mean([error for error, _ in errors])),
            "median_ratio": float(np.median([error for error, _ in errors])), "worst_ratio": max(errors)[0],
            "worst_row": max(errors)[1],
        }
        for key, errors in sorted(groups.items())
    ]  # fmt: skip
