"""A row of the summary made anew with other figures: without simulating the step again, or with."""

from dataclasses import dataclass

from cluster_sim.backend import BackendName, choose_backend
from cluster_sim.catalogue import given
from cluster_sim.core import InputError, NotBuildableError, SimulationError
from cluster_sim.run import economy_of, evaluate, network_of
from cluster_sim.studies.draws import Values, given_values
from cluster_sim.studies.response import Amounts, Response, amounts, slower
from cluster_sim.studies.sampled import Changed, Option


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
        scenario, step_s = self.option.scenario, self.option.row["step_time_s"]
        with given(given_values(scenario, values)):
            try:
                built, fabric, _ = network_of(scenario)
            except NotBuildableError:
                return None
            now = amounts(scenario, fabric, values, self.option.figures)
            now_s = step_s + self.response.change_s(self.typical, now)
            busy = {
                tier: min(ratio * step_s / now_s * slower(tier, self.typical, now), 1.0)
                for tier, ratio in self.option.utilisation.items()
            }
            return {"step_time_s": now_s, **economy_of(scenario, built, now_s, busy).columns}


def simulated(option: Option, values: Values, backend: BackendName) -> Changed:
    """The same from a simulation with these figures; None where it cannot be built or simulated."""
    scenario = option.scenario.model_copy(update={"catalogue": given_values(option.scenario, values)})
    try:
        row: Changed = evaluate(scenario, choose_backend(backend))["summary"].to_pylist()[0]
    except (NotBuildableError, SimulationError, InputError, MemoryError):
        return None
    return row


def amounts_with(option: Option, values: Values) -> Amounts:
    """How much there is of every aspect with these figures."""
    with given(given_values(option.scenario, values)):
        return amounts(option.scenario, network_of(option.scenario)[1], values, option.figures)
