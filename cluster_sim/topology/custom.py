"""Any graph from a file: GraphML or node-link JSON, with nodes and links of all kinds."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self, TypeVar
from xml.etree import ElementTree

import numpy as np
from pydantic import Field, field_validator, model_validator

from cluster_sim.core import (
    BytesPerSecond,
    ConfigError,
    Document,
    Metres,
    NotBuildableError,
    Seconds,
    Spec,
    raise_problems,
    read_spec,
)
from cluster_sim.tables import NODE_KINDS, NONE, Array, Fabric, Links
from cluster_sim.topology.base import TOPOLOGIES, Equipment, Topology
from cluster_sim.topology.equip import equip
from cluster_sim.topology.graph_paths import Edges, GraphPaths
from cluster_sim.topology.scale_up import ScaleUpDomain
from cluster_sim.topology.wiring import Tier

_TIERS = ("scale_up", "host_leaf", "leaf_spine", "spine_core")
_OF_NETWORKX = ("id", "key")
_OF_ENDPOINTS = ("rank", "host", "domain")
#: Links that edges can stand for, all together.
_MOST_LINKS = 2**20
#: Mistakes that are shown; the rest is counted.
_SHOWN = 20
_NODE_LINK = 'expected node-link JSON: {"nodes": [{"id": ...}], "edges": [{"source": ..., "target": ...}]}'


@TOPOLOGIES.register("custom")
class Custom(Topology):
    """An undirected graph; paths are all shortest ones, and endpoints pass nothing on.

    Attributes:
        graph: .graphml or .json (node-link), beside the file that names it; attributes as in ``Node`` and ``Edge``.
    """

    kind: Literal["custom"] = "custom"
    graph: str = Field(min_length=1)

    @field_validator("scale_up")
    @classmethod
    def _is_drawn(cls, scale_up: ScaleUpDomain) -> ScaleUpDomain:
        if scale_up != ScaleUpDomain():
            raise ValueError("draw the scale-up switches into the graph, with the attribute 'domain' of its endpoints")
        return scale_up

    @property
    def own_size(self) -> int:
        """See Topology.own_size."""
        return len(_read(Path(self.graph)).endpoints)

    def build(self, equipment: Equipment) -> Fabric:
        """See Topology.build.

        Raises:
            ConfigError: every mistake in the file.
        """
        drawn = _read(Path(self.graph))
        n = len(drawn.endpoints)
        if n != equipment.num_endpoints:
            raise NotBuildableError((f"{self.graph} has {n} endpoints, not {equipment.num_endpoints} accelerators",))
        order = [*drawn.endpoints, *(name for name, node in drawn.nodes.items() if node.kind != "endpoint")]
        tiers, edges = _tiers(drawn, {name: number for number, name in enumerate(order)})
        links = _with_own_figures(equip(tiers, equipment), edges)
        endpoint, nowhere = np.arange(n, dtype=np.int32), np.full(n, NONE, np.int32)
        kinds = np.array([NODE_KINDS.index(drawn.nodes[name].kind) for name in order], np.int32)
        per_host = int(equipment.accelerator.accelerators_per_host.typical)
        per_domain = int(equipment.accelerator.scale_up_domain.typical)
        return Fabric(
            num_endpoints=n,
            endpoint_host=drawn.column("host", endpoint // per_host),
            endpoint_domain=drawn.column("domain", endpoint // per_domain),
            endpoint_pod=np.zeros(n, np.int32),
            num_pods=1,
            node_kind=kinds,
            tiers=tuple(tier.name for tier in tiers),
            links=links,
            paths=GraphPaths(
                router=endpoint, host_link=nowhere, domain=endpoint, scale_up_link=nowhere,
                edges=Edges.of(len(order), links.src, links.dst, np.arange(len(links))),
                passes=kinds != NODE_KINDS.index("endpoint"),
            ),
            planner=None,
        )  # fmt: skip


class Node(Spec):
    """Attributes of a node.

    Attributes:
        kind: what it is.
        rank: of an endpoint only, 0 to n-1; where no endpoint says one, they have the order of the file.
        host: likewise, any number or name that accelerators of a server share; given for all or none.
        domain: the same for its scale-up domain.
        label: for people.
    """

    kind: Literal["endpoint", "scale_up_switch", "leaf", "spine", "core"]
    rank: int | None = Field(None, ge=0)
    host: int | str | None = None
    domain: int | str | None = None
    label: str = ""

    @model_validator(mode="after")
    def _says_only_what_counts(self) -> Self:
        if self.kind != "endpoint":
            given = [name for name in _OF_ENDPOINTS if getattr(self, name) is not None]
            raise_problems("Node", [((name,), f"only endpoints have one, not a {self.kind}; leave it out")
                                    for name in given])  # fmt: skip
        return self


class Edge(Spec):
    """Attributes of an edge, which is a duplex link; all may be left out.

    Attributes:
        tier: whose technology it has; by the kinds of its ends.
        bandwidth_bytes_per_s: payload each way, in place of what the technology carries; 1 B/s to 10**18 B/s.
        latency_s: each way, in place of what modules, cable and switch take; at most an hour.
        length_m: of the cable.
        count: links beside each other.
        label: for people.
    """

    tier: Literal["scale_up", "host_leaf", "leaf_spine", "spine_core"] | None = None
    bandwidth_bytes_per_s: BytesPerSecond | None = Field(None, ge=1, le=1e18)
    latency_s: Seconds | None = Field(None, ge=0, le=3600)
    length_m: Metres = Field(2.0, gt=0, le=1e9)
    count: int = Field(1, ge=1, le=2**16)
    label: str = ""


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A graph without mistakes: nodes by name, endpoints in the order of their ranks, edges with their ends."""

    nodes: Mapping[Any, Node]
    endpoints: tuple[Any, ...]
    edges: tuple[tuple[Any, Any, Edge], ...]

    def column(self, name: Literal["host", "domain"], otherwise: Array) -> Array:
        """int32[endpoints]: an attribute of all endpoints, numbered from 0 in order of appearance."""
        values = [getattr(self.nodes[endpoint], name) for endpoint in self.endpoints]
        if None in values:
            return otherwise.astype(np.int32)
        numbers = {value: number for number, value in enumerate(dict.fromkeys(values))}
        return np.array([numbers[value] for value in values], np.int32)


