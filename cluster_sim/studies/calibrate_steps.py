"""What kernels reach of the peaks from measured training steps: the fit behind the catalogue's ``compute`` figures.

Only rows of the split ``calibrate`` are looked at, each generation of accelerators by itself. Rows are simulated; then
figures are sought with which the time that the busiest stage computes, and its optimiser, would make up for the error,
with bubbles in proportion and communication as it was; then rows are simulated again with them. What is made small is
the sum over rows of ln(1 + (e / s)**2), with e the error of the logarithm of the time: squares for errors below s, and
little weight for systems that were not well. A family of n rows counts as the square root of n. Few rows cannot pull a
figure far: each is held at what is expected of any generation.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cluster_sim.backend import BackendName, choose_backend
from cluster_sim.catalogue import Compute, Figure, compute, entries
from cluster_sim.core import InputError
from cluster_sim.results import check_output, claim_folder
from cluster_sim.studies.descent import descend
from cluster_sim.studies.measured_steps import read_steps
from cluster_sim.studies.model_facts import facts_beside
from cluster_sim.studies.step_scenario import StepScenario, scenario_of
from cluster_sim.studies.verify_steps import Progress, Row, simulated
from cluster_sim.tables import Array
from cluster_sim.workload import Job, Load, step_ratio

#: What a figure is before anything is measured, how strongly it is held there, and the most it can be.
_EXPECTED: dict[str, tuple[float, float, float]] = {
    "gemm_efficiency": (0.70, 3.0, 1.0),
    "fp8_efficiency": (0.60, 1.0, 1.0),
    "fp4_efficiency": (0.45, 1.0, 1.0),
    "attention_efficiency": (0.50, 1.0, 1.0),
    "flash_efficiency": (0.40, 1.0, 1.0),
    "wave_share": (0.4, 5.0, 1.0),
    "memory_efficiency": (0.65, 3.0, 1.0),
    "kernel_overhead": (4.5e-6, 0.5, 1.0),
    "launch_time": (20e-6, 0.1, 1.0),
    "step_overhead": (10e-3, 0.1, 1.0),
}
#: Error at which squares end.
_SCALE = 0.1
#: Rounds of simulating and fitting, and the first factor that each tries.
_ROUNDS, _FIRST_STEP = 2, 0.2


@dataclass(frozen=True, slots=True)
class StepFit:
    """What was fitted for one generation of accelerators.

    Attributes:
        generation: name in the catalogue.
        figures: fitted, in SI units, those that change the time of any row.
        rows: the rows that they were fitted to, simulated with them.
        before: the same rows with the catalogue's figures.
    """

    generation: str
    figures: Mapping[str, float]
    rows: tuple[Row, ...]
    before: tuple[Row, ...]


def calibrate_steps(
    path: Path, output: Path | None = None, overwrite: bool = False, backend: BackendName = "auto",
    workers: int | None = None, progress: Progress = lambda done, total, name: None,
) -> tuple[Path, tuple[str, ...]]:  # fmt: skip
    """Fit to a table of measured training steps and write the catalogue's file, and one for each generation.

    Args:
        path: the table, a CSV file as in ``studies.measured_steps``.
        output: folder; None for the next free ``results/calibrate-<name>-NNN``.
        overwrite: replace what an earlier calibration left in ``output``.
        backend: as in ``choose_backend``.
        workers: processes; None for as many as there are cores.
        progress: told after each simulated row.

    Returns:
        (folder, lines that say how well each family fits, before and after).

    Raises:
        ConfigError: mistakes in the table; InputError: no rows to calibrate with; BackendError, OutputError.
    """
    chosen = choose_backend(backend)
    check_output(output, overwrite)
    beside = facts_beside(path)
    steps = [scenario_of(row, beside) for row in read_steps(path) if row.split == "calibrate"]
    usable = [step for step in steps if step.scenario is not None]
    if not usable:
        raise InputError(f"{path}: no row with split 'calibrate' can be simulated, so there is nothing to fit to")
    fits = fit_steps(usable, chosen.name, workers, progress)
    folder = claim_folder(output, f"calibrate-{path.stem}", overwrite)
    found = {name: compute(name) for name in entries("compute")}
    for fit in fits:
        found[fit.generation] = fitted_entry(fit)
        (folder / f"compute-{fit.generation}.yaml").write_text(_yaml(found[fit.generation], ""), encoding="utf-8")
    text = _HEAD + "".join(f"\n{name}:\n{_yaml(entry, '  ')}" for name, entry in found.items())
    (folder / "compute.yaml").write_text(text, encoding="utf-8")
    return folder, tuple(line for fit in fits for line in _told(fit))


def fit_steps(
    steps: Sequence[StepScenario], backend: BackendName, workers: int | None = None,
    progress: Progress = lambda done, total, name: None,
) -> tuple[StepFit, ...]:  # fmt: skip
    """Fit each generation that the steps, all of which can be simulated, ran on."""
    figures: dict[str, dict[str, float]] = {}
    rounds: list[list[Row]] = []
    for number in range(_ROUNDS + 1):
        tried = [_with(step, figures.get(_generation(step), {})) for step in steps]
        rows = []
        for row in simulated(tried, backend, workers):
            rows.append(row)
            progress(len(rows) + number * len(steps), (_ROUNDS + 1) * len(steps), row["row_id"])
        rounds.append(rows)
        if number < _ROUNDS:
            for generation in sorted({_generation(step) for step in steps}):
                mine = [at for at, step in enumerate(steps) if _generation(step) == generation]
                problem = _Problem.of([tried[at] for at in mine], [rows[at] for at in mine])
                figures[generation] = problem.solve()
    return tuple(
        StepFit(
            generation, found, *(tuple(row for row, step in zip(rows, steps, strict=True)
                                       if _generation(step) == generation) for rows in (rounds[-1], rounds[0])),
        )
        for generation, found in figures.items()
    )  # fmt: skip


def _generation(step: StepScenario) -> str:
    return _job(step).accelerator_entry.compute


def _job(step: StepScenario) -> Job:
    assert step.scenario is not None, "the caller has looked"
    return step.scenario.job


def _with(step: StepScenario, figures: Mapping[str, float]) -> StepScenario:
    """The step on accelerators whose kernels reach other figures."""
    assert step.scenario is not None, "the caller has looked"
    job = _job(step).model_copy(update={"kernels": _changed(_job(step).reached, figures)})
    return replace(step, scenario=step.scenario.model_copy(update={"job": job}))


def _changed(entry: Compute, figures: Mapping[str, float]) -> Compute:
    known = entry.figures
    return entry.model_copy(
        update={name: known[name].model_copy(update={"typical": value}) for name, value in figures.items()}
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Problem:
    """What the fit of one generation makes small.

    Attributes:
        loads: of the rows that were simulated.
        rows: what their simulation said.
        own_s: float64[R], what ``_own_s`` says of them as simulated.
        weight: float64[R].
        names: of the figures.
        start: float64[n], as simulated.
    """

    loads: tuple[Load, ...]
    rows: tuple[Row, ...]
    own_s: Array
    weight: Array
    names: tuple[str, ...]
    start: Array

    @classmethod
    def of(cls, steps: Sequence[StepScenario], rows: Sequence[Row]) -> "_Problem":
        pairs = [(_job(step), row) for step, row in zip(steps, rows, strict=True) if row.get("predicted_s")]
        families = [row["source_family"] for _, row in pairs]
        reached = pairs[0][0].reached
        names, loads = tuple(_EXPECTED), tuple(Load.of(job) for job, _ in pairs)
        return cls(
            loads=loads, rows=tuple(row for _, row in pairs),
            own_s=np.array([_own_s(load, row, reached) for load, (_, row) in zip(loads, pairs, strict=True)]),
            weight=np.array([families.count(name) ** -0.5 for name in families]), names=names,
            start=np.array([reached.figures[name].typical for name in names]),
        )  # fmt: skip

    def solve(self) -> dict[str, float]:
        """The figures that change anything."""
        most = np.array([_EXPECTED[name][2] for name in self.names])
        at_start = self._times(self.start)
        used = [at for at in range(len(self.names)) if np.any(self._times(self._near(at)) != at_start)]

        def loss(values: Array) -> float:
            tried = self.start.copy()
            tried[used] = values
            return self._loss(tried)

        found = descend(loss, self.start[used], most[used], _FIRST_STEP)
        return dict(zip((self.names[at] for at in used), found.tolist(), strict=True))

    def _near(self, at: int) -> Array:
        values = self.start.copy()
        values[at] *= 0.9
        return values

    def _times(self, values: Array) -> Array:
        """float64[R]: what the rows would take."""
        figures = dict(zip(self.names, values.tolist(), strict=True))
        reached = _changed(self.loads[0].job.reached, figures)
        times = []
        for load, row, before_s in zip(self.loads, self.rows, self.own_s.tolist(), strict=True):
            times.append(row["predicted_s"] + _own_s(load, row, reached) - before_s)
        return np.array([max(time_s, 1e-9) for time_s in times])

    def _loss(self, values: Array) -> float:
        """See the module."""
        measured_s = np.array([row["measured_s"] for row in self.rows])
        error = np.log(self._times(values) / measured_s)
        held = sum(
            strength * np.log(value / expected) ** 2
            for value, (expected, strength, _) in zip(values.tolist(), _EXPECTED.values(), strict=True)
        )
        return float((self.weight * np.log1p((error / _SCALE) ** 2)).sum() + held)


def _own_s(load: Load, row: Row, reached: Compute) -> float:
    """What the figures decide of a step: the busiest stage's compute, the bubble beside it, and what comes once."""
    idle_ratio = row["bubble_s"] / row["compute_s"] if row["compute_s"] else 0.0
    once_s = reached.step_overhead.typical * step_ratio(load.job.launches)
    return load.busiest_s(reached) * (1 + idle_ratio) + once_s


