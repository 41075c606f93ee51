"""Which pods the OCS join: integer shares of ports, then matchings that realise them."""

import heapq

import networkx as nx
import numpy as np

from cluster_sim.core import NotBuildableError
from cluster_sim.tables import Array


def share_ports(demand: Array, ports: int) -> Array:
    """Circuits from pod to pod: one for every pair with traffic, the rest to whoever has most traffic per circuit.

    Args:
        demand: float64[P, P], >= 0, bytes from row to column; the diagonal is ignored.
        ports: what each pod has, each way.

    Returns:
        int64[P, P], row and column sums at most ``ports``. Equal needs (to 1e-9) are served lowest pair first.

    Raises:
        NotBuildableError: a pod has traffic with more pods than it has ports.
    """
    wanted = np.where(np.eye(len(demand), dtype=bool), 0.0, demand)
    circuits = (wanted > 0).astype(np.int64)
    partners = int(max(circuits.sum(axis=0).max(initial=0), circuits.sum(axis=1).max(initial=0)))
    if partners > ports:
        raise NotBuildableError(
            (f"a pod has traffic with {partners} others, but each of its spines has {ports} ports into the OCS; "
             "make pods larger or place the job so that fewer pods talk",)
        )  # fmt: skip
    free_out, free_in = ports - circuits.sum(axis=1), ports - circuits.sum(axis=0)
    scale = wanted.max(initial=0.0) or 1.0
    queue = [(-round(wanted[a, b] / scale, 9), int(a), int(b)) for a, b in zip(*np.nonzero(wanted), strict=True)]
    heapq.heapify(queue)
    while queue:
        _, a, b = heapq.heappop(queue)
        if free_out[a] and free_in[b]:
            circuits[a, b] += 1
            free_out[a] -= 1
            free_in[b] -= 1
            heapq.heappush(queue, (-round(wanted[a, b] / scale / circuits[a, b], 9), a, b))
    return circuits


def matchings(circuits: Array, ports: int) -> Array:
    """One matching per port, which together make ``circuits``.

    They exist: the edges of a bipartite multigraph of degree k have a colouring with k colours [König 1916].

    Args:
        circuits: int64[P, P], row and column sums at most ``ports``.
        ports: number of matchings.

    Returns:
        int64[ports, P]: in matching k, pod a sends to pod ``result[k, a]``; -1 where its port is dark.
    """
    left = circuits.copy()
    padding = _fill_up(ports - left.sum(axis=1), ports - left.sum(axis=0))
    result = np.full((ports, len(left)), -1, np.int64)
    for slot in range(ports):
        partner = _perfect_matching(left + padding)
        lit = left[np.arange(len(left)), partner] > 0
        result[slot, lit] = partner[lit]
        rows = np.arange(len(left))
        left[rows[lit], partner[lit]] -= 1
        padding[rows[~lit], partner[~lit]] -= 1
    return result


def _fill_up(rows: Array, columns: Array) -> Array:
    """int64[P, P] with the given row and column sums, which have one total."""
    rows, columns = rows.copy(), columns.copy()
    padding = np.zeros((len(rows), len(rows)), np.int64)
    a = b = 0
    while a < len(rows) and b < len(rows):
        padding[a, b] = take = min(rows[a], columns[b])
        rows[a] -= take
        columns[b] -= take
        a, b = (a + 1, b) if rows[a] == 0 else (a, b + 1)
    return padding


def _perfect_matching(weights: Array) -> Array:
    """int64[P]: a column for every row, among the entries > 0 of a matrix with equal row and column sums."""
    size = len(weights)
    graph: nx.Graph = nx.Graph()
    graph.add_nodes_from(range(2 * size))
    graph.add_edges_from((int(a), size + int(b)) for a, b in zip(*np.nonzero(weights), strict=True))
    found = nx.bipartite.hopcroft_karp_matching(graph, top_nodes=range(size))
    return np.array([found[row] - size for row in range(size)], np.int64)
