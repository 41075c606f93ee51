"""Shares of ports and matchings, as properties of what they promise."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cluster_sim.core import InputError, NotBuildableError
from cluster_sim.topology.matching import matchings, share_all_ports, share_ports, share_with_heaviest, two_way


@st.composite
def demands(draw):
    """(demand, ports): traffic between up to 6 pods, with as many ports as partners at least."""
    pods = draw(st.integers(1, 6))
    sizes = st.sampled_from([0.0, 0.0, 1.0, 2.0, 3.5, 1e-6, 1e12])
    demand = np.array(draw(st.lists(st.lists(sizes, min_size=pods, max_size=pods), min_size=pods, max_size=pods)))
    partners = partners_of(demand)
    return demand, draw(st.integers(max(1, partners), partners + 6))


def partners_of(demand):
    """Most pods that any pod sends to or receives from."""
    is_wanted = (demand > 0) & ~np.eye(len(demand), dtype=bool)
    return int(max(is_wanted.sum(axis=0).max(), is_wanted.sum(axis=1).max()))


@given(demands())
@settings(deadline=None, max_examples=60)
def test_no_pod_gets_more_circuits_than_ports_and_every_demand_gets_one(problem):
    """Also: no traffic, no circuit; and no circuit from a pod to itself."""
    demand, ports = problem
    circuits = share_ports(demand, ports)
    np.fill_diagonal(demand, 0.0)
    assert (circuits.sum(axis=0) <= ports).all()
    assert (circuits.sum(axis=1) <= ports).all()
    assert ((circuits > 0) == (demand > 0)).all()


@given(demands())
@settings(deadline=None, max_examples=60)
def test_no_port_stays_dark_that_a_demand_could_use(problem):
    """Where a pod has a free port out and another a free port in, the one has no traffic for the other."""
    demand, ports = problem
    circuits = share_ports(demand, ports)
    np.fill_diagonal(demand, 0.0)
    free_out, free_in = circuits.sum(axis=1) < ports, circuits.sum(axis=0) < ports
    assert not (free_out[:, None] & free_in & (demand > 0)).any()


@given(demands())
@settings(deadline=None, max_examples=60)
def test_nobody_with_two_circuits_has_less_traffic_on_each_than_a_neighbour_has_on_its_own(problem):
    """
    Greatest traffic per circuit first: a pair's last circuit went to it when demand / (circuits - 1) was the greatest
    among all pairs with free ports, so no pair of the same sender and receiver now has more on each of its circuits
    unless its other end is full.
    """
    demand, ports = problem
    circuits = share_ports(demand, ports)
    np.fill_diagonal(demand, 0.0)
    full_in = circuits.sum(axis=0) == ports
    for a, b in zip(*np.nonzero(circuits > 1), strict=True):
        before = demand[a, b] / (circuits[a, b] - 1)
        for c in np.flatnonzero((circuits[a] > 0) & ~full_in):
            assert demand[a, c] / circuits[a, c] <= before * (1 + 1e-8) + 1e-8 * demand.max()


@given(st.integers(2, 6), st.lists(st.integers(0, 10**6), min_size=1, max_size=8), st.sampled_from([1.0, 0.3, 7e9]))
@settings(deadline=None, max_examples=60)
def test_ports_are_shared_in_proportion_where_that_divides(pods, turns, scale):
    """
    Demand made of whole circuits, ``scale`` bytes on each, that use every port: the sum of as many permutations
    without fixed points as there are ports. The shares are that very matrix.
    """
    wanted = np.zeros((pods, pods), np.int64)
    for turn in turns:
        wanted[np.arange(pods), (np.arange(pods) + 1 + turn % (pods - 1)) % pods] += 1
    assert (share_ports(wanted * scale, len(turns)) == wanted).all()


def test_equal_needs_are_served_lowest_pair_first():
    """Pod 0 has 3 ports for pods 1 and 2, with equal traffic: the third port goes to pod 1."""
    demand = np.array([[0, 5, 5], [0, 0, 0], [0, 0, 0]], float)
    assert share_ports(demand, 3).tolist() == [[0, 2, 1], [0, 0, 0], [0, 0, 0]]


def test_the_diagonal_is_ignored():
    """Traffic inside a pod takes no circuit, however much it is."""
    assert share_ports(np.array([[1e9, 1.0], [1.0, 1e9]]), 2).tolist() == [[0, 2], [2, 0]]


def test_more_partners_than_ports_are_not_buildable():
    """Each of 4 pods talks to 3 others; 2 ports do not reach them all. It counts who receives, too."""
    with pytest.raises(NotBuildableError, match="traffic with 3 others, but its switches have 2 ports"):
        share_ports(np.ones((4, 4)), 2)
    to_one = np.zeros((4, 4))
    to_one[1:, 0] = 1.0
    with pytest.raises(NotBuildableError, match="traffic with 3 others"):
        share_ports(to_one, 2)


@given(demands())
@settings(deadline=None, max_examples=60)
def test_matchings_make_the_circuits_exactly_and_each_is_a_matching(problem):
    """In a slot no pod sends twice (a row has one entry) nor receives twice; over all slots, each circuit once."""
    demand, ports = problem
    circuits = share_ports(demand, ports)
    slots = matchings(circuits, ports)
    made = np.zeros_like(circuits)
    assert slots.shape == (ports, len(circuits))
    for partner in slots:
        lit = np.flatnonzero(partner >= 0)
        assert len(set(partner[lit])) == len(lit)
        made[lit, partner[lit]] += 1
    assert (made == circuits).all()


@given(st.integers(1, 5), st.integers(1, 6), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=60)
def test_matchings_exist_for_any_circuits_within_the_ports(pods, ports, random):
    """Any matrix with row and column sums up to the ports, not only what share_ports gives (König 1916)."""
    circuits = np.zeros((pods, pods), np.int64)
    for _ in range(ports * pods):
        a, b = random.randrange(pods), random.randrange(pods)
        if circuits[a].sum() < ports and circuits[:, b].sum() < ports:
            circuits[a, b] += 1
    assume(circuits.any())
    slots = matchings(circuits, ports)
    made = np.zeros_like(circuits)
    slot, pod = np.nonzero(slots >= 0)
    np.add.at(made, (pod, slots[slot, pod]), 1)
    assert (made == circuits).all()
    assert all(len(set(partner[partner >= 0])) == (partner >= 0).sum() for partner in slots)


@given(demands())
@settings(deadline=None, max_examples=60)
def test_with_transit_every_port_is_used_and_every_demand_is_at_most_two_hops_away(problem):
    """Two pods or more, and as many ports as any pod has partners."""
    demand, ports = problem
    assume(len(demand) > 1)
    circuits = share_all_ports(demand, ports)
    assert (circuits.sum(axis=0) == ports).all()
    assert (circuits.sum(axis=1) == ports).all()
    assert (np.diag(circuits) == 0).all()
    assert ((circuits + circuits @ circuits > 0) | (demand == 0) | np.eye(len(demand), dtype=bool)).all()


@given(st.integers(2, 30), st.integers(1, 12), st.booleans())
@settings(deadline=None, max_examples=60)
def test_pods_with_more_partners_than_ports_are_two_hops_from_everybody(pods, ports, is_skewed):
    """ports**2 >= pods is what it takes; a single port each way may stay dark."""
    assume(ports < pods - 1 <= ports**2 - 1)
    demand = np.ones((pods, pods))
    if is_skewed:
        demand[0, 1] = 100.0
    circuits = share_all_ports(demand, ports)
    assert (circuits + circuits @ circuits + np.eye(pods) > 0).all()
    for axis in (0, 1):
        assert (circuits.sum(axis=axis) <= ports).all()
        assert (circuits.sum(axis=axis) < ports).sum() <= 1


def test_a_port_that_nobody_can_be_joined_to_takes_over_from_others():
    """
    3 pods with 3 ports, most traffic between 1 and 2: greedily pod 0 gets one circuit to and from each, and has a port
    left that no other pod has. One of the two circuits from 1 to 2 goes over pod 0 instead.
    """
    demand = np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 9.0], [1.0, 9.0, 0.0]])
    assert share_ports(demand, 3).tolist() == [[0, 1, 1], [1, 0, 2], [1, 2, 0]]
    assert share_all_ports(demand, 3).tolist() == [[0, 1, 2], [2, 0, 1], [1, 2, 0]]


@pytest.mark.parametrize("share", [share_ports, share_all_ports])
@pytest.mark.parametrize(
    ("demand", "message"),
    [
        (np.ones((2, 3)), "a demand of 2 x 3; expected a square matrix"),
        (np.ones(4), "a demand of 4; expected a square matrix"),
        (np.array([[0.0, -1.0], [1.0, 0.0]]), "-1 bytes from pod 0 to pod 1; expected a finite number, 0 or more"),
        (np.array([[0.0, 1.0], [np.nan, 0.0]]), "nan bytes from pod 1 to pod 0"),
    ],
)
def test_a_demand_is_a_square_matrix_of_amounts(share, demand, message):
    with pytest.raises(InputError, match=message):
        share(demand, 4)


@given(demands())
@settings(deadline=None, max_examples=60)
def test_two_way_demands_get_as_many_circuits_back_as_there(problem):
    """As circulators need it."""
    demand, ports = problem
    both = two_way(demand)
    assume(partners_of(both) <= ports)
    for share in (share_ports, share_with_heaviest):
        circuits = share(both, ports)
        assert (circuits == circuits.T).all()


@given(demands())
@settings(deadline=None, max_examples=60)
def test_the_heaviest_pairs_leave_no_port_that_a_demand_could_use(problem):
    """Within the ports, and only for demands."""
    demand, ports = problem
    circuits = share_with_heaviest(demand, ports)
    np.fill_diagonal(demand, 0.0)
    assert (circuits.sum(axis=0) <= ports).all()
    assert (circuits.sum(axis=1) <= ports).all()
    assert (demand[circuits > 0] > 0).all()
    free_out, free_in = circuits.sum(axis=1) < ports, circuits.sum(axis=0) < ports
    assert not (free_out[:, None] & free_in & (demand > 0)).any()


def test_a_pair_gets_its_first_circuit_when_it_has_most_for_it():
    """2 ports, 9 parts against 4: 9, then 4.5 for a second circuit before 4 for a first. 7 would come before 4.5."""
    demand = np.zeros((3, 3))
    demand[0, 1], demand[0, 2] = 9.0, 4.0
    assert share_with_heaviest(demand, 2).tolist() == [[0, 2, 0], [0, 0, 0], [0, 0, 0]]
    demand[0, 2] = 7.0
    assert share_with_heaviest(demand, 2).tolist() == [[0, 1, 1], [0, 0, 0], [0, 0, 0]]
