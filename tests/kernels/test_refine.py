from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cluster_sim.backend import Backend, choose_backend
from cluster_sim.kernels import FlowState, Quotient, advance, maxmin_rates, refine, settle, unfair_flows
from cluster_sim.tables import Array
from tests.strategies import Network, flow_table, networks, repeated_networks

NUMPY = choose_backend("numpy")


def by_capacity(network: Network) -> Array:
    """int64[R]: rows of one capacity have one colour."""
    return np.unique(network.capacity, return_inverse=True)[1].astype(np.int64)


def refined(network: Network, flow_colour: Sequence[int] | None = None) -> Quotient:
    """Rows coloured by capacity, flows as given or all alike."""
    colour = np.zeros(len(network), np.int64) if flow_colour is None else np.array(flow_colour, np.int64)
    return refine(network.hop_starts, network.hop_row, network.hop_weight, colour, by_capacity(network))


def seen(network: Network, flow_class: Sequence[Hashable], row_class: Sequence[Hashable]) -> tuple[list, list]:
    """What each flow and each row sees: how many neighbours of which class over which weight."""
    flow_sees = [Counter((row_class[row], weight) for row, weight in hops.items()) for hops in network.flows]
    row_sees: list[Counter] = [Counter() for _ in network.capacity]
    for flow, hops in enumerate(network.flows):
        for row, weight in hops.items():
            row_sees[row][flow_class[flow], weight] += 1
    return [frozenset(c.items()) for c in flow_sees], [frozenset(c.items()) for c in row_sees]


def groups(classes: Sequence[Hashable]) -> set[frozenset[int]]:
    """The partition, whatever the classes are called."""
    members: dict[Hashable, set[int]] = {}
    for i, name in enumerate(classes):
        members.setdefault(name, set()).add(i)
    return {frozenset(group) for group in members.values()}


def coarsest(network: Network, flow_colour: Sequence[int]) -> tuple[set, set]:
    """(flows, rows) refined one round after the other with whole neighbourhoods instead of hashes."""
    flow_class: list[Hashable] = list(flow_colour)
    row_class: list[Hashable] = by_capacity(network).tolist()
    while True:
        flow_sees, row_sees = seen(network, flow_class, row_class)
        flow_names = {key: i for i, key in enumerate(dict.fromkeys(zip(flow_class, flow_sees, strict=True)))}
        row_names = {key: i for i, key in enumerate(dict.fromkeys(zip(row_class, row_sees, strict=True)))}
        counts = len(set(flow_class)), len(set(row_class))
        flow_class = [flow_names[key] for key in zip(flow_class, flow_sees, strict=True)]
        row_class = [row_names[key] for key in zip(row_class, row_sees, strict=True)]
        if counts == (len(flow_names), len(row_names)):
            return groups(flow_class), groups(row_class)


@st.composite
def coloured_networks(draw: st.DrawFn) -> tuple[Network, list[int]]:
    network = draw(st.one_of(networks(), repeated_networks().map(lambda pair: pair[1])))
    return network, draw(st.lists(st.integers(0, 1), min_size=len(network), max_size=len(network)))


@given(coloured_networks())
def test_the_partition_is_equitable(coloured):
    """The definition: flows of one class see the same classes of rows over the same weights, and rows likewise."""
    network, colour = coloured
    quotient = refined(network, colour)
    flow_sees, row_sees = seen(network, quotient.flow_class.tolist(), quotient.row_class.tolist())
    assert [flow_sees[flow] for flow in quotient.flow[quotient.flow_class]] == flow_sees
    assert [row_sees[row] for row in quotient.row[quotient.row_class]] == row_sees


@given(coloured_networks())
def test_no_coarser_partition_would_do(coloured):
    """The same classes as refinement with whole neighbourhoods: nothing is split in vain, no two hashes collide."""
    network, colour = coloured
    quotient = refined(network, colour)
    assert (groups(quotient.flow_class.tolist()), groups(quotient.row_class.tolist())) == coarsest(network, colour)


@given(coloured_networks())
def test_flows_and_rows_of_different_colour_are_never_merged(coloured):
    """And class numbers ascend with the colour."""
    network, colour = coloured
    quotient = refined(network, colour)
    for classes, colours in ((quotient.flow_class, colour), (quotient.row_class, by_capacity(network).tolist())):
        colour_of = dict(zip(classes.tolist(), colours, strict=True))
        assert [colour_of[name] for name in classes.tolist()] == list(colours)
        assert [colour_of[name] for name in sorted(colour_of)] == sorted(colour_of.values())


@given(coloured_networks())
def test_every_flow_is_counted_once(coloured):
    network, colour = coloured
    quotient = refined(network, colour)
    assert quotient.num_flows.sum() == len(network)
    assert quotient.num_flows.tolist() == np.bincount(quotient.flow_class, minlength=len(quotient.flow)).tolist()


