"""``verify`` and ``calibrate``: measured tables in, errors or figures out."""

import json
from pathlib import Path
from typing import Any

import click

from cluster_sim.cli.console import table_console
from cluster_sim.reports import errors
from cluster_sim.studies import calibrate_table, error_summary, verify

#: What errors are grouped by, in words and columns.
_GROUPS = (
    ("everything", ()),
    ("operation", ("operation",)),
    ("accelerator, family", ("accelerator", "source_family")),
)


def run_verification(table: Path, quiet: bool, as_json: bool, **options: Any) -> None:
    """``cluster-sim verify``."""
    done = verify(table, **options)
    rows = done.tables["verify"].to_pylist()
    if as_json:
        groups = error_summary(rows, "accelerator", "source_family")
        click.echo(json.dumps({"folder": str(done.folder), "num_rows": len(rows), "errors": groups}))
    elif not quiet:
        console = table_console()
        console.print(errors([(what, error_summary(rows, *by)) for what, by in _GROUPS], rows))
        told = f"results: {done.folder}/ ({done.manifest['wall_s']:.1f} s, backend {done.manifest['backend']})"
        console.print(told, markup=False, highlight=False, soft_wrap=True)


def run_calibration(table: Path, quiet: bool, **options: Any) -> None:
    """``cluster-sim calibrate``."""
    folder, fits = calibrate_table(table, **options)
    if not quiet:
        fitted = sum(fit.num_rows > 0 for fit in fits)
        click.echo(f"{fitted} figures fitted; YAML files for cluster_sim/catalogue/data/ are in {folder}/")
