"""Circuits between scale-up domains beside a packet network: who gets them, what takes them, and over which links."""

from dataclasses import dataclass

import numpy as np

from cluster_sim.tables import Array, Circuits, PathFinder, ragged_ranges
from cluster_sim.topology.matching import matchings, off_diagonal, share_with_heaviest, two_way
from cluster_sim.topology.path_kinds import UnevenPaths


@dataclass(frozen=True, slots=True)
class DomainPorts:
    """Ports of scale-up domains into the OCS of their regions. A domain's port in slot k is that of its accelerator
    k % per_domain; the ports of a region in one slot meet in one OCS.

    Attributes:
        num_domains: scale-up domains.
        per_domain: accelerators of each.
        per_endpoint: ports of each accelerator into the OCS.
        region: domains of a region.
        slots_per_box: slots that share an OCS.
        first_link: where the links into the OCS start.
    """

    num_domains: int
    per_domain: int
    per_endpoint: int
    region: int
    slots_per_box: int
    first_link: int

    @property
    def slots(self) -> int:
        """Ports of a domain."""
        return self.per_domain * self.per_endpoint

    def link(self, domain: Array, slot: Array) -> Array:
        """Link into the OCS; the next number comes out."""
        number, member = np.divmod(slot, self.per_domain)
        return self.first_link + 2 * ((domain * self.per_domain + member) * self.per_endpoint + number)

    def endpoint(self, link: Array) -> Array:
        """Accelerator at the end of a link into or out of the OCS."""
        return (link.astype(np.int64) - self.first_link) // 2 // self.per_endpoint


@dataclass(frozen=True, slots=True)
class DomainCircuits:
    """Sets the circuits between scale-up domains; see tables.HybridPlanner.

    Attributes:
        ports: of the domains.
        switch_s: switching plus re-acquisition.
        per_layer: True when layers of experts get circuits of their own.
        packet_ports: ports' worth of packets that a domain can send, and receive.
        is_two_way: whether there are as many circuits back as there.
    """

    ports: DomainPorts
    switch_s: float
    per_layer: bool
    packet_ports: float
    is_two_way: bool = False

    @property
    def per_phase(self) -> bool:
        """See tables.CircuitPlanner."""
        return False

    def connect(self, demand_bytes: Array) -> Circuits:
        """Circuits for the heaviest pairs of each region."""
        ports, wanted = self.ports, (two_way if self.is_two_way else off_diagonal)(demand_bytes)
        known: dict[bytes, tuple[Array, Array, Array]] = {}
        found = []
        for first in range(0, ports.num_domains, ports.region):
            block = np.ascontiguousarray(wanted[first : first + ports.region, first : first + ports.region])
            key = block.tobytes()
            if key not in known:  # groups that do the same in other regions get the same
                known[key] = self._matched(block)
            slot, src, dst = known[key]
            found.append((slot, src + first, dst + first))
        slot, src, dst = (np.concatenate(column) for column in zip(*found, strict=True))
        order = np.lexsort((slot, src * ports.num_domains + dst))
        slot, src, dst = slot[order], src[order], dst[order]
        return Circuits(
            src_pod=src.astype(np.int32), dst_pod=dst.astype(np.int32), in_link=ports.link(src, slot).astype(np.int32),
            out_link=(ports.link(dst, slot) + 1).astype(np.int32), num_pods=ports.num_domains,
        )  # fmt: skip

    def share(self, circuits: Circuits, demand_bytes: Array) -> Array:
        """What circuits carry until all that any domain sends and receives has been sent, both ways at once.

        A pair's circuits carry min(D, c T) of its D bytes in time T, the packets of a domain the rest of all its pairs;
        T is the smallest for which they can.
        """
        src, dst = np.nonzero(off_diagonal(demand_bytes))
        sent = demand_bytes[src, dst]
        trunks, num_circuits = np.unique(circuits.trunk, return_counts=True)
        wide = np.zeros(len(src))
        _, mine, theirs = np.intersect1d(src * circuits.num_pods + dst, trunks, return_indices=True)
        wide[mine] = num_circuits[theirs]
        end = max(self._end(src, sent, wide), self._end(dst, sent, wide))
        ratio = np.zeros(len(trunks))
        ratio[theirs] = np.minimum(1.0, wide[mine] * end / sent[mine])
        return ratio[np.searchsorted(trunks, circuits.trunk)]

    def _end(self, domain: Array, sent: Array, wide: Array) -> float:
        """Latest time, in bytes per port, at which what circuits leave of ``sent`` has gone through packet ports.

        Newton's method from below on a convex function: exact once it knows which pairs have more than circuits carry.
        """
        end = np.zeros(self.ports.num_domains)
        while True:
            left = sent > wide * end[domain] * (1 + 1e-12)
            bytes_left = np.bincount(domain[left], weights=sent[left], minlength=len(end))
            ports = np.bincount(domain[left], weights=wide[left], minlength=len(end)) + self.packet_ports
            later = bytes_left / ports
            if not (later > end * (1 + 1e-12)).any():
                return float(end.max(initial=0.0))
            end = np.maximum(later, end)

    def _matched(self, block: Array) -> tuple[Array, Array, Array]:
        """(slot, src, dst) of the circuits of one region, domains numbered within it."""
        slots = self.ports.slots
        matching = matchings(share_with_heaviest(block, slots), slots)
        slot, src = np.nonzero(matching >= 0)
        return slot, src, matching[slot, src]


