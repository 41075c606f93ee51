"""What a run burns and costs, and whether it can be had, in a few lines."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from cluster_sim.reports.text import engineering, percent

Row = Mapping[str, Any]


def economy_lines(row: Row, power: Sequence[Row], supply: Sequence[Row]) -> list[Text]:
    """Lines for below the table of a step; none where the row is without what they say.

    Args:
        row: of the summary.
        power: its rows of the table ``power``.
        supply: its rows of the table ``supply``.
    """
    if row.get("facility_energy_j") is None:
        return []
    return [
        Text(f"  {line}") for line in (_power(power), _energy(row), _cost(row), _supply(row, supply), _cooling(row))
    ]


def _power(power: Sequence[Row]) -> str:
    parts = [f"{one['kind']} {engineering(one['power_w'], 'W')} ({percent(one['share_ratio'])})" for one in power]
    return f"power at full load: {' · '.join(parts)}"


def _energy(row: Row) -> str:
    return (
        f"energy: {engineering(row['facility_energy_j'], 'J')} a step with cooling, "
        f"{engineering(row['energy_per_token_j'], 'J')} a token, of which the network without cooling "
        f"{engineering(row['network_energy_per_token_j'], 'J')}"
    )


def _cost(row: Row) -> str:
    return (
        f"cost: network {engineering(row['capex_usd'], 'USD')}, servers {engineering(row['server_capex_usd'], 'USD')}, "
        f"energy {engineering(row['energy_usd_per_year'], 'USD')} a year (network "
        f"{engineering(row['network_energy_usd_per_year'], 'USD')}); over the lifetime "
        f"{engineering(row['cluster_usd_per_mtoken'], 'USD')} per million tokens, the network alone "
        f"{engineering(row['network_usd_per_mtoken'], 'USD')}"
    )


def _supply(row: Row, supply: Sequence[Row]) -> str:
    """The part of which most of the known supply is taken, the parts that come last, and what others have ordered."""
    scarce = [need["supply"] for need in supply if need["months"] == row["supply_months"] is not None]
    unknown = dict.fromkeys(need["supply"] for need in supply if need["supply"] and need["months"] is None)
    taken = "no part has a known volume"
    if scarce:
        taken = f"{engineering(row['supply_months'], '')} months of what the world makes of {scarce[0]}"
    elif unknown:
        taken = f"nobody has told how much of {', '.join(unknown)} is made"
    last = [need for need in supply if need["earliest_year"] == row["earliest_year"] is not None]
    why = dict.fromkeys(f"{need['part']}: {need['note']}" for need in last if need["note"])
    year = f"; not before {row['earliest_year']} ({', '.join(why)})" if why else ""
    ordered = {need["supply"]: _order(need) for need in supply if need["order_count"]}
    return f"supply: {taken}{year}{''.join(ordered.values())}"


def _order(need: Row) -> str:
    told = f"; others have ordered {need['order_count']:,.0f} of {need['supply']}"
    if not need["order_usd"]:
        return told
    each = f"{need['order_usd'] / need['order_count']:.0f} USD each, that order's price and no other's"
    return f"{told} for {engineering(need['order_usd'], 'USD')}, {each}"


def _cooling(row: Row) -> str:
    return f"cooling: {row['cooling']}" + (f": {row['cooling_reason']}" if row["cooling_reason"] else "")
