"""``catalogue``: what is known, how far to trust it, and from where."""

import json

import click
from rich import box
from rich.table import Table

from cluster_sim.catalogue import SECTIONS, Entry, Figure, constants, entries
from cluster_sim.cli.console import table_console
from cluster_sim.core import UnknownNameError


def print_catalogue(name: str | None, as_json: bool) -> None:
    """All entries, or every figure of one."""
    everything = {section: entries(section) for section in SECTIONS}
    if name is None:
        _print_all(everything, as_json)
        return
    for section in everything.values():
        if name in section:
            _print_figures(section[name].title, section[name].figures, as_json)
            return
    if name == "constants":
        _print_figures("constants", {key: getattr(constants(), key) for key in type(constants()).model_fields}, as_json)
        return
    raise UnknownNameError("catalogue entry", name, tuple(key for section in everything.values() for key in section))


def _print_all(everything: dict[str, dict[str, Entry]], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({section: list(found) for section, found in everything.items()}))
        return
    for section, found in everything.items():
        table = Table(box=box.SIMPLE, title=section, title_justify="left")
        table.add_column("name", no_wrap=True)
        table.add_column("title")
        table.add_column("unverified figures")
        for key, entry in found.items():
            table.add_row(key, entry.title, ", ".join(entry.unverified))
        table_console().print(table)


def _print_figures(title: str, figures: dict[str, Figure], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({name: figure.model_dump() for name, figure in figures.items()}))
        return
    table = Table(box=box.SIMPLE, title=f"{title} (status M is unverified)", title_justify="left")
    for column in ("figure", "typical", "low", "high", "unit", "year", "status", "source"):
        table.add_column(column, overflow="fold")
    for name, figure in figures.items():
        bounds = ["" if value is None else f"{value:g}" for value in (figure.typical, figure.low, figure.high)]
        table.add_row(name, *bounds, figure.unit, str(figure.year), figure.status, figure.source)
    table_console().print(table)
