"""The commands. Thin: they read options, call one function, and print."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from cluster_sim import __version__
from cluster_sim.cli.humans import errors_for_humans, setting_log

F = TypeVar("F", bound=Callable[..., Any])

_CONFIG = click.argument("config", type=click.Path(path_type=Path))


def _common(command: F) -> F:
    """Options that every study has."""
    for option in reversed(
        (
            click.option("--set", "settings", multiple=True, metavar="a.b=VALUE", help="Override a value of the file."),
            click.option("--output", type=click.Path(path_type=Path), help="Folder for the results, new or empty."),
            click.option("--overwrite", is_flag=True, help="Replace an earlier run in --output."),
            click.option("--backend", help="auto, numpy, numba or cupy; overrides the file."),
            click.option("--seed", type=int, help="Overrides the file."),
            click.option("--quiet", is_flag=True, help="Print nothing but errors."),
            click.option("--json", "as_json", is_flag=True, help="Print one JSON line instead of tables."),
        )
    ):
        command = option(command)
    return command


_WORKERS = click.option("--workers", type=click.IntRange(min=1), help="Processes; all cores by default.")
_TABLE = click.argument("table", type=click.Path(path_type=Path))


def _in_folder(command: F) -> F:
    """Options of commands that read a table of measurements."""
    for option in reversed(
        (
            click.option("--output", type=click.Path(path_type=Path), help="Folder for the results, new or empty."),
            click.option("--overwrite", is_flag=True, help="Replace an earlier run in --output."),
            click.option(
                "--backend",
                help="auto, numpy, numba or cupy; by default numpy for collectives, auto for training steps.",
            ),
            click.option("--quiet", is_flag=True, help="Print nothing but errors."),
        )
    ):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="cluster-sim")
@click.option("--verbose", "-v", count=True, help="Log phases (-v) or engine events (-vv).")
def main(verbose: int) -> None:
    """Which interconnect should carry a trillion-parameter training job?"""
    setting_log(verbose)


_FORCE = click.option("--force", is_flag=True, help="Go on although memory is short (sets force of every job).")


@main.command()
@_CONFIG
@_FORCE
@_common
def run(config: Path, **options: Any) -> None:
    """Simulate one configuration and write results/<config>-NNN/."""
    with errors_for_humans() as where:
        from cluster_sim.cli.studies import run_one

        run_one(config, where, **options)


@main.command()
@_CONFIG
@click.option(
    "--uncertainty",
    type=click.IntRange(1, 100_000),
    metavar="N",
    help="Draw the catalogue's figures N times between low and high: intervals, and how often each option wins.",
)
@click.option("--resimulate", is_flag=True, help="Simulate every option in every draw of --uncertainty.")
@_WORKERS
@_FORCE
@_common
def compare(config: Path, **options: Any) -> None:
    """Rank every interconnect in every topology for every job of CONFIG.

    With --uncertainty prices, powers and rates are drawn anew N times, the same for all options, and cost, energy and
    ranking made anew of each draw. Step times of the draws lie on lines between a few simulations, and some draws are
    simulated in full to say how far off that is.
    """  # fmt: skip
    with errors_for_humans() as where:
        from cluster_sim.cli.studies import run_comparison

        run_comparison(config, where, **options)


@main.command()
@_CONFIG
@click.option("--workers", type=click.IntRange(min=1), help="Processes; all cores by default.")
@click.option("--keep", type=click.IntRange(min=1), help="Simulate at least so many of the best by estimate.")
@_common
def plan(config: Path, **options: Any) -> None:
    """Search the best way to split the job of CONFIG: degrees, schedule, micro-batch, recomputation, sharding.

    Every split is counted, those that divide and fit are estimated, and the best are simulated. The key 'plan' of
    CONFIG may narrow the search: 'plan: {tensor: [4, 8], schedule: [1f1b]}'. The job need not say how it is split.
    """
    with errors_for_humans() as where:
        from cluster_sim.cli.plan import run_plan

        run_plan(config, where, **options)


@main.command()
@_CONFIG
@_WORKERS
@click.option("--histories", type=click.IntRange(min=1), help="So many; overrides the file.")
@_FORCE
@_common
def reliability(config: Path, **options: Any) -> None:
    """Simulate months of failures of CONFIG: interruptions by cause, goodput, time to train.

    The key 'reliability' of CONFIG says how long, how often state is saved, and how many servers stand by; what fails
    how often is in the catalogue.
    """
    with errors_for_humans() as where:
        from cluster_sim.cli.reliability import run_reliability

        run_reliability(config, where, **options)


@main.command()
@click.argument("problem", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), help="Folder for the results, new or empty.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier run in --output.")
@click.option("--backend", default="auto", help="auto, numpy, numba or cupy.")
@click.option(
    "--time-tolerance", default=0.0, show_default=True, type=click.FloatRange(0.0, 1.0, max_open=True),
    help="Let a flow finish early by this fraction of its own time of sending, together with another. 0 is exact.",
)  # fmt: skip
@click.option(
    "--transport", metavar="NAME|FILE",
    help="Add what packets cost: eqds_spray, eqds_single_path, hpcc, or a YAML file 'kind: NAME' with other values. "
    "Without it rates are fair and nothing else counts.",
)  # fmt: skip
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def flows(problem: Path, **options: Any) -> None:
    """Simulate a raw flow problem: links, and flows that cross them.

    PROBLEM is a text file: 'n_links n_flows', for each link 'capacity_bytes_per_s latency_s', for each flow
    'start_time_s size_bytes k link_0 ... link_k-1' (link:weight where a flow at rate r loads a link with weight * r).
    Prints one JSON line, and writes flows.arrow.
    """
    with errors_for_humans():
        from cluster_sim.cli.flows import run_flows

        run_flows(problem, **options)


def _equipped(command: F) -> F:
    """A file that names a topology, and what to build it from where the file does not say."""
    for option in reversed(
        (
            click.argument("file", type=click.Path(path_type=Path)),
            click.option("--accelerators", type=click.IntRange(min=1), help="How many; 2048 if FILE does not say."),
            click.option("--accelerator", help="Name in the catalogue; b300-sxm if FILE does not say."),
            click.option(
                "--interconnect", metavar="FILE|NAME",
                help="A YAML file, one of a comparison as COMPARISON.yaml:NAME, or NAME where FILE is one. By default "
                "what FILE says first, or 800G ports on 1.6T optics.",
            ),
            click.option("--topology", metavar="NAME", help="Where FILE is a comparison; by default the first."),
            click.option("--set", "settings", multiple=True, metavar="a.b=VALUE", help="Override a value of the file."),
            click.option("--json", "as_json", is_flag=True, help="Print one JSON line instead of tables."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


@main.group()
def topology() -> None:
    """Look at a fabric: FILE is a topology, a run or a comparison."""


@topology.command()
@_equipped
@click.option("--output", type=click.Path(path_type=Path), help="Folder for the picture, new or empty.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier picture in --output.")
@click.option("--picture/--no-picture", default=True, help="Draw it as PNG and SVG.")
def show(file: Path, **options: Any) -> None:
    """Print nodes, links, bisection, diameter and optics, and draw a picture."""
    with errors_for_humans() as where:
        from cluster_sim.cli.topology import show as show_fabric

        show_fabric(file, where, **options)


@topology.command()
@_equipped
def check(file: Path, **options: Any) -> None:
    """Verify connectivity, ports, reach, symmetric capacity and paths; exit code 1 where something is wrong."""
    with errors_for_humans() as where:
        from cluster_sim.cli.topology import check_fabric

        check_fabric(file, where, **options)


@main.command()
@_TABLE
@_in_folder
@_WORKERS
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="Only N rows, as evenly from all families.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the sample.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line instead of tables.")
def verify(table: Path, **options: Any) -> None:
    """Simulate every row of TABLE, measured training steps or collectives, and say how far off it is.

    TABLE is a CSV file. Of training steps, with a column step_time_s: row_id, accelerator, num_accelerators, the shape
    of the model, degrees of parallelism, batch. Of collectives, a line for each run of nccl-tests: row_id, accelerator,
    nodes, accelerators_per_node, nic_gbps_per_accelerator, scale_up, fabric, op, size_bytes, time_us, split. What is
    missing or mistyped is told with its line. Writes verify.arrow.
    """
    with errors_for_humans():
        from cluster_sim.cli.verify import run_verification

        run_verification(table, **options)


@main.command()
@_TABLE
@_in_folder
@_WORKERS
def calibrate(table: Path, **options: Any) -> None:
    """Fit the catalogue's figures to the rows of TABLE whose split is 'calibrate'.

    A table of training steps fits what kernels of each generation of accelerators reach of the peaks; one of
    collectives fits NCCL. Writes YAML files; the catalogue has those of the tables that its sources name.
    """
    with errors_for_humans():
        from cluster_sim.cli.verify import run_calibration

        run_calibration(table, **options)


@main.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def catalogue(name: str | None, as_json: bool) -> None:
    """List the catalogue, or show every figure of NAME with its source."""
    with errors_for_humans():
        from cluster_sim.cli.lists import print_catalogue

        print_catalogue(name, as_json)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(as_json: bool) -> None:
    """Say which backend would run, why, and with which versions."""
    with errors_for_humans():
        from cluster_sim.backend import available_backends, choose_backend
        from cluster_sim.results import provenance

        chosen = choose_backend("auto")
        facts = {"backend": chosen.name, "why": chosen.why, "backends": available_backends(), **provenance()}
        if as_json:
            click.echo(json.dumps(facts, sort_keys=True))
            return
        click.echo(f"backend: {chosen.name} ({chosen.why})")
        for title in ("backends", "versions"):
            click.echo(f"{title}:")
            for key, value in facts[title].items():
                click.echo(f"  {key}: {value}")
