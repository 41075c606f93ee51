"""A row of the summary made anew with other figures: without simulating the step again, or with.

What a network is made of does not depend on prices, powers and times, so it is counted once, and how long a bit takes
over each tier is linear in the figures that it rests on. Only where a figure in its range could keep the scenario from
being built, cables that reach not far enough say, is its network built anew with every set of figures.
"""

from dataclasses import dataclass

from cluster_sim.backend import BackendName, choose_backend
from cluster_sim.catalogue import given, technology
from cluster_sim.core import InputError, NotBuildableError, SimulationError
from cluster_sim.economics import Pieces, cooling_of, count_pieces
from cluster_sim.run import economy_of, evaluate, network_of
from cluster_sim.studies.draws import Key, Uncertain, Values, given_values
from cluster_sim.studies.outlook import Outlook
from cluster_sim.studies.reliability import assess
from cluster_sim.studies.response import Amounts, Points, Response, amounts, aspect_of, at, slower, slowness
from cluster_sim.studies.sampled import Changed, Option, Row
from cluster_sim.tables import Fabric
from cluster_sim.topology import Equipment, OcsRotor

#: Figures that decide whether a network can be built, by the end at which it least can.
_WORST = {
    "low": ("reach", "optical_margin", "cage_power", "liquid_cage_power", "max_power"),
    "high": ("insertion_loss", "circulator_loss", "power", "switch_time", "reacquisition"),
}


@dataclass(frozen=True, slots=True)
class Redoing:
    """An option that can be looked at with other figures.

    Attributes:
        option: what it is.
        response: of its step time.
        typical: amounts with typical figures.
        shifts: how they change with a figure alone, by figure and aspect: points over its slowness; none where the
            network is built anew.
        built: the fabric with typical figures, as built.
        pieces: of its network.
        counts: figures that say how many pieces there are.
        outlook: its histories, where it has any.
        is_certain: whether the network can be built whatever the figures are in their ranges, racks of servers apart,
            and what it offers is linear in them.
    """

    option: Option
    response: Response
    typical: Amounts
    shifts: dict[Key, tuple[Uncertain, dict[str, Points]]]
    built: Fabric
    pieces: tuple[Pieces, ...]
    counts: frozenset[Key]
    outlook: Outlook | None
    is_certain: bool

    @classmethod
    def of(cls, option: Option, response: Response) -> "Redoing":
        """Ready to start."""
        with given(option.scenario.catalogue):
            built, fabric, _ = network_of(option.scenario)
            typical = amounts(option.scenario, fabric, {}, option.figures)
            pieces = _pieces(option, built)
        is_certain = _is_certain(option)
        shifts = {
            figure.key: (figure, _shifts(option, figure, typical))
            for figure in option.figures
            if is_certain and aspect_of(figure, option.scenario)
        }
        return cls(
            option,
            response,
            typical,
            shifts,
            built,
            pieces,
            _counts(option),
            Outlook.of(option, built),
            is_certain,
        )

    def row(self, values: Values) -> Changed:
        """Columns that change with these figures; None where the scenario cannot be built with them."""
        with given(given_values(self.option.scenario, values)):
            try:
                now = self._amounts(values)
            except NotBuildableError:
                return None
            return self._columns(now, values)

    def _amounts(self, values: Values) -> Amounts:
        """Raises NotBuildableError."""
        scenario, hall = self.option.scenario, self.option.scenario.topology.hall
        if not self.is_certain:
            return amounts(scenario, network_of(scenario)[1], values, self.option.figures)
        if hall and scenario.economics.limits:
            in_rack = min(hall.accelerators_per_rack, self.built.num_endpoints)
            is_plain = not any(scenario.interconnect.inside(tier) for tier in ("scale_up", "scale_up_top"))
            network = None if is_plain else self.built
            cooling_of(network, scenario.interconnect, scenario.job.accelerator_entry, in_rack)
        now = dict(self.typical)
        for key, value in values.items():
            figure, shifts = self.shifts.get(key, (None, {}))
            for aspect, points in shifts.items():
                now[aspect] += at(points, slowness(figure, value)) if figure else 0.0
        return now

    def _columns(self, now: Amounts, values: Values) -> Row:
        step_s = self.option.row["step_time_s"]
        now_s = step_s + self.response.change_s(self.typical, now)
        busy = {
            tier: min(ratio * step_s / now_s * slower(tier, self.typical, now), 1.0)
            for tier, ratio in self.option.utilisation.items()
        }
        scenario, num = self.option.scenario, self.built.num_endpoints
        found = {"step_time_s": now_s, **economy_of(scenario, self._counted(values), num, now_s, busy).columns}
        return found | self.outlook.columns(now_s, found) if self.outlook else found

    def _counted(self, values: Values) -> tuple[Pieces, ...]:
        """The pieces; counted again where a figure says that there are more or fewer lasers."""
        counts = {key: value for key, value in values.items() if key in self.counts}
        if not counts:
            return self.pieces
        with given(given_values(self.option.scenario, _rates_of(self.option) | counts)):
            return _pieces(self.option, self.built)


