"""Candidate paths in any graph of routers: all shortest ones, counted per pair and never written out as a whole."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cluster_sim.core import NotBuildableError
from cluster_sim.tables import NONE, Array, Circuits, grouped, ragged_ranges, starts_of
from cluster_sim.topology.path_kinds import UnevenPaths

#: Bytes of a temporary array, edges x targets.
_CHUNK_BYTES = 2**25
#: 10 bytes each.
_MOST_PAIRS = 2**29


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """K directed edges between S routers, sorted by the router they leave.

    Attributes:
        src: int32[K].
        dst: int32[K].
        link: int32[K], the link it crosses.
        far_link: int32[K], the link that the light goes on over behind an OCS; NONE without.
        length: int16[K], what a path over it is longer, > 0; 1 where a shortest path is one with the fewest edges.
        starts: int64[S+1], where the edges of each router start.
    """

    src: Array
    dst: Array
    link: Array
    far_link: Array
    length: Array
    starts: Array

    @classmethod
    def of(
        cls, num_routers: int, src: Array, dst: Array, link: Array, far_link: Array | None = None,
        length: Array | None = None,
    ) -> "Edges":  # fmt: skip
        """Any order of edges; those of a router keep theirs."""
        order = np.argsort(src, kind="stable")
        far = np.full(len(src), NONE) if far_link is None else far_link
        starts = starts_of(np.bincount(src, minlength=num_routers))
        long = np.ones(len(src), np.int16) if length is None else length[order].astype(np.int16)
        src, dst, link, far = (column[order].astype(np.int32) for column in (src, dst, link, far))
        return cls(src, dst, link, far, long, starts)

    def chosen(self, is_kept: Array) -> "Edges":
        """Some of the edges, bool[K]."""
        columns = (column[is_kept] for column in (self.src, self.dst, self.link, self.far_link, self.length))
        return Edges.of(len(self.starts) - 1, *columns)


@dataclass(frozen=True, eq=False)
class GraphPaths(UnevenPaths):
    """Inside a scale-up domain through its switch; otherwise a shortest path between the routers of both endpoints.

    Candidate c of a pair is found by walking: at every router the candidates that go on over its first edge come first.

    Attributes:
        router: int32[E], router of each endpoint.
        host_link: int32[E], link up to it, the next number comes down; NONE where the endpoint is the router.
        domain: int32[E], scale-up domain of each endpoint; all different where no switch joins them.
        scale_up_link: int32[E], link up to that switch, the next number comes down; NONE without.
        edges: between routers.
        passes: bool[S], routers that carry traffic of others.
    """

    router: Array
    host_link: Array
    domain: Array
    scale_up_link: Array
    edges: Edges
    passes: Array

    def count(self, src: Array, dst: Array, circuits: Circuits | None) -> Array:
        """See tables.PathFinder; more than 2**53 count as so many."""
        counts = np.ones(len(src), np.int64)
        apart = np.flatnonzero(self.domain[src] != self.domain[dst])
        found = self._counts[self.router[src[apart]], self._column[self.router[dst[apart]]]]
        counts[apart] = np.minimum(found, 2.0**53)
        counts[(self.domain[src] == self.domain[dst]) & (self.scale_up_link[src] == NONE)] = 0
        return counts

    def links(self, src: Array, dst: Array, choice: Array, circuits: Circuits | None) -> tuple[Array, Array]:
        """See tables.PathFinder."""
        apart = np.flatnonzero(self.domain[src] != self.domain[dst])
        hops = [*self._ends(src, dst), *self._walk(apart, src[apart], dst[apart], choice[apart].astype(np.float64))]
        pair, link, position = (np.concatenate(column) for column in zip(*hops, strict=True))
        order = np.lexsort((position, pair))
        return pair[order].astype(np.int32), link[order].astype(np.int32)

    def shares(self, src: Array, dst: Array, circuits: Circuits | None) -> tuple[Array, Array, Array]:
        """See tables.PathFinder."""
        pairs, number = np.unique(np.stack([self.router[src], self.router[dst]]), axis=1, return_inverse=True)
        number = number.ravel()
        apart = np.flatnonzero(self.domain[src] != self.domain[dst])
        owner, link, share = self._spread(pairs[0], pairs[1])
        starts = starts_of(np.bincount(owner, minlength=pairs.shape[1]))
        counts = np.diff(starts)[number[apart]]
        hop = ragged_ranges(starts[number[apart]], counts)
        ends = self._ends(src, dst)
        pair = np.concatenate([*(part[0] for part in ends), np.repeat(apart, counts)])
        links = np.concatenate([*(part[1] for part in ends), link[hop]])
        shares = np.concatenate([np.ones(len(pair) - len(hop)), share[hop]])
        order = np.argsort(pair, kind="stable")
        return pair[order].astype(np.int32), links[order].astype(np.int32), shares[order]

    def _ends(self, src: Array, dst: Array) -> list[tuple[Array, Array, Array]]:
        """First and last links, as (pair, link, position)."""
        near = np.flatnonzero(self.domain[src] == self.domain[dst])
        apart = np.flatnonzero((self.domain[src] != self.domain[dst]) & (self.host_link[src] != NONE))
        last = np.iinfo(np.int64).max
        return [
            (pair, link, np.full(len(pair), position))
            for pair, link, position in (
                (near, self.scale_up_link[src[near]], 0),
                (near, self.scale_up_link[dst[near]] + 1, last),
                (apart, self.host_link[src[apart]], 0),
                (apart, self.host_link[dst[apart]] + 1, last),
            )
        ]

    def _walk(
        self, pair: Array, src: Array, dst: Array, rest: Array
    ) -> list[tuple[Array, Array, Array]]:  # fmt: skip
        """The links between routers of candidate ``rest`` of each pair, as (pair, link, position) of every step."""
        here, target = self.router[src].copy(), self._column[self.router[dst]]
        hops, step = [], 1
        going = np.flatnonzero(self._steps[here, target] > 0)
        while len(going):
            edge, rest[going] = self._chosen_edge(here[going], target[going], rest[going])
            here[going] = self.edges.dst[edge]
            far = np.flatnonzero(self.edges.far_link[edge] != NONE)
            hops += [
                (pair[going], self.edges.link[edge], np.full(len(going), step)),
                (pair[going[far]], self.edges.far_link[edge[far]], np.full(len(far), step + 1)),
            ]
            going = going[self._steps[here[going], target[going]] > 0]
            step += 2
        return hops

    def _chosen_edge(self, here: Array, target: Array, rest: Array) -> tuple[Array, Array]:
        """(edge of the candidate with number ``rest`` among those from here on, its number from the next router on)."""
        owner, edge, counts = self._onward(here, target)
        before = np.cumsum(counts) - counts
        before -= before[starts_of(np.bincount(owner, minlength=len(here)))[:-1]][owner]
        # The last edge whose candidates start at or below the number: roundings cannot leave a pair without one.
        reached = np.flatnonzero(before <= rest[owner])
        place = reached[np.append(np.flatnonzero(np.diff(owner[reached])), len(reached) - 1)]
        return edge[place], np.maximum(rest - before[place], 0.0)

    def _onward(self, here: Array, target: Array) -> tuple[Array, Array, Array]:
        """(item, edge, candidates behind the edge) of all edges that lead nearer to the target."""
        starts = self.edges.starts
        degree = starts[here + 1] - starts[here]
        edge, owner = ragged_ranges(starts[here], degree), np.repeat(np.arange(len(here)), degree)
        there = self.edges.dst[edge]
        left = self._steps[there, target[owner]]
        nearer = left == self._steps[here, target][owner] - self.edges.length[edge]
        nearer &= (left >= 0) & (self.passes[there] | (left == 0))
        return owner[nearer], edge[nearer], self._counts[there[nearer], target[owner[nearer]]]

    def _spread(self, src: Array, dst: Array) -> tuple[Array, Array, Array]:
        """(pair, link, share) of every link between pairs of routers, if each candidate carries the same."""
        num_routers = len(self.passes)
        target = self._column[dst]
        pair, here, share = np.arange(len(src)), src.astype(np.int64), np.ones(len(src))
        found: list[tuple[Array, Array, Array]] = []
        going = np.flatnonzero(self._steps[here, target] > 0)
        while len(going):
            pair, here, share = pair[going], here[going], share[going]
            owner, edge, counts = self._onward(here, target[pair])
            sent = share[owner] * counts / self._counts[here, target[pair]][owner]
            far = np.flatnonzero(self.edges.far_link[edge] != NONE)
            found.append((pair[owner], self.edges.link[edge], sent))
            found.append((pair[owner[far]], self.edges.far_link[edge[far]], sent[far]))
            keys, merged = np.unique(pair[owner] * num_routers + self.edges.dst[edge], return_inverse=True)
            pair, here = keys // num_routers, keys % num_routers
            share = np.bincount(merged.ravel(), weights=sent, minlength=len(keys)).astype(np.float64)
            going = np.flatnonzero(self._steps[here, target[pair]] > 0)
        if not found:
            return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
        owner, link, sent = (np.concatenate(column) for column in zip(*found, strict=True))
        order = np.argsort(owner, kind="stable")
        return owner[order], link[order].astype(np.int64), sent[order]

    @cached_property
    def _column(self) -> Array:
        """int64[S]: where the tables below keep each router that has endpoints; NONE for others."""
        column = np.full(len(self.passes), NONE, np.int64)
        targets = np.unique(self.router)
        column[targets] = np.arange(len(targets))
        return column

    @property
    def _steps(self) -> Array:
        """int16[S, T]: length of the shortest paths from each router to each with endpoints; NONE without any."""
        return self._tables[0]

    @property
    def _counts(self) -> Array:
        """float64[S, T]: how many shortest paths there are."""
        return self._tables[1]

    @cached_property
    def _tables(self) -> tuple[Array, Array]:
        targets = np.unique(self.router)
        if len(self.passes) * len(targets) > _MOST_PAIRS:
            raise NotBuildableError(
                (f"{len(self.passes)} routers, {len(targets)} of them with accelerators, are more pairs than tables of "
                 f"shortest paths hold ({_MOST_PAIRS}); use a smaller fabric, or one made of pods",)
            )  # fmt: skip
        width = max(1, _CHUNK_BYTES // max(len(self.edges.src), 1))
        parts = [self._toward(targets[first : first + width]) for first in range(0, len(targets), width)]
        steps, counts = (np.concatenate(column, axis=1) for column in zip(*parts, strict=True))
        return steps, counts

    def _toward(self, targets: Array) -> tuple[Array, Array]:
        """Nearest first from all targets at once, backwards along the edges."""
        num_targets, (source, length, starts) = len(targets), self._into
        size = len(self.passes) * num_targets
        steps, counts = np.full(size, NONE, np.int16), np.zeros(size)
        waiting = {0: [(targets * num_targets + np.arange(num_targets), np.ones(num_targets))]}
        while waiting:
            step = min(waiting)
            before, paths = (np.concatenate(column) for column in zip(*waiting.pop(step), strict=True))
            is_new = steps[before] == NONE
            found = np.bincount(before[is_new], paths[is_new], size)
            reached = np.flatnonzero(found)
            steps[reached], counts[reached] = step, found[reached]
            here, target = np.divmod(reached, num_targets)
            degree = np.where(self.passes[here] | (step == 0), starts[here + 1] - starts[here], 0)
            edge = ragged_ranges(starts[here], degree)
            before, paths = source[edge] * num_targets + np.repeat(target, degree), np.repeat(counts[reached], degree)
            is_open = steps[before] == NONE
            for long in np.unique(length[edge]).tolist():
                chosen = is_open & (length[edge] == long)
                waiting.setdefault(step + long, []).append((before[chosen], paths[chosen]))
        return steps.reshape(-1, num_targets), counts.reshape(-1, num_targets)

    @cached_property
    def _into(self) -> tuple[Array, Array, Array]:
        """(int64[K] router before each edge, by the router behind it; its length; int64[S+1] where groups start)."""
        edge, starts = grouped(self.edges.dst, np.arange(len(self.edges.src)), len(self.passes))
        return self.edges.src[edge].astype(np.int64), self.edges.length[edge], starts
