"""How sure a comparison is: figures of the catalogue drawn between low and high, and how often each option wins.

One draw holds for all options: the price of a switch that two of them share is the same in both, so that only what
tells them apart moves their places. Fabric, bill, power and cost are made anew in every draw, as a run makes them; the
time of a step follows ``studies.response``, or is simulated anew too where that is asked for.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, TypeVar

import pyarrow as pa
from pydantic import Field

from cluster_sim.backend import BackendName
from cluster_sim.config import CompareConfig
from cluster_sim.core import NotBuildableError, SimulationError, Spec
from cluster_sim.results import table_of_rows
from cluster_sim.studies.draws import Values, draws
from cluster_sim.studies.drivers import driver_rows
from cluster_sim.studies.ranking import groups_of, rank
from cluster_sim.studies.redone import Redoing, amounts_with, simulated
from cluster_sim.studies.response import Amounts, Probe, Response, alike, probes
from cluster_sim.studies.sampled import Changed, Option, Sample, group_name, interval_rows, options_of, places
from cluster_sim.studies.workers import Workers

T = TypeVar("T")
U = TypeVar("U")

#: Called with how many pieces of work are done, of how many, and what they are.
Progress = Callable[[int, int, str], None]
Tables = dict[str, pa.Table]
#: Options, by what their steps answer like.
Classes = dict[str, list[Option]]

#: More take gigabytes, and tell no more: chance moves a share of so many draws by less than 0.2 points.
MOST_DRAWS = 100_000


class Sampling(Spec):
    """How figures are drawn.

    Attributes:
        num: draws.
        resimulate: whether every option is simulated in every draw.
    """

    num: int = Field(ge=1, le=MOST_DRAWS)
    resimulate: bool = False


def uncertainty(
    config: CompareConfig, tables: Mapping[str, pa.Table], sampling: Sampling, backend: BackendName,
    workers: int | None = None, progress: Progress = lambda done, total, what: None,
) -> tuple[Tables, dict[str, Any]]:  # fmt: skip
    """Draw the figures of a comparison that is done.

    Args:
        config: what was compared.
        tables: its results, ranked.
        sampling: how often, and how.
        backend: for simulations.
        workers: processes; None for as many as there are cores. The results do not depend on it.
        progress: told after each piece of work.

    Returns:
        The tables ``uncertainty`` and ``drivers``, and what the manifest says of them.

    Raises:
        SimulationError: a step cannot be simulated with a figure at its low or high end.
    """
    options = options_of(config.scenarios, tables)
    with Workers(workers) as pool:
        work = _Work(pool, backend, progress)
        responses = _responses(options, _switching(tables), work)
        items = [(option, responses[alike(option.scenario)]) for option in options]
        samples = list(work.done(partial(_sample, sampling=sampling, seed=config.seed), items, "draws"))
        trials = _trials(samples, sampling, config.seed)
        rows = work.simulated([(one.option, one.values) for one in trials], "draws, simulated", with_histories=True)
    pairs = [(samples[one.sample].drawn[one.draw], row) for one, row in zip(trials, rows, strict=True)]
    if sampling.resimulate:
        drawn = iter(rows)
        samples = [replace(sample, drawn=tuple(islice(drawn, sampling.num))) for sample in samples]
    notes = {
        "draws": sampling.num, "method": _method(sampling), "draws_simulated": len(trials),
        "largest_step_error_ratio": _largest_error(pairs, "step_time_s"),
        "largest_goodput_error_ratio": _largest_error(pairs, "goodput_ratio"),
    }  # fmt: skip
    return _tables(config, samples, sampling), notes


@dataclass(frozen=True, slots=True)
class _Work:
    """Many processes, and whom to tell how far they are."""

    pool: Workers
    backend: BackendName
    progress: Progress

    def done(self, what: Callable[[T], U], items: Sequence[T], name: str) -> Iterator[U]:
        """``what`` of each item, in their order."""
        for number, result in enumerate(self.pool.results(what, items)):
            self.progress(number + 1, len(items), name)
            yield result

    def simulated(
        self, items: Sequence[tuple[Option, Values]], name: str, with_histories: bool = False
    ) -> list[Changed]:
        """Rows of the summary of options with such figures; None for what cannot be built or simulated."""
        each = partial(_simulated, backend=self.backend, with_histories=with_histories)
        return list(self.done(each, items, name))


@dataclass(frozen=True, slots=True)
class _Trial:
    """A draw that is simulated."""

    sample: int
    draw: int
    option: Option
    values: Values


def _switching(tables: Mapping[str, pa.Table]) -> frozenset[str]:
    """Scenarios that switch circuits in their step."""
    events = tables["events"].select(["scenario", "event"]).to_pylist() if "events" in tables else []
    return frozenset(row["scenario"] for row in events if row["event"] == "ocs_switching")


def _responses(options: Sequence[Option], switching: frozenset[str], work: _Work) -> dict[str, Response]:
    """The response of each class of options that answer alike, from simulations of the first of it."""
    first: dict[str, Option] = {}
    for option in options:
        first.setdefault(alike(option.scenario), option)
    probed = {name: probes(one.scenario, one.figures, one.row["scenario"] in switching) for name, one in first.items()}
    rows = iter(work.simulated([(first[name], probe.values) for name in first for probe in probed[name]], "responses"))
    return {
        name: _response(option, probed[name], list(islice(rows, len(probed[name])))) for name, option in first.items()
    }


def _response(option: Option, probed: Sequence[Probe], rows: Sequence[Changed]) -> Response:
    found = []
    for probe, row in zip(probed, rows, strict=True):
        amounts = _amounts_of(option, probe)
        if amounts is None:  # then draws as far out have no step time either
            continue
        if row is None:
            raise SimulationError(f"{option.row['scenario']} cannot be simulated with its {probe.aspect} at one end")
        found.append((probe.aspect, amounts, row["step_time_s"]))
    return Response.through((amounts_with(option, {}), option.row["step_time_s"]), found)


def _amounts_of(option: Option, probe: Probe) -> Amounts | None:
    """None where the network cannot be built so: circuits that switch too slowly for their slots, say."""
    try:
        return amounts_with(option, probe.values)
    except NotBuildableError:
        return None


def _sample(item: tuple[Option, Response], sampling: Sampling, seed: int) -> Sample:
    option, response = item
    redoing = Redoing.of(option, response)
    return Sample(
        option,
        drawn=tuple(redoing.row(values) for values in draws(option.figures, sampling.num, seed)),
        moved={
            (figure.key, end): redoing.row({figure.key: value})
            for figure in option.figures
            for end, value in (("low", figure.low), ("high", figure.high))
        },
    )


def _trials(samples: Sequence[Sample], sampling: Sampling, seed: int) -> list[_Trial]:
    """All draws of all options where they are to be simulated; otherwise one of each class that answers alike."""
    wanted = [(number, draw) for number in range(len(samples)) for draw in range(sampling.num)]
    if not sampling.resimulate:
        classes: dict[str, list[int]] = {}
        for number, sample in enumerate(samples):
            classes.setdefault(alike(sample.option.scenario), []).append(number)
        chosen = [(one[turn % len(one)], turn % sampling.num) for turn, one in enumerate(classes.values())]
        wanted = [(number, _buildable(samples[number], draw)) for number, draw in chosen]
    return [
        _Trial(number, draw, samples[number].option, values)
        for number, turns in groupby(wanted, key=itemgetter(0))
        for draw, values in _values_of(samples[number].option, {draw for _, draw in turns}, sampling, seed)
    ]


def _values_of(option: Option, wanted: set[int], sampling: Sampling, seed: int) -> Iterator[tuple[int, Values]]:
    """(draw, values) of some draws, in their order."""
    found = enumerate(draws(option.figures, sampling.num, seed))
    return (one for one in found if one[0] in wanted)


def _buildable(sample: Sample, draw: int) -> int:
    """The next draw from ``draw`` on in which an option can be built; ``draw`` if there is none."""
    num = len(sample.drawn)
    return next((at % num for at in range(draw, draw + num) if sample.drawn[at % num] is not None), draw)


def _simulated(item: tuple[Option, Values], backend: BackendName, with_histories: bool) -> Changed:
    return simulated(*item, backend, with_histories)


def _largest_error(pairs: Sequence[tuple[Changed, Changed]], column: str) -> float | None:
    """Of what was not simulated against what was, relative; None where nothing can be compared."""
    known = [(one.get(column), other.get(column)) for one, other in pairs if one and other]
    return max((abs(one / other - 1) for one, other in known if one and other), default=None)


def _method(sampling: Sampling) -> str:
    return "simulated" if sampling.resimulate else "response"


def _tables(config: CompareConfig, samples: Sequence[Sample], sampling: Sampling) -> Tables:
    ranking = partial(rank, tie_ratio=config.tie_ratio, by=config.rank)
    place = places(samples, ranking)
    figures = {figure.key: figure for sample in samples for figure in sample.option.figures}
    drawn = {key: figure.drawn(sampling.num, config.seed) for key, figure in figures.items()}
    drivers = [
        row
        for group, members in groups_of([sample.option.row for sample in samples], config.rank).items()
        for row in driver_rows(
            group_name(group), [samples[number] for number in members], place[members], ranking, drawn
        )
    ]
    intervals = interval_rows(samples, place, _method(sampling), config.rank.group)
    return {"uncertainty": table_of_rows("uncertainty", intervals), "drivers": table_of_rows("drivers", drivers)}