def _read(path: Path) -> _Drawn:
    graph, problems = _parsed(path), list[str]()
    if graph.is_directed():
        raise ConfigError((f"{path}: the graph is directed; every link goes both ways, so make it undirected",))
    nodes = {name: _spec(Node, data, f"{path}: node {name}", problems) for name, data in graph.nodes(data=True)}
    edges = [
        (one, other, _spec(Edge, data, f"{path}: edge {one} - {other}", problems))
        for one, other, data in graph.edges(data=True)
    ]
    problems += [
        f"{path}: edge {one} - {other}: a node is not joined to itself" for one, other, _ in edges if one == other
    ]
    endpoints = [(name, node.rank) for name, node in nodes.items() if node is not None and node.kind == "endpoint"]
    ranks = [rank for _, rank in endpoints if rank is not None]
    if not endpoints:
        problems.append(f"{path}: no node is of kind 'endpoint'")
    elif ranks and sorted(ranks) != list(range(len(endpoints))):
        problems.append(f"{path}: ranks of the {len(endpoints)} endpoints must be 0 to {len(endpoints) - 1}, each once")
    known_endpoints = [node for node in nodes.values() if node is not None and node.kind == "endpoint"]
    for name in ("host", "domain"):
        num = sum(getattr(node, name) is not None for node in known_endpoints)
        if 0 < num < len(known_endpoints):
            problems.append(f"{path}: {num} of {len(known_endpoints)} endpoints have a {name}; give it to all or none")
    num_links = sum(edge.count for _, _, edge in edges if edge is not None)
    if num_links > _MOST_LINKS:
        problems.append(f"{path}: the edges stand for {num_links} links, more than {_MOST_LINKS}; lower their count")
    _stop_at(problems, path)
    ordered = sorted(endpoints, key=lambda pair: pair[1] or 0) if ranks else endpoints
    known = {name: node for name, node in nodes.items() if node is not None}
    drawn = tuple((one, other, edge) for one, other, edge in edges if edge is not None)
    return _Drawn(known, tuple(name for name, _ in ordered), drawn)


