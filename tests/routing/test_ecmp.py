"""ECMP: one path per pair, picked by a hash."""

from math import isqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster_sim.core import NotBuildableError
from cluster_sim.routing import Ecmp
from cluster_sim.tables import NONE, Traffic
from cluster_sim.topology import FatTree
from tests.networks import (
    KEY,
    SMALL,
    all_pairs,
    all_paths,
    equipment,
    links_of_tier,
    payload_bytes_per_s,
    rates_of,
    small_circuits,
    small_fabric,
)
from tests.routing.mixes import hops_between, is_one_of

KEYS = st.integers(0, 2**64 - 1)


def routed(fabric, circuits, src, dst, key=KEY, size_bytes=1.0):
    return Ecmp().route(Traffic.between(np.asarray(src), np.asarray(dst), size_bytes), fabric, circuits, key)


def rows_of(flows):
    """Rows of every flow, as a list of sets."""
    return [set(part.tolist()) for part in np.split(flows.hop_row, flows.hop_starts[1:-1])]


@pytest.mark.parametrize("name", SMALL)
def test_a_flow_crosses_the_links_of_one_candidate_path(name):
    """Every pair once: its rows are those of the links of one of its candidates, each with weight 1."""
    fabric, circuits = small_fabric(name), small_circuits(name)
    src, dst = all_pairs(fabric)
    flows = routed(fabric, circuits, src, dst)
    link_row = Ecmp().rows(fabric, circuits).link_row
    assert (flows.hop_weight == 1.0).all()
    for rows, paths in zip(rows_of(flows), all_paths(fabric, src, dst, circuits), strict=True):
        assert rows in [set(link_row[path].tolist()) for path in paths]


@pytest.mark.parametrize("name", SMALL)
def test_a_flow_waits_for_the_latencies_of_its_path(name):
    """The links of its rows, both ends of a circuit among them."""
    fabric, circuits = small_fabric(name), small_circuits(name)
    flows = routed(fabric, circuits, *all_pairs(fabric))
    link_row = Ecmp().rows(fabric, circuits).link_row
    for rows, latency_s in zip(rows_of(flows), flows.latency_s, strict=True):
        links = np.flatnonzero(np.isin(link_row, sorted(rows)))
        assert latency_s == pytest.approx(fabric.links.latency_s[links].sum(), rel=1e-12)


@given(KEYS, st.permutations(range(20)))
@settings(deadline=None, max_examples=40)
def test_a_pair_keeps_its_path_whoever_else_sends(key, order):
    """The hash sees sender, receiver and key: neither the order of the flows nor their number changes a path."""
    fabric = small_fabric("fat tree")
    src, dst = (ends[::12] for ends in all_pairs(fabric))
    together = rows_of(routed(fabric, None, src, dst, key))
    shuffled = rows_of(routed(fabric, None, src[list(order)], dst[list(order)], key))
    assert shuffled == [together[i] for i in order]
    assert rows_of(routed(fabric, None, src[:1], dst[:1], key)) == together[:1]


def test_another_key_gives_other_paths():
    """1 and 2 are keys of two jobs: of the pairs with 4 candidates about a quarter agree."""
    fabric = small_fabric("fat tree")
    src, dst = all_pairs(fabric)
    far = fabric.paths.count(src, dst, None) == 4
    one, two = (rows_of(routed(fabric, None, src[far], dst[far], key)) for key in (1, 2))
    agree = np.mean([a == b for a, b in zip(one, two, strict=True)])
    assert 0.1 < agree < 0.4


def test_there_and_back_are_hashed_apart():
    """A pair's way back is not tied to its way there: about a quarter of 4 candidates agree."""
    choice = Ecmp().choose
    src, dst = all_pairs(small_fabric("fat tree"))
    agree = choice(np.full(len(src), 4), src, dst, KEY) == choice(np.full(len(src), 4), dst, src, KEY)
    assert 0.1 < agree.mean() < 0.4


