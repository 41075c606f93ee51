"""A row of the summary made anew with other figures, without simulating the step again."""

from dataclasses import dataclass

from cluster_sim.catalogue import given
from cluster_sim.config import Scenario
from cluster_sim.core import NotBuildableError, stream
from cluster_sim.economics import account
from cluster_sim.studies.draws import Values, given_values
from cluster_sim.studies.response import Amounts, Response, amounts
from cluster_sim.studies.sampled import Changed, Option
from cluster_sim.tables import Fabric
from cluster_sim.topology import Equipment


@dataclass(frozen=True, slots=True)
class Redoing:
    """An option that can be looked at with other figures.

    Attributes:
        option: what it is.
        response: of its step time.
        typical: amounts with typical figures.
    """

    option: Option
    response: Response
    typical: Amounts

    @classmethod
    def of(cls, option: Option, response: Response) -> "Redoing":
        """Ready to start."""
        return cls(option, response, amounts_with(option, {}))

    def row(self, values: Values) -> Changed:
        """Columns that change with these figures; None where the scenario cannot be built with them."""
        scenario = self.option.scenario
        with given(given_values(scenario, values)):
            try:
                fabric = fabric_of(scenario)
            except NotBuildableError:
                return None
            after = amounts(scenario, fabric, values, self.option.figures)
            step_s = self.option.row["step_time_s"] + self.response.change_s(self.typical, after)
            total = account(fabric, scenario.interconnect, scenario.job.accelerator_entry)
        return {
            "step_time_s": step_s, "network_power_w": total.network_power_w, "capex_usd": total.capex_usd,
            "network_energy_j": total.network_power_w * step_s, "cluster_energy_j": total.cluster_power_w * step_s,
        }  # fmt: skip


def amounts_with(option: Option, values: Values) -> Amounts:
    """How much there is of every aspect with these figures."""
    with given(given_values(option.scenario, values)):
        return amounts(option.scenario, fabric_of(option.scenario), values, option.figures)


def fabric_of(scenario: Scenario) -> Fabric:
    """The fabric of a scenario, with the figures that hold now."""
    equipment = Equipment(scenario.num_endpoints, scenario.job.accelerator_entry, scenario.interconnect)
    built = scenario.topology.fabric(equipment)
    fabric = scenario.failed_links.removed_from(built, stream(scenario.seed, "failed_links"))
    return scenario.slow_links.slowed_in(fabric, stream(scenario.seed, "slow_links"))
