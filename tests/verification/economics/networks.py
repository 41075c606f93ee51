"""Networks of catalogue parts, and sums over their bills."""

from dataclasses import dataclass

from cluster_sim.catalogue import Accelerator, Interconnect
from cluster_sim.economics import Account, Economics, account
from cluster_sim.tables import Fabric
from cluster_sim.topology import Equipment, FloorPlan, Topology

#: A hall so small that copper reaches everywhere: for claims that say nothing of distances.
CLOSE = FloorPlan(rack_pitch_m=0.005, row_pitch_m=0.005, slack_m=1.0)
GBPS = 1e9 / 8

#: Co-packaged optics, of which the external lasers have lines of their own.
ENGINES = ("engine", "laser")


@dataclass(frozen=True)
class Network:
    """A fabric with its account.

    Attributes:
        fabric: as built.
        account: what it costs and burns.
    """

    fabric: Fabric
    account: Account

    def count(self, *kinds, tiers=None, parts=None):
        """Pieces of these kinds."""
        return sum(item.count for item in self._items(kinds, tiers, parts))

    def watts(self, *kinds, tiers=None, parts=None):
        """Power of these kinds for each accelerator; of all but NICs where none is named."""
        return sum(item.power_w for item in self._items(kinds, tiers, parts)) / self.fabric.num_endpoints

    def dollars(self, *kinds, tiers=None, parts=None):
        """Price of these kinds for each accelerator; of all but NICs where none is named."""
        return sum(item.price_usd for item in self._items(kinds, tiers, parts)) / self.fabric.num_endpoints

    @property
    def cluster_dollars(self):
        """Servers, which come with their NICs, and the network."""
        return self.dollars() + self.account.server_capex_usd / self.fabric.num_endpoints

    def links(self, *tiers):
        """Duplex links of the tiers."""
        numbers = [self.fabric.tiers.index(tier) for tier in tiers if tier in self.fabric.tiers]
        return sum(int((self.fabric.links.tier == number).sum()) for number in numbers) // 2

    @property
    def cluster_watts(self):
        """Of the whole cluster, for each accelerator."""
        return self.account.cluster_power_w / self.fabric.num_endpoints

    def _items(self, kinds, tiers, parts):
        return [
            item
            for item in self.account.bill
            if (item.kind in kinds if kinds else item.kind != "nic")
            and (tiers is None or item.tier in tiers)
            and (parts is None or item.part in parts)
        ]


def network(
    topology: Topology, num_endpoints: int, accelerator: Accelerator, interconnect: Interconnect,
    economics: Economics | None = None,
) -> Network:  # fmt: skip
    """Build and account."""
    fabric = topology.fabric(Equipment(num_endpoints, accelerator, interconnect))
    return Network(fabric, account(fabric, interconnect, accelerator, economics))


def saved(before: float, after: float) -> float:
    """Per cent less: -23 where 100 becomes 77."""
    return 100 * (after / before - 1)