@given(KEYS, st.sampled_from([2, 3, 4, 7, 16, 64]))
@settings(deadline=None, max_examples=40)
def test_pairs_spread_evenly_over_their_candidates(key, num_paths):
    """
    100 x 99 pairs over k candidates: a fair hash gives each N/k +- sqrt(N/k); six standard deviations are allowed.
    """
    src, dst = (ends.astype(np.int32) for ends in np.nonzero(~np.eye(100, dtype=bool)))
    chosen = Ecmp().choose(np.full(len(src), num_paths), src, dst, key)
    times = np.bincount(chosen, minlength=num_paths)
    assert len(times) == num_paths
    assert np.abs(times - len(src) / num_paths).max() < 6 * np.sqrt(len(src) / num_paths)


@given(KEYS, st.integers(0, 99), st.sampled_from([2, 4, 16]))
@settings(deadline=None, max_examples=40)
def test_flows_of_one_sender_spread_too(key, sender, num_paths):
    """1000 receivers: neighbours in number are not neighbours in path."""
    dst = np.arange(100, 1100, dtype=np.int32)
    chosen = Ecmp().choose(np.full(1000, num_paths), np.full(1000, sender, np.int32), dst, key)
    times = np.bincount(chosen, minlength=num_paths)
    assert np.abs(times - 1000 / num_paths).max() < 6 * np.sqrt(1000 / num_paths)


@given(KEYS)
@settings(deadline=None, max_examples=40)
def test_a_choice_is_one_of_the_candidates(key):
    num_paths = np.arange(1, 200)
    chosen = Ecmp().choose(num_paths, np.arange(199, dtype=np.int32), np.full(199, 500, np.int32), key)
    assert (chosen >= 0).all()
    assert (chosen < num_paths).all()


def test_every_link_is_a_row_with_its_own_capacity():
    fabric = small_fabric("clos")
    rows = Ecmp().rows(fabric, None)
    assert rows.link_row.tolist() == list(range(len(fabric.links)))
    assert (rows.capacity_bytes_per_s == fabric.links.capacity_bytes_per_s).all()


def test_links_into_an_ocs_are_dark_without_a_circuit():
    """Traffic from pod 0 to pod 1 only: what light takes is lit, and every other link of the tier carries nothing."""
    fabric, demand = small_fabric("ocs"), np.zeros((3, 3))
    demand[0, 1] = 1.0
    circuits = fabric.planner.connect(demand)
    rows = Ecmp().rows(fabric, circuits)
    into_ocs = np.flatnonzero(fabric.links.tier == fabric.tiers.index("spine_ocs"))
    lit = into_ocs[rows.link_row[into_ocs] != NONE]
    assert sorted(lit) == sorted([*circuits.in_link, *circuits.out_link])
    assert (rows.capacity_bytes_per_s[rows.link_row[lit]] > 0).all()
    assert (rows.link_row[circuits.in_link] == rows.link_row[circuits.out_link]).all()


def test_a_circuit_of_another_setting_has_no_capacity():
    """Pod 0 talks to pod 1 under the first setting and to pod 2 under the second, through the same ports."""
    fabric, first, second = small_fabric("ocs"), np.zeros((3, 3)), np.zeros((3, 3))
    first[0, 1] = second[0, 2] = 1.0
    settings = (fabric.planner.connect(first), fabric.planner.connect(second))
    rows = Ecmp().rows_of_settings(fabric, settings)
    for mine, other in ((0, 1), (1, 0)):
        own = rows[mine].link_row[settings[mine].in_link]
        assert (rows[mine].capacity_bytes_per_s[own] > 0).all()
        assert (rows[other].capacity_bytes_per_s[own] == 0).all()


def test_a_pair_without_a_circuit_is_named():
    """Pod 0 sends only to pod 1; accelerator 0 cannot reach accelerator 16 in pod 2."""
    fabric, demand = small_fabric("ocs"), np.zeros((3, 3))
    demand[0, 1] = 1.0
    with pytest.raises(NotBuildableError, match="endpoint 0 has no path to endpoint 16"):
        routed(fabric, fabric.planner.connect(demand), [0, 0], [8, 16])


def test_no_traffic_gives_no_flows():
    flows = Ecmp().route(Traffic.none(), small_fabric("clos"), None, KEY)
    assert len(flows) == len(flows.hop_row) == 0


