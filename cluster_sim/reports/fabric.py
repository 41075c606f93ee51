"""A fabric in words: what it is made of, how it is joined, and what is wrong with it."""

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from cluster_sim.core import bit_rate
from cluster_sim.economics import Item
from cluster_sim.reports.text import percent, plural
from cluster_sim.topology import Finding, Survey


def fabric_table(title: str, found: Survey, technologies: Sequence[str], bill: Sequence[Item]) -> RenderableType:
    """What ``topology show`` prints.

    Args:
        title: what was built from what.
        found: the survey.
        technologies: of each of its tiers.
        bill: its bill of materials.
    """
    nodes = [f"{count:,} {plural(kind, count)}" for kind, count in found.nodes]
    sizes = f"{found.num_accelerators:,} accelerators in {found.num_hosts:,} servers and {found.num_domains:,} scale-up"
    sizes += f" domains, {found.num_pods:,} pods" if found.num_pods > 1 else " domains"
    return Group(
        Text(title, style="bold"),
        Text(f"  {sizes}"),
        Text(f"  {', '.join(nodes)}"),
        _tiers(found, technologies, bill),
        _line("bisection", _bisection(found), found.bisection.how),
        _line("diameter", f"{found.diameter.num_links} links", found.diameter.how),
    )


def findings(title: str, found: Sequence[Finding]) -> RenderableType:
    """What ``topology check`` prints."""
    lines = [Text(title, style="bold")]
    for finding in found:
        word = Text("wrong" if finding.problems else "ok", style="red" if finding.problems else "green")
        lines.append(Text(f"  {finding.what:<13}") + word + Text(f"  {finding.looked_at}", style="dim"))
        lines += [Text(f"    {problem}") for problem in finding.problems]
    return Group(*lines)


def _line(what: str, value: str, how: str) -> Text:
    return Text(f"  {what:<10}{value}") + Text(f"  ({how})", style="dim")


def _bisection(found: Survey) -> str:
    cut = found.bisection
    if cut.bytes_per_s is None or cut.per_accelerator_bytes_per_s is None or cut.ratio is None:
        return "-"
    each = bit_rate(float(f"{cut.per_accelerator_bytes_per_s:.4g}"))
    return f"{each} per accelerator of a half, {percent(cut.ratio)} of what their ports carry"


def _tiers(found: Survey, technologies: Sequence[str], bill: Sequence[Item]) -> Table:
    table = Table(box=box.SIMPLE)
    for name in ("tier", "links", "payload rate", "technology", "cable m: min", "mean", "max", "modules and cables"):
        is_text = name in ("tier", "technology", "modules and cables")
        table.add_column(name, justify="left" if is_text else "right", no_wrap=not is_text)
    for tier, technology in zip(found.tiers, technologies, strict=True):
        parts = [item for item in bill if item.tier == tier.name and item.kind in ("module", "engine", "cable")]
        table.add_row(
            tier.name, f"{tier.num_links:,}", " to ".join(dict.fromkeys(map(bit_rate, tier.capacity_bytes_per_s))),
            escape(technology), *(f"{length:.1f}" for length in tier.length_m),
            ", ".join(f"{item.count:,} {item.part}" for item in parts),
        )  # fmt: skip
    return table
