"""The catalogue's files, read once and on demand."""

from functools import cache
from pathlib import Path
from typing import TypeVar

from cluster_sim.catalogue.compute import Compute
from cluster_sim.catalogue.entries import Accelerator, Constants, Entry, Nic, Ocs, ScaleUp, Switch, Technology
from cluster_sim.catalogue.library import NcclNetwork, NcclProtocol, NcclRates, NcclScaleUp
from cluster_sim.catalogue.models import ModelFacts
from cluster_sim.core import UnknownNameError, read_document, read_spec

_DATA = Path(__file__).parent / "data"

E = TypeVar("E", bound=Entry)

#: What the catalogue lists: section, the file it stands in, and what an entry is.
SECTIONS: dict[str, tuple[str, type[Entry]]] = {
    "technology": ("technologies", Technology),
    "switch": ("switches", Switch),
    "nic": ("nics", Nic),
    "ocs": ("ocs", Ocs),
    "scale-up link": ("scale_up", ScaleUp),
    "accelerator": ("accelerators", Accelerator),
    "compute": ("compute", Compute),
    "nccl protocol": ("nccl_protocols", NcclProtocol),
    "nccl scale-up": ("nccl_scale_up", NcclScaleUp),
    "nccl network": ("nccl_networks", NcclNetwork),
    "nccl rates": ("nccl_rates", NcclRates),
}


@cache
def entries(section: str) -> dict[str, Entry]:
    """All entries of a section by name, in the order of the file."""
    file, kind = SECTIONS[section]
    document = read_document(_DATA / f"{file}.yaml")
    return {name: read_spec(kind, document, (name,)) for name in document.data}


@cache
def constants() -> Constants:
    """Figures that belong to no part."""
    return read_spec(Constants, read_document(_DATA / "constants.yaml"))


@cache
def models() -> dict[str, ModelFacts]:
    """Facts about published models, by how their names begin."""
    document = read_document(_DATA / "models.yaml")
    return {name: read_spec(ModelFacts, document, (name,)) for name in document.data}


def technology(name: str) -> Technology:
    """A link technology by name; UnknownNameError suggests the nearest."""
    return _entry("technology", Technology, name)


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
    found = known[name]
    assert isinstance(found, kind)
    return found