S = TypeVar("S", Node, Edge)


def _spec(kind: type[S], data: Mapping[str, Any], where: str, problems: list[str]) -> S | None:
    given = {key: value for key, value in data.items() if key not in _OF_NETWORKX}
    try:
        return read_spec(kind, Document(where, given, {}, {(): where}))
    except ConfigError as error:
        problems += error.problems
        return None


def _stop_at(problems: Sequence[str], path: Path) -> None:
    """ConfigError if there are any."""
    if problems:
        rest = len(problems) - _SHOWN
        raise ConfigError((*problems[:_SHOWN], *([f"{path}: and {rest} more mistakes"] if rest > 0 else ())))


def _parsed(path: Path) -> Any:
    """The graph as a multigraph of networkx; nothing that stands in the file is lost or joined into one."""
    import networkx

    try:
        if path.suffix == ".graphml":
            _check_graphml(path)
            return networkx.read_graphml(path, force_multigraph=True)
        if path.suffix == ".json":
            return _node_link(path, json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once))
    except ConfigError:
        raise
    except OSError as error:
        raise ConfigError((f"{path}: cannot be read: {error.strerror}",)) from error
    except json.JSONDecodeError as error:
        raise ConfigError((f"{path}:{error.lineno}: not JSON: {error.msg}",)) from error
    except RecursionError as error:
        raise ConfigError((f"{path}:1: not a graph: nested too deeply",)) from error
    except Exception as error:  # networkx lets through whatever its parsers raise
        line = getattr(error, "position", (1,))[0]
        what = str(error) if isinstance(error, _WrittenTwiceError) else f"{type(error).__name__}: {error}"
        raise ConfigError((f"{path}:{line}: not a graph: {what}",)) from error
    raise ConfigError((f"{path}: expected a file that ends in .graphml, or in .json (node-link)",))


