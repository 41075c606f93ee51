"""Figures that take the place of the catalogue's: from a user who knows better, or from a study that draws them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import ConfigDict, Field, RootModel, ValidationInfo, model_validator

from cluster_sim.catalogue.figure import Figure
from cluster_sim.catalogue.load import NOW, Key, figures_of, known_names
from cluster_sim.core import Problem, did_you_mean, raise_problems
from cluster_sim.core.units import dimension_of

#: Decide what fits together when a file is read, so they stay as they are.
_FIXED = frozenset({
    "rate", "bandwidth", "host_link", "max_ports", "ports", "lanes", "fibre_pairs", "ports_per_engine", "lasers",
    "scale_up_domain", "largest_domain", "accelerators_per_host", "processors", "memory",
})  # fmt: skip

#: Narrower than what is sensible of their dimension.
_LIMITS = {
    "laser_share": (0.0, 1.0), "vendor_margin": (0.0, 0.99), "efficiency": (0.0, 1.0), "link_efficiency": (0.0, 1.0),
    "pue": (1.0, 10.0), "laser_activation_ev": (0.0, 3.0),
}  # fmt: skip


class Given(RootModel[dict[str, dict[str, float]]]):
    """Typical values by entry and figure, in SI units: ``{1.6t-dsp-dr8: {price: 1000 USD}}`` in a file.

    Entries are those of the catalogue, and ``constants``. Figures that say how parts fit together (rates, ports,
    lanes) cannot be given.
    """

    model_config = ConfigDict(frozen=True)

    root: dict[str, dict[str, float]] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _read(cls, data: Any, info: ValidationInfo) -> Any:
        if not isinstance(data, dict):
            raise ValueError(f"expected entries of the catalogue, each with its figures; got {data!r}")
        problems: list[Problem] = []
        found = {name: _figures(name, figures, info, problems) for name, figures in data.items()}
        raise_problems("catalogue", problems)
        return found

    @property
    def key(self) -> Key:
        """The same as a value that can be hashed."""
        return tuple((name, tuple(sorted(figures.items()))) for name, figures in sorted(self.root.items()))

    def over(self, other: "Given") -> "Given":
        """These, and what only ``other`` has."""
        names = dict.fromkeys((*other.root, *self.root))
        return _known({name: other.root.get(name, {}) | self.root.get(name, {}) for name in names})


def _known(figures: dict[str, dict[str, float]]) -> Given:
    """Of values that were checked before."""
    return Given.model_construct(root=figures)


def open_figures(name: str) -> dict[str, Figure]:
    """The catalogue's own figures of an entry that can be given."""
    return {figure: value for figure, value in figures_of(name).items() if figure not in _FIXED}


def _figures(name: Any, figures: Any, info: ValidationInfo, problems: list[Problem]) -> dict[str, float]:
    """What is given for an entry; what is wrong goes to ``problems``."""
    if name not in known_names():
        problems.append(((str(name),), f"the catalogue has no entry {name!r}{did_you_mean(str(name), known_names())}"))
        return {}
    if not isinstance(figures, dict):
        problems.append(((name,), f"expected figures of {name}, such as {{price: 800 USD}}; got {figures!r}"))
        return {}
    known = open_figures(name)
    found: dict[str, float] = {}
    for figure, value in figures.items():
        try:
            found[figure] = _value(figure, value, known, info)
        except ValueError as error:
            problems.append(((name, str(figure)), str(error)))
    return found


def _value(figure: Any, value: Any, known: Mapping[str, Figure], info: ValidationInfo) -> float:
    if figure not in known:
        near = did_you_mean(str(figure), tuple(known))
        raise ValueError(f"no figure that can be given{near} (can be: {', '.join(known)})")
    dimension = dimension_of(known[figure].unit)
    read = dimension.read(value, info)
    if isinstance(read, bool) or not isinstance(read, int | float):
        raise ValueError(f"{value!r} is not a quantity; write e.g. {dimension.example!r}")
    low, high = _LIMITS.get(figure, dimension.sensible)
    if not low <= read <= high:
        raise ValueError(
            f"{value} is out of the question; expected {low:g} to {high:g} {dimension.si}, "
            f"the catalogue has {known[figure].typical:g}"
        )
    return float(read)


@contextmanager
def given(figures: Given) -> Iterator[None]:
    """Inside, the catalogue has these figures in the place of its own, and those given around it besides."""
    around = _known({name: dict(values) for name, values in NOW.get()})
    token = NOW.set(figures.over(around).key)
    try:
        yield
    finally:
        NOW.reset(token)
