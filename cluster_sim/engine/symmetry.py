"""Which flows and rows nothing can tell apart, without writing out what groups of ranks do alike.

Groups that run the same collective are compared as wholes: a group is a node of a graph whose neighbours are the
bundles that its ranks hang from, labelled with the position of the rank. Groups of one class, in the coarsest equitable
partition, are images of each other, so the pairs of one of them stand for those of all. What is left is small, and
refined once more flow by flow.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from cluster_sim.backend import Backend
from cluster_sim.kernels import FlowTable, Quotient, added_up, equitable, refine, scrambled
from cluster_sim.tables import Array, Fabric, Flows, Rows, Traffic, starts_of


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """Classes of flows over classes of rows.

    Attributes:
        table: what may flow.
        row_class: int32[R], class of each row.
        row: int64[K], one row of each class.
        num_flows: flows that the classes stand for.
    """

    table: FlowTable
    row_class: Array
    row: Array
    num_flows: int


def merge(
    sent: list[Flows | Traffic],
    route_patterns: Array,
    rows: tuple[Rows, ...],
    fabric: Fabric,
    route: Callable[[Traffic], Flows],
    backend: Backend | None = None,
) -> Merged:
    """One table of everything that is sent; flows of different patterns are never merged.

    Args:
        sent: flows, or traffic in groups, one for each route.
        route_patterns: int64[routes+1], where each route's patterns start.
        rows: with the capacities of every setting.
        fabric: where all of it is sent.
        route: turns traffic into flows, over rows.
        backend: what refines; None for NumPy.
    """
    capacities = tuple(row.capacity_bytes_per_s for row in rows)
    if not any(isinstance(part, Traffic) for part in sent):
        flows = [part for part in sent if isinstance(part, Flows)]
        return _refined(flows, route_patterns, capacities, backend)
    reduced, row_class, row = _one_of_each(sent, route_patterns, capacities, fabric, route, backend)
    small = _refined(reduced, route_patterns, tuple(capacity[row] for capacity in capacities), backend)
    num_flows = sum(part.num_transfers if isinstance(part, Traffic) else len(part) for part in sent)
    return Merged(small.table, small.row_class[row_class], row[small.row], num_flows)


def _refined(
    flows: list[Flows], route_patterns: Array, capacities: tuple[Array, ...], backend: Backend | None
) -> Merged:
    """Refined flow by flow."""
    pattern = np.concatenate([flow.round + route_patterns[number] for number, flow in enumerate(flows)])
    assert np.all(pattern[1:] >= pattern[:-1]), "rounds of a traffic are in order"
    size = np.concatenate([flow.size_bytes for flow in flows])
    latency_s = np.concatenate([flow.latency_s for flow in flows])
    quotient = refine(
        starts_of(np.concatenate([np.diff(flow.hop_starts) for flow in flows])),
        np.concatenate([flow.hop_row for flow in flows]),
        np.concatenate([flow.hop_weight for flow in flows]),
        colour_of(pattern.astype(np.float64), size, latency_s),
        colour_of(*capacities),
        backend,
    )
    table = _table(quotient, pattern, size, latency_s, int(route_patterns[-1]))
    return Merged(table, quotient.row_class, quotient.row, len(pattern))


def _table(quotient: Quotient, pattern: Array, size: Array, latency_s: Array, num_patterns: int) -> FlowTable:
    first = quotient.flow
    class_pattern = pattern[first].astype(np.int32)
    return FlowTable(
        pattern=class_pattern, pattern_starts=starts_of(np.bincount(class_pattern, minlength=num_patterns)),
        size_bytes=size[first], latency_s=latency_s[first], hop_starts=quotient.hop_starts, hop_row=quotient.hop_row,
        hop_weight=quotient.hop_weight,
    )  # fmt: skip


def colour_of(*columns: Array) -> Array:
    """int64[n]: equal where all columns are equal, ascending with the first."""
    order = np.lexsort(columns[::-1])
    sorted_columns = np.stack(columns)[:, order]
    new = np.zeros(len(order), np.int64)
    new[1:] = (sorted_columns[:, 1:] != sorted_columns[:, :-1]).any(axis=0)
    colour = np.empty(len(order), np.int64)
    colour[order] = np.cumsum(new)
    return colour


def _one_of_each(
    sent: list[Flows | Traffic], route_patterns: Array, capacities: tuple[Array, ...], fabric: Fabric,
    route: Callable[[Traffic], Flows],
    backend: Backend | None,
) -> tuple[list[Flows], Array, Array]:  # fmt: skip
    """(flows of one group or flow of each class over classes of rows, class of each row, one row of each class)."""
    things = [_things(part, int(route_patterns[number]), fabric) for number, part in enumerate(sent)]
    starts = starts_of(np.array([len(thing.colour) for thing in things]))
    thing_class, node_class = equitable(
        starts_of(np.concatenate([thing.counts for thing in things])),
        np.concatenate([thing.node for thing in things]),
        np.concatenate([thing.label for thing in things]),
        np.concatenate([thing.colour for thing in things]).view(np.int64),
        _colour_of_nodes(capacities),
        backend,
    )
    # A bundle and the one the other way are one node.
    way = np.arange(len(capacities[0])) % 2
    key = np.repeat(node_class, 2)[: len(way)].astype(np.int64) * 2 + way
    row_class = np.unique(key, return_inverse=True)[1].reshape(-1).astype(np.int32)
    _, row = np.unique(row_class, return_index=True)
    num_rows = np.bincount(row_class)
    reduced = []
    for number, part in enumerate(sent):
        mine = thing_class[starts[number] : starts[number + 1]]
        _, first, count = np.unique(mine, return_index=True, return_counts=True)
        order = np.argsort(first)
        chosen, times = first[order], count[order]
        flows = route(part.written_out(chosen)) if isinstance(part, Traffic) else part.chosen(chosen)
        times_of_flow = np.repeat(times, len(flows) // max(len(chosen), 1))
        if isinstance(part, Traffic):  # routing has sorted them by round
            times_of_flow = times_of_flow[np.argsort(np.tile(part.round, len(chosen)), kind="stable")]
        reduced.append(_over_classes(flows, times_of_flow, row_class, num_rows))
    return reduced, row_class, row


@dataclass(frozen=True, slots=True, eq=False)
class _Things:
    """Groups or flows as nodes of a graph: ``counts`` hops each, over nodes of two rows, with labels."""

    colour: Array
    counts: Array
    node: Array
    label: Array


def _things(part: Flows | Traffic, first_pattern: int, fabric: Fabric) -> _Things:
    if isinstance(part, Traffic):
        return _groups(part, first_pattern, fabric)
    colour = _mixed(part.round + first_pattern, part.size_bytes, part.latency_s)
    label = scrambled(part.hop_weight.view(np.uint64) ^ (part.hop_row.astype(np.uint64) & np.uint64(1)))
    return _Things(colour, np.diff(part.hop_starts), part.hop_row // 2, label)


def _groups(traffic: Traffic, pattern: int, fabric: Fabric) -> _Things:
    """A group by what its ranks hang from, as far as it comes into play, and by where any two of them part."""
    assert traffic.ranks is not None
    found = fabric.paths.places(traffic.ranks.ravel().astype(np.int64))
    assert found is not None
    shape, (places, ups) = traffic.ranks.shape, found
    position = np.tile(np.arange(shape[1], dtype=np.uint64), shape[0])
    at_first = [_first_alike(place.reshape(shape)).ravel() for place in places]
    crossed = [_is_crossed(level, shape, at_first) for level in range(len(ups))]
    latency_s = [
        np.where(crossed[level], fabric.links.latency_s[up + way], 0.0)
        for level, up in enumerate(ups)
        for way in (0, 1)
    ]
    of_ranks = _mixed(position, *at_first, *latency_s).reshape(shape)
    colour = scrambled(of_ranks.sum(axis=1, dtype=np.uint64) + np.uint64(pattern))
    label = scrambled(position[:, None] * np.uint64(len(ups)) + np.arange(len(ups), dtype=np.uint64))
    is_hop = np.stack(crossed, axis=1)
    return _Things(
        colour, is_hop.reshape(shape[0], -1).sum(axis=1), fabric.links.bundle[ups.T[is_hop]] // 2, label[is_hop]
    )


def _is_crossed(level: int, shape: tuple[int, ...], at_first: list[Array]) -> Array:
    """bool[G * n]: whether any path of the group's goes up or down this link of the rank; see PathFinder.places."""
    place = at_first[max(level - 1, 0)].reshape(shape)
    if level == 0:
        sharing = np.zeros(shape, np.int64)
        np.add.at(sharing, (np.arange(shape[0])[:, None], place), 1)
        return np.asarray(np.take_along_axis(sharing, place, axis=1) > 1).ravel()
    return np.repeat((place != 0).any(axis=1), shape[1])


