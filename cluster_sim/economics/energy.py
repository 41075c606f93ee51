"""What every kind of part burns while a step runs, cooling included."""

from collections.abc import Mapping
from dataclasses import dataclass

from cluster_sim.economics.account import Account
from cluster_sim.economics.settings import Economics
from cluster_sim.tables import is_scale_up

#: Kinds of parts, in the order in which they are shown; fibre burns nothing.
NETWORK_KINDS = ("module", "engine", "laser", "cable", "switch", "nic", "ocs", "scale_up")
KINDS = (*NETWORK_KINDS, "server", "cooling")


@dataclass(frozen=True, slots=True)
class Burner:
    """A kind of part.

    Attributes:
        kind: one of ``KINDS``; ``scale_up`` is links of that tier, whatever they are made of.
        power_w: of all, at full load.
        energy_j: of all, in a step, as busy as their tiers are on average.
    """

    kind: str
    power_w: float
    energy_j: float


def burners(
    account: Account, utilisation: Mapping[str, float], step_s: float, economics: Economics
) -> tuple[Burner, ...]:
    """Power and energy by kind of part; kinds that a cluster has none of are left out.

    Args:
        account: of the cluster.
        utilisation: by tier and kind of switch, what is carried on average over what could be, in [0, 1]; parts of
            tiers that are not in it run at full load.
        step_s: of a step.
        economics: whose PUE sets the power of cooling.
    """
    power_w, energy_j = dict.fromkeys(NETWORK_KINDS, 0.0), dict.fromkeys(NETWORK_KINDS, 0.0)
    for item in account.bill:
        kind = "scale_up" if is_scale_up(item.tier) else item.kind
        if kind in power_w:
            power_w[kind] += item.power_w
            energy_j[kind] += item.mean_power_w(utilisation.get(item.tier, 1.0)) * step_s
    found = [Burner(kind, power_w[kind], energy_j[kind]) for kind in NETWORK_KINDS if power_w[kind]]
    found.append(Burner("server", account.server_power_w, account.server_power_w * step_s))
    above = economics.used_pue - 1
    cooling = Burner("cooling", above * sum(one.power_w for one in found), above * sum(one.energy_j for one in found))
    return (*found, *([cooling] if above else ()))
