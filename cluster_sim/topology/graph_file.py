"""Graphs in files of others: GraphML or node-link JSON, every mistake at once."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, TypeVar
from xml.etree import ElementTree

import numpy as np
from pydantic import Field, model_validator

from cluster_sim.core import BytesPerSecond, ConfigError, Document, Metres, Seconds, Spec, raise_problems, read_spec
from cluster_sim.tables import Array

_OF_NETWORKX = ("id", "key")
_OF_ENDPOINTS = ("rank", "host", "domain")
#: Links that edges can stand for, all together.
_MOST_LINKS = 2**20
#: Mistakes that are shown; the rest is counted.
_SHOWN = 20
_NODE_LINK = 'expected node-link JSON: {"nodes": [{"id": ...}], "edges": [{"source": ..., "target": ...}]}'


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
class Drawn:
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


def read_graph(path: Path) -> Drawn:
    """The graph of a file, .graphml or .json (node-link).

    Raises:
        ConfigError: the file cannot be read, or every mistake in it.
    """
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
    endpoints = {name: node for name, node in nodes.items() if node is not None and node.kind == "endpoint"}
    problems += [f"{path}: {problem}" for problem in _problems_of_endpoints(tuple(endpoints.values()))]
    num_links = sum(edge.count for _, _, edge in edges if edge is not None)
    if num_links > _MOST_LINKS:
        problems.append(f"{path}: the edges stand for {num_links} links, more than {_MOST_LINKS}; lower their count")
    _stop_at(problems, path)
    return Drawn(
        nodes={name: node for name, node in nodes.items() if node is not None},
        endpoints=tuple(sorted(endpoints, key=lambda name: endpoints[name].rank or 0)),
        edges=tuple((one, other, edge) for one, other, edge in edges if edge is not None),
    )


def _problems_of_endpoints(endpoints: Sequence[Node]) -> list[str]:
    """What some of them say and others do not, and ranks that are no order."""
    if not endpoints:
        return ["no node is of kind 'endpoint'"]
    num, problems = len(endpoints), []
    ranks = sorted(node.rank for node in endpoints if node.rank is not None)
    if ranks and ranks != list(range(num)):
        problems.append(f"ranks of the {num} endpoints must be 0 to {num - 1}, each once")
    for name in ("host", "domain"):
        given = sum(getattr(node, name) is not None for node in endpoints)
        if 0 < given < num:
            problems.append(f"{given} of {num} endpoints have a {name}; give it to all or none")
    return problems


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
    _stop_at([*_add_nodes(graph, data["nodes"], path), *_add_edges(graph, edges, path)], path)
    return graph


def _add_nodes(graph: Any, nodes: Sequence[Any], path: Path) -> list[str]:
    """Mistakes."""
    problems = []
    for number, node in enumerate(nodes):
        name = node.get("id") if isinstance(node, dict) else None
        if not _is_name(name):
            problems.append(f"{path}: node number {number}, from 0: expected an id, a number or a text")
        elif name in graph:
            problems.append(f"{path}: node {name} is there twice; give each an id of its own")
        else:
            graph.add_nodes_from([(name, {key: value for key, value in node.items() if key != "id"})])
    return problems


def _add_edges(graph: Any, edges: Sequence[Any], path: Path) -> list[str]:
    """Mistakes; nodes are there already."""
    problems = []
    for number, edge in enumerate(edges):
        ends = [edge.get(end) for end in ("source", "target")] if isinstance(edge, dict) else [None]
        unknown = [end for end in ends if not _is_name(end) or end not in graph]
        if unknown:
            which = f"; {unknown[0]!r} is none" if _is_name(unknown[0]) else ""
            what = "expected source and target, each the id of a node"
            problems.append(f"{path}: edge number {number}, from 0: {what}{which}")
        else:
            graph.add_edges_from([(*ends, {key: edge[key] for key in edge if key not in ("source", "target")})])
    return problems


def _is_name(value: Any) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool)
