"""``verify`` and ``calibrate``: measured tables in, errors or figures out."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import RenderableType

from cluster_sim.backend import BackendName
from cluster_sim.cli.console import table_console
from cluster_sim.cli.progress import progress_bar
from cluster_sim.reports import errors, step_errors
from cluster_sim.results import Run
from cluster_sim.studies import (
    calibrate_steps,
    calibrate_table,
    error_summary,
    is_table_of_steps,
    step_error_summary,
    verify,
    verify_steps,
)

Rows = Sequence[Mapping[str, Any]]
#: What errors are grouped by, in words and columns.
_GROUPS = (
    ("everything", ()),
    ("operation", ("operation",)),
    ("accelerator, family", ("accelerator", "source_family")),
)
_STEP_GROUPS = (
    ("everything", ()),
    ("accelerator", ("accelerator",)),
    ("family", ("source_family",)),
    ("family, accelerator", ("source_family", "accelerator")),
)


def run_verification(
    table: Path, backend: BackendName | None, sample: int | None, seed: int, workers: int | None, quiet: bool,
    as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """``cluster-sim verify``."""
    if not is_table_of_steps(table):
        if sample is not None or workers is not None:
            raise click.UsageError(
                f"--sample and --workers are for tables of training steps, and {table} has no column step_time_s"
            )
        _show(verify(table, backend=backend or "numpy", **options), error_summary, _GROUPS, errors, quiet, as_json)
        return
    with progress_bar(quiet or as_json) as bar:
        task = bar.add_task("simulating", total=None)
        done = verify_steps(
            table, backend=backend or "auto", sample=sample or 0, seed=seed, workers=workers,
            progress=lambda num, total, name: bar.update(task, completed=num, total=total, description=name), **options,
        )  # fmt: skip
    _show(done, step_error_summary, _STEP_GROUPS, step_errors, quiet, as_json)


def _show(
    done: Run, summary: Callable[..., list[dict[str, Any]]], groups: Sequence[tuple[str, tuple[str, ...]]],
    shown: Callable[[Any, Rows], RenderableType], quiet: bool, as_json: bool,
) -> None:  # fmt: skip
    rows = done.tables["verify"].to_pylist()
    if as_json:
        found = summary(rows, *groups[-1][1])
        click.echo(json.dumps({"folder": str(done.folder), "num_rows": len(rows), "errors": found}))
    elif not quiet:
        console = table_console()
        console.print(shown([(what, summary(rows, *by)) for what, by in groups], rows))
        told = f"results: {done.folder}/ ({done.manifest['wall_s']:.1f} s, backend {done.manifest['backend']})"
        console.print(told, markup=False, highlight=False, soft_wrap=True)


def run_calibration(table: Path, backend: BackendName | None, workers: int | None, quiet: bool, **options: Any) -> None:
    """``cluster-sim calibrate``."""
    if not is_table_of_steps(table):
        folder, fits = calibrate_table(table, backend=backend or "numpy", **options)
        if not quiet:
            fitted = sum(fit.num_rows > 0 for fit in fits)
            click.echo(f"{fitted} figures fitted; YAML files for cluster_sim/catalogue/data/ are in {folder}/")
        return
    with progress_bar(quiet) as bar:
        task = bar.add_task("simulating", total=None)
        folder, told = calibrate_steps(
            table, backend=backend or "auto", workers=workers,
            progress=lambda num, total, name: bar.update(task, completed=num, total=total, description=name), **options,
        )  # fmt: skip
    if not quiet:
        click.echo("\n".join(told))
        click.echo(f"compute.yaml for cluster_sim/catalogue/data/ is in {folder}/")
