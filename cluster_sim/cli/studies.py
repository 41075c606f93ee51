"""``run`` and ``compare``: read, simulate, print."""

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Group, RenderableType

from cluster_sim.cli.console import table_console
from cluster_sim.cli.humans import Where
from cluster_sim.cli.progress import progress_bar
from cluster_sim.config import CompareConfig, RunConfig, read_config, read_whole
from cluster_sim.core import ConfigError
from cluster_sim.reports import (
    draw_comparison,
    draw_pareto,
    draw_pipeline,
    draw_scale,
    draw_uncertainty,
    ranking,
    scaling,
    step,
)  # fmt: skip
from cluster_sim.reports import uncertainty as intervals
from cluster_sim.results import Run


def run_one(
    path: Path, where: Where, settings: tuple[str, ...], output: Path | None, overwrite: bool, quiet: bool,
    as_json: bool, force: bool, **overrides: Any,
) -> None:  # fmt: skip
    """``cluster-sim run``."""
    from cluster_sim.run import simulate

    config = _read(path, where, forced(path, settings, force), overrides)
    if not isinstance(config, RunConfig):
        raise ConfigError((where.problem("compare", f"holds a comparison; use 'cluster-sim compare {path}'"),))
    if "name" not in config.model_fields_set:
        config = config.model_copy(update={"name": path.stem})
    with progress_bar(quiet or as_json) as bar:
        task = bar.add_task("reading", total=None)
        done = simulate(config, output, overwrite, lambda phase: bar.update(task, description=phase))
    if "tasks" in done.tables and config.job.parallelism.pipeline > 1:
        draw_pipeline(done.tables["tasks"], f"{config.name}: {config.job.schedule}", done.folder)
    power, supply = (done.tables[name].to_pylist() for name in ("power", "supply"))
    print_run(done, step(done.summary.to_pylist()[0], power, supply), quiet, as_json)
    if config.job.parallelism.is_placed_by_size and not (quiet or as_json):
        click.echo(f"order: {', '.join(done.manifest['order'])}: {done.manifest['order_reason']}")


def run_comparison(
    path: Path, where: Where, settings: tuple[str, ...], output: Path | None, overwrite: bool, quiet: bool,
    as_json: bool, workers: int | None, force: bool, uncertainty: int | None, resimulate: bool, **overrides: Any,
) -> None:  # fmt: skip
    """``cluster-sim compare``."""
    from cluster_sim.studies import Sampling, compare

    if resimulate and not uncertainty:
        raise click.UsageError("--resimulate is for draws; say how many with --uncertainty N")

    config = _read(path, where, forced(path, settings, force), overrides)
    if not isinstance(config, CompareConfig):
        raise ConfigError((f"{path}:1: holds a single run; use 'cluster-sim run {path}', or add a key 'compare'",))
    with progress_bar(quiet or as_json) as bar:
        task = bar.add_task("simulating", total=len(config.scenarios))
        done = compare(
            config,
            path.stem,
            output,
            overwrite,
            workers,
            lambda num, total, name: bar.update(task, completed=num, total=total, description=name),
            Sampling(num=uncertainty, resimulate=resimulate) if uncertainty else None,
        )
    rows, sizes = done.summary.to_pylist(), config.compare.accelerators
    largest = [row for row in rows if row["num_accelerators"] == sizes[-1]] if sizes else rows
    draw_comparison(rows, done.folder, by=config.rank)
    draw_pareto(largest, done.folder, by=config.rank)
    tables: list[RenderableType] = [ranking(largest, config.tie_ratio, config.rank)]
    if sizes:
        most, scaled = config.compare.most_exposed, done.tables["scale"].to_pylist()
        draw_scale(scaled, most, done.folder)
        tables.append(scaling(scaled, most))
    if uncertainty:
        drawn, drivers = (done.tables[name].to_pylist() for name in ("uncertainty", "drivers"))
        draw_uncertainty(drawn, done.folder)
        tables.append(intervals(drawn, drivers, done.manifest["uncertainty"]))
    print_run(done, Group(*tables), quiet, as_json)


def _read(path: Path, where: Where, settings: tuple[str, ...], overrides: dict[str, Any]) -> RunConfig | CompareConfig:
    config, where.document = read_config(path, (*settings, *given(overrides)))
    return config


def given(overrides: dict[str, Any]) -> list[str]:
    """Options that stand for keys of the file, as settings."""
    return [f"{name}={json.dumps(value)}" for name, value in overrides.items() if value is not None]


def forced(path: Path, settings: tuple[str, ...], force: bool) -> tuple[str, ...]:
    """Settings with ``force`` of every job set, where that is asked for."""
    if not force:
        return settings
    data = read_whole(path, settings).data
    jobs = data.get("compare", {}).get("jobs") if isinstance(data.get("compare", {}), dict) else None
    names = [f"compare.jobs.{name}" for name in jobs] if isinstance(jobs, dict) else ["job"] * ("compare" not in data)
    return (*settings, *(f"{name}.force=true" for name in names))


def print_run(done: Run, table: Any, quiet: bool, as_json: bool) -> None:
    """A table and where the results are, or one JSON line."""
    if as_json:
        more = {name: done.tables[name].to_pylist() for name in ("uncertainty", "drivers") if name in done.tables}
        click.echo(json.dumps({"folder": str(done.folder), "summary": done.summary.to_pylist(), **more}))
    elif not quiet:
        console = table_console()
        console.print(table)
        told = f"results: {done.folder}/ ({done.manifest['wall_s']:.1f} s, backend {done.manifest['backend']})"
        console.print(told, markup=False, highlight=False, soft_wrap=True)
