"""``plan``: read, search, print."""

from pathlib import Path
from typing import Any

from cluster_sim.cli.humans import Where
from cluster_sim.cli.progress import progress_bar
from cluster_sim.cli.studies import given, print_run
from cluster_sim.config import read_plan
from cluster_sim.core import ConfigError
from cluster_sim.reports import plans


def run_plan(
    path: Path, where: Where, settings: tuple[str, ...], output: Path | None, overwrite: bool, quiet: bool,
    as_json: bool, workers: int | None, keep: int | None, **overrides: Any,
) -> None:  # fmt: skip
    """``cluster-sim plan``."""
    from cluster_sim.studies import NoPlanError, plan

    kept = [] if keep is None else [f"plan.keep={keep}"]
    config, where.document = read_plan(path, (*settings, *given(overrides), *kept))
    if "name" not in config.model_fields_set:
        config = config.model_copy(update={"name": path.stem})
    with progress_bar(quiet or as_json) as bar:
        task = bar.add_task("reading", total=None)

        def progress(what: str, num: int, total: int) -> None:
            bar.update(task, description=what, completed=num, total=total or None)

        try:
            done = plan(config, output, overwrite, workers, progress)
        except NoPlanError as error:
            raise ConfigError((where.problem("plan", str(error)),)) from error
    print_run(
        done, plans(done.summary.to_pylist(), done.tables["plans"].to_pylist(), done.manifest["plan"]), quiet, as_json
    )
