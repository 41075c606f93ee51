"""Source routes: the path of every pair of endpoints stands in a file."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from cluster_sim.backend import Backend
from cluster_sim.core import NotBuildableError
from cluster_sim.routing.base import ROUTINGS, Hops, Routing
from cluster_sim.routing.ecmp import Ecmp
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
from cluster_sim.tables import NONE, Array, Circuits, Fabric, Links, Traffic, ragged_ranges, starts_of

_HEADERS = (("src", "dst", "links"), ("src", "dst", "nodes"))


@ROUTINGS.register("source_routes")
class SourceRoutes(Routing):
    """One path for each pair of a CSV file with the columns ``src,dst,links`` or ``src,dst,nodes``.

    Endpoints are numbered from 0. ``links`` are numbers of links, in order, separated by blanks; ``nodes`` are names of
    nodes as in the results, ``endpoint 0 > leaf 16 > spine 24 > leaf 17 > endpoint 5``, and stand for the first link
    between each two of them that has not failed.

    Attributes:
        file: beside the file that names it.
        others: how pairs go that are not in the file; ``none``: an error that names one.
    """

    kind: Literal["source_routes"] = "source_routes"
    file: str = Field(min_length=1)
    others: Literal["none", "ecmp"] = "none"

    def hops(
        self, traffic: Traffic, fabric: Fabric, circuits: Circuits | None, key: int, backend: Backend | None
    ) -> Hops:  # fmt: skip
        """See Routing.hops.

        Raises:
            ConfigError: every mistake in the file, with its line.
            NotBuildableError: a pair is not in the file, or the fabric has circuits.
        """
        refuse_circuits(fabric)
        routes, src, dst = _checked(self._written, fabric), traffic.edge_src, traffic.edge_dst
        place = found_in(routes.pair, src.astype(np.int64) * fabric.num_endpoints + dst)
        here, missing = np.flatnonzero(place != NONE), np.flatnonzero(place == NONE)
        if len(missing) and self.others == "none":
            ends = f"from endpoint {src[missing[0]]} to endpoint {dst[missing[0]]}"
            more = f"nor for {len(missing) - 1} more pairs; add them, or 'others: ecmp'"
            raise NotBuildableError((f"{self.file} has no route {ends}, {more}",))
        first, counts = routes.starts[place[here]], np.diff(routes.starts)[place[here]]
        other = Ecmp().hops(Traffic.between(src[missing], dst[missing], 1.0), fabric, circuits, key, backend)
        edge = np.concatenate([np.repeat(here, counts), missing[other.edge]])
        link = np.concatenate([routes.link[ragged_ranges(first, counts)], other.link])
        order = np.argsort(edge, kind="stable")
        return Hops(edge[order].astype(np.int32), link[order].astype(np.int32), np.ones(len(edge)))

    @cached_property
    def _written(self) -> RouteFile:
        return RouteFile.read(Path(self.file), _HEADERS)


@dataclass(frozen=True, slots=True, eq=False)
class _Routes:
    """Routes by pair.

    Attributes:
        pair: int64[R], src * endpoints + dst, ascending.
        link: int64[H], in order from src to dst, grouped by pair.
        starts: int64[R+1], where each pair's links start.
    """

    pair: Array
    link: Array
    starts: Array


def _checked(written: RouteFile, fabric: Fabric) -> _Routes:
    """The routes of a file on a fabric; ConfigError with every mistake."""
    mistakes, line = Mistakes(written.path), written.line
    words = written.column(0) + written.column(1)
    src, dst = endpoints_in(words, np.tile(line, 2), fabric, "src and dst", mistakes).reshape(2, -1)
    for row in np.flatnonzero((src == dst) & (src != NONE)):
        mistakes.add(line[row], "src and dst are the same")
    pair = np.where((src == NONE) | (dst == NONE), NONE, src * fabric.num_endpoints + dst)
    order = np.argsort(pair, kind="stable")
    for row in order[1:][(np.diff(pair[order]) == 0) & (pair[order[1:]] != NONE)]:
        mistakes.add(line[row], f"a second route from {src[row]} to {dst[row]}")
    link, starts = _links(written, fabric, mistakes)
    if not mistakes.found:
        _check_connected(src, dst, link, starts, line, fabric.links, mistakes)
    mistakes.stop()
    counts = np.diff(starts)[order]
    return _Routes(pair[order], link[ragged_ranges(starts[order], counts)], starts_of(counts))


def _links(written: RouteFile, fabric: Fabric, mistakes: Mistakes) -> tuple[Array, Array]:
    """(link int64[H], NONE for a mistake, starts int64[R+1]) of all routes."""
    has_nodes = written.header[2] == "nodes"
    routes = [route.split(">") if has_nodes else route.split() for route in written.column(2)]
    words, counts = [word for route in routes for word in route], np.array([len(route) for route in routes], np.int64)
    line = np.repeat(written.line, counts)
    if not has_nodes:
        return links_in(words, line, fabric, mistakes), starts_of(counts)
    node = nodes_in(words, line, fabric, mistakes)
    is_last = np.zeros(len(words), bool)
    is_last[np.cumsum(counts) - 1] = True
    here = np.flatnonzero(~is_last)
    return links_between(node[here], node[here + 1], line[here], fabric, mistakes), starts_of(counts - 1)


def _check_connected(
    src: Array, dst: Array, link: Array, starts: Array, line: Array, links: Links, mistakes: Mistakes
) -> None:  # fmt: skip
    """Whether every route begins at src, goes on from where it is, and ends at dst."""
    counts = np.diff(starts)
    for row in np.flatnonzero(counts == 0):
        mistakes.add(line[row], "the route has no links")
    owner = np.repeat(np.arange(len(line)), counts)
    is_last = np.append(np.diff(owner) != 0, True)[: len(link)]
    before = np.append(NONE, links.dst[link])[: len(link)]
    at = np.where(np.append(True, is_last)[: len(link)], src[owner], before)
    for hop in np.flatnonzero(links.src[link] != at):
        what = f"link {link[hop]} leaves node {links.src[link[hop]]}, but the route is at {at[hop]}"
        mistakes.add(line[owner[hop]], what)
    for hop in np.flatnonzero(is_last & (links.dst[link] != dst[owner])):
        what = f"the route ends at node {links.dst[link[hop]]}, not at {dst[owner[hop]]}"
        mistakes.add(line[owner[hop]], what)
    crossed, times = np.unique(owner * len(links) + link, return_counts=True)
    for pair in crossed[times > 1]:
        mistakes.add(line[pair // len(links)], f"link {pair % len(links)} is crossed twice")
