"""The bill of materials: what a network is made of, with the power and the price of every piece."""

from dataclasses import dataclass

from cluster_sim.catalogue import (
    Accelerator,
    Figure,
    Interconnect,
    Technology,
    constants,
    laser,
    lasers_per_end,
    nic,
    ocs,
    switch,
    technology,
)
from cluster_sim.economics.pieces import Pieces, count_pieces
from cluster_sim.economics.settings import Economics
from cluster_sim.tables import Fabric


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the bill.

    Attributes:
        part: name in the catalogue.
        kind: cable, module, engine, laser, switch, nic, ocs or fibre.
        tier: where it is used.
        count: pieces.
        unit_power_w: of one piece at full load, all its ends. An engine's is without the external laser that feeds it,
            which has a line of its own; the two add up to the catalogue's figure for the engine.
        unit_price_usd: of one piece; of an engine likewise.
        mean_length_m: of cables and fibres, 0 for others.
        power_status, price_status: trust in the figures.
        unit_idle_w: of one piece without traffic, never more than with it.
        length_class_m: of cables and fibres: the length to order, at least that of each; 0 for others.
        idle_status: trust in the power without traffic.
    """

    part: str
    kind: str
    tier: str
    count: int
    unit_power_w: float
    unit_price_usd: float
    mean_length_m: float
    power_status: str
    price_status: str
    unit_idle_w: float
    length_class_m: float
    idle_status: str

    @property
    def power_w(self) -> float:
        """Of all pieces at full load."""
        return self.count * self.unit_power_w

    @property
    def price_usd(self) -> float:
        """Of all pieces."""
        return self.count * self.unit_price_usd

    def mean_power_w(self, utilisation: float) -> float:
        """Of all pieces, carrying this share of what they could on average."""
        return self.count * (self.unit_idle_w + (self.unit_power_w - self.unit_idle_w) * utilisation)


def bill_of_materials(
    fabric: Fabric, interconnect: Interconnect, accelerator: Accelerator | None = None,
    economics: Economics | None = None,
) -> tuple[Item, ...]:  # fmt: skip
    """Everything the network is made of, in the order of its tiers.

    Args:
        fabric: the network.
        interconnect: what it is made of.
        accelerator: needed where the interconnect names the technology of scale-up links.
        economics: whose margin sets prices; None for the catalogue's prices.
    """
    link = accelerator.scale_up if accelerator else ""
    return priced(count_pieces(fabric, interconnect, link), economics or Economics())


def priced(pieces: tuple[Pieces, ...], economics: Economics) -> tuple[Item, ...]:
    """The pieces with the figures that the catalogue has now."""
    return tuple(_item(piece, _unit(piece, economics)) for piece in pieces)


@dataclass(frozen=True, slots=True)
class _Unit:
    """Figures of one piece: watts, watts without traffic, dollars, and how far to trust them."""

    power_w: float
    idle_w: float
    price_usd: float
    power_status: str
    price_status: str
    idle_status: str


def _item(piece: Pieces, unit: _Unit) -> Item:
    return Item(
        piece.part, piece.kind, piece.tier, piece.count, unit.power_w, unit.price_usd, piece.mean_length_m,
        unit.power_status, unit.price_status, unit.idle_w, piece.length_class_m, unit.idle_status,
    )  # fmt: skip


def _unit(piece: Pieces, economics: Economics) -> _Unit:
    if piece.kind == "laser":
        return _laser(piece, economics)
    if piece.kind == "fibre":
        trunk = constants().fibre_trunk_price
        return _Unit(0.0, 0.0, trunk.typical, trunk.status, trunk.status, trunk.status)
    if piece.kind == "switch":
        entry = switch(piece.part)
        return _plain(entry.power, entry.idle_power, entry.price)
    if piece.kind == "nic":
        return _plain(nic(piece.part).power, None, nic(piece.part).price)
    if piece.kind == "ocs":
        box = ocs(piece.part)
        price = box.price_per_port.model_copy(update={"typical": box.price_per_port.typical * box.ports.typical})
        return _plain(box.power, None, price)
    return _link(technology(piece.part), economics)


def _plain(power: Figure, idle: Figure | None, price: Figure) -> _Unit:
    idle = _idle(power, idle)
    return _Unit(power.typical, idle.typical, price.typical, power.status, price.status, idle.status)


def _idle(power: Figure, idle: Figure | None) -> Figure:
    """Without traffic a part draws no more than with it, though its active power be given or drawn below its idle."""
    return power if idle is None or idle.typical > power.typical else idle


def _link(end: Technology, economics: Economics) -> _Unit:
    """A cable with both its ends, a module, or an engine without its lasers."""
    price_usd, price_status = _price(end, economics)
    laser_w, laser_usd = _laser_share(end, price_usd)
    idle = _idle(end.power, end.idle_power)
    return _Unit(
        end.num_ends * (end.power.typical - laser_w), end.num_ends * max(idle.typical - laser_w, 0.0),
        price_usd - laser_usd, end.power.status, price_status, idle.status,
    )  # fmt: skip


def _price(end: Technology, economics: Economics) -> tuple[float, str]:
    """(dollars, trust): the catalogue's, or what the vendor asks for at the margin that is given."""
    if economics.vendor_margin_ratio is None or end.vendor_cost is None:
        return end.price.typical, end.price.status
    return end.price_at(economics.vendor_margin_ratio), end.vendor_cost.status


def _laser(piece: Pieces, economics: Economics) -> _Unit:
    """An external laser module: its share of the engines' figures. Light is on with and without traffic."""
    entry, end = laser(piece.part), technology(piece.feeds)
    power_w, price_usd = _laser_share(end, _price(end, economics)[0])
    ends = piece.num_ends / piece.count
    status = entry.power.status
    return _Unit(ends * power_w, ends * power_w, ends * price_usd, status, entry.price.status, status)


def _laser_share(end: Technology, price_usd: float) -> tuple[float, float]:
    """(watts, dollars) of an end's figures that are of its external laser, if any; never more than they are."""
    if end.external_laser is None:
        return 0.0, 0.0
    entry, modules = laser(end.external_laser), lasers_per_end(end)
    return min(modules * entry.power.typical, end.power.typical), min(modules * entry.price.typical, price_usd)
