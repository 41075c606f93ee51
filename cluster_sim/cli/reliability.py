"""``reliability``: read, simulate months of failures, print."""

from pathlib import Path
from typing import Any

from cluster_sim.cli.humans import Where
from cluster_sim.cli.progress import progress_bar
from cluster_sim.cli.studies import forced, given, print_run
from cluster_sim.config import RunConfig, read_config
from cluster_sim.core import ConfigError
from cluster_sim.reports import draw_reliability, failures


def run_reliability(
    path: Path, where: Where, settings: tuple[str, ...], output: Path | None, overwrite: bool, quiet: bool,
    as_json: bool, force: bool, workers: int | None, histories: int | None, **overrides: Any,
) -> None:  # fmt: skip
    """``cluster-sim reliability``."""
    from cluster_sim.studies import reliability

    asked = [] if histories is None else [f"reliability.histories={histories}"]
    config, where.document = read_config(path, (*forced(path, settings, force), *given(overrides), *asked))
    if not isinstance(config, RunConfig):
        what = "holds a comparison, and this takes one run; 'cluster-sim compare' simulates failures of every option"
        raise ConfigError((where.problem("compare", what),))
    if "name" not in config.model_fields_set:
        config = config.model_copy(update={"name": path.stem})
    with progress_bar(quiet or as_json) as bar:
        task = bar.add_task("reading", total=None)
        done = reliability(config, output, overwrite, workers, lambda phase: bar.update(task, description=phase))
    row, causes, parts = (done.tables[name].to_pylist() for name in ("summary", "interruptions", "goodput"))
    draw_reliability(row[0], causes, parts, done.folder)
    print_run(done, failures(row[0], causes, parts), quiet, as_json)