def simulated(option: Option, values: Values, backend: BackendName, with_histories: bool = False) -> Changed:
    """The same from a simulation with these figures; None where it cannot be built or simulated.

    Args:
        option: what is simulated.
        values: figures.
        backend: for the simulation.
        with_histories: whether its histories are, too, where it has any.
    """
    changes = {"catalogue": given_values(option.scenario, values), "record": "summary"}
    scenario = option.scenario.model_copy(update=changes)
    try:
        tables = evaluate(scenario, choose_backend(backend))
        if with_histories and scenario.reliability is not None:
            tables = assess(scenario, backend, tables)
    except (NotBuildableError, SimulationError, InputError, MemoryError):
        return None
    row: Changed = tables["summary"].to_pylist()[0]
    return row


def amounts_with(option: Option, values: Values) -> Amounts:
    """How much there is of every aspect with these figures."""
    with given(given_values(option.scenario, values)):
        return amounts(option.scenario, network_of(option.scenario)[1], values, option.figures)


def _pieces(option: Option, built: Fabric) -> tuple[Pieces, ...]:
    return count_pieces(built, option.scenario.interconnect, option.scenario.job.accelerator_entry.scale_up)


def _counts(option: Option) -> frozenset[Key]:
    """Lasers of engines that external modules feed: the modules are counted."""
    engines = [figure for figure in option.figures if figure.figure == "laser_count"]
    return frozenset(figure.key for figure in engines if technology(figure.entry).external_laser)


def _rates_of(option: Option) -> dict[Key, float]:
    """Typical values of the figures that capacities rest on: those of the fabric as it was built."""
    return {f.key: f.typical for f in option.figures if f.figure in ("link_efficiency", "efficiency")}


def _shifts(option: Option, figure: Uncertain, typical: Amounts) -> dict[str, Points]:
    """How amounts change with one figure at an end, those that do; at both where the longer of two ways counts."""
    points: dict[str, dict[float, float]] = {}
    one_end = (figure.high if figure.high > figure.typical else figure.low,)
    for value in (figure.low, figure.high) if figure.figure == "propagation" else one_end:
        moved = amounts_with(option, {figure.key: value})
        for aspect, amount in moved.items():
            if amount != typical[aspect]:
                here = points.setdefault(aspect, {slowness(figure, figure.typical): 0.0})
                here[slowness(figure, value)] = amount - typical[aspect]
    return {aspect: tuple(sorted(found.items())) for aspect, found in points.items()}


def _is_certain(option: Option) -> bool:
    """Whether the network can be built with every figure that decides it at its worst end, and answers in proportion.

    Rotors do not: a byte takes one over what the guard time leaves of a slot.
    """
    topology = option.scenario.topology
    if isinstance(topology, OcsRotor) and topology.guard_s is None:
        return False
    values = {
        figure.key: float(getattr(figure, end))
        for end, names in _WORST.items()
        for figure in option.figures
        if figure.figure in names
    }
    scenario = option.scenario
    with given(given_values(scenario, values)):
        equipment = Equipment(scenario.num_endpoints, scenario.job.accelerator_entry, scenario.interconnect)
        try:
            built, limits = scenario.topology.fabric(equipment), scenario.economics.limits
            cooling_of(built, scenario.interconnect, equipment.accelerator, None, limits)
        except NotBuildableError:
            return False
    return True
