"""Adaptive: every flow takes the least loaded of its paths when it starts."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Literal

import numpy as np
from pydantic import Field

from cluster_sim.backend import Backend
from cluster_sim.kernels import hashed
from cluster_sim.routing.base import ROUTINGS, Hops, Routing
from cluster_sim.routing.candidates import key_of, num_paths_of, some_paths
from cluster_sim.routing.valiant import detour
from cluster_sim.tables import Array, Circuits, Fabric, Traffic, ragged_arange, starts_of

#: Flows are placed one after the other up to this number; of more, as many times this number at once.
_TURNS = 4096
#: How often flows that are placed at once make way for each other.
_PROPOSALS = 8
#: Links of candidates that are looked at together.
_CHUNK_LINKS = 2**23
#: Loads closer than this are the same.
_TIE_RATIO = 1e-9


@ROUTINGS.register("adaptive")
class Adaptive(Routing):
    """The candidate whose most loaded link would be least loaded, in seconds of sending, with what is placed before.

    Every switch in turn places the next flow that enters the network there, one after the other. More than 4096 flows
    come in an order drawn by a hash, several at once: where two of them want a link, the later one chooses again.
    Links that all candidates of a flow cross do not count. Equal loads (to 1e-9) go to the candidate with the lowest
    number, shortest paths before detours. Load is what the same round of the same collective has placed: other
    collectives are not seen, and a flow that has its path keeps it.

    With detours it is a choice like UGAL's [Singh 2005]: loads count times the number of links, so that a detour is
    taken where that pays although it loads more links.

    Attributes:
        choices: candidates of a flow: all, or one out of each of as many equal parts of them, by a hash.
        detours: further candidates, each by way of a random switch; see Valiant.
    """

    kind: Literal["adaptive"] = "adaptive"
    choices: int = Field(8, ge=1, le=256)
    detours: int = Field(0, ge=0, le=64)

    def hops(
        self, traffic: Traffic, fabric: Fabric, circuits: Circuits | None, key: int, backend: Backend | None
    ) -> Hops:  # fmt: skip
        """See Routing.hops."""
        src, dst = traffic.edge_src, traffic.edge_dst
        num_paths = num_paths_of(src, dst, fabric, circuits)
        size_bytes = traffic.size_bytes[traffic.edge_transfer]
        number = traffic.round[traffic.edge_transfer]
        at_once = max(1, -(-len(src) // _TURNS))
        turn = _turns(src, dst, number, fabric, circuits) if at_once == 1 else hashed(src, dst, key)
        order = np.lexsort((turn, number))
        loads = _Loads(fabric)
        width = max(1, _CHUNK_LINKS // (8 * (self.choices + self.detours)) // at_once) * at_once
        edges, links = [np.zeros(0, np.int32)], [np.zeros(0, np.int32)]
        for first in range(0, len(order), width):
            edge = order[first : first + width]
            candidates = self._candidates(src[edge], dst[edge], num_paths[edge], fabric, circuits, key)
            chosen = loads.place(candidates, size_bytes[edge], number[edge], at_once)
            is_link = chosen < len(fabric.links)
            edges.append(np.repeat(edge, is_link.sum(axis=1)))
            links.append(chosen[is_link])
        edge, link = np.concatenate(edges), np.concatenate(links)
        by_edge = np.argsort(edge, kind="stable")
        return _once(edge[by_edge].astype(np.int32), link[by_edge], len(fabric.links))

    def _candidates(
        self, src: Array, dst: Array, num_paths: Array, fabric: Fabric, circuits: Circuits | None, key: int
    ) -> Array:
        """int32[E, k, H]: links of the candidates of each pair in their order, filled up with the number of links."""
        choice = some_paths(num_paths, src, dst, key, self.choices)
        every = np.repeat(np.arange(len(src)), choice.shape[1])
        path, link = fabric.paths.links(src[every], dst[every], choice.ravel(), circuits)
        parts = [_table(path, link, len(src), choice.shape[1], fabric)]
        for number in range(self.detours):
            parts.append(_table(*detour(src, dst, fabric, circuits, key_of(key, number)), len(src), 1, fabric))
        longest = max(part.shape[2] for part in parts)
        filled = [
            np.pad(part, ((0, 0), (0, 0), (0, longest - part.shape[2])), constant_values=len(fabric.links))
            for part in parts
        ]
        return np.concatenate(filled, axis=1)


class _Loads:
    """Seconds of sending that are placed on each link; one more link stands for none."""

    def __init__(self, fabric: Fabric) -> None:
        capacity = fabric.links.capacity_bytes_per_s
        self.nowhere = len(capacity)
        self.s_per_byte = np.append(np.divide(1.0, capacity, out=np.full(len(capacity), np.inf), where=capacity > 0), 0)
        self.load_s = np.zeros(len(capacity) + 1)
        self.first = np.zeros(len(capacity) + 1, np.int64)
        self.round = 0

    def place(self, candidates: Array, size_bytes: Array, number: Array, at_once: int) -> Array:
        """Place flows in their order.

        Args:
            candidates: int32[E, k, H], links.
            size_bytes: float64[E].
            number: int32[E], rounds, ascending.
            at_once: flows that are placed at once.

        Returns:
            int32[E, H], the links of the chosen ones.
        """
        parting = np.where(_is_common(candidates, self.nowhere), self.nowhere, candidates)
        num_links = (candidates < self.nowhere).sum(axis=2)
        factor = num_links if (num_links != num_links[:, :1]).any() else np.ones_like(num_links)
        chosen = np.empty((len(candidates), candidates.shape[2]), np.int32)
        for first, end in _batches(number, at_once):
            if number[first] != self.round:
                self.round = int(number[first])
                self.load_s[:] = 0.0
            flow = np.arange(first, end)
            for proposal in range(_PROPOSALS):
                pick = self._pick(parting[flow], size_bytes[flow], factor[flow])
                wanted = parting[flow, pick]
                is_placed = self._comes_first(wanted) if proposal < _PROPOSALS - 1 else np.ones(len(flow), bool)
                placed, pick = flow[is_placed], pick[is_placed]
                taken = chosen[placed] = candidates[placed, pick]
                np.add.at(self.load_s, taken, size_bytes[placed, None] * self.s_per_byte[taken])
                flow = flow[~is_placed]
                if not len(flow):
                    break
        return chosen

    def _pick(self, links: Array, size_bytes: Array, factor: Array) -> Array:
        """int64[E]: the candidate with the least load; of int32[E, k, H] links."""
        busy_s = (self.load_s[links] + size_bytes[:, None, None] * self.s_per_byte[links]).max(axis=2) * factor
        best: Array = (busy_s <= busy_s.min(axis=1, keepdims=True) * (1 + _TIE_RATIO)).argmax(axis=1)
        return best

    def _comes_first(self, wanted: Array) -> Array:
        """bool[E]: flows that want no link, of int32[E, H], which one before them wants."""
        if len(wanted) == 1:
            return np.ones(1, bool)
        flow = np.broadcast_to(np.arange(len(wanted))[:, None], wanted.shape)
        self.first[wanted] = len(wanted)
        np.minimum.at(self.first, wanted, flow)
        is_first: Array = ((self.first[wanted] == flow) | (wanted == self.nowhere)).all(axis=1)
        return is_first


def _turns(src: Array, dst: Array, number: Array, fabric: Fabric, circuits: Circuits | None) -> Array:
    """int64[E]: how many edges of the same round enter the network at the same switch before each."""
    pair, link = fabric.paths.links(src, dst, np.zeros(len(src), np.int64), circuits)
    switch = fabric.links.dst[link[starts_of(np.bincount(pair, minlength=len(src)))[:-1]]]
    by_switch = np.lexsort((switch, number))
    is_new = np.append(True, (np.diff(switch[by_switch]) != 0) | (np.diff(number[by_switch]) != 0))[: len(src)]
    turn = np.empty(len(src), np.int64)
    turn[by_switch] = ragged_arange(np.diff(np.append(np.flatnonzero(is_new), len(src))))
    return turn


def _batches(number: Array, at_once: int) -> Iterator[tuple[int, int]]:
    """[first, end) of flows that are placed at once, none of different rounds; ``number``, int32[E], is ascending."""
    starts = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist(), len(number)]
    for begin, end in pairwise(starts):
        for first in range(begin, end, at_once):
            yield first, min(first + at_once, end)


def _table(path: Array, link: Array, num_pairs: int, per_pair: int, fabric: Fabric) -> Array:
    """int32[E, k, H] of (path, link), filled up with the number of links."""
    counts = np.bincount(path, minlength=num_pairs * per_pair)
    table = np.full((num_pairs * per_pair, int(counts.max(initial=1))), len(fabric.links), np.int32)
    table[path, ragged_arange(counts)] = link
    return table.reshape(num_pairs, per_pair, -1)


def _is_common(candidates: Array, nowhere: int) -> Array:
    """bool[E, k, H]: links at which all candidates of a flow are alike, counted from its start or from its end."""
    num_links = (candidates < nowhere).sum(axis=2)
    place = np.arange(candidates.shape[2])
    from_end = num_links[:, :, None] - 1 - place
    mirrored = np.take_along_axis(candidates, np.maximum(from_end, 0), axis=2)
    is_alike = (mirrored == mirrored[:, :1]).all(axis=1, keepdims=True) & (from_end >= 0)
    at_start = (candidates == candidates[:, :1]).all(axis=1, keepdims=True)
    at_end = np.take_along_axis(is_alike, np.maximum(from_end, 0), axis=2) & (from_end >= 0)
    common: Array = at_start | at_end
    return common


def _once(edge: Array, link: Array, num_links: int) -> Hops:
    """Each link of an edge once, with the number of times that a detour crosses it."""
    _, first, times = np.unique(edge.astype(np.int64) * num_links + link, return_index=True, return_counts=True)
    order = np.argsort(first)
    return Hops(edge[first[order]], link[first[order]], times[order].astype(np.float64))
