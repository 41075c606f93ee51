"""How the time of a step answers to the figures that set times, from a few simulations instead of one for each draw.

What sets times is few things, *aspects*: how long a bit takes over the tiers of the network, the rate of its links,
the same of the scale-up domains, the switching of circuits, and each figure of what kernels reach. Options that differ
in modules and cables alone have all of this in common but for their own latencies, so one of them is simulated with
all figures of an aspect at their low and at their high ends, and the change is taken to be piecewise linear in the
aspect between, and changes of several aspects to add up. How far that is from the truth is measured with some draws.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cluster_sim.config import Scenario
from cluster_sim.studies.draws import Uncertain
from cluster_sim.tables import CircuitPlanner, Fabric, is_scale_up
from cluster_sim.topology import OcsRotor, Rotor

#: How much there is of each aspect, by its name; times in s, the others as ``slowness`` has them.
Amounts = dict[str, float]
#: (x, y) with x rising.
Points = tuple[tuple[float, float], ...]

#: Aspects that the links of a fabric show, and figures that move them.
_NIC, _LATENCY, _RATE, _CIRCUITS = "NIC latency", "network latency", "network rate", "circuits"
_INSIDE_LATENCY, _INSIDE_RATE = "scale-up latency", "scale-up rate"
_MOVES = {
    "latency": _LATENCY, "propagation": _LATENCY, "fec_latency": _LATENCY, "link_efficiency": _RATE,
    "switch_time": _CIRCUITS, "reacquisition": _CIRCUITS,
}  # fmt: skip
#: Figures of accelerators that the time of a kernel rests on.
_PEAKS = ("peak_bf16", "peak_fp8", "peak_fp4", "memory_bandwidth")
#: The NIC is in the latency of their links, both ways; a torus has none of them.
_HOST_TIERS = ("host_leaf", "host_ocs")
#: What options may differ in and yet answer alike.
_ENDS = ("host_leaf", "leaf_spine", "spine_core", "spine_ocs")


def aspect_of(figure: Uncertain, scenario: Scenario) -> str | None:
    """The aspect that a figure moves in a scenario; None where it sets no times."""
    if figure.section == "compute" or (figure.section == "accelerator" and figure.figure in _PEAKS):
        return figure.name
    if figure.section == "nic":
        return _NIC if figure.figure == "latency" else None
    if figure.section == "scale-up link":
        return {"latency": _INSIDE_LATENCY, "efficiency": _INSIDE_RATE}.get(figure.figure)
    ends = [scenario.interconnect.inside(tier) for tier in ("scale_up", "scale_up_top")]
    inside = [name for one in ends if one for name in (one.lower, one.upper)]
    if figure.entry in inside and figure.figure in ("latency", "propagation"):
        return _INSIDE_LATENCY
    return _MOVES.get(figure.figure)


def amounts(
    scenario: Scenario, fabric: Fabric, values: Mapping[tuple[str, str], float], figures: Sequence[Uncertain]
) -> Amounts:
    """How much there is of every aspect under the figures that hold now.

    Args:
        scenario: what is simulated.
        fabric: its fabric, built from them.
        values: the drawn ones of them; others are typical.
        figures: of the scenario.
    """
    found = _amounts_of_links(fabric)
    found[_NIC] = scenario.interconnect.nic_entry.latency.typical
    found[_LATENCY] -= found[_NIC] * sum(tier in _HOST_TIERS for tier in fabric.tiers)
    for figure in figures:
        if aspect_of(figure, scenario) == figure.name:
            found[figure.name] = slowness(figure, values.get(figure.key, figure.typical))
    return found


def _amounts_of_links(fabric: Fabric) -> Amounts:
    links, inside = fabric.links, fabric.inside_tiers
    mean_s = np.zeros(len(fabric.tiers))
    for tier in range(len(fabric.tiers)):
        of_tier = links.tier == tier
        mean_s[tier] = links.latency_s[of_tier].mean() if of_tier.any() else 0.0
    per_byte_s = [
        float((1 / links.capacity_bytes_per_s[mine]).mean()) if mine.any() else 0.0
        for mine in (~inside[links.tier] & (links.capacity_bytes_per_s > 0), inside[links.tier])
    ]
    return {
        _LATENCY: float(mean_s[~inside].sum()), _RATE: per_byte_s[0], _INSIDE_LATENCY: float(mean_s[inside].sum()),
        _INSIDE_RATE: per_byte_s[1], _CIRCUITS: _of_circuits(fabric.planner),
    }  # fmt: skip


def _of_circuits(planner: CircuitPlanner | None) -> float:
    """Seconds to switch them; of a rotor, which switches all the time, how many times as long bytes take for it."""
    if isinstance(planner, Rotor):
        return 1 / planner.lit_ratio
    return planner.switch_s if planner else 0.0


def slower(tier: str, before: Amounts, after: Amounts) -> float:
    """How many times as long a byte takes over the links of a tier, or into a kind of switch."""
    rate = _INSIDE_RATE if is_scale_up(tier) else _RATE
    return after[rate] / before[rate] if before[rate] else 1.0


def slowness(figure: Uncertain, value: float) -> float:
    """What times are linear in: they grow in proportion to one over an efficiency or a rate, and to everything else."""
    is_rate = figure.section == "accelerator" or figure.figure.endswith("efficiency")
    return 1 / value if is_rate and value else value


@dataclass(frozen=True, slots=True)
class Probe:
    """A simulation with all figures of an aspect at one end.

    Attributes:
        aspect: name.
        values: of its figures.
    """

    aspect: str
    values: dict[tuple[str, str], float]


def probes(scenario: Scenario, figures: Sequence[Uncertain], switches: bool) -> tuple[Probe, ...]:
    """What is to be simulated besides the scenario itself.

    Args:
        scenario: what answers.
        figures: of it, with ranges.
        switches: whether circuits are switched in its step; they cost nothing where they are not, but in a rotor.
    """
    aspects = dict.fromkeys(aspect_of(figure, scenario) for figure in figures)
    found = []
    for aspect in aspects:
        if aspect is None or (aspect == _CIRCUITS and not (switches or isinstance(scenario.topology, OcsRotor))):
            continue
        movers = [figure for figure in figures if aspect_of(figure, scenario) == aspect]
        for end in ("low", "high"):
            values = {figure.key: float(getattr(figure, end)) for figure in movers}
            if any(values[figure.key] != figure.typical for figure in movers):
                found.append(Probe(aspect, values))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Response:
    """Changes of a step's time, for one scenario and those that answer like it.

    Attributes:
        points: (amount, change in seconds) by aspect, amounts rising.
    """

    points: dict[str, Points]

    @classmethod
    def through(cls, typical: tuple[Amounts, float], probed: Sequence[tuple[str, Amounts, float]]) -> "Response":
        """From simulations.

        Args:
            typical: amounts and step time with all figures typical.
            probed: aspect, amounts and step time of each probe.
        """
        at, step_s = typical
        points = {aspect: {at[aspect]: 0.0} for aspect in dict.fromkeys(aspect for aspect, _, _ in probed)}
        for aspect, amount, time_s in probed:
            points[aspect].setdefault(amount[aspect], time_s - step_s)
        return cls({aspect: tuple(sorted(found.items())) for aspect, found in points.items()})

    def change_s(self, before: Amounts, after: Amounts) -> float:
        """Of a step's time, from one amount of everything to another."""
        return sum(at(points, after[aspect]) - at(points, before[aspect]) for aspect, points in self.points.items())


def at(points: Points, x: float) -> float:
    """Piecewise linear through the points, and on beyond the outermost."""
    if len(points) == 1:
        return points[0][1]
    right = min(max(bisect_left(points, (x,)), 1), len(points) - 1)
    (before, y), (after, end) = points[right - 1], points[right]
    return y + (end - y) * (x - before) / (after - before)


def alike(scenario: Scenario) -> str:
    """The same text for scenarios that answer alike: they differ in modules and cables alone, if at all."""
    return scenario.model_dump_json(exclude={"interconnect": set(_ENDS), "interconnect_name": True})
