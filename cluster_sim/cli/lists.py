"""``catalogue``: what is known, how far to trust it, and from where."""

import json
from typing import Any

import click
from rich import box
from rich.table import Table

from cluster_sim.catalogue import (
    FIT_PER_YEARLY_FAILURE,
    SECTIONS,
    Entry,
    Figure,
    Technology,
    constants,
    entries,
    figures_of,
    fit_by_part,
)
from cluster_sim.cli.console import table_console
from cluster_sim.core import UnknownNameError


def print_catalogue(name: str | None, as_json: bool) -> None:
    """All entries and what of them is unverified, or every figure of one."""
    everything = {section: entries(section) for section in SECTIONS}
    if name is None:
        _print_all(everything, as_json)
        return
    for section in everything.values():
        if name in section:
            _print_entry(section[name], as_json)
            return
    if name == "constants":
        _print_figures("constants", figures_of("constants"), {}, as_json)
        return
    raise UnknownNameError("catalogue entry", name, tuple(key for section in everything.values() for key in section))


def _print_all(everything: dict[str, dict[str, Entry]], as_json: bool) -> None:
    listed = {
        section: {name: {"title": entry.title, "unverified": list(entry.unverified)} for name, entry in found.items()}
        for section, found in everything.items()
    }
    unverified = [name for name, figure in constants() if figure.is_unverified]
    listed["constants"] = {"constants": {"title": "Figures that belong to no part", "unverified": unverified}}
    if as_json:
        click.echo(json.dumps(listed))
        return
    for section, found in listed.items():
        table = Table(box=box.SIMPLE, title=section, title_justify="left")
        table.add_column("name", no_wrap=True)
        table.add_column("title")
        table.add_column("unverified figures")
        for key, entry in found.items():
            table.add_row(key, str(entry["title"]), ", ".join(entry["unverified"]))
        table_console().print(table)


def _print_entry(entry: Entry, as_json: bool) -> None:
    words = {name: value for name, value in entry if isinstance(value, str | bool) and name != "title"}
    _print_figures(entry.title, entry.figures, words | _failures(entry), as_json)


def _failures(entry: Entry) -> dict[str, Any]:
    """Failures in 10**9 hours by part: of an end of a technology, of the whole of anything else."""
    if isinstance(entry, Technology):
        return {"fit": {part: round(value, 1) for part, value in fit_by_part(entry).items()}}
    rates = {name: figure for name, figure in entry.figures.items() if name.endswith("annual_failure")}
    parts = {"annual_failure": "itself", "host_annual_failure": "its host"}
    fit = {parts[name]: round(rate.typical * FIT_PER_YEARLY_FAILURE, 1) for name, rate in rates.items()}
    return {"fit": fit} if fit else {}


def _print_figures(title: str, figures: dict[str, Figure], facts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({name: figure.model_dump() for name, figure in figures.items()} | facts))
        return
    table = Table(box=box.SIMPLE, title=f"{title} (status M is unverified)", title_justify="left")
    for column in ("figure", "typical", "low", "high", "unit", "year", "status", "source"):
        table.add_column(column, overflow="fold")
    for name, figure in figures.items():
        bounds = ["" if value is None else f"{value:g}" for value in (figure.typical, figure.low, figure.high)]
        table.add_row(name, *bounds, figure.unit, str(figure.year), figure.status, figure.source)
    table_console().print(table)
    for name, value in facts.items():
        if name == "fit":
            told = ", ".join(f"{part} {failures:g}" for part, failures in value.items())
            click.echo(f" failures{' of an end' if 'rest' in value else ''} in 10**9 hours (FIT): {told}")
        else:
            click.echo(f" {name.replace('_', ' ')}: {({True: 'yes', False: 'no'}).get(value, value)}")
