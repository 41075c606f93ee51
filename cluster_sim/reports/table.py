"""The ranking as a table."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from cluster_sim.core import bit_rate
from cluster_sim.reports.economy import economy_lines
from cluster_sim.reports.text import engineering, percent, seconds

Row = Mapping[str, Any]

_PARTS = (
    ("compute", "compute_s"), ("tp", "exposed_tp_s"), ("cp", "exposed_cp_s"), ("ep", "exposed_ep_s"),
    ("pp", "exposed_pp_s"), ("dp", "exposed_dp_s"), ("bubble", "bubble_s"), ("switch", "switching_s"),
    ("optim", "optimizer_s"),
)  # fmt: skip


def ranking(rows: Sequence[Row], tie_ratio: float) -> RenderableType:
    """One table per job and line rate, best first; what cannot be built stands below with its reason.

    Args:
        rows: the summary, as mappings.
        tie_ratio: what counts as equal step times, for the note.
    """
    parts: list[RenderableType] = []
    for job, rate in dict.fromkeys((row["job"], row["line_rate_bytes_per_s"]) for row in rows):
        group = [row for row in rows if (row["job"], row["line_rate_bytes_per_s"]) == (job, rate)]
        parts += [_ranked(job, rate, group), *_best(group), *_not_ranked(group), Text("")]
    return Group(*parts, *_notes(rows, tie_ratio))


def step(row: Row, power: Sequence[Row] = (), supply: Sequence[Row] = ()) -> RenderableType:
    """One run: its step time by part, what it burns and costs, and whether it can be had.

    Args:
        row: of the summary.
        power: rows of the table of that name.
        supply: likewise.
    """
    table = Table(box=box.SIMPLE)
    table.add_column("part")
    table.add_column("time", justify="right")
    table.add_column("share", justify="right")
    for name, column in _PARTS:
        if row[column]:
            table.add_row(name, seconds(row[column]), percent(row[column] / row["step_time_s"]))
    table.add_section()
    table.add_row("step", seconds(row["step_time_s"]), f"MFU {percent(row['mfu_ratio'])}")
    if row.get("checkpoint_s"):
        table.add_row("checkpoints", seconds(row["checkpoint_s"]), "on top, on average")
    table.add_row("network", engineering(row["network_power_w"], "W"), engineering(row["capex_usd"], "USD"))
    return Group(Text(str(row["scenario"])), table, *economy_lines(row, power, supply))


def _ranked(job: str, rate: float, group: Sequence[Row]) -> Table:
    """Best first; parts that are under a thousandth of every step are left out."""
    ok = sorted((row for row in group if row["status"] == "ok"), key=lambda row: int(row["rank"]))
    everywhere = _unverified_everywhere(ok)
    shown = [(name, column) for name, column in _PARTS if any(row[column] > 1e-3 * row["step_time_s"] for row in ok)]
    first = group[0]
    model, machine = (
        engineering(first["num_parameters"], "", 4),
        f"{first['num_accelerators']:,} {first['accelerator']}",
    )
    title = Text(f"{job}: {model} parameters on {machine}, {bit_rate(rate)} per accelerator")
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", padding=(0, 1, 0, 0))
    for name in ("#", "interconnect", "topology"):
        table.add_column(name, no_wrap=True)
    for name in ("step s", "MFU %", *(name for name, _ in shown), "net MW", "MJ/step", "net MUSD", "modules"):
        table.add_column(name, justify="right", no_wrap=True)
    for row, after in zip(ok, [*ok[1:], {"is_tie": False}], strict=False):
        if not row["is_tie"]:
            table.add_section()
        is_tied = row["is_tie"] or after["is_tie"]
        star = "*" if _unverified(row) - everywhere else ""
        table.add_row(
            f"{'=' if is_tied else ''}{row['rank']}", escape(row["interconnect"]) + star, escape(row["topology"]),
            f"{row['step_time_s']:.4f}", f"{100 * row['mfu_ratio']:.1f}",
            *(f"{row[column]:.3f}" for _, column in shown), f"{row['network_power_w'] / 1e6:.3f}",
            f"{row['network_energy_j'] / 1e6:.2f}", f"{row['capex_usd'] / 1e6:.1f}", f"{row['num_modules']:,}",
        )  # fmt: skip
    return table


def _best(group: Sequence[Row]) -> list[Text]:
    """The answer in a line: what is fastest, what burns least, what is cheapest, and by how much."""
    ok = [row for row in group if row["status"] == "ok"]
    if not ok:
        return []
    fastest, thriftiest, cheapest = (
        min(ok, key=lambda row: (row[column], row["rank"]))
        for column in ("step_time_s", "network_energy_j", "capex_usd")
    )
    slower = [row["step_time_s"] / fastest["step_time_s"] - 1 for row in (thriftiest, cheapest)]
    return [
        Text(
            f"  fastest: {_option(fastest)}, {seconds(fastest['step_time_s'])} · least network energy: "
            f"{_option(thriftiest)}, {engineering(thriftiest['network_energy_j'], 'J')} a step, "
            f"{100 * slower[0]:.2f} % slower · cheapest network: {_option(cheapest)}, "
            f"{engineering(cheapest['capex_usd'], 'USD')}, {100 * slower[1]:.2f} % slower"
        )
    ]


def _option(row: Row) -> str:
    return f"{row['interconnect']} in {row['topology']}"


def _not_ranked(group: Sequence[Row]) -> list[Text]:
    """One line per reason, with the options and topologies that share it."""
    where: dict[tuple[str, str, str], list[str]] = {}
    for row in group:
        if row["status"] != "ok":
            where.setdefault((row["status"], row["reason"], row["interconnect"]), []).append(row["topology"])
    options: dict[tuple[str, str, str], list[str]] = {}
    for (status, reason, option), topologies in where.items():
        options.setdefault((status, reason, ", ".join(topologies)), []).append(option)
    return [
        Text(f"  {status}: {', '.join(names)} ({topologies}): {reason}", style="yellow")
        for (status, reason, topologies), names in options.items()
    ]


def _notes(rows: Sequence[Row], tie_ratio: float) -> list[Text]:
    notes = [
        f"= Rows of one block tie: their step times are within {100 * tie_ratio:g} % of the fastest of them; "
        "network energy per step, then price, decided their order.",
        "Parts of the step in seconds. Power and price are of the network: modules at both ends, cables, "
        "switches, NICs, OCS; no cooling.",
    ]
    ok = [row for row in rows if row["status"] == "ok"]
    if any(_unverified(row) for row in ok):
        everywhere = ", ".join(sorted(_unverified_everywhere(ok))) or "none"
        notes.append(
            f"Figures without a retrieved source that every row rests on: {everywhere}. * rests on further ones; see "
            "'unverified' in summary.arrow and the status columns of bom.arrow."
        )
    return [Text(f"  {note}", style="dim") for note in notes]


def _unverified(row: Row) -> set[str]:
    return set(filter(None, (row["unverified"] or "").split(", ")))


def _unverified_everywhere(ok: Sequence[Row]) -> set[str]:
    return set.intersection(*map(_unverified, ok)) if ok else set()
