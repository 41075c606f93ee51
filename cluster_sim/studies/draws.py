"""What the catalogue does not know exactly: figures with a range, and values drawn from it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cluster_sim.catalogue import SECTIONS, Figure, Given, entries, known_names, open_figures
from cluster_sim.config import Scenario
from cluster_sim.core import stream
from cluster_sim.tables import Array

#: An entry and a figure of it.
Key = tuple[str, str]
#: Values of figures.
Values = Mapping[Key, float]


@dataclass(frozen=True, slots=True)
class Uncertain:
    """A figure of the catalogue with a range.

    Attributes:
        section, entry, figure: where it stands; section and entry are ``constants`` for figures of no part.
        low, typical, high: in SI units.
        unit: of the three.
        status: how far to trust it, as in ``Figure``.
    """

    section: str
    entry: str
    figure: str
    low: float
    typical: float
    high: float
    unit: str
    status: str

    @property
    def key(self) -> tuple[str, str]:
        """Entry and figure."""
        return self.entry, self.figure

    @property
    def name(self) -> str:
        """``800g-dsp-dr8 price``."""
        return " ".join(self.key)

    @property
    def is_whole(self) -> bool:
        """Whether it counts things or years: all three are whole numbers without a unit, and more than one."""
        return not self.unit and self.typical > 1 and all(x.is_integer() for x in (self.low, self.typical, self.high))

    def drawn(self, num: int, seed: int) -> Array:
        """float64[num]: values between low and high, triangular with the mode at typical.

        They depend on the seed and the figure's name alone: all options of a comparison see the same ones.
        """
        random = stream(seed, "uncertainty", self.entry, self.figure)
        values = random.triangular(self.low, self.typical, self.high, num)
        return np.rint(values) if self.is_whole else values


def uncertain_figures(scenario: Scenario) -> tuple[Uncertain, ...]:
    """Figures with a range of all entries that a scenario names, and of those that these name; not what it gives."""
    given = {(entry, figure) for entry, figures in scenario.catalogue.root.items() for figure in figures}
    found = [
        _uncertain(section, entry, name, figure)
        for entry in entries_in(scenario)
        for section in (_section_of(entry),)
        for name, figure in open_figures(entry).items()
        if (entry, name) not in given
    ]
    return tuple(figure for figure in found if figure.low < figure.high)


def entries_in(scenario: Scenario) -> tuple[str, ...]:
    """Names of the catalogue's entries that a scenario rests on, and ``constants``; each once, in a fixed order."""
    known = set(known_names())
    found, waiting = {"constants": None}, [*_texts(scenario.model_dump(exclude={"catalogue"}))]
    while waiting:
        name = waiting.pop(0)
        if name in known and name not in found:
            found[name] = None
            waiting += _texts(entries(_section_of(name))[name].model_dump(exclude=set(open_figures(name))))
    return tuple(found)


def given_values(scenario: Scenario, values: Values) -> Given:
    """The figures that a scenario gives, and these besides."""
    root = {entry: dict(figures) for entry, figures in scenario.catalogue.root.items()}
    for (entry, figure), value in values.items():
        root.setdefault(entry, {})[figure] = value
    return Given.model_construct(root=root)


def draws(figures: Sequence[Uncertain], num: int, seed: int) -> Iterator[dict[tuple[str, str], float]]:
    """The values of all figures in each of ``num`` draws."""
    columns = {figure.key: figure.drawn(num, seed).tolist() for figure in figures}
    for number in range(num):
        yield {key: values[number] for key, values in columns.items()}


def _uncertain(section: str, entry: str, name: str, figure: Figure) -> Uncertain:
    low, high = (figure.typical if bound is None else bound for bound in (figure.low, figure.high))
    return Uncertain(section, entry, name, low, figure.typical, high, figure.unit, figure.status)


def _section_of(entry: str) -> str:
    return next((section for section in SECTIONS if entry in entries(section)), "constants")


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value and in what it holds."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _texts(value.values())
    elif isinstance(value, Iterable):
        for part in value:
            yield from _texts(part)