#: Text of the file that holds all generations.
_HEAD = (
    "# What kernels reach of the peaks, for each generation; fitted by cluster-sim calibrate to the calibrate rows of\n"
    "# a table of measured training steps: do not edit by hand.\n"
)
#: Figures that are times.
_TIMES = ("kernel_overhead", "launch_time", "step_overhead")


def fitted_entry(fit: StepFit) -> Compute:
    """The catalogue's entry of a generation, with where its figures come from."""
    families = sorted({row["source_family"] for row in fit.rows})
    source = f"fitted to {len(fit.rows)} measured training steps: {', '.join(families)}"
    entry = compute(fit.generation)
    return entry.model_copy(
        update={name: Figure.model_construct(**{**entry.figures[name].__dict__, "typical": value, "low": None,
                                                 "high": None, "year": 2026, "source": source, "status": "D"})
                for name, value in fit.figures.items()}
    )  # fmt: skip


def _yaml(entry: Compute, indent: str) -> str:
    lines = [f'{indent}title: "{entry.title}"']
    for name, figure in entry.figures.items():
        value = figure.typical
        text = f"{value * 1e6:.4g} us" if name in _TIMES else f"{value:.4g}"
        source = figure.source.replace('"', "'")
        lines.append(
            f'{indent}{name}: {{typical: {text}, year: {figure.year}, source: "{source}", status: {figure.status}}}'
        )
    return "\n".join(lines) + "\n"


def _told(fit: StepFit) -> Iterator[str]:
    """How well each family fits."""
    yield f"{fit.generation}: " + ", ".join(f"{name} {value:.4g}" for name, value in fit.figures.items())
    for family in sorted({row["source_family"] for row in fit.rows}):
        before, after = (
            [abs(row["error_ratio"]) for row in rows if row["source_family"] == family and row.get("predicted_s")]
            for rows in (fit.before, fit.rows)
        )
        if after:
            means = f"mean absolute error {100 * np.mean(before):.1f} % before, {100 * np.mean(after):.1f} % after"
            yield f"  {family}: {len(after)} rows, {means}"