@given(coloured_networks())
def test_representatives_are_the_first_of_their_class(coloured):
    network, colour = coloured
    quotient = refined(network, colour)
    for classes, first in ((quotient.flow_class, quotient.flow), (quotient.row_class, quotient.row)):
        assert first.tolist() == [classes.tolist().index(name) for name in range(len(first))]


@given(coloured_networks())
def test_the_quotient_has_the_rates_of_the_whole(coloured):
    """Rates are unique, so flows that nothing tells apart have one rate, which the quotient finds."""
    network, colour = coloured
    quotient = refined(network, colour)
    capacity = network.capacity[quotient.row]
    rate, _ = maxmin_rates(quotient.hop_starts, quotient.hop_row, quotient.hop_weight, capacity, NUMPY)
    whole, _ = maxmin_rates(*network.arrays, NUMPY)
    np.testing.assert_allclose(rate[quotient.flow_class], whole, rtol=1e-12)
    assert unfair_flows(*network.arrays, rate[quotient.flow_class]).tolist() == []


@given(coloured=coloured_networks())
def test_with_what_is_left_to_send_as_colour_the_quotient_ends_when_the_whole_does(backend, coloured):
    """Flows of one class have as much left and one rate, so they end together, and what remains is alike again."""
    network, colour = coloured
    sizes = np.array([3.0, 7.0])[colour]
    quotient = refined(network, colour)
    classes = Network(quotient.hop_starts, quotient.hop_row, quotient.hop_weight, network.capacity[quotient.row])
    ends = end_times(classes, sizes[quotient.flow], backend)[quotient.flow_class]
    np.testing.assert_allclose(ends, end_times(network, sizes, backend), rtol=1e-9)


def end_times(network: Network, sizes: Array, backend: Backend) -> Array:
    """When each flow ends if all start at 0; inf where that never happens."""
    if not len(network):
        return np.zeros(0)
    table = flow_table(network, [0] * len(network), sizes.tolist(), [0.0] * len(network))
    state = FlowState.idle(table, network.capacity)
    state.start(table, 0, 0.0)
    advance(table, state, 0.0, np.inf, backend)
    settle(table, state, state.now_s)
    return state.classes["end_s"]


@given(coloured_networks())
def test_a_row_carries_in_the_quotient_what_it_carries_in_the_whole(coloured):
    """With a rate of its own for every class, each row has the load of its class."""
    network, colour = coloured
    quotient = refined(network, colour)
    rate = np.arange(1.0, len(quotient.flow) + 1)
    weights = rate[quotient.flow_class][network.hop_flow] * network.hop_weight
    load = np.bincount(network.hop_row, weights, minlength=len(network.capacity))
    owner = np.repeat(np.arange(len(quotient.flow)), np.diff(quotient.hop_starts))
    class_load = np.bincount(quotient.hop_row, rate[owner] * quotient.hop_weight, minlength=len(quotient.row))
    np.testing.assert_allclose(class_load[quotient.row_class], load, rtol=1e-12)


@given(repeated_networks())
def test_copies_side_by_side_need_no_more_classes_than_one(pair):
    one, many = pair
    assert len(refined(many).flow) == len(refined(one).flow)
    assert len(refined(many).row) == len(refined(one).row)


def test_a_ring_collapses_to_one_class():
    """Six flows around six links, each over two of them: every flow and every link is like every other."""
    ring = Network.of([{i: 1.0, (i + 1) % 6: 1.0} for i in range(6)], [10.0] * 6)
    quotient = refined(ring)
    assert quotient.num_flows.tolist() == [6]
    assert quotient.hop_row.tolist() == [0]
    assert quotient.hop_weight.tolist() == [2.0]


def test_one_odd_link_splits_a_ring_by_distance():
    """
    Flow i over links i and i+1 of six; link 0 is narrower. Flows 5 and 0 cross it, 4 and 1 are the next, then 3 and 2;
    links: 0 | 1 and 5 | 2 and 4 | 3.
    """
    quotient = refined(Network.of([{i: 1.0, (i + 1) % 6: 1.0} for i in range(6)], [5.0] + [10.0] * 5))
    assert groups(quotient.flow_class.tolist()) == {frozenset(pair) for pair in ({0, 5}, {1, 4}, {2, 3})}
    assert groups(quotient.row_class.tolist()) == {frozenset(group) for group in ({0}, {1, 5}, {2, 4}, {3})}


def test_weights_tell_flows_apart():
    """Two flows over one link with weights 1 and 2: two classes."""
    assert refined(Network.of([{0: 1.0}, {0: 2.0}], [10.0])).num_flows.tolist() == [1, 1]


def test_nothing_has_no_classes():
    quotient = refined(Network.of([], []))
    assert len(quotient.flow) == len(quotient.row) == 0
    assert quotient.hop_starts.tolist() == [0]