@dataclass(frozen=True, slots=True, eq=False)
class HybridPaths(UnevenPaths):
    """Paths of the packet network; between domains also their circuits, reached through the scale-up links.

    Attributes:
        packet: paths of the packet network, all even, with scale-up link 2 e up from endpoint e and 2 e + 1 down.
        domain: int32[endpoints], scale-up domain of each.
        ports: of the domains into the OCS.
    """

    packet: PathFinder
    domain: Array
    ports: DomainPorts

    @property
    def is_bundled(self) -> bool:
        """See tables.PathFinder."""
        return True

    def count(self, src: Array, dst: Array, circuits: Circuits | None) -> Array:
        """See tables.PathFinder; circuits come first."""
        first, last = self._circuits_between(src, dst, circuits)
        return np.asarray(last - first + self.packet.count(src, dst, None))

    def links(self, src: Array, dst: Array, choice: Array, circuits: Circuits | None) -> tuple[Array, Array]:
        """See tables.PathFinder."""
        assert circuits is not None
        src, dst = src.astype(np.int64), dst.astype(np.int64)
        first, last = self._circuits_between(src, dst, circuits)
        light, packets = np.flatnonzero(choice < last - first), np.flatnonzero(choice >= last - first)
        hop, link = self.packet.links(src[packets], dst[packets], (choice - last + first)[packets], None)
        over = self._over(light, src[light], dst[light], (first + choice)[light], circuits)
        pair, links = np.concatenate([packets[hop], over[0]]), np.concatenate([link, over[1]])
        order = np.argsort(pair, kind="stable")
        return pair[order].astype(np.int32), links[order].astype(np.int32)

    def shares(self, src: Array, dst: Array, circuits: Circuits | None) -> tuple[Array, Array, Array]:
        """See tables.PathFinder; a pair's circuits carry the same each."""
        assert circuits is not None
        src, dst = src.astype(np.int64), dst.astype(np.int64)
        first, last = self._circuits_between(src, dst, circuits)
        ratio = self._ratio(first, last, circuits)
        hop, link = self.packet.links(src, dst, np.zeros(len(src), np.int64), None)
        counts = np.where(ratio > 0, last - first, 0)
        pair = np.repeat(np.arange(len(src)), counts)
        over, over_link = self._over(pair, src[pair], dst[pair], ragged_ranges(first, counts), circuits)
        is_light = over_link >= self.ports.first_link
        # One link stands for the trunk, in and out of the OCS: the first circuit's, with all that the trunk carries.
        lit = np.flatnonzero(counts)
        light = np.concatenate([circuits.in_link[first[lit]], circuits.out_link[first[lit]]])
        inside, inside_link = over[~is_light], over_link[~is_light]
        return _summed(
            np.concatenate([hop, np.tile(lit, 2), inside]),
            np.concatenate([link, light, inside_link]),
            np.concatenate([(1 - ratio)[hop], np.tile(ratio[lit], 2), (ratio / np.maximum(counts, 1))[inside]]),
        )

    def _circuits_between(self, src: Array, dst: Array, circuits: Circuits | None) -> tuple[Array, Array]:
        """[first, last) rows of the circuits between the domains of each pair."""
        assert circuits is not None, "an OCS fabric has paths only once its circuits are set"
        return circuits.between(self.domain[src], self.domain[dst])

    def _ratio(self, first: Array, last: Array, circuits: Circuits) -> Array:
        """float64[F]: what of each pair's traffic takes circuits; all of it unless somebody has said otherwise."""
        if not len(circuits):
            return np.zeros(len(first))
        every = np.ones(len(circuits)) if circuits.pair_ratio is None else circuits.pair_ratio
        return np.where(last > first, every[np.minimum(first, len(circuits) - 1)], 0.0)

    def _over(self, pair: Array, src: Array, dst: Array, circuit: Array, circuits: Circuits) -> tuple[Array, Array]:
        """(pair, link) in order of each way over a circuit: to the accelerator at its end, through it, to the last."""
        into, out_of = circuits.in_link[circuit].astype(np.int64), circuits.out_link[circuit].astype(np.int64)
        near, far = self.ports.endpoint(into), self.ports.endpoint(out_of)
        links = np.stack([2 * src, 2 * near + 1, into, out_of, 2 * far, 2 * dst + 1], axis=1)
        is_hop = np.ones(links.shape, bool)
        is_hop[:, :2], is_hop[:, 4:] = (near != src)[:, None], (far != dst)[:, None]
        return np.repeat(pair, is_hop.sum(axis=1)), links[is_hop]


def _summed(pair: Array, link: Array, share: Array) -> tuple[Array, Array, Array]:
    """Each link of a pair once, by pair, in the order in which it is first crossed; none with nothing."""
    width = int(link.max(initial=0)) + 1
    keys, first, number = np.unique(pair.astype(np.int64) * width + link, return_index=True, return_inverse=True)
    total = np.bincount(number.ravel(), weights=share, minlength=len(keys))
    kept = np.flatnonzero(total > 0)
    kept = kept[np.lexsort((first[kept], keys[kept] // width))]
    return (keys[kept] // width).astype(np.int32), (keys[kept] % width).astype(np.int32), total[kept]