class _WrittenTwiceError(ValueError):
    """A key of a JSON object is there twice; Python would keep the last."""


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; _WrittenTwiceError where a key is."""
    twice = [key for key, times in Counter(key for key, _ in pairs).items() if times > 1]
    if twice:
        raise _WrittenTwiceError(f"key {twice[0]!r} is written twice in one object; keep one")
    return dict(pairs)


def _check_graphml(path: Path) -> None:
    """ConfigError where networkx would take several graphs, nodes or edges for one."""
    ids: dict[str, list[str]] = {"graph": [], "node": [], "edge": []}
    for element in ElementTree.parse(path).iter():
        ids.get(str(element.tag).rpartition("}")[2], []).append(element.get("id", ""))
    problems = [f"{path}: {len(ids['graph'])} graphs; expected one"] if len(ids["graph"]) > 1 else []
    problems += [
        f"{path}: {kind} {name} is there {times} times; give each an id of its own"
        for kind in ("node", "edge")
        for name, times in Counter(ids[kind]).items()
        if name and times > 1
    ]
    _stop_at(problems, path)


def _node_link(path: Path, data: Any) -> Any:
    """The multigraph of node-link JSON.

    Raises:
        ConfigError: every node or edge that cannot be taken for one.
    """
    import networkx

    if not isinstance(data, dict) or not isinstance(data.get("nodes"), list):
        raise ConfigError((f"{path}:1: not a graph: {_NODE_LINK}",))
    if ("edges" in data) == ("links" in data):
        what = "both edges and links" if "edges" in data else "neither edges nor links"
        raise ConfigError((f"{path}:1: not a graph: it has {what}; {_NODE_LINK}",))
    edges = data.get("edges", data.get("links"))
    if not isinstance(edges, list) or not isinstance(data.get("directed", False), bool):
        raise ConfigError((f"{path}:1: not a graph: {_NODE_LINK}",))
    graph = networkx.MultiDiGraph() if data.get("directed") else networkx.MultiGraph()
    problems: list[str] = []
    for number, node in enumerate(data["nodes"]):
        name = node.get("id") if isinstance(node, dict) else None
        if not _is_name(name):
            problems.append(f"{path}: node number {number}, from 0: expected an id, a number or a text")
        elif name in graph:
            problems.append(f"{path}: node {name} is there twice; give each an id of its own")
        else:
            graph.add_nodes_from([(name, {key: value for key, value in node.items() if key != "id"})])
    for number, edge in enumerate(edges):
        ends = [edge.get(end) for end in ("source", "target")] if isinstance(edge, dict) else [None]
        unknown = [end for end in ends if not _is_name(end) or end not in graph]
        if unknown:
            problems.append(f"{path}: edge number {number}, from 0: expected source and target, each the id of a node"
                            f"{f'; {unknown[0]!r} is none' if _is_name(unknown[0]) else ''}")  # fmt: skip
        else:
            graph.add_edges_from([(*ends, {key: edge[key] for key in edge if key not in ("source", "target")})])
    _stop_at(problems, path)
    return graph


def _is_name(value: Any) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool)


def _tiers(drawn: _Drawn, number: Mapping[Any, int]) -> tuple[tuple[Tier, ...], tuple[Edge, ...]]:
    """(tiers, the edge behind each duplex link in their order); the end nearer to an endpoint is the lower one."""
    tiers: list[Tier] = []
    order: list[Edge] = []
    ends = [(*_ends(drawn, one, other), edge) for one, other, edge in drawn.edges]
    for tier in _TIERS:
        mine = [row for row in ends if tier == (row[2].tier or _tier(drawn, row[0], row[1]))]
        counts = np.array([edge.count for _, _, edge in mine], np.int64)
        lower, upper = (np.array([number[row[end]] for row in mine], np.int64).repeat(counts) for end in (0, 1))
        length_m = np.array([edge.length_m for _, _, edge in mine]).repeat(counts)
        bundle = np.arange(len(lower))
        tiers.append(Tier(tier, lower, upper, bundle, bundle, length_m))
        order += [edge for _, _, edge in mine for _ in range(edge.count)]
    return tuple(tiers), tuple(order)


def _ends(drawn: _Drawn, one: Any, other: Any) -> tuple[Any, Any]:
    height = {kind: place for place, kind in enumerate(NODE_KINDS)}
    is_lower = height[drawn.nodes[one].kind] <= height[drawn.nodes[other].kind]
    return (one, other) if is_lower else (other, one)


def _tier(drawn: _Drawn, lower: Any, upper: Any) -> str:
    kinds = {drawn.nodes[lower].kind, drawn.nodes[upper].kind}
    if "scale_up_switch" in kinds:
        return "scale_up"
    if "endpoint" in kinds:
        return "host_leaf"
    return "spine_core" if "core" in kinds else "leaf_spine"


def _with_own_figures(links: Links, edges: tuple[Edge, ...]) -> Links:
    bandwidth = np.array([edge.bandwidth_bytes_per_s or np.nan for edge in edges]).repeat(2)
    latency_s = np.array([np.nan if edge.latency_s is None else edge.latency_s for edge in edges]).repeat(2)
    return replace(
        links,
        capacity_bytes_per_s=np.where(np.isnan(bandwidth), links.capacity_bytes_per_s, bandwidth),
        latency_s=np.where(np.isnan(latency_s), links.latency_s, latency_s),
    )
