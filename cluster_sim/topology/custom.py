"""Any graph from a file: GraphML or node-link JSON, with nodes and links of all kinds."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, field_validator

from cluster_sim.core import NotBuildableError
from cluster_sim.tables import NODE_KINDS, NONE, Fabric, Links
from cluster_sim.topology.base import TOPOLOGIES, Equipment, Topology
from cluster_sim.topology.equip import equip
from cluster_sim.topology.graph_file import Drawn, Edge, read_graph
from cluster_sim.topology.graph_paths import Edges, GraphPaths
from cluster_sim.topology.scale_up import ScaleUpDomain
from cluster_sim.topology.scale_up_links import drawn_too_long, with_technology
from cluster_sim.topology.wiring import Tier

_TIERS = ("scale_up", "host_leaf", "leaf_spine", "spine_core")


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
        return len(read_graph(Path(self.graph)).endpoints)

    def build(self, equipment: Equipment) -> Fabric:
        """See Topology.build.

        Raises:
            ConfigError: every mistake in the file.
        """
        drawn = read_graph(Path(self.graph))
        n = len(drawn.endpoints)
        if n != equipment.num_endpoints:
            raise NotBuildableError((f"{self.graph} has {n} endpoints, not {equipment.num_endpoints} accelerators",))
        order = [*drawn.endpoints, *(name for name, node in drawn.nodes.items() if node.kind != "endpoint")]
        tiers, edges = _tiers(drawn, {name: number for number, name in enumerate(order)})
        names, interconnect = tuple(tier.name for tier in tiers), equipment.interconnect
        equipped = equip(tiers, equipment)
        far = drawn_too_long(equipped, names, interconnect)
        if far:
            raise NotBuildableError(far)
        links = _with_own_figures(with_technology(equipped, names, interconnect), edges)
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
            tiers=names,
            links=links,
            paths=GraphPaths(
                router=endpoint, host_link=nowhere, domain=endpoint, scale_up_link=nowhere,
                edges=Edges.of(len(order), links.src, links.dst, np.arange(len(links))),
                passes=kinds != NODE_KINDS.index("endpoint"),
            ),
            planner=None,
        )  # fmt: skip


def _tiers(drawn: Drawn, number: Mapping[Any, int]) -> tuple[tuple[Tier, ...], tuple[Edge, ...]]:
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


def _ends(drawn: Drawn, one: Any, other: Any) -> tuple[Any, Any]:
    height = {kind: place for place, kind in enumerate(NODE_KINDS)}
    is_lower = height[drawn.nodes[one].kind] <= height[drawn.nodes[other].kind]
    return (one, other) if is_lower else (other, one)


def _tier(drawn: Drawn, lower: Any, upper: Any) -> str:
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
