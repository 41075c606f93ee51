"""Packet spraying: a bundle of links is one row, and that changes nothing."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cluster_sim.collectives import Groups, all_to_all
from cluster_sim.routing import Spray
from cluster_sim.tables import Flows, Traffic, starts_of
from cluster_sim.topology import Clos
from tests.networks import (
    KEY,
    SMALL,
    all_paths,
    equipment,
    links_of_tier,
    payload_bytes_per_s,
    rates_of,
    small_circuits,
    small_fabric,
)


@pytest.mark.parametrize("name", SMALL)
def test_a_row_has_the_capacity_of_all_its_links(name):
    """For the far link of a circuit the near one counts: it carries the same bytes."""
    fabric, circuits = small_fabric(name), small_circuits(name)
    rows = Spray().rows(fabric, circuits)
    counted = rows.link_row >= 0
    if circuits is not None:
        counted[circuits.out_link] = False
    total = np.zeros(len(rows.capacity_bytes_per_s))
    np.add.at(total, rows.link_row[counted], fabric.links.capacity_bytes_per_s[counted])
    assert rows.capacity_bytes_per_s == pytest.approx(total, rel=1e-12)


def test_rows_of_a_fat_tree():
    """
    k=4, 16 accelerators: rows for 16 scale-up links and 16 host links each way, for the 2 uplinks of each of 8 leaves,
    and for the 4 of each of 4 pods: 2 x (16 + 16 + 8 + 4) = 88 of 128 links.
    """
    fabric = small_fabric("fat tree")
    rows = Spray().rows(fabric, None)
    assert len(np.unique(rows.link_row)) == len(rows.capacity_bytes_per_s) == 88
    for tier, members in (("host_leaf", 1), ("leaf_spine", 2), ("spine_core", 4)):
        capacity = rows.capacity_bytes_per_s[rows.link_row[links_of_tier(fabric, tier)]]
        assert capacity == pytest.approx(members * payload_bytes_per_s())


def test_circuits_of_a_pair_of_pods_are_one_row():
    """6 of the 8 uplinks of pod 0 lead to pod 1 when it gets 3 parts of its traffic in 4."""
    fabric = small_fabric("ocs")
    circuits = fabric.planner.connect(np.array([[0, 3, 1], [1, 0, 3], [3, 1, 0]], float))
    rows = Spray().rows(fabric, circuits)
    mine = rows.link_row[circuits.in_link[(circuits.src_pod == 0) & (circuits.dst_pod == 1)]]
    assert len(mine) == 6
    assert len(set(mine)) == 1
    assert rows.capacity_bytes_per_s[mine[0]] == pytest.approx(6 * payload_bytes_per_s())


@st.composite
def transfers(draw):
    """(name of a fabric, traffic): independent transfers and lockstep rings between random endpoints."""
    name = draw(st.sampled_from(SMALL))
    num = small_fabric(name).num_endpoints
    pairs = draw(st.lists(st.permutations(range(num)).map(lambda order: order[:2]), min_size=1, max_size=12))
    src, dst = np.array(pairs, np.int32).T
    ring = np.array([draw(st.permutations(range(num)))[: draw(st.integers(2, min(num, 8)))]], np.int32)
    return name, Traffic.in_rounds(Traffic.between(src, dst, 1e6), Traffic.around(ring, 2e6, steps=ring.size - 1))


@given(transfers())
@settings(deadline=None, max_examples=60)
def test_spraying_equals_splitting_every_flow_evenly_over_all_its_candidate_paths(problem):
    """
    The long way: one row per link, and an edge with k candidates loads the links of each with 1/k. Rates agree to
    1e-9, since all links of a bundle are loaded alike.
    """
    name, traffic = problem
    fabric, circuits = small_fabric(name), small_circuits(name)
    sprayed = Spray().route(traffic, fabric, circuits, KEY)
    rates = rates_of(sprayed, Spray().rows(fabric, circuits).capacity_bytes_per_s)
    split_rates = rates_of(split(traffic, fabric, circuits), fabric.links.capacity_bytes_per_s)
    assert rates == pytest.approx(split_rates, rel=1e-9)


def split(traffic, fabric, circuits):
    """Flows over single links, an equal share of each edge on each of its candidates."""
    paths = all_paths(fabric, traffic.edge_src, traffic.edge_dst, circuits)
    load = np.zeros((len(traffic), len(fabric.links)))
    for transfer, candidates in zip(traffic.edge_transfer, paths, strict=True):
        np.add.at(load[transfer], candidates.ravel(), 1.0 / len(candidates))
    flow, link = np.nonzero(load)
    return Flows(
        size_bytes=traffic.size_bytes, latency_s=np.zeros(len(traffic)), round=traffic.round,
        hop_row=link.astype(np.int32), hop_weight=load[flow, link],
        hop_starts=starts_of(np.bincount(flow, minlength=len(traffic))),
    )  # fmt: skip


@st.composite
def oversubscribed_leaves(draw):
    """(topology, f, m, n, ports): n accelerators, m below each leaf with m / f uplinks: m + m/f ports."""
    up = draw(st.integers(1, 3))
    m = draw(st.integers(max(2, up), 6 * up))
    return Clos(leaf_oversubscription=m / up), m / up, m, m * draw(st.integers(2, min(5, m + up))), m + up


@st.composite
def oversubscribed_spines(draw):
    """The same for pods: p ports, d down and u up from a spine; d leaves of p/2 accelerators below each."""
    ports = draw(st.sampled_from([4, 6]))
    up = draw(st.integers(1, ports // 2))
    down = ports - up
    m = down * ports // 2
    return Clos(spine_oversubscription=down / up), down / up, m, m * draw(st.integers(2, 3)), ports


@given(st.one_of(oversubscribed_leaves(), oversubscribed_spines()))
@example((Clos(leaf_oversubscription=1.25), 1.25, 5, 10, 9))
@example((Clos(leaf_oversubscription=3.0), 3.0, 6, 24, 8))
@settings(deadline=None, max_examples=60)
def test_a_sprayed_all_to_all_over_an_oversubscribed_tier_slows_by_what_crosses_it(problem):
    """
    n accelerators, m below each switch of a tier that is oversubscribed f:1. Each sends (n-m)/(n-1) of its traffic
    over the tier, which has 1/f of the bandwidth of its hosts: against n-1 equal shares of a port the all-to-all slows
    by max(1, f (n-m) / (n-1)), not by f. Where f = 1.25, m = 5, n = 10 nothing is slower: 1.25 x 5/9 < 1. At f = 3,
    m = 6, n = 24: 3 x 18/23.
    """
    clos, f, m, n, ports = problem
    fabric = clos.build(equipment(n, ports))
    traffic = all_to_all(Groups(np.arange(n, dtype=np.int32)[None], fabric.endpoint_host), size_bytes=n * 1e12)
    alone_s = (n - 1) * 1e12 / payload_bytes_per_s()
    flows = Spray().route(traffic, fabric, None, KEY)
    slowest = rates_of(flows, Spray().rows(fabric, None).capacity_bytes_per_s).min()
    assert 1e12 / slowest / alone_s == pytest.approx(max(1.0, f * (n - m) / (n - 1)), rel=1e-9)


def test_weights_count_the_edges_of_a_transfer_over_a_row():
    """
    k=4, ring 0 2 1 3 over leaves 0 and 1: edges 0-2 and 1-3 go up from leaf 0 and down to leaf 1, edges 2-1 and 3-0
    the other way. At rate r each of the four leaf rows carries 2 r, each of the 8 host links r.
    """
    fabric = small_fabric("fat tree")
    ring = Traffic.around(np.array([[0, 2, 1, 3]], np.int32), 1.0, steps=3)
    flows = Spray().route(ring, fabric, None, KEY)
    tier = fabric.links.tier[[np.flatnonzero(fabric.links.bundle == row)[0] for row in flows.hop_row]]
    assert sorted(flows.hop_weight[tier == fabric.tiers.index("leaf_spine")]) == [2.0] * 4
    assert sorted(flows.hop_weight[tier == fabric.tiers.index("host_leaf")]) == [1.0] * 8
    assert len(tier) == 12


def test_transfers_keep_their_rows_apart():
    """Two rings over the same rows are two flows with their own weights, 12 rows each."""
    fabric = small_fabric("fat tree")
    rings = Traffic.around(np.array([[0, 2, 1, 3], [0, 1, 2, 3]], np.int32), 1.0, steps=3)
    flows = Spray().route(rings, fabric, None, KEY)
    assert np.diff(flows.hop_starts).tolist() == [12, 12]
    assert sorted(flows.hop_weight[:12]) == [1.0] * 8 + [2.0] * 4
    assert flows.hop_weight[12:].tolist() == [1.0] * 12


def test_a_transfer_over_a_circuit_loads_its_trunk_once():
    """Into the OCS and out of it are two links, but the same light: weight 1 on the row of the pair of pods."""
    fabric = small_fabric("ocs")
    circuits = small_circuits("ocs")
    flows = Spray().route(Traffic.between(np.array([0]), np.array([8]), 1.0), fabric, circuits, KEY)
    assert flows.hop_weight.tolist() == [1.0] * 5


@given(
    st.sampled_from(["fat tree", "clos, leaves 3:1", "ocs", "clos by rail"]),
    st.data(),
)
@settings(deadline=None, max_examples=60)
def test_a_ring_waits_for_its_slowest_run_of_consecutive_edges(name, data):
    """
    ``steps`` edges one after the other, from whichever edge is worst, going round as often as needed; every edge by
    the sum over the links of any of its candidates, which are equally long.
    """
    fabric, circuits = small_fabric(name), small_circuits(name)
    rings = np.array(
        [data.draw(st.permutations(range(fabric.num_endpoints)))[: data.draw(st.shared(st.integers(2, 6), key="size"))]
         for _ in range(2)], np.int32,
    )  # fmt: skip
    steps = data.draw(st.integers(1, 3 * rings.shape[1]))
    traffic = Traffic.around(rings, 1.0, steps)
    flows = Spray().route(traffic, fabric, circuits, KEY)
    paths = all_paths(fabric, traffic.edge_src, traffic.edge_dst, circuits)
    edge_s = np.array([fabric.links.latency_s[path[0]].sum() for path in paths]).reshape(rings.shape)
    for waited_s, around_s in zip(flows.latency_s, edge_s, strict=True):
        runs_s = [sum(around_s[(first + k) % len(around_s)] for k in range(steps)) for first in range(len(around_s))]
        assert waited_s == pytest.approx(max(runs_s), rel=1e-12)


def test_transfers_of_different_shapes_each_get_their_own_latency():
    """A message, a ring of 3 in 2 steps, and one of 2 in 2 steps, on links that are all 1.5 m."""
    fabric = small_fabric("fat tree")
    one_s = Spray().route(Traffic.between(np.array([0]), np.array([1]), 1.0), fabric, None, KEY).latency_s[0]
    far_s = Spray().route(Traffic.between(np.array([0]), np.array([2]), 1.0), fabric, None, KEY).latency_s[0]
    assert far_s > one_s
    together = Traffic.in_rounds(
        Traffic.between(np.array([0]), np.array([1]), 1.0),
        Traffic.around(np.array([[0, 1, 2]], np.int32), 1.0, steps=2),
        Traffic.around(np.array([[0, 1]], np.int32), 1.0, steps=2),
    )
    flows = Spray().route(together, fabric, None, KEY)
    assert flows.latency_s == pytest.approx([one_s, 2 * far_s, 2 * one_s], rel=1e-12)
    assert flows.round.tolist() == [0, 1, 2]


def test_the_key_makes_no_difference():
    fabric = small_fabric("clos")
    traffic = Traffic.between(np.array([0, 3]), np.array([20, 9]), 1.0)
    one, two = (Spray().route(traffic, fabric, None, key) for key in (1, 2))
    assert one.hop_row.tolist() == two.hop_row.tolist()
