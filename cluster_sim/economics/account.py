"""What a fabric costs and burns."""

from dataclasses import dataclass

from cluster_sim.catalogue import Accelerator, Interconnect
from cluster_sim.economics.bill import Item, bill_of_materials
from cluster_sim.tables import Fabric


@dataclass(frozen=True, slots=True)
class Account:
    """Power and price of a network and its cluster. Without cooling; modules at full power whether or not they send.

    Attributes:
        bill: the bill of materials.
        network_power_w: links, switches, NICs and OCS; scale-up links belong to the servers.
        cluster_power_w: servers and network. The catalogue's server power includes a NIC, which is taken out.
        capex_usd: price of the network.
        num_modules: optical modules and engines.
        unverified: figures of the bill for which no source was retrieved.
    """

    bill: tuple[Item, ...]
    network_power_w: float
    cluster_power_w: float
    capex_usd: float
    num_modules: int
    unverified: tuple[str, ...]


def account(fabric: Fabric, interconnect: Interconnect, accelerator: Accelerator) -> Account:
    """Add up the bill of a fabric."""
    bill = bill_of_materials(fabric, interconnect)
    network_w = sum(item.power_w for item in bill)
    server_w = accelerator.host_power.typical - accelerator.included_nic_power.typical
    return Account(
        bill=bill,
        network_power_w=network_w,
        cluster_power_w=network_w + fabric.num_endpoints * server_w,
        capex_usd=sum(item.price_usd for item in bill),
        num_modules=sum(item.count for item in bill if item.kind in ("module", "engine")),
        unverified=_unverified(bill),
    )


def _unverified(bill: tuple[Item, ...]) -> tuple[str, ...]:
    found = {f"{item.part} price": None for item in bill if item.price_status == "M"}
    found |= {f"{item.part} power": None for item in bill if item.power_status == "M"}
    return tuple(found)
