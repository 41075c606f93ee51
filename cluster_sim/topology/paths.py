"""Candidate paths in fabrics made of pods, in closed form."""

from abc import abstractmethod
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from cluster_sim.tables import CHOICE, DST, NONE, SRC, Array, Circuits, PathForms, PathKind
from cluster_sim.topology.path_kinds import EvenPaths
from cluster_sim.topology.pods import Number, Pods
from cluster_sim.topology.wiring import Offsets


@dataclass(frozen=True, slots=True)
class PodPaths(EvenPaths):
    """Paths inside a scale-up domain, below a leaf and inside a pod; subclasses add those between pods."""

    pods: Pods

    @property
    def at(self) -> Offsets:
        """Where links start."""
        return Offsets.of(self.pods)

    @abstractmethod
    def count_between(self, src_pod: Array, dst_pod: Array, circuits: Circuits | None) -> Array:
        """int64[F]: candidate paths between different pods."""

    @abstractmethod
    def links_between(self, src: Any, dst: Any, choice: Any, circuits: Circuits | None) -> tuple[Any, ...]:
        """Links from the source's leaf to the destination's: per hop one int64[F], NONE for none, or one form."""

    def count(self, src: Array, dst: Array, circuits: Circuits | None) -> Array:
        """See tables.PathFinder."""
        kind = self._kind(src, dst)
        counts = np.ones(len(src), np.int64)
        counts[kind == _SAME_POD] = prod(self._inside_pod)
        between = kind == _BETWEEN
        counts[between] = self.count_between(self.pods.pod_of(src[between]), self.pods.pod_of(dst[between]), circuits)
        return counts

    def links(self, src: Array, dst: Array, choice: Array, circuits: Circuits | None) -> tuple[Array, Array]:
        """See tables.PathFinder."""
        kind = self._kind(src, dst)
        pairs, links, positions = [], [], []
        for this in (_SAME_DOMAIN, _SAME_LEAF, _SAME_POD, _BETWEEN):
            pair = np.flatnonzero(kind == this)
            if len(pair):
                hops = self._hops(this, src[pair].astype(np.int64), dst[pair].astype(np.int64), choice[pair], circuits)
                pairs.append(np.tile(pair, len(hops)))
                links.append(np.concatenate(hops))
                positions.append(np.repeat(np.arange(len(hops)), len(pair)))
        if not pairs:
            return np.zeros(0, np.int32), np.zeros(0, np.int32)
        pair, link = np.concatenate(pairs), np.concatenate(links)
        order = np.lexsort((np.concatenate(positions), pair))
        order = order[link[order] != NONE]
        return pair[order].astype(np.int32), link[order].astype(np.int32)

    def places(self, endpoint: Array) -> tuple[Array, Array] | None:
        """See tables.PathFinder."""
        pods, zero = self.pods, np.zeros(len(endpoint), np.int64)
        top = self.top_link(endpoint)
        if top is None:
            return None
        below = (self.at.scale_up_links + 2 * endpoint, self.at.host_links + 2 * endpoint)
        ups = (*below, self.leaf_link(endpoint, zero, zero), *top)
        return np.stack([pods.domain_of(endpoint), pods.leaf_of(endpoint), pods.pod_of(endpoint)]), np.stack(ups)

    def top_link(self, endpoint: Array) -> tuple[Array, ...] | None:
        """A link up from each endpoint's pod, int64[E]; () where there is one pod, None where it depends on more."""
        return () if self.pods.num_pods == 1 else None

    def forms_between(self, num_paths: int) -> PathForms:
        """All forms, where every pair in different pods has ``num_paths`` candidates of ``links_between``."""
        counts = (1, 1, prod(self._inside_pod), num_paths)
        kinds = (PathKind(count, self._hops(kind, SRC, DST, CHOICE, None)) for kind, count in enumerate(counts))
        pods = self.pods
        return PathForms((pods.domain_of(SRC), pods.leaf_of(SRC), pods.pod_of(SRC)), tuple(kinds))

    def leaf_link(self, endpoint: Number, spine: Number, parallel: Number) -> Number:
        """Link up from an endpoint's leaf to a spine of its pod; the next number goes down."""
        row = (self.pods.leaf_of(endpoint) * self.pods.spines + spine) * self.pods.parallel + parallel
        return self.at.leaf_links + 2 * row

    def _hops(self, kind: int, src: Any, dst: Any, choice: Any, circuits: Circuits | None) -> tuple[Any, ...]:
        if kind == _SAME_DOMAIN:
            return self.at.scale_up_links + 2 * src, self.at.scale_up_links + 2 * dst + 1
        up, down = self.at.host_links + 2 * src, self.at.host_links + 2 * dst + 1
        if kind == _SAME_LEAF:
            return up, down
        if kind == _SAME_POD:
            spine, rise, fall = digits(choice, self._inside_pod)
            return up, self.leaf_link(src, spine, rise), self.leaf_link(dst, spine, fall) + 1, down
        return up, *self.links_between(src, dst, choice, circuits), down

    @property
    def _inside_pod(self) -> tuple[int, ...]:
        return self.pods.spines, self.pods.parallel, self.pods.parallel

    def _kind(self, src: Array, dst: Array) -> Array:
        """How far apart each pair is."""
        pods = self.pods
        kind = np.full(len(src), _BETWEEN, np.int8)
        kind[pods.pod_of(src) == pods.pod_of(dst)] = _SAME_POD
        kind[pods.leaf_of(src) == pods.leaf_of(dst)] = _SAME_LEAF
        kind[pods.domain_of(src) == pods.domain_of(dst)] = _SAME_DOMAIN
        return kind


_SAME_DOMAIN, _SAME_LEAF, _SAME_POD, _BETWEEN = range(4)


def digits(number: Number, bases: tuple[int, ...]) -> tuple[Number, ...]:
    """Mixed-radix digits of each number, the first base varying slowest."""
    return tuple(number // prod(bases[place + 1 :]) % base for place, base in enumerate(bases))
