"""Source routes: the path of every pair of endpoints stands in a file."""

import csv
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from cluster_sim.backend import Backend
from cluster_sim.core import ConfigError, NotBuildableError
from cluster_sim.routing.base import ROUTINGS, Hops, Routing
from cluster_sim.routing.ecmp import Ecmp
from cluster_sim.tables import NONE, Array, Circuits, Fabric, Links, Traffic, ragged_ranges, starts_of
from cluster_sim.topology import node_of

#: Mistakes that are shown; the rest is counted.
_SHOWN = 20
_HEADERS = (["src", "dst", "links"], ["src", "dst", "nodes"])
_ARROW = ">"


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
            NotBuildableError: a pair is not in the file, or the fabric has circuits, which move links.
        """
        if fabric.planner is not None:
            raise NotBuildableError(
                ("source routes name links, but circuits join other links for other traffic; use ecmp or spray",)
            )
        routes = _checked(self._written, fabric)
        pair = traffic.edge_src.astype(np.int64) * fabric.num_endpoints + traffic.edge_dst
        place = np.minimum(np.searchsorted(routes.pair, pair), max(len(routes.pair) - 1, 0))
        is_there = routes.pair[place] == pair if len(routes.pair) else np.zeros(len(pair), bool)
        here, missing = np.flatnonzero(is_there), np.flatnonzero(~is_there)
        if len(missing) and self.others == "none":
            ends = f"from endpoint {traffic.edge_src[missing[0]]} to endpoint {traffic.edge_dst[missing[0]]}"
            more = f"nor for {len(missing) - 1} more pairs; add them, or 'others: ecmp'"
            raise NotBuildableError((f"{self.file} has no route {ends}, {more}",))
        counts = np.diff(routes.starts)[place[here]] if len(here) else np.zeros(0, np.int64)
        link = routes.link[ragged_ranges(routes.starts[place[here]], counts)] if len(here) else np.zeros(0, np.int32)
        rest = Traffic.between(traffic.edge_src[missing], traffic.edge_dst[missing], 1.0)
        other = Ecmp().hops(rest, fabric, circuits, key, backend)
        edge = np.concatenate([np.repeat(here, counts), missing[other.edge]])
        order = np.argsort(edge, kind="stable")
        links = np.concatenate([link, other.link])[order]
        return Hops(edge[order].astype(np.int32), links.astype(np.int32), np.ones(len(edge)))

    @cached_property
    def _written(self) -> "_Written":
        return _read(Path(self.file))


@dataclass(frozen=True, slots=True, eq=False)
class _Routes:
    """Routes by pair.

    Attributes:
        pair: int64[R], src * endpoints + dst, ascending.
        link: int32[H], in order from src to dst, grouped by pair.
        starts: int64[R+1], where each pair's links start.
    """

    pair: Array
    link: Array
    starts: Array


@dataclass(frozen=True, slots=True)
class _Written:
    """What the file says: its name, line, src and dst of each route, and its links or its nodes as words."""

    path: Path
    line: tuple[int, ...]
    ends: tuple[tuple[str, str], ...]
    words: tuple[tuple[str, ...], ...]
    has_nodes: bool


def _read(path: Path) -> _Written:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file, skipinitialspace=True)
            rows = [(reader.line_num, row) for row in reader if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError((f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}",)) from error
    header = rows[0][1] if rows else []
    if header not in _HEADERS:
        what = f"expected the header 'src,dst,links' or 'src,dst,nodes', got {','.join(header)!r}"
        raise ConfigError((f"{path}:1: {what}",))
    wrong = [f"{path}:{line}: expected 3 columns, got {len(row)}" for line, row in rows[1:] if len(row) != 3]
    if wrong:
        raise ConfigError(_first(tuple(wrong), path))
    has_nodes = header[2] == "nodes"
    return _Written(
        path,
        tuple(line for line, _ in rows[1:]),
        tuple((row[0], row[1]) for _, row in rows[1:]),
        tuple(tuple(row[2].split(_ARROW) if has_nodes else row[2].split()) for _, row in rows[1:]),
        has_nodes,
    )


def _checked(written: _Written, fabric: Fabric) -> _Routes:
    """The routes of a file on a fabric; ConfigError with every mistake."""
    problems: list[tuple[int, str]] = []
    line = np.array(written.line, np.int64)
    ends = _numbers([end for pair in written.ends for end in pair], fabric.num_endpoints).reshape(-1, 2)
    what = f"expected src and dst from 0 to {fabric.num_endpoints - 1}"
    problems += [(int(row), what) for row in line[(ends == NONE).any(axis=1)]]
    problems += [(int(row), "src and dst are the same") for row in line[(ends[:, 0] == ends[:, 1]) & (ends[:, 0] >= 0)]]
    link, starts = _links(written, fabric, problems)
    owner = np.repeat(np.arange(len(line)), np.diff(starts))
    known = np.flatnonzero(link >= 0)
    dead = known[fabric.links.capacity_bytes_per_s[link[known]] == 0]
    problems += [(int(line[owner[hop]]), f"link {link[hop]} has failed") for hop in dead]
    if not problems:
        problems += _broken(ends, link, starts, line, fabric.links)
    pair = ends[:, 0] * fabric.num_endpoints + ends[:, 1]
    order = np.argsort(pair, kind="stable")
    again = order[1:][(np.diff(pair[order]) == 0) & (ends[order[1:]] != NONE).all(axis=1)]
    problems += [(int(line[row]), f"a second route from {ends[row, 0]} to {ends[row, 1]}") for row in again]
    if problems:
        told = tuple(f"{written.path}:{row}: {message}" for row, message in sorted(problems))
        raise ConfigError(_first(told, written.path))
    counts = np.diff(starts)[order]
    return _Routes(pair[order], link[ragged_ranges(starts[order], counts)].astype(np.int32), starts_of(counts))


def _links(written: _Written, fabric: Fabric, problems: list[tuple[int, str]]) -> tuple[Array, Array]:
    """(link int64[H], NONE for a mistake, starts int64[R+1]) of all routes."""
    words = [word.strip() for row in written.words for word in row]
    counts = np.array([len(row) for row in written.words], np.int64)
    line = np.repeat(np.array(written.line, np.int64), counts)
    if not written.has_nodes:
        link = _numbers(words, len(fabric.links))
        what = f"is no link; expected numbers from 0 to {len(fabric.links) - 1}"
        problems += [(int(line[at]), f"{words[at]!r} {what}") for at in np.flatnonzero(link == NONE)]
        return link, starts_of(counts)
    number = {word: node_of(word, fabric) for word in dict.fromkeys(words)}
    node = np.array([number[word] for word in words], np.int64)
    what = "is no node; expected names as in the results: 'leaf 16'"
    problems += [(int(line[at]), f"{words[at]!r} {what}") for at in np.flatnonzero(node == NONE)]
    is_last = np.zeros(len(words), bool)
    is_last[np.cumsum(counts)[counts > 0] - 1] = True
    here = np.flatnonzero(~is_last)
    link = _between(node[here], node[here + 1], fabric)
    lost = (link == NONE) & (node[here] != NONE) & (node[here + 1] != NONE)
    problems += [
        (int(line[at]), f"no link that works leads from {words[at]!r} to {words[at + 1]!r}") for at in here[lost]
    ]
    return link, starts_of(np.maximum(counts - 1, 0))


def _between(src: Array, dst: Array, fabric: Fabric) -> Array:
    """int64[H]: the first link from node to node that has not failed, NONE without."""
    links, num = fabric.links, len(fabric.node_kind)
    alive = np.flatnonzero(links.capacity_bytes_per_s > 0)
    ends, first = np.unique(links.src[alive].astype(np.int64) * num + links.dst[alive], return_index=True)
    wanted = src * num + dst
    place = np.minimum(np.searchsorted(ends, wanted), len(ends) - 1)
    return np.where(ends[place] == wanted, alive[first[place]], NONE)


def _broken(ends: Array, link: Array, starts: Array, line: Array, links: Links) -> list[tuple[int, str]]:
    """Where a route does not begin at src, go on from where it is, or end at dst."""
    counts = np.diff(starts)
    problems = [(int(row), "the route has no links") for row in line[counts == 0]]
    owner = np.repeat(np.arange(len(line)), counts)
    is_first = np.append(True, np.diff(owner) != 0)[: len(link)]
    is_last = np.append(np.diff(owner) != 0, True)[: len(link)]
    at = np.where(is_first, ends[owner, 0], np.append(NONE, links.dst[link])[: len(link)])
    problems += [
        (int(line[owner[hop]]), f"link {link[hop]} leaves node {links.src[link[hop]]}, but the route is at {at[hop]}")
        for hop in np.flatnonzero(links.src[link] != at)
    ]
    problems += [
        (int(line[owner[hop]]), f"the route ends at node {links.dst[link[hop]]}, not at {ends[owner[hop], 1]}")
        for hop in np.flatnonzero(is_last & (links.dst[link] != ends[owner, 1]))
    ]
    again = np.unique(owner * len(links) + link, return_counts=True)
    problems += [
        (int(line[pair // len(links)]), f"link {pair % len(links)} is crossed twice") for pair in again[0][again[1] > 1]
    ]
    return problems


def _numbers(words: list[str], end: int) -> Array:
    """int64[...]: whole numbers below ``end``; NONE for anything else."""
    stripped = [word.strip() for word in words]
    number = np.array([int(word) if word.isdecimal() and len(word) < 19 else NONE for word in stripped], np.int64)
    return np.where(number < end, number, NONE)


def _first(told: tuple[str, ...], path: Path) -> tuple[str, ...]:
    rest = len(told) - _SHOWN
    return (*told[:_SHOWN], *((f"{path}: and {rest} more",) if rest > 0 else ()))
