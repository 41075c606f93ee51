"""Figures that take the place of the catalogue's: from a user who knows better, or from a study that draws them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import ConfigDict, Field, RootModel, ValidationInfo, model_validator

from cluster_sim.catalogue.figure import Figure
from cluster_sim.catalogue.load import NOW, Key, figures_of, known_names
from cluster_sim.core import Problem, did_you_mean, raise_problems
from cluster_sim.core.units import Dimension, dimension_of

#: Decide what fits together when a file is read, so they stay as they are.
_FIXED = frozenset({
    "rate", "bandwidth", "host_link", "max_ports", "ports", "lanes", "fibre_pairs", "ports_per_engine", "lasers",
    "scale_up_domain", "largest_domain", "accelerators_per_host", "processors", "memory",
})  # fmt: skip

#: Change nothing in a run: what does, where there is anything.
_IDLE = {
    "list_price": "price", "vendor_margin": "economics.vendor_margin", "energy_per_bit": "power",
    "power_with_optics": "power", "host_loss": "", "patch_port_price": "",
}  # fmt: skip

#: Narrower than what is sensible of their dimension. Nothing is carried, and nothing computed, at no rate at all.
_LIMITS = {
    "laser_share": (0.0, 1.0), "pue": (1.0, 10.0), "laser_activation_ev": (0.0, 3.0),
    "first_year": (1990.0, 2100.0), "laser_count": (0.01, 1000.0), "wave_share": (0.0, 1.0), "sm_slowdown": (0.0, 10.0),
    "memory_bandwidth": (1e9, 1e16),
}  # fmt: skip
_EFFICIENCY, _PEAK = (0.001, 1.0), (1e9, 1e19)


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
    """The catalogue's own figures of an entry that can be given: those that change something, and fit as before."""
    known = figures_of(name)
    return {figure: known[figure] for figure in known if figure not in _FIXED and not _is_idle(figure, known)}


def _figures(name: Any, figures: Any, info: ValidationInfo, problems: list[Problem]) -> dict[str, float]:
    """What is given for an entry; what is wrong goes to ``problems``."""
    if name not in known_names():
        problems.append(((str(name),), f"the catalogue has no entry {name!r}{did_you_mean(str(name), known_names())}"))
        return {}
    if not isinstance(figures, dict):
        problems.append(((name,), f"expected figures of {name}, such as {{price: 800 USD}}; got {figures!r}"))
        return {}
    known = figures_of(name)
    found: dict[str, float] = {}
    for figure, value in figures.items():
        try:
            found[figure] = _value(figure, value, known, info)
        except ValueError as error:
            problems.append(((name, str(figure)), str(error)))
    problems += [((name, figure), why) for figure, why in _contradictions(found, known)]
    return found


def _contradictions(found: Mapping[str, float], known: Mapping[str, Figure]) -> Iterator[tuple[str, str]]:
    """(figure, why) of those given that the others of the entry leave no room for."""
    server_w, nic_w = (
        found.get(name, known[name].typical) if name in known else 0.0 for name in ("host_power", "included_nic_power")
    )
    if server_w < nic_w:
        name = "host_power" if "host_power" in found else "included_nic_power"
        yield name, f"a server with {server_w:g} W an accelerator has no NIC of {nic_w:g} W in it; change one of them"


def _value(figure: Any, value: Any, known: Mapping[str, Figure], info: ValidationInfo) -> float:
    if figure not in known or figure in _FIXED:
        names = tuple(name for name in known if name not in _FIXED and not _is_idle(name, known))
        raise ValueError(f"no figure that can be given{did_you_mean(str(figure), names)} (can be: {', '.join(names)})")
    if _is_idle(figure, known):
        instead = _IDLE.get(figure, "host_power")
        raise ValueError(f"changes nothing in a run; {f'give {instead}' if instead else 'leave it out'}")
    dimension = dimension_of(known[figure].unit)
    read = dimension.read(value, info)
    if isinstance(read, bool) or not isinstance(read, int | float):
        raise ValueError(f"{value!r} is not a quantity; write e.g. {dimension.example!r}")
    low, high = _limits(figure, dimension)
    if not low <= read <= high:
        least, most, own = (dimension.said(number, value) for number in (low, high, known[figure].typical))
        raise ValueError(f"{value} is out of the question; expected {least} to {most}, the catalogue has {own}")
    if figure == "first_year" and read != int(read):
        raise ValueError(f"{value} is no year; the catalogue has {known[figure].typical:g}")
    return float(read)


def _is_idle(figure: str, known: Mapping[str, Figure]) -> bool:
    """Whether it changes nothing; of an accelerator, only its server's power counts."""
    return figure in _IDLE or (figure == "power" and "host_power" in known)


def _limits(figure: str, dimension: Dimension) -> tuple[float, float]:
    """The smallest and the largest value, in SI, that makes sense of a figure."""
    if figure.endswith("efficiency"):
        return _EFFICIENCY
    return _LIMITS.get(figure, _PEAK if figure.startswith("peak") else dimension.sensible)


@contextmanager
def given(figures: Given) -> Iterator[None]:
    """Inside, the catalogue has these figures in the place of its own, and those given around it besides."""
    around = _known({name: dict(values) for name, values in NOW.get()})
    token = NOW.set(figures.over(around).key)
    try:
        yield
    finally:
        NOW.reset(token)
