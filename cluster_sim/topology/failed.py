"""Failed links: cables that carry nothing, and candidate paths that avoid them."""

import re
from dataclasses import dataclass, replace

import numpy as np
from pydantic import Field, StrictInt, model_validator

from cluster_sim.core import FieldsError, Problem, Ratio, Spec, raise_problems
from cluster_sim.kernels import added_up, scrambled
from cluster_sim.tables import (
    NODE_KINDS,
    NONE,
    Array,
    Circuits,
    Fabric,
    PathFinder,
    ragged_arange,
    ragged_ranges,
    starts_of,
)
from cluster_sim.topology.graph_paths import GraphPaths
from cluster_sim.topology.path_kinds import UnevenPaths

#: A candidate that has failed is drawn again this often; then of pairs with up to so many all are tried one after the
#: other, and for others as many are drawn.
_DRAWS, _TRIED = 8, 4096
#: Candidates of a pair that spraying counts out; of more, evenly spaced ones.
_MOST_PATHS = 256
#: Candidate paths of a temporary array.
_CHUNK_PATHS = 2**20
_BETWEEN = re.compile(r"(\w+ \d+) - (\w+ \d+)")


class CableChoice(Spec):
    """Cables, named or drawn.

    Attributes:
        links: numbers of links, or all cables between two nodes: ``leaf 40 - spine 52``, names as in the results.
        ratio: share of the cables of ``tiers`` besides, drawn with the seed; rounded to whole cables.
        tiers: which tiers; none for all between switches.
    """

    links: tuple[StrictInt | str, ...] = ()
    ratio: Ratio = Field(0.0, ge=0, le=1)
    tiers: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _has_an_effect(self) -> "CableChoice":
        raise_problems(type(self).__name__, self._without_effect())
        return self

    def _without_effect(self) -> list[Problem]:
        """Keys that are given although nothing is drawn: a ratio of 0 that is given, too, says so."""
        if not self.tiers or "ratio" in self.model_fields_set:
            return []
        return [(("tiers",), "cables of them are drawn by ratio, which is not given; give it, or leave tiers out")]

    def chosen(self, fabric: Fabric, random: np.random.Generator, key: str) -> Array:
        """bool[L]: links of the cables, both ways.

        Args:
            fabric: that has them.
            random: what draws ``ratio`` of the cables.
            key: of the choice in a file, for messages.

        Raises:
            FieldsError: links or tiers that the fabric does not have, all of them.
        """
        problems: list[str] = []
        named = [self._cables(link, fabric, problems) for link in self.links]
        drawn = self._drawn(fabric, random, problems)
        if problems:
            raise FieldsError(tuple(f"{key}: {problem}" for problem in problems))
        is_chosen = np.zeros(len(fabric.links), bool)
        is_chosen[np.concatenate([np.zeros(0, np.int64), *named, drawn])] = True
        return np.asarray(is_chosen | is_chosen[np.arange(len(is_chosen)) ^ 1])

    def _cables(self, link: int | str, fabric: Fabric, problems: list[str]) -> Array:
        if isinstance(link, int):
            if 0 <= link < len(fabric.links):
                return np.array([link])
            problems.append(f"link {link} is not there; links are numbered 0 to {len(fabric.links) - 1}")
            return np.zeros(0, np.int64)
        named = _BETWEEN.fullmatch(link)
        ends = [node_of(name, fabric) for name in named.groups()] if named else [NONE]
        found = np.flatnonzero((fabric.links.src == ends[0]) & (fabric.links.dst == ends[-1]))
        if not named:
            problems.append(f"expected a number or 'leaf 40 - spine 52', got {link!r}")
        elif not len(found):
            problems.append(f"no link is called {link!r}; see the names of links in the results")
        return found

    def _drawn(self, fabric: Fabric, random: np.random.Generator, problems: list[str]) -> Array:
        unknown = [tier for tier in self.tiers if tier not in fabric.tiers]
        problems += [f"no tier {tier!r} (known: {', '.join(fabric.tiers)})" for tier in unknown]
        tiers = self.tiers or tuple(tier for tier in fabric.tiers if not tier.startswith(("scale_up", "host_leaf")))
        numbers = [fabric.tiers.index(tier) for tier in tiers if tier in fabric.tiers]
        up = np.flatnonzero(np.isin(fabric.links.tier, numbers))[::2]
        return random.choice(up, round(self.ratio * len(up)), replace=False) if self.ratio else np.zeros(0, np.int64)


class FailedLinks(CableChoice):
    """Cables that have failed before the run and stay so, both ways."""

    def removed_from(self, fabric: Fabric, random: np.random.Generator) -> Fabric:
        """The same without capacity, and without candidate paths, over failed links.

        Args:
            fabric: as built.
            random: what draws ``ratio`` of the cables.

        Raises:
            ConfigError: links or tiers that the fabric does not have, all of them.
        """
        return without_links(fabric, self.chosen(fabric, random, "failed_links"))


def node_of(name: str, fabric: Fabric) -> int:
    """The node called ``leaf 40`` in names of links; NONE if it is no leaf, or not there."""
    kind, _, number = name.partition(" ")
    is_there = number.isdecimal() and len(number) < 19 and int(number) < len(fabric.node_kind)
    return int(number) if is_there and NODE_KINDS[fabric.node_kind[int(number)]] == kind else NONE


def without_links(fabric: Fabric, is_dead: Array) -> Fabric:
    """The same fabric with dead links, bool[L]: no capacity, no bundle, no path over them."""
    if not is_dead.any():
        return fabric
    links = fabric.links
    dark = replace(
        links,
        bundle=np.where(is_dead, NONE, links.bundle).astype(np.int32),
        capacity_bytes_per_s=np.where(is_dead, 0.0, links.capacity_bytes_per_s),
    )
    return replace(fabric, links=dark, paths=_surviving(fabric.paths, is_dead))


