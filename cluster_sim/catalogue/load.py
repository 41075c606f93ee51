"""The catalogue's files, read once and on demand."""

from contextvars import ContextVar
from functools import cache, lru_cache
from pathlib import Path
from typing import TypeVar

from cluster_sim.catalogue.compute import Compute
from cluster_sim.catalogue.entries import (
    Accelerator,
    Constants,
    Entry,
    Nic,
    Ocs,
    ScaleUp,
    Switch,
)
from cluster_sim.catalogue.figure import Figure
from cluster_sim.catalogue.library import NcclNetwork, NcclProtocol, NcclRates, NcclScaleUp
from cluster_sim.catalogue.models import ModelFacts
from cluster_sim.catalogue.technology import Laser, Supply, Technology
from cluster_sim.core import UnknownNameError, read_document, read_spec

_DATA = Path(__file__).parent / "data"

E = TypeVar("E", bound=Entry)

#: Figures by entry, sorted: what stands in the place of the catalogue's own.
Key = tuple[tuple[str, tuple[tuple[str, float], ...]], ...]
#: What is given now; see ``catalogue.given``.
NOW: ContextVar[Key] = ContextVar("given", default=())

#: Entries with figures in the place of their own that are kept; a study that draws figures makes very many.
_KEPT = 1024

#: What the catalogue lists: section, the file it stands in, and what an entry is.
SECTIONS: dict[str, tuple[str, type[Entry]]] = {
    "technology": ("technologies", Technology),
    "laser": ("lasers", Laser),
    "switch": ("switches", Switch),
    "nic": ("nics", Nic),
    "ocs": ("ocs", Ocs),
    "supply": ("supply", Supply),
    "scale-up link": ("scale_up", ScaleUp),
    "accelerator": ("accelerators", Accelerator),
    "compute": ("compute", Compute),
    "nccl protocol": ("nccl_protocols", NcclProtocol),
    "nccl scale-up": ("nccl_scale_up", NcclScaleUp),
    "nccl network": ("nccl_networks", NcclNetwork),
    "nccl rates": ("nccl_rates", NcclRates),
}

#: Entries of these are looked up one by one, so that figures can be given in their place.
_GIVEN_SECTIONS = ("technology", "laser", "switch", "nic", "ocs", "scale-up link", "accelerator", "compute")


@cache
def entries(section: str) -> dict[str, Entry]:
    """All entries of a section by name, in the order of the file."""
    file, kind = SECTIONS[section]
    document = read_document(_DATA / f"{file}.yaml")
    return {name: read_spec(kind, document, (name,)) for name in document.data}


def constants() -> Constants:
    """Figures that belong to no part."""
    return _given_constants(_given("constants"))


@cache
def _constants() -> Constants:
    return read_spec(Constants, read_document(_DATA / "constants.yaml"))


def known_names() -> tuple[str, ...]:
    """Entries whose figures can be given, and ``constants``."""
    return ("constants", *(name for section in _GIVEN_SECTIONS for name in entries(section)))


def figures_of(name: str) -> dict[str, Figure]:
    """The catalogue's own figures of an entry, or of ``constants``."""
    if name == "constants":
        return {key: value for key, value in _constants() if isinstance(value, Figure)}
    return next(entries(section)[name].figures for section in _GIVEN_SECTIONS if name in entries(section))


@cache
def models() -> dict[str, ModelFacts]:
    """Facts about published models, by how their names begin."""
    document = read_document(_DATA / "models.yaml")
    return {name: read_spec(ModelFacts, document, (name,)) for name in document.data}


def technology(name: str) -> Technology:
    """A link technology by name; UnknownNameError suggests the nearest."""
    return _entry("technology", Technology, name)


def laser(name: str) -> Laser:
    """An external laser module by name."""
    return _entry("laser", Laser, name)


def supply(name: str) -> Supply:
    """What is known of the supply of a kind of module, by name."""
    return _entry("supply", Supply, name)


def switch(name: str) -> Switch:
    """A packet switch by name."""
    return _entry("switch", Switch, name)


def nic(name: str) -> Nic:
    """A network interface by name."""
    return _entry("nic", Nic, name)


def ocs(name: str) -> Ocs:
    """An optical circuit switch by name."""
    return _entry("ocs", Ocs, name)


def scale_up(name: str) -> ScaleUp:
    """A scale-up link by name."""
    return _entry("scale-up link", ScaleUp, name)


def compute(name: str) -> Compute:
    """What kernels of a generation of accelerators reach, by name."""
    return _entry("compute", Compute, name)


def accelerator(name: str) -> Accelerator:
    """An accelerator by name."""
    return _entry("accelerator", Accelerator, name)


def _entry(section: str, kind: type[E], name: str) -> E:
    known = entries(section)
    if name not in known:
        raise UnknownNameError(section, name, tuple(known))
    found = _given_entry(section, name, _given(name)) if NOW.get() else known[name]
    assert isinstance(found, kind)
    return found


def _given(name: str) -> tuple[tuple[str, float], ...]:
    return dict(NOW.get()).get(name, ())


@lru_cache(maxsize=_KEPT)
def _given_entry(section: str, name: str, figures: tuple[tuple[str, float], ...]) -> Entry:
    """With figures in the place of its own; what it draws without traffic keeps its share of a power that is given."""
    entry = entries(section)[name]
    own, new = entry.figures if figures else {}, dict(figures)
    if "power" in new and "idle_power" in own and "idle_power" not in new and own["power"].typical:
        idle_w = own["idle_power"].typical * new["power"] / own["power"].typical
        own_idle = own["idle_power"].model_copy(update={"typical": idle_w, "low": None, "high": None})
        return entry.model_copy(update={"idle_power": own_idle} | {key: _instead(own[key], new[key]) for key in new})
    return entry.model_copy(update={key: _instead(own[key], value) for key, value in figures})


@lru_cache(maxsize=_KEPT)
def _given_constants(figures: tuple[tuple[str, float], ...]) -> Constants:
    own = figures_of("constants")
    return _constants().model_copy(update={key: _instead(own[key], value) for key, value in figures})


def _instead(figure: Figure, value: float) -> Figure:
    return figure.model_copy(
        update={"typical": value, "low": None, "high": None, "source": "given in the configuration", "status": "G"}
    )
