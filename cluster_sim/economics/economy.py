"""What a training job burns and costs: power by part, energy a step, dollars a year and a token, months of supply."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cluster_sim.catalogue import Accelerator
from cluster_sim.core import YEAR_S
from cluster_sim.economics.account import Account, account_of
from cluster_sim.economics.energy import NETWORK_KINDS, Burner, burners
from cluster_sim.economics.pieces import Pieces
from cluster_sim.economics.settings import Economics
from cluster_sim.economics.supply import Need, needs, supply_columns

#: Columns of the summary that are for each token.
_PER_TOKEN = (
    "energy_per_token_j", "network_energy_per_token_j", "network_usd_per_mtoken", "cluster_usd_per_mtoken",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Work:
    """What the cluster gets done.

    Attributes:
        step_s: time of a step of the main job.
        step_tokens: that it is trained on in a step.
        cluster_ratio: share of the accelerators in use that are the main job's; it pays as much of everything.
        utilisation: by tier and kind of switch, what is carried on average over what could be, in [0, 1].
    """

    step_s: float
    step_tokens: float
    cluster_ratio: float
    utilisation: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Economy:
    """What it burns and costs.

    Attributes:
        account: power and price.
        burners: power and energy by kind of part.
        needs: of parts, against what is known of their supply.
        work: what is done.
        economics: what costs are reckoned with.
        pue: power of the facility over that of servers and network.
        electricity_usd_per_j: price of energy.
    """

    account: Account
    burners: tuple[Burner, ...]
    needs: tuple[Need, ...]
    work: Work
    economics: Economics
    pue: float
    electricity_usd_per_j: float

    @property
    def network_energy_j(self) -> float:
        """Of the network in a step, without cooling."""
        return sum(one.energy_j for one in self.burners if one.kind in NETWORK_KINDS)

    @property
    def cluster_energy_j(self) -> float:
        """Of servers and network in a step, without cooling."""
        return sum(one.energy_j for one in self.burners if one.kind != "cooling")

    def usd_per_year(self, energy_j: float) -> float:
        """Of a part of the cluster that burns ``energy_j`` a step, with its share of cooling, step after step."""
        return energy_j * self.pue / self.work.step_s * YEAR_S * self.electricity_usd_per_j

    def usd_per_mtoken(self, capex_usd: float, energy_j: float) -> float:
        """For each million tokens trained over the lifetime: what was bought, and the energy until then."""
        years = self.economics.lifetime_s / YEAR_S
        steps = self.economics.lifetime_s / self.work.step_s
        paid_usd = self.work.cluster_ratio * (capex_usd + years * self.usd_per_year(energy_j))
        return paid_usd / (steps * self.work.step_tokens) * 1e6

    @property
    def columns(self) -> dict[str, float | int | None]:
        """Of the summary."""
        network_j, cluster_j, total = self.network_energy_j, self.cluster_energy_j, self.account
        tokens = self.work.step_tokens / self.work.cluster_ratio
        return {
            "network_energy_j": network_j,
            "cluster_energy_j": cluster_j,
            "network_power_w": total.network_power_w,
            "capex_usd": total.capex_usd,
            "num_modules": total.num_modules,
            "network_share_ratio": total.network_power_w / total.cluster_power_w if total.cluster_power_w else 0.0,
            "facility_energy_j": cluster_j * self.pue,
            "energy_per_token_j": cluster_j * self.pue / tokens,
            "network_energy_per_token_j": network_j / tokens,
            "server_capex_usd": total.server_capex_usd,
            "energy_usd_per_year": self.usd_per_year(cluster_j),
            "network_energy_usd_per_year": self.usd_per_year(network_j),
            "network_usd_per_mtoken": self.usd_per_mtoken(total.capex_usd, network_j),
            "cluster_usd_per_mtoken": self.usd_per_mtoken(total.capex_usd + total.server_capex_usd, cluster_j),
            **supply_columns(self.needs),
        }


def per_useful_token(columns: Mapping[str, Any], goodput_ratio: float) -> dict[str, float | None]:
    """Columns of the summary that are for each token, where failures leave so much of the time for useful steps.

    What is bought, and burnt, goes on for all of the time. None where nothing useful is done.

    Args:
        columns: as without failures.
        goodput_ratio: useful time over all of it.
    """
    return {name: columns[name] / goodput_ratio if goodput_ratio else None for name in _PER_TOKEN}


def economy(
    pieces: tuple[Pieces, ...], num_accelerators: int, accelerator: Accelerator, work: Work, economics: Economics
) -> Economy:
    """Reckon with the figures that the catalogue has now.

    Args:
        pieces: what the network is made of.
        num_accelerators: of the cluster.
        accelerator: one of them with its share of a server.
        work: what gets done.
        economics: lifetime, prices of energy, margin.
    """
    total = account_of(pieces, num_accelerators, accelerator, economics)
    return Economy(
        account=total, burners=burners(total, work.utilisation, work.step_s, economics), needs=needs(pieces), work=work,
        economics=economics, pue=economics.used_pue, electricity_usd_per_j=economics.used_electricity_usd_per_j,
    )  # fmt: skip
