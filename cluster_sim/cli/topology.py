"""``topology show`` and ``topology check``: build a fabric and look at it."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from cluster_sim.cli.console import table_console
from cluster_sim.cli.humans import Where
from cluster_sim.config import FabricConfig, read_fabric
from cluster_sim.core import NotBuildableError, bit_rate
from cluster_sim.economics import bill_of_materials
from cluster_sim.reports import draw_fabric, fabric_table, findings
from cluster_sim.results import check_output, claim_folder
from cluster_sim.topology import Finding, check, survey


def show(
    path: Path, where: Where, output: Path | None, overwrite: bool, picture: bool, as_json: bool, **chosen: Any
) -> None:
    """``cluster-sim topology show``."""
    config, where.document = read_fabric(path, **chosen)
    if picture:
        check_output(output, overwrite)
    fabric = config.topology.fabric(config.equipment)
    found, bill = survey(fabric), bill_of_materials(fabric, config.interconnect)
    pictures: tuple[Path, ...] = ()
    if picture:
        technologies = [config.technology_of(tier) for tier in fabric.tiers]
        folder = claim_folder(output, path.stem, overwrite)
        pictures = draw_fabric(fabric, technologies, _title(path, config), folder)
    if as_json:
        cut = found.bisection
        ratios = {"per_accelerator_bytes_per_s": cut.per_accelerator_bytes_per_s, "ratio": cut.ratio}
        told = {**asdict(found), "bisection": asdict(cut) | ratios, "parts": [asdict(item) for item in bill]}
        click.echo(json.dumps({**_identity(config), **told, "pictures": list(map(str, pictures))}))
        return
    console = table_console()
    technologies = [config.technology_of(tier.name) for tier in found.tiers]
    console.print(fabric_table(_title(path, config), found, technologies, bill))
    if pictures:
        line = f"  picture   {' and '.join(map(str, pictures))}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def check_fabric(path: Path, where: Where, as_json: bool, **chosen: Any) -> None:
    """``cluster-sim topology check``; exit code 1 where something is wrong."""
    config, where.document = read_fabric(path, **chosen)
    try:
        found = check(config.topology.fabric(config.equipment), config.interconnect)
    except NotBuildableError as error:
        found = (Finding("buildable", "ports, reach, rates and loss budgets of the parts", error.args[0]),)
    if as_json:
        click.echo(json.dumps({**_identity(config), "findings": [asdict(finding) for finding in found]}))
    else:
        table_console().print(findings(_title(path, config), found))
    if any(finding.problems for finding in found):
        sys.exit(1)


def _identity(config: FabricConfig) -> dict[str, Any]:
    return {"config": config.model_dump(mode="json")}


def _title(path: Path, config: FabricConfig) -> str:
    """What is built from what, chosen or not."""
    rate = bit_rate(config.interconnect.port_rate_bytes_per_s)
    parts = f"{rate} ports, {config.interconnect.switch}, {config.interconnect.nic}"
    return f"{path.stem}: {config.accelerators:,} {config.accelerator}, {parts}"
