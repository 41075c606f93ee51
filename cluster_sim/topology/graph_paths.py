"""Candidate paths in any graph of routers: all shortest ones, counted per pair and never written out as a whole."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cluster_sim.tables import NONE, Array, Circuits, PathForms, ragged_ranges, starts_of

#: Bytes of a temporary array, edges x targets.
_CHUNK_BYTES = 2**25


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """K directed edges between S routers, sorted by the router they leave.

    Attributes:
        src: int32[K].
        dst: int32[K].
        link: int32[K], the link it crosses.
        far_link: int32[K], the link that the light goes on over behind an OCS; NONE without.
        starts: int64[S+1], where the edges of each router start.
    """

    src: Array
    dst: Array
    link: Array
    far_link: Array
    starts: Array

    @classmethod
    def of(cls, num_routers: int, src: Array, dst: Array, link: Array, far_link: Array | None = None) -> "Edges":
        """Any order of edges; those of a router keep theirs."""
        order = np.argsort(src, kind="stable")
        far = np.full(len(src), NONE) if far_link is None else far_link
        starts = starts_of(np.bincount(src, minlength=num_routers))
        src, dst, link, far = (column[order].astype(np.int32) for column in (src, dst, link, far))
        return cls(src, dst, link, far, starts)


@dataclass(frozen=True, eq=False)
class GraphPaths:
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

    @property
    def is_even(self) -> bool:
        """See tables.PathFinder."""
        return False

    @property
    def is_bundled(self) -> bool:
        """See tables.PathFinder."""
        return False

    def places(self, endpoint: Array) -> tuple[Array, Array] | None:
        """See tables.PathFinder."""
        return None

    def forms(self) -> PathForms | None:
        """See tables.PathFinder."""
        return None

    def count(self, src: Array, dst: Array, circuits: Circuits | None) -> Array:
        """See tables.PathFinder; more than 2**53 count as so many."""
        counts = np.ones(len(src), np.int64)
        apart = np.flatnonzero(self.domain[src] != self.domain[dst])
        found = self._counts[self.router[src[apart]], self._column[self.router[dst[apart]]]]
        counts[apart] = np.minimum(found, 2.0**53)
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
        nearer = (left == self._steps[here, target][owner] - 1) & (self.passes[there] | (left == 0))
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
        """int16[S, T]: edges on the shortest path from each router to each with endpoints; NONE where there is none."""
        return self._tables[0]

    @property
    def _counts(self) -> Array:
        """float64[S, T]: how many shortest paths there are."""
        return self._tables[1]

    @cached_property
    def _tables(self) -> tuple[Array, Array]:
        targets = np.unique(self.router)
        width = max(1, _CHUNK_BYTES // max(len(self.edges.src), 1))
        parts = [self._toward(targets[first : first + width]) for first in range(0, len(targets), width)]
        steps, counts = (np.concatenate(column, axis=1) for column in zip(*parts, strict=True))
        return steps, counts

    def _toward(self, targets: Array) -> tuple[Array, Array]:
        """Breadth first from all targets at once, backwards along the edges."""
        edges, shape = self.edges, (len(self.passes), len(targets))
        steps, counts = np.full(shape, NONE, np.int16), np.zeros(shape)
        steps[targets, np.arange(len(targets))], counts[targets, np.arange(len(targets))] = 0, 1.0
        leaves = np.flatnonzero(np.diff(edges.starts))  # reduceat is wrong for routers without edges
        step = 0
        while len(leaves):
            is_nearer = (steps[edges.dst] == step) & (self.passes[edges.dst][:, None] | (step == 0))
            amounts = np.where(is_nearer, counts[edges.dst], 0.0)
            reached = np.zeros(shape)
            reached[leaves] = np.add.reduceat(amounts, edges.starts[leaves], axis=0)
            is_new = (reached > 0) & (steps == NONE)
            if not is_new.any():
                break
            step += 1
            steps[is_new], counts[is_new] = step, reached[is_new]
        return steps, counts
