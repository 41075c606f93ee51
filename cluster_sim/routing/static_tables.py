"""Static tables: at every node, the next link toward every endpoint stands in a file."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from cluster_sim.backend import Backend
from cluster_sim.core import NotBuildableError
from cluster_sim.routing.base import ROUTINGS, Hops, Routing
from cluster_sim.routing.route_file import (
    Mistakes,
    RouteFile,
    endpoints_in,
    found_in,
    links_between,
    links_in,
    nodes_in,
    refuse_circuits,
)
from cluster_sim.tables import NONE, Array, Circuits, Fabric, Traffic

_HEADERS = (("node", "dst", "link"), ("node", "dst", "next"))


@ROUTINGS.register("static_tables")
class StaticTables(Routing):
    """Forwarding tables in a CSV file with the columns ``node,dst,link`` or ``node,dst,next``.

    ``node`` and ``next`` are names of nodes as in the results, ``leaf 16``; ``dst`` is the number of an endpoint;
    ``link`` is a number, and ``next`` stands for the first link that has not failed. An accelerator with one link to a
    switch outside its scale-up domain needs no line for it.

    Attributes:
        file: beside the file that names it.
    """

    kind: Literal["static_tables"] = "static_tables"
    file: str = Field(min_length=1)

    def hops(
        self, traffic: Traffic, fabric: Fabric, circuits: Circuits | None, key: int, backend: Backend | None
    ) -> Hops:  # fmt: skip
        """See Routing.hops.

        Raises:
            ConfigError: every mistake in the file, with its line.
            NotBuildableError: a node has no line for a destination, tables lead in a circle, or there are circuits.
        """
        refuse_circuits(fabric)
        table, only = _checked(self._written, fabric), _only_way_up(fabric)
        here, dst = traffic.edge_src.astype(np.int64), traffic.edge_dst.astype(np.int64)
        edges, links = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        going = np.flatnonzero(here != dst)
        for _ in range(len(fabric.node_kind)):
            place = found_in(table.key, here[going] * fabric.num_endpoints + dst[going])
            link = np.where(place == NONE, only[here[going]], np.append(table.link, NONE)[place])
            if (link == NONE).any():
                lost = going[np.argmax(link == NONE)]
                raise NotBuildableError((f"{self.file} has no line for node {here[lost]} and dst {dst[lost]}",))
            edges.append(going)
            links.append(link)
            here[going] = fabric.links.dst[link]
            going = going[here[going] != dst[going]]
            if not len(going):
                break
        if len(going):
            ends = f"from endpoint {traffic.edge_src[going[0]]} to endpoint {dst[going[0]]}"
            raise NotBuildableError((f"{self.file} leads in a circle {ends}, through node {here[going[0]]}",))
        edge = np.concatenate(edges)
        order = np.argsort(edge, kind="stable")
        return Hops(edge[order].astype(np.int32), np.concatenate(links)[order].astype(np.int32), np.ones(len(edge)))

    @cached_property
    def _written(self) -> RouteFile:
        return RouteFile.read(Path(self.file), _HEADERS)


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """int64[R] ``key``, node * endpoints + dst, ascending; int64[R] ``link`` to go on over."""

    key: Array
    link: Array


def _checked(written: RouteFile, fabric: Fabric) -> _Table:
    mistakes, line = Mistakes(written.path), written.line
    node = nodes_in(written.column(0), line, fabric, mistakes)
    dst = endpoints_in(written.column(1), line, fabric, "dst", mistakes)
    if written.header[2] == "link":
        link = links_in(written.column(2), line, fabric, mistakes)
        for row in np.flatnonzero((link != NONE) & (node != NONE) & (fabric.links.src[link] != node)):
            mistakes.add(line[row], f"link {link[row]} leaves node {fabric.links.src[link[row]]}, not {node[row]}")
    else:
        link = links_between(node, nodes_in(written.column(2), line, fabric, mistakes), line, fabric, mistakes)
    key = np.where((node == NONE) | (dst == NONE), NONE, node * fabric.num_endpoints + dst)
    order = np.argsort(key, kind="stable")
    for row in order[1:][(np.diff(key[order]) == 0) & (key[order[1:]] != NONE)]:
        mistakes.add(line[row], f"a second line for node {node[row]} and dst {dst[row]}")
    mistakes.stop()
    return _Table(key[order], link[order])


def _only_way_up(fabric: Fabric) -> Array:
    """int64[N]: the one link of an endpoint that leads out of its scale-up domain and works; NONE for others."""
    links = fabric.links
    is_up = (links.src < fabric.num_endpoints) & (links.capacity_bytes_per_s > 0)
    is_up &= ~fabric.inside_tiers[links.tier]
    times = np.bincount(links.src[is_up], minlength=len(fabric.node_kind))
    only = np.full(len(fabric.node_kind), NONE, np.int64)
    only[links.src[is_up]] = np.flatnonzero(is_up)
    return np.where(times == 1, only, NONE)