def _first_alike(place: Array) -> Array:
    """int64[G, n]: the first position in each row that has the same value."""
    order = np.argsort(place, axis=1, kind="stable")
    ordered = np.take_along_axis(place, order, axis=1)
    is_new = np.ones(place.shape, bool)
    is_new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    run = np.maximum.accumulate(np.where(is_new, np.arange(place.shape[1]), 0), axis=1)
    first = np.empty(place.shape, np.int64)
    np.put_along_axis(first, order, np.take_along_axis(order, run, axis=1), axis=1)
    return first


def _colour_of_nodes(capacities: tuple[Array, ...]) -> Array:
    """int64[ceil(R/2)]: equal where both rows have equal capacities under every setting."""
    even = [np.append(capacity, 0.0)[: len(capacity) + len(capacity) % 2] for capacity in capacities]
    return _mixed(*(capacity[way::2] for capacity in even for way in (0, 1))).view(np.int64)


def _mixed(*columns: Array) -> Array:
    """uint64[n]: a hash of all columns."""
    mixed = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        bits = column.view(np.uint64) if column.dtype == np.float64 else column.astype(np.uint64)
        mixed = scrambled(mixed ^ bits)
    return mixed


def _over_classes(flows: Flows, times: Array, row_class: Array, num_rows: Array) -> Flows:
    """Each flow for as many of its kind, over classes of rows: the load on one row of the class by all of them."""
    hop_class = row_class[flows.hop_row]
    weight = flows.hop_weight * times[flows.hop_flow] / num_rows[hop_class]
    hop_starts, hop_row, sums = added_up(flows.hop_flow, hop_class, weight, len(flows), len(num_rows))
    return replace(flows, hop_starts=hop_starts, hop_row=hop_row, hop_weight=sums)
