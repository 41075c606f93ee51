"""Which pods the OCS join: integer shares of ports, then matchings that realise them."""

import heapq

import networkx as nx
import numpy as np

from cluster_sim.core import InputError, NotBuildableError
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
        InputError: the demand is no square matrix of amounts.
    """
    wanted = off_diagonal(demand)
    circuits = (wanted > 0).astype(np.int64)
    partners = _most_partners(circuits)
    if partners > ports:
        raise NotBuildableError(
            (f"a pod has traffic with {partners} others, but its switches have {ports} ports into the OCS each; "
             "make pods larger, place the job so that fewer pods talk, or allow transit",)
        )  # fmt: skip
    return _most_needed_first(wanted, circuits, ports)


def share_all_ports(demand: Array, ports: int) -> Array:
    """The same where traffic may go over a third pod: no port is left dark, and pairs need no circuit of their own.

    Where pods have more partners than ports, enough ports for two hops from anywhere to anywhere come first.

    Args:
        demand: as in ``share_ports``.
        ports: likewise.

    Returns:
        int64[P, P], every row and column sum ``ports``; less for one pod at most where pods have more partners than
        ports.

    Raises:
        NotBuildableError: two hops do not lead from anywhere to anywhere.
        InputError: the demand is no square matrix of amounts.
    """
    wanted = off_diagonal(demand)
    needed, kept = (wanted > 0).astype(np.int64), np.zeros(wanted.shape, np.int64)
    if _most_partners(needed) > ports:
        needed = kept = _two_hops_to_all(len(wanted), ports)
    return _none_dark(_most_needed_first(wanted, needed, ports), kept, ports)


def share_with_heaviest(demand: Array, ports: int) -> Array:
    """Circuits for the pairs with most traffic; others go without. Each to who has most traffic per circuit with it.

    Args:
        demand: as in ``share_ports``.
        ports: likewise.

    Returns:
        int64[P, P], row and column sums at most ``ports``. Equal needs (to 1e-9) are served lowest pair first.

    Raises:
        InputError: the demand is no square matrix of amounts.
    """
    wanted = off_diagonal(demand)
    return _most_needed_first(wanted, np.zeros(wanted.shape, np.int64), ports, is_own=1)


def two_way(demand: Array) -> Array:
    """float64[P, P]: the larger of both ways of each pair. Ports shared by it are as many there as back."""
    amount = off_diagonal(demand)
    return np.maximum(amount, amount.T)


def off_diagonal(demand: Array) -> Array:
    """float64[P, P]: the demand without what stays in its pod.

    Raises:
        InputError: it is no square matrix of finite amounts, 0 or more.
    """
    demand = np.asarray(demand, np.float64)
    if demand.ndim != 2 or demand.shape[0] != demand.shape[1]:
        raise InputError(f"a demand of {' x '.join(map(str, demand.shape))}; expected a square matrix, pods by pods")
    wrong = np.argwhere(~(np.isfinite(demand) & (demand >= 0)))
    if len(wrong):
        a, b = wrong[0].tolist()
        raise InputError(
            f"a demand of {demand[a, b]:g} bytes from pod {a} to pod {b}; expected a finite number, 0 or more"
        )
    return np.where(np.eye(len(demand), dtype=bool), 0.0, demand)


def _most_partners(needed: Array) -> int:
    return int(max(needed.sum(axis=0).max(initial=0), needed.sum(axis=1).max(initial=0)))


def _two_hops_to_all(pods: int, ports: int) -> Array:
    """int64[P, P]: pod i sends to -d i - a for a = 1..d, which reaches d**2 pods in two hops [Imase and Itoh 1983]."""
    degree = next((d for d in range(1, ports + 1) if d * d >= pods), 0)
    if not degree:
        raise NotBuildableError(
            (f"{pods} pods with {ports} ports into the OCS each reach {ports**2} pods in two hops",)
        )
    src, offset = np.divmod(np.arange(pods * degree), degree)
    needed = np.zeros((pods, pods), np.int64)
    needed[src, -(degree * src + offset + 1) % pods] = 1
    np.fill_diagonal(needed, 0)
    return needed


def _none_dark(circuits: Array, kept: Array, ports: int) -> Array:
    """Join free ports: of two pods with fewest circuits between them, or of a single pod by way of a circuit of others.

    That circuit from x to y, of those with most, gives way to one from x to the pod and one from there to y: over both,
    traffic from x to y loses nothing. Circuits in ``kept`` stay.
    """
    circuits = circuits.copy()
    while True:
        free_out, free_in = circuits.sum(axis=1) < ports, circuits.sum(axis=0) < ports
        joined = free_out[:, None] & free_in
        np.fill_diagonal(joined, False)
        if joined.any():
            a, b = np.unravel_index(np.where(joined, circuits, np.iinfo(np.int64).max).argmin(), circuits.shape)
            circuits[a, b] += 1
            continue
        (alone,) = np.nonzero(free_out)
        spare = circuits - kept
        spare[alone, :] = spare[:, alone] = 0
        if not len(alone) or spare.max() <= 0:
            return circuits
        x, y = np.unravel_index(spare.argmax(), spare.shape)
        circuits[x, y] -= 1
        circuits[x, alone] += 1
        circuits[alone, y] += 1


def _most_needed_first(wanted: Array, needed: Array, ports: int, is_own: int = 0) -> Array:
    """int64[P, P]: ``needed`` circuits, then one after the other to who has most traffic per circuit.

    With ``is_own`` 1 the circuit that is given away is counted: who has none does not come first.
    """
    circuits = needed.copy()
    free_out, free_in = ports - circuits.sum(axis=1), ports - circuits.sum(axis=0)
    scale = wanted.max(initial=0.0) or 1.0
    queue = [
        (-round(wanted[a, b] / scale / max(needed[a, b] + is_own, 1), 9), int(a), int(b))
        for a, b in zip(*np.nonzero(wanted), strict=True)
    ]
    heapq.heapify(queue)
    while queue:
        _, a, b = heapq.heappop(queue)
        if free_out[a] and free_in[b]:
            circuits[a, b] += 1
            free_out[a] -= 1
            free_in[b] -= 1
            heapq.heappush(queue, (-round(wanted[a, b] / scale / (circuits[a, b] + is_own), 9), a, b))
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
