"""What a fabric costs and burns."""

from dataclasses import dataclass

from cluster_sim.catalogue import Accelerator, Interconnect
from cluster_sim.economics.bill import Item, priced
from cluster_sim.economics.pieces import Pieces, count_pieces
from cluster_sim.economics.settings import Economics
from cluster_sim.tables import Fabric


@dataclass(frozen=True, slots=True)
class Account:
    """Power and price of a network and its cluster at full load. Without cooling.

    Attributes:
        bill: the bill of materials.
        network_power_w: links, switches, NICs and OCS. Scale-up links belong to the servers, unless the interconnect
            names their technology.
        server_power_w: servers without NICs. The catalogue's server power includes one, which is taken out.
        capex_usd: price of the network.
        server_capex_usd: price of the servers, with the NICs that the catalogue's price may include.
        num_modules: optical modules and engines.
        unverified: figures of the bill for which no source was retrieved.
    """

    bill: tuple[Item, ...]
    network_power_w: float
    server_power_w: float
    capex_usd: float
    server_capex_usd: float
    num_modules: int
    unverified: tuple[str, ...]

    @property
    def cluster_power_w(self) -> float:
        """Servers and network."""
        return self.network_power_w + self.server_power_w


def account(
    fabric: Fabric, interconnect: Interconnect, accelerator: Accelerator, economics: Economics | None = None
) -> Account:
    """Add up the bill of a fabric."""
    pieces = count_pieces(fabric, interconnect, accelerator.scale_up)
    return account_of(pieces, fabric.num_endpoints, accelerator, economics or Economics())


def account_of(
    pieces: tuple[Pieces, ...], num_accelerators: int, accelerator: Accelerator, economics: Economics
) -> Account:
    """Add up the bill of what a network was found to be made of.

    Args:
        pieces: as counted.
        num_accelerators: of the cluster.
        accelerator: one of them with its share of a server.
        economics: whose margin sets prices.
    """
    bill = priced(pieces, economics)
    server_w = accelerator.host_power.typical - accelerator.included_nic_power.typical
    return Account(
        bill=bill,
        network_power_w=sum(item.power_w for item in bill),
        server_power_w=num_accelerators * server_w,
        capex_usd=sum(item.price_usd for item in bill),
        server_capex_usd=num_accelerators * accelerator.price.typical,
        num_modules=sum(item.count for item in bill if item.kind in ("module", "engine")),
        unverified=_unverified(bill),
    )


def _unverified(bill: tuple[Item, ...]) -> tuple[str, ...]:
    found = {f"{item.part} price": None for item in bill if item.price_status == "M"}
    found |= {f"{item.part} power": None for item in bill if item.power_status == "M"}
    found |= {f"{item.part} idle power": None for item in bill if item.idle_status == "M" != item.power_status}
    return tuple(found)
