"""Candidate paths between pods that circuits join: direct ones, and over one other pod."""

from dataclasses import dataclass

import numpy as np

from cluster_sim.tables import NONE, Array, Circuits, ragged_ranges, starts_of
from cluster_sim.topology.paths import PodPaths, digits


@dataclass(frozen=True, slots=True)
class OcsPaths(PodPaths):
    """Between pods: one of their circuits, and a link up to and down from the spines it ends at.

    With transit also two circuits, in and out of one spine of a third pod: the n-th of the one trunk, then the n-th of
    the other. All circuits of an ordered pair of pods are a trunk.

    Attributes:
        transit: weight of paths over a third pod, per circuit of the smaller trunk; a direct circuit has 1.
    """

    transit: float = 0.0

    @property
    def is_even(self) -> bool:
        """See tables.PathFinder."""
        return not self.transit

    def count_between(self, src_pod: Array, dst_pod: Array, circuits: Circuits | None) -> Array:
        """See PodPaths."""
        assert circuits is not None, "an OCS fabric has paths only once its circuits are set"
        found = self._per_plane(circuits)
        if self.transit:
            found = found + sum(np.minimum(found[:, k, None], found[k]) for k in range(len(found)))
        return np.asarray(found[src_pod, dst_pod] * self.pods.spines * self.pods.parallel**2, dtype=np.int64)

    def links_between(self, src: Array, dst: Array, choice: Array, circuits: Circuits | None) -> tuple[Array, ...]:
        """See PodPaths."""
        assert circuits is not None
        pods = self.pods
        src_pod, dst_pod = pods.pod_of(src), pods.pod_of(dst)
        first, last = circuits.between(src_pod, dst_pod)
        nth, rise, fall = choice // pods.parallel**2, *digits(choice, (pods.parallel, pods.parallel))
        over = np.flatnonzero(nth >= last - first)
        into, onward = first + np.minimum(nth, np.maximum(last - first - 1, 0)), np.full(len(src), NONE)
        into[over], onward[over] = self._two_circuits(
            src_pod[over], dst_pod[over], (nth - last + first)[over], circuits
        )
        spine = (circuits.in_link[into] - self.at.top_links) // 2 // pods.spine_up % pods.spines
        is_over = onward != NONE
        return (
            self.leaf_link(src, spine.astype(np.int64), rise),
            circuits.in_link[into].astype(np.int64),
            circuits.out_link[into].astype(np.int64),
            np.where(is_over, circuits.in_link[onward], NONE).astype(np.int64),
            np.where(is_over, circuits.out_link[onward], NONE).astype(np.int64),
            self.leaf_link(dst, spine.astype(np.int64), fall) + 1,
        )

    def shares(self, src: Array, dst: Array, circuits: Circuits | None) -> tuple[Array, Array, Array]:
        """See tables.PathFinder."""
        assert circuits is not None
        src, dst = src.astype(np.int64), dst.astype(np.int64)
        src_pod, dst_pod = self.pods.pod_of(src), self.pods.pod_of(dst)
        near, apart = np.flatnonzero(src_pod == dst_pod), np.flatnonzero(src_pod != dst_pod)
        zero = np.zeros(len(src), np.int64)
        inside = self.links(src[near], dst[near], zero[near], circuits)
        ends = self._outside_trunks(src[apart], dst[apart])
        owner, trunk, share = self.trunk_shares(src_pod[apart], dst_pod[apart], circuits)
        circuit = np.searchsorted(circuits.trunk, trunk)
        pair = np.concatenate([near[inside[0]], np.tile(apart, len(ends)), np.tile(apart[owner], 2)])
        link = np.concatenate([inside[1], *ends, circuits.in_link[circuit], circuits.out_link[circuit]])
        shares = np.concatenate([np.ones(len(pair) - 2 * len(share)), share, share])
        order = np.argsort(pair, kind="stable")
        return pair[order].astype(np.int32), link[order].astype(np.int32), shares[order]

    def trunk_shares(self, src_pod: Array, dst_pod: Array, circuits: Circuits) -> tuple[Array, Array, Array]:
        """(pair, trunk, share of the pair's traffic that the trunk carries) of pairs in different pods, by pair."""
        trunks, number = np.unique(src_pod * self.pods.num_pods + dst_pod, return_inverse=True)
        src, dst = np.divmod(trunks, self.pods.num_pods)
        width = np.bincount(circuits.trunk, circuits.width, self.pods.num_pods**2) / self.pods.spines
        per_plane = width.reshape(self.pods.num_pods, -1)
        direct = per_plane[src, dst]
        relayed = _relays(per_plane, src, dst) * np.where(direct > 0, self.transit, 1.0)[:, None]
        total = direct + relayed.sum(axis=1)
        pair, over = np.nonzero(relayed)
        lit = np.flatnonzero(direct)
        owner = np.concatenate([lit, pair, pair])
        trunk = np.concatenate(
            [trunks[lit], src[pair] * self.pods.num_pods + over, over * self.pods.num_pods + dst[pair]]
        )
        weight = np.concatenate([direct[lit], relayed[pair, over], relayed[pair, over]])
        return _repeated(owner, trunk, weight / total[owner], number.ravel(), len(trunks))

    def _outside_trunks(self, src: Array, dst: Array) -> tuple[Array, ...]:
        """Links of the bundles that a pair in different pods crosses before and after the circuits."""
        zero, at = np.zeros(len(src), np.int64), self.at
        return (
            at.host_links + 2 * src, self.leaf_link(src, zero, zero),
            self.leaf_link(dst, zero, zero) + 1, at.host_links + 2 * dst + 1,
        )  # fmt: skip

    def _two_circuits(self, src_pod: Array, dst_pod: Array, nth: Array, circuits: Circuits) -> tuple[Array, Array]:
        """Rows of the ``nth`` way over a third pod: by pod, then spine, then circuit."""
        pods, per_plane = self.pods, self._per_plane(circuits)
        trunks, number = np.unique(src_pod * pods.num_pods + dst_pod, return_inverse=True)
        relays = _relays(per_plane, *np.divmod(trunks, pods.num_pods))
        starts = starts_of(relays.ravel() * pods.spines)
        first_relay = number.ravel() * pods.num_pods
        place = starts[first_relay] + nth
        relay = np.searchsorted(starts, place, side="right") - 1
        over, width = relay - first_relay, relays.ravel()[relay]
        spine, circuit = np.divmod(place - starts[relay], np.maximum(width, 1))
        into, _ = circuits.between(src_pod, over)
        onward, _ = circuits.between(over, dst_pod)
        return into + spine * per_plane[src_pod, over] + circuit, onward + spine * per_plane[over, dst_pod] + circuit

    def _per_plane(self, circuits: Circuits) -> Array:
        """int64[P, P]: circuits of each ordered pair of pods at each spine."""
        pods = self.pods
        counts = np.bincount(circuits.trunk, minlength=pods.num_pods**2) // pods.spines
        return counts.reshape(pods.num_pods, pods.num_pods)


def _relays(per_plane: Array, src_pod: Array, dst_pod: Array) -> Array:
    """[F, P]: circuits per plane of the smaller trunk on the way over each pod; none over the ends themselves."""
    return np.asarray(np.minimum(per_plane[src_pod], per_plane.T[dst_pod]))


def _repeated(owner: Array, item: Array, share: Array, number: Array, num: int) -> tuple[Array, Array, Array]:
    """(row, item, share) with the items of owner ``number[row]`` for every row."""
    order = np.argsort(owner, kind="stable")
    starts = starts_of(np.bincount(owner, minlength=num))
    counts = np.diff(starts)[number]
    hop = order[ragged_ranges(starts[number], counts)]
    return np.repeat(np.arange(len(number)), counts), item[hop], share[hop]
