"""Whether it can be bought: what is needed of each part against what the world is known to make."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from cluster_sim.catalogue import Entry, laser, ocs, supply, switch, technology
from cluster_sim.economics.pieces import Pieces

#: Year that the catalogue's volumes are known up to; what is asked for is ordered in it.
KNOWN_YEAR = 2026


@dataclass(frozen=True, slots=True)
class Need:
    """What is needed of a part, and what is known of its supply; None where nothing is.

    Attributes:
        part: name in the catalogue.
        kind: cable, module, engine, laser, switch or ocs.
        supply: name of the supply in the catalogue; parts that share one compete for it.
        count: pieces of the part.
        per_year: pieces that the world is known to make in a year, of all parts that share the supply.
        months: of that, which the cluster takes with all its parts that share it.
        largest_share_ratio: of one supplier.
        first_year: of volume.
        order_count: pieces of an order that is known and not delivered yet.
        order_usd: what was paid for it; the price of a piece that it implies is no price that anybody else gets.
        earliest_year: in which the cluster can have its pieces.
        note: why not earlier, in words; empty where it can be had in ``KNOWN_YEAR``, as far as is known.
    """

    part: str
    kind: str
    supply: str | None
    count: int
    per_year: float | None
    months: float | None
    largest_share_ratio: float | None
    first_year: int | None
    order_count: float | None
    order_usd: float | None
    earliest_year: int | None
    note: str


def needs(pieces: tuple[Pieces, ...]) -> tuple[Need, ...]:
    """A line for each part that is made in numbers, in the order in which they first occur."""
    counts: dict[tuple[str, str], int] = {}
    for piece in pieces:
        if piece.kind in ("cable", "module", "engine", "laser", "switch", "ocs"):
            key = piece.part, piece.kind
            counts[key] = counts.get(key, 0) + piece.count
    names = {key: technology(key[0]).supply for key in counts if key[1] in ("cable", "module", "engine")}
    taken: dict[str, int] = {}
    for key, name in names.items():
        if name is not None:
            taken[name] = taken.get(name, 0) + counts[key]
    return tuple(
        _need(part, kind, count, names.get((part, kind)), taken.get(names.get((part, kind)) or "", 0))
        for (part, kind), count in counts.items()
    )


def _need(part: str, kind: str, count: int, name: str | None, taken: int) -> Need:
    known = {} if name is None else {key: figure.typical for key, figure in supply(name).figures.items()}
    first_year, per_year = _first_year(part, kind), known.get("shipped_2026", known.get("shipped_2025"))
    waits = _waits(first_year, taken, per_year, known)
    earliest_year = max((year for year, _ in waits), default=None)
    return Need(
        part=part, kind=kind, supply=name, count=count, per_year=per_year,
        months=taken / per_year * 12 if per_year else None,
        largest_share_ratio=known.get("largest_share"), first_year=first_year,
        order_count=known.get("orders"), order_usd=known.get("order_value"), earliest_year=earliest_year,
        note="; ".join(why for year, why in waits if year == earliest_year and why),
    )  # fmt: skip


def _waits(
    first_year: int | None, taken: int, per_year: float | None, known: dict[str, float]
) -> list[tuple[int, str]]:  # fmt: skip
    """(year before which the pieces do not come, why) for all that is known to hold them back."""
    waits = []
    if first_year is not None:
        waits.append((max(first_year, KNOWN_YEAR), f"first volume in {first_year}" * (first_year > KNOWN_YEAR)))
    if "lead_year" in known:
        year = int(known["lead_year"])
        waits.append((year, f"what is ordered now comes in {year}" * (year > KNOWN_YEAR)))
    if per_year:
        ahead = known.get("orders", 0.0)
        year = KNOWN_YEAR - 1 + ceil((ahead + taken) / per_year - 1e-9)
        behind = f" with the {ahead:,.0f} that are ordered before" if ahead else ""
        waits.append((year, f"all that is made until the end of {year}{behind}" * (year > KNOWN_YEAR)))
    return waits


def _first_year(part: str, kind: str) -> int | None:
    lookup: dict[str, Callable[[str], Entry]] = {"laser": laser, "switch": switch, "ocs": ocs}
    year = lookup.get(kind, technology)(part).figures.get("first_year")
    return None if year is None else int(year.typical)


def supply_columns(found: tuple[Need, ...]) -> dict[str, float | int | None]:
    """Of the summary: months of the scarcest part, and the year in which the last one comes; None where not known.

    Months are not known where a part has a supply whose volume nobody has told, for it may be the scarcest. Parts of
    which nothing at all is known (cables, switches, older modules) are taken as plentiful.
    """
    known = [need for need in found if need.supply is not None]
    months = [need.months for need in known if need.months is not None]
    return {
        "supply_months": max(months) if months and len(months) == len(known) else None,
        "earliest_year": max((need.earliest_year for need in found if need.earliest_year is not None), default=None),
    }
