"""Every job on every interconnect in every topology, ranked."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from cluster_sim.backend import BackendName, choose_backend
from cluster_sim.config import CompareConfig, Rank, Scenario
from cluster_sim.core import InputError, NotBuildableError, SimulationError
from cluster_sim.results import SCHEMAS, Recorder, Run, claim_folder, provenance, table_of_rows
from cluster_sim.run import evaluate, facts_of
from cluster_sim.simulated import identity
from cluster_sim.studies.pareto import pareto
from cluster_sim.studies.ranking import rank, scores
from cluster_sim.studies.reliability import assess
from cluster_sim.studies.scale import scale
from cluster_sim.studies.uncertainty import Sampling, uncertainty
from cluster_sim.studies.workers import side_by_side

Tables = dict[str, pa.Table]

#: Called after each scenario: how many are done, how many there are, the name of the one just done.
Progress = Callable[[int, int, str], None]


def compare(
    config: CompareConfig, name: str = "compare", output: Path | None = None, overwrite: bool = False,
    workers: int | None = None, progress: Progress = lambda done, total, name: None, sampling: Sampling | None = None,
) -> Run:  # fmt: skip
    """Simulate every scenario, rank them, and write one folder.

    Args:
        config: what to compare.
        name: of the folder, where ``output`` is None.
        output: folder; None for the next free ``results/<name>-NNN``.
        overwrite: replace what an earlier run left in ``output``.
        workers: processes; None for as many as there are cores. The results do not depend on it.
        progress: told after each scenario.
        sampling: how figures of the catalogue are drawn, to see how sure the ranking is; None for typical ones alone.

    Raises:
        BackendError, OutputError. A scenario that cannot be built or simulated is a row that says why.
    """
    began_s = time.perf_counter()
    backend = choose_backend(config.backend)
    folder = claim_folder(output, name, overwrite)
    scenarios = config.scenarios
    with Recorder(folder, provenance()) as recorder:
        results, walls_s = [], {}
        each = side_by_side(partial(simulate_one, backend=backend.name), scenarios, workers)
        for number, (tables, wall_s) in enumerate(each):
            results.append(tables)
            walls_s[scenarios[number].name] = round(wall_s, 3)
            progress(number + 1, len(scenarios), scenarios[number].name)
        judged = _judged(_joined(results), config)
        drawn, notes = uncertainty(config, judged, sampling, backend.name, workers, progress) if sampling else ({}, {})
        for table_name, table in (judged | drawn).items():
            recorder.write(table_name, table)
        more = {"uncertainty": notes} if sampling else {}
        recorder.note(**facts_of(config, backend, began_s), scenario_wall_s=walls_s, **more)
    return Run.open(folder)


def simulate_one(scenario: Scenario, backend: BackendName) -> tuple[Tables, float]:
    """Tables of a scenario and its wall time; a scenario that does not work is a row with the reason."""
    began_s = time.perf_counter()
    try:
        tables = evaluate(scenario, choose_backend(backend))
        if scenario.reliability is not None:
            tables = assess(scenario, backend, tables)
    except (NotBuildableError, SimulationError, InputError, MemoryError) as error:
        status = "not_buildable" if isinstance(error, NotBuildableError) else "failed"
        reason = "; ".join(error.args[0]) if isinstance(error, NotBuildableError) else str(error)
        reason = f"not enough memory: {reason}" if isinstance(error, MemoryError) else reason
        tables = {
            "summary": table_of_rows("summary", [{**identity(scenario), "status": status, "reason": reason}]),
        }
    return tables, time.perf_counter() - began_s


def _joined(results: list[Tables]) -> Tables:
    """One table of each name, in the order of the scenarios."""
    names = [name for name in SCHEMAS if any(name in tables for tables in results)]
    return {
        name: pa.concat_tables([tables[name] for tables in results if name in tables], promote_options="default")
        for name in names
    }


def _judged(tables: Tables, config: CompareConfig) -> Tables:
    """With ranks and fronts, and how options fare with size where jobs have several."""
    tables = tables | {"summary": _ranked(tables["summary"].to_pylist(), config.tie_ratio, config.rank)}
    if config.compare.accelerators:
        rows = scale(tables["summary"].to_pylist(), config.compare)
        tables |= {"scale": table_of_rows("scale", rows)}
    return tables


def _ranked(rows: list[dict[str, Any]], tie_ratio: float, by: Rank) -> pa.Table:
    places, times_best, fronts = rank(rows, tie_ratio, by), scores(rows, by), pareto(rows, tie_ratio, by)
    return table_of_rows("summary", [
        row | {"rank": place, "is_tie": is_tie if place else None, "score_ratio": score, **front}
        for row, (place, is_tie), score, front in zip(rows, places, times_best, fronts, strict=True)
    ])  # fmt: skip