@pytest.mark.parametrize("name", SMALL)
def test_a_polarised_flow_crosses_the_links_of_one_candidate_path_too(name):
    fabric, circuits = small_fabric(name), small_circuits(name)
    src, dst = all_pairs(fabric)
    carried = hops_between(Ecmp(polarised=True), fabric, src, dst, circuits)
    for mine, paths in zip(carried, all_paths(fabric, src, dst, circuits), strict=True):
        assert is_one_of(mine, paths, len(fabric.links))


def test_polarised_hashes_use_one_core_switch_of_every_spine():
    """
    k=8: 8 pods of 4 spines, each with 4 links up. All pairs together use all 8 x 4 x 4; where the spine hashes as the
    leaf has, spine s sees only flows that choose s again: 8 x 4 are left.
    """
    fabric = FatTree().build(equipment(128, ports=8))
    up = links_of_tier(fabric, "spine_core")[::2]
    for routing, used in ((Ecmp(), 128), (Ecmp(polarised=True), 32)):
        edge, link, _ = routing.hops(Traffic.between(*all_pairs(fabric), 1.0), fabric, None, KEY, None)
        assert len(np.unique(link[np.isin(link, up)])) == used
        assert len(np.unique(edge)) == 128 * 127


@given(KEYS, st.integers(1, 10**12))
@settings(deadline=None, max_examples=40)
def test_a_polarised_choice_is_one_of_the_square_root_of_the_candidates(key, num_paths):
    src, dst = np.arange(200, dtype=np.int32), np.full(200, 500, np.int32)
    chosen = Ecmp(polarised=True).choose(np.full(200, num_paths), src, dst, key)
    ways = isqrt(num_paths)
    assert set(chosen.tolist()) <= {way * (num_paths // ways) + way for way in range(ways)}
    assert (chosen < num_paths).all()


@pytest.mark.parametrize("name", ["fat tree", "torus", "ocs"])
def test_queue_pairs_are_flows_of_equal_parts_over_candidate_paths(name):
    """Three transfers, the last in a second round, as 5 flows each: 10 of the first round, then 5, a fifth in each."""
    fabric, circuits = small_fabric(name), small_circuits(name)
    src, dst = np.array([0, 3], np.int32), np.array([9, 6], np.int32)
    traffic = Traffic.in_rounds(Traffic.between(src, dst, 10.0), Traffic.between(src[:1], dst[:1], 20.0))
    flows = Ecmp(flows_per_pair=5).route(traffic, fabric, circuits, KEY)
    assert flows.round.tolist() == [0] * 10 + [1] * 5
    assert flows.size_bytes.tolist() == [2.0] * 10 + [4.0] * 5
    link_row = Ecmp().rows(fabric, circuits).link_row
    there = [[set(link_row[path].tolist()) for path in paths] for paths in all_paths(fabric, src, dst, circuits)]
    for number, rows in enumerate(rows_of(flows)):
        assert rows in there[number % 2 if number < 10 else 0]


def test_queue_pairs_are_hashed_apart():
    """Of the pairs with 4 candidates, a quarter of the second queue pairs take the path of the first."""
    fabric = small_fabric("fat tree")
    src, dst = all_pairs(fabric)
    far = fabric.paths.count(src, dst, None) == 4
    flows = rows_of(Ecmp(flows_per_pair=2).route(Traffic.between(src[far], dst[far], 1.0), fabric, None, KEY))
    agree = np.mean([one == other for one, other in zip(flows[: far.sum()], flows[far.sum() :], strict=True)])
    assert 0.1 < agree < 0.4
    assert flows[: far.sum()] == rows_of(routed(fabric, None, src[far], dst[far]))


def test_queue_pairs_spread_a_transfer_over_more_links():
    """
    k=4: 0 sends to 4 and 1 to 5, from one leaf to another. On one path each they collide on a link up with probability
    1/2 or more; of 64 queue pairs each, either uplink gets about half, and both send at nearly their full rate.
    """
    fabric, src, dst = small_fabric("fat tree"), np.array([0, 1]), np.array([4, 5])
    flows = Ecmp(flows_per_pair=64).route(Traffic.between(src, dst, 64.0), fabric, None, KEY)
    rate = rates_of(flows, Ecmp().rows(fabric, None).capacity_bytes_per_s).reshape(64, 2).sum(axis=0)
    assert rate.sum() > 1.7 * payload_bytes_per_s()