def _surviving(paths: PathFinder, is_dead: Array) -> PathFinder:
    """In a graph of routers the shortest paths among what is left; otherwise the candidates that are left."""
    if not isinstance(paths, GraphPaths):
        return Surviving(paths, is_dead)
    edges, ends = paths.edges, np.concatenate([paths.host_link, paths.scale_up_link])
    is_cut = is_dead[edges.link] | ((edges.far_link != NONE) & is_dead[edges.far_link])
    left = replace(paths, edges=edges.chosen(~is_cut))
    ends = ends[ends != NONE]
    return Surviving(left, is_dead) if is_dead[ends].any() or is_dead[ends + 1].any() else left


@dataclass(frozen=True, slots=True, eq=False)
class Surviving(UnevenPaths):
    """Candidate paths of a fabric without those over dead links.

    Numbers of candidates stay. Instead of a dead one another takes its place, as if flows were hashed once more: drawn
    again a few times, so that all that are left are equally likely, then the next one that is left.

    Attributes:
        paths: before anything failed.
        is_dead: bool[L].
    """

    paths: PathFinder
    is_dead: Array

    def count(self, src: Array, dst: Array, circuits: Circuits | None) -> Array:
        """See tables.PathFinder; 0 where no path is left, or none among 4096 of more candidates."""
        found = self._instead(src, dst, np.zeros(len(src), np.int64), circuits)
        return np.where(found == NONE, 0, self.paths.count(src, dst, circuits))

    def links(self, src: Array, dst: Array, choice: Array, circuits: Circuits | None) -> tuple[Array, Array]:
        """See tables.PathFinder."""
        return self.paths.links(src, dst, self._instead(src, dst, choice, circuits), circuits)

    def shares(self, src: Array, dst: Array, circuits: Circuits | None) -> tuple[Array, Array, Array]:
        """See tables.PathFinder; of more than 256 candidates, evenly spaced ones carry everything."""
        pairs, number = np.unique(np.stack([src, dst]), axis=1, return_inverse=True)
        width = _CHUNK_PATHS // _MOST_PATHS
        parts = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))]
        for first in range(0, pairs.shape[1], width):
            pair, link, share = self._spread(pairs[0, first : first + width], pairs[1, first : first + width], circuits)
            parts.append((pair + first, link, share))
        pair, link, share = (np.concatenate(column) for column in zip(*parts, strict=True))
        starts = starts_of(np.bincount(pair, minlength=pairs.shape[1]))
        counts = np.diff(starts)[number.ravel()]
        hop = ragged_ranges(starts[number.ravel()], counts)
        return np.repeat(np.arange(len(src)), counts).astype(np.int32), link[hop].astype(np.int32), share[hop]

    def _spread(self, src: Array, dst: Array, circuits: Circuits | None) -> tuple[Array, Array, Array]:
        """As ``shares``."""
        num_paths = self.paths.count(src, dst, circuits)
        kept = np.minimum(num_paths, _MOST_PATHS)
        owner = np.repeat(np.arange(len(src)), kept)
        choice = ragged_arange(kept) * num_paths[owner] // kept[owner]
        path, link = self.paths.links(src[owner], dst[owner], choice, circuits)
        is_left = np.ones(len(owner), bool)
        is_left[path[self.is_dead[link]]] = False
        num_left = np.bincount(owner[is_left], minlength=len(src))
        none_left = np.flatnonzero((num_left == 0) & (num_paths > 0))
        other = none_left, self.links(src[none_left], dst[none_left], np.zeros(len(none_left), np.int64), circuits)
        owners = np.concatenate([owner[path], other[0][other[1][0]]])
        links = np.concatenate([link, other[1][1]])
        carried = np.concatenate([(is_left / np.maximum(num_left, 1)[owner])[path], np.ones(len(other[1][0]))])
        crossed = carried > 0
        starts, hop_link, share = added_up(
            owners[crossed], links[crossed], carried[crossed], len(src), len(self.is_dead)
        )
        return np.repeat(np.arange(len(src)), np.diff(starts)), hop_link, share

    def _instead(self, src: Array, dst: Array, choice: Array, circuits: Circuits | None) -> Array:
        """int64[E]: the candidate in place of each ``choice``; NONE where none was found."""
        num_paths, chosen = self.paths.count(src, dst, circuits), choice.astype(np.int64)
        left = np.flatnonzero(num_paths > 0)
        chosen[num_paths == 0] = NONE
        for attempt in range(_DRAWS + _TRIED + 1):
            left = left[self._has_failed(src[left], dst[left], chosen[left], circuits)]
            is_over = num_paths[left] < attempt - _DRAWS + 1
            chosen[left[is_over]] = NONE
            left = left[~is_over]
            if not len(left):
                return chosen
            pair = scrambled(src[left].astype(np.uint64) << np.uint64(32) | dst[left].astype(np.uint64))
            drawn = scrambled(scrambled(pair ^ choice[left].astype(np.uint64)) + np.uint64(attempt))
            drawn = (drawn % num_paths[left].astype(np.uint64)).astype(np.int64)
            is_drawn = (attempt < _DRAWS) | (num_paths[left] > _TRIED)
            chosen[left] = np.where(is_drawn, drawn, (chosen[left] + 1) % num_paths[left])
        chosen[left] = NONE
        return chosen

    def _has_failed(self, src: Array, dst: Array, choice: Array, circuits: Circuits | None) -> Array:
        """bool[E]."""
        path, link = self.paths.links(src, dst, choice, circuits)
        failed = np.zeros(len(src), bool)
        failed[path[self.is_dead[link]]] = True
        return failed
