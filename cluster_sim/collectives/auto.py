"""``algorithm: auto``: what a cost model of latencies and bandwidths expects to be fastest.

An alpha-beta model with two levels [Hockney 1994; Thakur, Rabenseifner and Gropp 2005]: every edge has the latency of
its level, and in each round the busiest rank sends and receives at the rate of its link on that level. It is worked out
from the Traffic that is really sent. Other groups, and links that are shared beyond the ranks' own, are left out; so
algorithms in which every rank sends to every other are considered inside a domain only, where there are no such links.
"""

from dataclasses import dataclass, replace

import numpy as np

from cluster_sim.collectives.base import COLLECTIVES, Groups, Reducing
from cluster_sim.core import InputError
from cluster_sim.tables import Array, Fabric, Traffic

#: Named in the place of an algorithm.
AUTO = "auto"


@dataclass(frozen=True, slots=True)
class LinkCosts:
    """What messages cost between two ranks.

    Attributes:
        inside_s, outside_s: latency in a scale-up domain, and between two.
        inside_bytes_per_s, outside_bytes_per_s: what a rank can send, and receive.
        reducing: switches that reduce.
    """

    inside_s: float
    inside_bytes_per_s: float
    outside_s: float
    outside_bytes_per_s: float
    reducing: tuple[Reducing, ...] = ("",)

    @classmethod
    def of(cls, fabric: Fabric, reducing: tuple[Reducing, ...] = ("",)) -> "LinkCosts":
        """From the first endpoint to the last of its domain, and to the farthest of a few in other domains."""
        others = np.flatnonzero(fabric.endpoint_domain != fabric.endpoint_domain[0])
        peers = np.flatnonzero(fabric.endpoint_domain == fabric.endpoint_domain[0])[1:]
        outside = [_path_cost(fabric, int(dst)) for dst in others[[0, len(others) // 2, -1]]] if len(others) else []
        inside = [_path_cost(fabric, int(peers[-1]))] if len(peers) else outside or [(0.0, np.inf)]
        return cls(*max(inside), *max(outside or inside), reducing)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the model expects of an algorithm: ``latency_s`` and ``s_per_byte`` of the buffer."""

    name: str
    latency_s: float
    s_per_byte: float

    def time_s(self, size_bytes: float) -> float:
        """Of a buffer of that size."""
        return self.latency_s + self.s_per_byte * size_bytes


def choose(found: tuple[Estimate, ...], size_bytes: float) -> str:
    """The fastest for that size; of equally fast ones the one with the shortest name, which is the plainest."""
    best_s = min(estimate.time_s(size_bytes) for estimate in found)
    fastest = [estimate.name for estimate in found if estimate.time_s(size_bytes) <= best_s * (1 + 1e-9)]
    return min(fastest, key=lambda name: (len(name), name))


def estimates(operation: str, groups: Groups, costs: LinkCosts) -> tuple[Estimate, ...]:
    """What every algorithm would take that can do ``operation`` in these groups; the first group stands for all."""
    found = []
    is_inside = len(np.unique(groups.domain[groups.ranks[:1]])) == 1
    for name in COLLECTIVES:
        algorithm = COLLECTIVES[name]
        is_for_fabric = is_inside or not algorithm.is_quadratic
        if algorithm.operation != operation or algorithm.reducing not in costs.reducing or not is_for_fabric:
            continue
        try:
            found.append(estimate_of(name, groups, costs))
        except InputError:  # not in such groups
            continue
    return tuple(found)


def estimate_of(name: str, groups: Groups, costs: LinkCosts) -> Estimate:
    """What one algorithm would take; InputError where it cannot run in such groups."""
    traffic = COLLECTIVES[name](replace(groups, ranks=groups.ranks[:1]), 1.0)
    return Estimate(name, *_cost(traffic.written_out(), groups.domain, costs))


def _cost(traffic: Traffic, domain: Array, costs: LinkCosts) -> tuple[float, float]:
    """(latency, seconds per byte) of all rounds."""
    is_inside = domain[traffic.edge_src] == domain[traffic.edge_dst]
    latency_s = traffic.latency_s(np.where(is_inside, costs.inside_s, costs.outside_s))
    num_rounds = int(traffic.round.max(initial=-1)) + 1
    of_round = np.zeros(num_rounds)
    np.maximum.at(of_round, traffic.round, latency_s)
    s_per_byte = np.zeros(num_rounds)
    edge_bytes, edge_round = (column[traffic.edge_transfer] for column in (traffic.size_bytes, traffic.round))
    for level, rate in ((is_inside, costs.inside_bytes_per_s), (~is_inside, costs.outside_bytes_per_s)):
        for ends in (traffic.edge_src[level], traffic.edge_dst[level]):
            number, end = np.unique(ends, return_inverse=True)
            key = edge_round[level].astype(np.int64) * len(number) + end.reshape(-1)
            sent = np.bincount(key, weights=edge_bytes[level], minlength=num_rounds * len(number))
            busiest = sent.reshape(num_rounds, -1).max(axis=1, initial=0.0) if len(number) else 0.0
            s_per_byte = np.maximum(s_per_byte, busiest / rate)
    return float(of_round.sum()), float(s_per_byte.sum())


def _path_cost(fabric: Fabric, dst: int) -> tuple[float, float]:
    """(latency of a path from endpoint 0, what endpoint 0 has of links of the kind it leaves by)."""
    circuits = None
    if fabric.planner is not None:
        circuits = fabric.planner.connect(1.0 - np.eye(fabric.num_pods))
    _, path = fabric.paths.links(np.zeros(1, np.int32), np.array([dst], np.int32), np.zeros(1, np.int64), circuits)
    links = fabric.links
    is_alike = (links.src == 0) & (links.tier == links.tier[path[0]])
    return float(links.latency_s[path].sum()), float(links.capacity_bytes_per_s[is_alike].sum())
