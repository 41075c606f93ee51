"""A fabric without a job: what ``cluster-sim topology`` builds, from any file that names one."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from cluster_sim.catalogue import Interconnect, accelerator
from cluster_sim.config.comparison import AnyTopology
from cluster_sim.config.load import read_whole
from cluster_sim.core import ConfigError, Document, InputError, Spec, UnknownNameError, read_spec
from cluster_sim.tables import is_scale_up
from cluster_sim.topology import Equipment
from cluster_sim.workload import MOST_ACCELERATORS

Location = tuple[str | int, ...]

_FILE = re.compile(r"(?P<file>.*\.ya?ml)(:(?P<name>.+))?")

#: Where a file does not say: 800G ports on modules that carry two, which reach across a hall and into an OCS.
_INTERCONNECT = {
    "port_rate": "800 Gbps", "nic": "connectx8-800g", "switch": "tomahawk6", "host_leaf": "1.6t-dsp-dr8",
    "leaf_spine": "1.6t-dsp-dr8", "spine_core": "1.6t-dsp-dr8", "spine_ocs": "1.6t-dsp-2xfr4",
}  # fmt: skip


class FabricConfig(Spec):
    """A topology and what to build it from.

    Attributes:
        accelerators: how many to join; as many as the topology asks for where it does and the file says nothing.
        accelerator: their name in the catalogue.
        interconnect: what carries it.
        topology: how they are joined.
    """

    accelerators: int = Field(2048, ge=1, le=MOST_ACCELERATORS)
    accelerator: Annotated[str, AfterValidator(lambda name: accelerator(name) and name)] = "b300-sxm"
    interconnect: Interconnect
    topology: AnyTopology

    @property
    def equipment(self) -> Equipment:
        """As topologies take it."""
        return Equipment(self.accelerators, accelerator(self.accelerator), self.interconnect)

    def technology_of(self, tier: str) -> str:
        """What carries the links of a tier."""
        is_in_server = is_scale_up(tier) and self.interconnect.inside(tier) is None
        return self.equipment.accelerator.scale_up if is_in_server else self.interconnect.ends(tier).label


def read_fabric(
    path: Path,
    settings: Sequence[str] = (),
    interconnect: str | None = None,
    topology: str | None = None,
    **parts: Any,
) -> tuple[FabricConfig, Document]:
    """Read what to build, with the document that says where everything stands.

    Args:
        path: a topology, a run, or a comparison.
        settings: ``a.b=value`` overrides of that file.
        interconnect: a file, or a name in a comparison: the one at ``path``, or another as FILE:NAME. None for what
            ``path`` says, the first of a comparison, or 800G optics.
        topology: name of one of a comparison; None for the first.
        parts: other fields of FabricConfig; None for what ``path`` says.

    Raises:
        ConfigError: every mistake, each with file and line.
    """
    document = read_whole(path, settings)
    picks = _picks(document, interconnect, topology)
    picked = _picked(document, picks)
    picked = _joined(picked, _cluster(document, picked.data.get("accelerators")))
    if interconnect is not None and ("interconnect",) not in picks:
        picked = _joined(picked, _interconnect(interconnect))
    given = {name: value for name, value in parts.items() if value is not None}
    picked = _joined(picked, Document("", given, {}, {(name,): f"--{name}" for name in given}))
    if "interconnect" not in picked.data:
        picked = _joined(picked, Document("", {"interconnect": _INTERCONNECT}, {}, {}))
    config = read_spec(FabricConfig, picked)
    if "accelerators" not in picked.data and config.topology.own_size is not None:
        if config.topology.own_size > MOST_ACCELERATORS:
            what = f"asks for {config.topology.own_size} accelerators, more than {MOST_ACCELERATORS}; make it smaller"
            raise ConfigError((picked.problem(("topology",), what),))
        config = config.model_copy(update={"accelerators": config.topology.own_size})
    return config, picked


def _picks(document: Document, interconnect: str | None, topology: str | None) -> dict[Location, Location]:
    """Where the fields of FabricConfig stand in a document."""
    data = document.data
    if "compare" in data:
        return _picks_of_comparison(document, interconnect, topology)
    if topology is not None:
        raise InputError(f"--topology {topology}: {document.file} holds no comparison to choose from; leave it out")
    if "kind" in data:
        return {("topology",): ()}
    own = ("topology",) if interconnect is not None else ("topology", "interconnect")
    return _picks_of_job(data, ("job",)) | {(name,): (name,) for name in own if name in data}


def _picks_of_comparison(
    document: Document, interconnect: str | None, topology: str | None
) -> dict[Location, Location]:  # fmt: skip
    jobs, picks = _names(document, "jobs"), dict[Location, Location]()
    picks["topology",] = ("compare", "topologies", _one(document, "topologies", topology))
    if interconnect is None or not _FILE.fullmatch(interconnect):
        picks["interconnect",] = ("compare", "interconnects", _one(document, "interconnects", interconnect))
    return picks | (_picks_of_job(document.data, ("compare", "jobs", jobs[0])) if jobs else {})


def _picks_of_job(data: Any, at: Location) -> dict[Location, Location]:
    for key in at:
        data = data.get(key) if isinstance(data, dict) else None
    return {(name,): (*at, name) for name in ("accelerators", "accelerator") if isinstance(data, dict) and name in data}


def _cluster(document: Document, of_job: Any) -> Document:
    """Accelerators of a cluster that is larger than its first job, whose ``of_job`` are, as the part ``accelerators``.

    Nothing where it is not, or where that cannot be read.
    """
    size, others = document.data.get("cluster_accelerators"), document.data.get("neighbours")
    at: Location = ("cluster_accelerators",)
    if not size and isinstance(others, dict) and others:
        jobs = [other.get("job") if isinstance(other, dict) else None for other in others.values()]
        sizes = [of_job, *(job.get("accelerators") if isinstance(job, dict) else None for job in jobs)]
        size, at = sum(sizes) if all(type(one) is int for one in sizes) else None, ("neighbours",)
    if not size:
        return Document("", {}, {}, {})
    return Document("", {"accelerators": size}, {}, {("accelerators",): document.where(at)})


def _names(document: Document, part: str) -> tuple[str, ...]:
    """What a comparison combines: jobs, interconnects or topologies."""
    compare = document.data.get("compare")
    known = compare.get(part) if isinstance(compare, dict) else None
    return tuple(map(str, known)) if isinstance(known, dict) else ()


def _one(document: Document, part: str, name: str | None) -> str:
    """The one of that name, or the first."""
    known = _names(document, part)
    if not known:
        raise ConfigError((document.problem(("compare", part), "missing; add at least one"),))
    if name is not None and name not in known:
        raise UnknownNameError({"interconnects": "interconnect", "topologies": "topology"}[part], name, known)
    return known[0] if name is None else name


def _interconnect(given: str) -> Document:
    """The interconnect of a file, or one of a comparison, as the part ``interconnect``."""
    match = _FILE.fullmatch(given)
    if not match:
        raise InputError(f"--interconnect {given}: expected FILE.yaml or COMPARISON.yaml:NAME")
    document = read_whole(Path(match["file"]))
    inside: Location = ("interconnect",) if "interconnect" in document.data else ()
    if "compare" in document.data or match["name"]:
        if not match["name"]:
            what = f"holds a comparison; write {given}:NAME with one of {', '.join(_names(document, 'interconnects'))}"
            raise ConfigError((f"{given}:1: {what}",))
        inside = ("compare", "interconnects", _one(document, "interconnects", match["name"]))
    return _picked(document, {("interconnect",): inside})


def _picked(document: Document, picks: dict[Location, Location]) -> Document:
    """Parts of a document as another one, in which everything knows where it stood."""
    data: dict[str, Any] = {}
    origins: dict[Location, str] = {}
    for at, inside in picks.items():
        part = document.data
        for key in inside:
            part = part[key]
        data[str(at[0])] = part
        places = {place for place in (*document.lines, *document.origins) if place[: len(inside)] == inside}
        origins |= {at: document.where(inside)}
        origins |= {(*at, *place[len(inside) :]): document.where(place) for place in places}
    return Document(document.file, data, {}, origins)


def _joined(document: Document, other: Document) -> Document:
    """Both; the second counts where both say something."""
    return Document(document.file, document.data | other.data, {}, document.origins | other.origins)
