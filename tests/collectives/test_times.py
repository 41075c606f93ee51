"""Closed forms of the collectives on fabrics where nothing is in the way, through routing, fairness and latency.

S bytes, n ranks, B the payload rate of the narrowest link, alpha the latency of an edge.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster_sim.collectives import COLLECTIVES, Groups, all_to_all_of
from cluster_sim.routing import Spray
from cluster_sim.tables import Traffic
from cluster_sim.topology import Clos, FatTree
from tests.networks import KEY, equipment, payload_bytes_per_s, small_fabric, time_s

SIZES = st.sampled_from([1.0, 4096.0, 1e6, 1e9 / 3])
NVLINK_BYTES_PER_S = 450e9 * 0.82


def one_leaf(num_hosts, per_host=1):
    """All servers below one leaf, in one rack: every edge between servers is alike."""
    return Clos().build(equipment(num_hosts * per_host, ports=2 * num_hosts * per_host, per_host=per_host))


def everybody(fabric):
    return Groups(np.arange(fabric.num_endpoints, dtype=np.int32)[None], fabric.endpoint_host)


def collective_s(name, fabric, size_bytes):
    return time_s(COLLECTIVES[name](everybody(fabric), size_bytes), fabric)


def alpha_s(fabric, src=0, dst=-1):
    """Latency of one edge: what a vanishing message takes."""
    ends = np.array([src]), np.array([dst % fabric.num_endpoints])
    return time_s(Traffic.between(*ends, 1e-30), fabric)


@given(st.integers(2, 12), SIZES)
@settings(deadline=None, max_examples=40)
def test_a_ring_all_reduce_takes_two_passes(n, size_bytes):
    """2(n-1)/n S/B + 2(n-1) alpha."""
    fabric = one_leaf(n)
    expected_s = 2 * (n - 1) / n * size_bytes / payload_bytes_per_s() + 2 * (n - 1) * alpha_s(fabric)
    assert collective_s("ring_all_reduce", fabric, size_bytes) == pytest.approx(expected_s, rel=1e-9)


@given(st.integers(2, 12), SIZES, st.sampled_from(["ring_reduce_scatter", "ring_all_gather"]))
@settings(deadline=None, max_examples=40)
def test_a_ring_reduce_scatter_or_all_gather_takes_one_pass(n, size_bytes, name):
    """(n-1)/n S/B + (n-1) alpha."""
    fabric = one_leaf(n)
    expected_s = (n - 1) / n * size_bytes / payload_bytes_per_s() + (n - 1) * alpha_s(fabric)
    assert collective_s(name, fabric, size_bytes) == pytest.approx(expected_s, rel=1e-9)


@given(st.integers(2, 12), SIZES)
@settings(deadline=None, max_examples=40)
def test_an_all_to_all_takes_what_leaves_a_port(n, size_bytes):
    """(n-1)/n S/B + alpha: a rank's own part stays, all others leave at once."""
    fabric = one_leaf(n)
    expected_s = (n - 1) / n * size_bytes / payload_bytes_per_s() + alpha_s(fabric)
    assert collective_s("all_to_all", fabric, size_bytes) == pytest.approx(expected_s, rel=1e-9)


@pytest.mark.parametrize(("n", "ports"), [(16, 4), (54, 6), (32, 8)])
def test_an_all_to_all_over_a_whole_fat_tree_is_as_fast_as_below_one_leaf(n, ports):
    """Full bisection and spraying: (n-1)/n S/B, and the latency of the farthest pair."""
    fabric = FatTree().build(equipment(n, ports))
    expected_s = (n - 1) / n * 1e9 / payload_bytes_per_s() + alpha_s(fabric)
    assert collective_s("all_to_all", fabric, 1e9) == pytest.approx(expected_s, rel=1e-9)


def test_a_point_to_point_message_takes_latency_and_size_over_rate():
    fabric = small_fabric("fat tree")
    pair = Groups(np.array([[0, 15]], np.int32), fabric.endpoint_host)
    took_s = time_s(COLLECTIVES["point_to_point"](pair, 1e6), fabric)
    assert took_s == pytest.approx(1e6 / payload_bytes_per_s() + alpha_s(fabric), rel=1e-9)


def test_a_ring_inside_a_server_runs_over_scale_up_links():
    """8 accelerators: 2 x 7/8 S over NVLink's 369 GB/s, and 14 times its 500 ns."""
    fabric = one_leaf(1, per_host=8)
    expected_s = 2 * 7 / 8 * 1e9 / NVLINK_BYTES_PER_S + 14 * 500e-9
    assert collective_s("ring_all_reduce", fabric, 1e9) == pytest.approx(expected_s, rel=1e-9)


@given(st.integers(2, 4), st.integers(2, 6), SIZES)
@settings(deadline=None, max_examples=40)
def test_a_ring_over_servers_uses_all_their_nics(g, h, size_bytes):
    """
    g accelerators on each of h servers: g channels with 1/g of the buffer each, every one through another NIC:
    2(n-1)/n S/(g B) where the NICs are the narrowest. Of the g channels g-1 cross the NVLink of each accelerator. The
    ring has h outer and h(g-1) inner edges; 2(n-1) consecutive ones are two rounds without two neighbours, at best
    for the latency two inner edges, or an inner and an outer one where g = 2.
    """
    fabric, n = one_leaf(h, per_host=g), g * h
    through_nics_s = 2 * (n - 1) / n * size_bytes / (g * payload_bytes_per_s())
    through_nvlink_s = 2 * (n - 1) / n * size_bytes * (g - 1) / g / NVLINK_BYTES_PER_S
    inner_s, outer_s = 500e-9, alpha_s(fabric)
    latency_s = 2 * h * (g - 1) * inner_s + 2 * h * outer_s - (2 * inner_s if g > 2 else inner_s + outer_s)
    expected_s = max(through_nics_s, through_nvlink_s) + latency_s
    assert collective_s("ring_all_reduce", fabric, size_bytes) == pytest.approx(expected_s, rel=1e-9)


@given(st.integers(2, 4), st.integers(2, 6), SIZES)
@settings(deadline=None, max_examples=40)
def test_hierarchical_collectives_take_the_sum_of_their_rounds(g, h, size_bytes):
    """
    Inside a server (g-1)/g S/NVLink + (g-1) 500 ns; between servers the ring of h with S/g on every NIC; an all-reduce
    is reduce-scatter inside, all-reduce between, all-gather inside.
    """
    fabric = one_leaf(h, per_host=g)
    inside_s = (g - 1) / g * size_bytes / NVLINK_BYTES_PER_S + (g - 1) * 500e-9
    between_s = (h - 1) / h * size_bytes / g / payload_bytes_per_s() + (h - 1) * alpha_s(fabric)
    for name, expected_s in {
        "hierarchical_reduce_scatter": inside_s + between_s,
        "hierarchical_all_gather": between_s + inside_s,
        "hierarchical_all_reduce": 2 * inside_s + 2 * between_s,
    }.items():
        assert collective_s(name, fabric, size_bytes) == pytest.approx(expected_s, rel=1e-9), name


def test_groups_that_share_no_link_do_not_slow_each_other():
    """Two rings of 4 below one leaf take as long as one."""
    fabric = one_leaf(8)
    two = Groups(np.arange(8, dtype=np.int32).reshape(2, 4), fabric.endpoint_host)
    one = Groups(np.arange(4, dtype=np.int32).reshape(1, 4), fabric.endpoint_host)
    ring = COLLECTIVES["ring_all_reduce"]
    assert time_s(ring(two, 1e9), fabric) == pytest.approx(time_s(ring(one, 1e9), fabric), rel=1e-12)


def test_twice_the_buffer_takes_twice_the_time_without_latency():
    """Every collective is linear in its size."""
    fabric = one_leaf(4, per_host=2)
    for name in ("ring_all_reduce", "hierarchical_all_reduce", "all_to_all"):
        one_s, two_s, three_s = (collective_s(name, fabric, k * 1e9) for k in (1, 2, 3))
        assert two_s - one_s == pytest.approx(three_s - two_s, rel=1e-9)


@given(st.sampled_from([2, 4, 8, 16]), SIZES)
@settings(deadline=None, max_examples=20)
def test_halving_and_doubling_take_the_bytes_of_a_ring_and_few_latencies(n, size_bytes):
    """2(n-1)/n S/B + 2 log2(n) alpha; one pass half of it."""
    fabric = one_leaf(n)
    one_way_s = (n - 1) / n * size_bytes / payload_bytes_per_s() + np.log2(n) * alpha_s(fabric)
    for operation, passes in (("all_reduce", 2), ("reduce_scatter", 1), ("all_gather", 1)):
        took_s = collective_s(f"halving_doubling_{operation}", fabric, size_bytes)
        assert took_s == pytest.approx(passes * one_way_s, rel=1e-9)


@given(st.integers(2, 12), SIZES)
@settings(deadline=None, max_examples=20)
def test_algorithms_in_rounds_take_their_bytes_and_a_latency_for_each_round(n, size_bytes):
    """Bruck, pairwise, direct, binomial, barrier: what leaves the busiest port, and rounds, as their docstrings say."""
    fabric = one_leaf(n)
    log_n = int(np.ceil(np.log2(n)))
    ones = sum(way.bit_count() for way in range(n))
    for name, (buffers, rounds) in {
        "bruck_all_gather": ((n - 1) / n, log_n),
        "bruck_all_to_all": (ones / n, log_n),
        "pairwise_all_to_all": ((n - 1) / n, n - 1),
        "direct_all_reduce": (2 * (n - 1) / n, 2),
        "direct_reduce_scatter": ((n - 1) / n, 1),
        "direct_all_gather": ((n - 1) / n, 1),
        "binomial_broadcast": (log_n, log_n),
        "binomial_reduce": (log_n, log_n),
        "dissemination_barrier": (log_n, log_n),
        "chain_broadcast": (1, n - 1),
        "chain_reduce": (1, n - 1),
        "bidirectional_ring_all_reduce": (2 * (n - 1) / n, 2 * (n // 2)),
    }.items():
        expected_s = buffers * size_bytes / payload_bytes_per_s() + rounds * alpha_s(fabric)
        assert collective_s(name, fabric, size_bytes) == pytest.approx(expected_s, rel=1e-9), name


@pytest.mark.parametrize("n", [4, 8, 16, 32])
def test_double_trees_take_as_long_as_a_ring_without_its_latencies(n):
    """Inner ranks send up once and down twice S/2 in the one tree, up once in the other: 2 S/B, 2 log2(n) alpha."""
    fabric = one_leaf(n)
    expected_s = 2 * 1e9 / payload_bytes_per_s() + 2 * np.log2(n) * alpha_s(fabric)
    assert collective_s("double_tree_all_reduce", fabric, 1e9) == pytest.approx(expected_s, rel=1e-9)


def test_a_tree_over_servers_has_the_latencies_of_its_longest_way():
    """4 servers of 2: up a chain of one inner edge and two outer ones, and down again."""
    fabric = one_leaf(4, per_host=2)
    expected_s = 2 * (1 * 500e-9 + 2 * alpha_s(fabric))
    assert collective_s("double_tree_all_reduce", fabric, 1e-30) == pytest.approx(expected_s, rel=1e-9)


@given(st.integers(2, 8), SIZES)
@settings(deadline=None, max_examples=20)
def test_switches_of_a_domain_reduce_in_little_more_than_the_time_of_the_buffer(g, size_bytes):
    """All-reduce (1 + 1/g) S/NVLink, 3 ways: request, answer, store. A ring of 8 takes 1.56 times as long."""
    fabric = one_leaf(1, per_host=g)
    for operation, buffers, ways in (("all_reduce", 1 + 1 / g, 3), ("reduce_scatter", 1, 2), ("all_gather", 1, 1)):
        expected_s = buffers * size_bytes / NVLINK_BYTES_PER_S + ways * 500e-9
        assert collective_s(f"nvls_{operation}", fabric, size_bytes) == pytest.approx(expected_s, rel=1e-9)


@given(st.integers(2, 4), st.integers(2, 6), SIZES)
@settings(deadline=None, max_examples=20)
def test_reduction_inside_servers_and_rings_between_take_the_sum_of_their_rounds(g, h, size_bytes):
    """S/NVLink and two ways, the ring of h with S/g on every NIC, S/NVLink and one way."""
    fabric = one_leaf(h, per_host=g)
    inside_s = size_bytes / NVLINK_BYTES_PER_S
    between_s = (h - 1) / h * size_bytes / g / payload_bytes_per_s() + (h - 1) * alpha_s(fabric)
    for operation, expected_s in {
        "reduce_scatter": inside_s + 2 * 500e-9 + between_s,
        "all_gather": between_s + inside_s + 500e-9,
        "all_reduce": 2 * inside_s + 3 * 500e-9 + 2 * between_s,
    }.items():
        took_s = collective_s(f"hierarchical_nvls_{operation}", fabric, size_bytes)
        assert took_s == pytest.approx(expected_s, rel=1e-9), operation


@pytest.mark.parametrize("name", ["fat tree", "one pod", "clos, leaves 3:1"])
def test_reduction_in_the_fabric_loads_every_bundle_of_its_tree_once_each_way(name):
    """One rank per server: hosts, leaves and pods are entered and left once, with the whole buffer."""
    fabric = small_fabric(name)
    first = np.unique(fabric.endpoint_domain, return_index=True)[1].astype(np.int32)
    groups = Groups(np.random.default_rng(1).permutation(first)[None], fabric.endpoint_domain)
    flows = Spray().route(COLLECTIVES["sharp_all_reduce"](groups, 1e9), fabric, None, KEY)
    assert flows.size_bytes.tolist() == [1e9]
    assert set(flows.hop_weight.tolist()) == {1.0}
    used = np.isin(fabric.links.bundle, flows.hop_row)
    below = fabric.links.tier == fabric.tiers.index("host_leaf")
    assert np.isin(fabric.links.src[below & used], first).sum() == len(first)
    assert np.isin(fabric.links.dst[below & used], first).sum() == len(first)


def test_reduction_in_the_fabric_takes_the_buffer_once_and_one_way_to_the_root():
    fabric = small_fabric("fat tree")
    expected_s = 1e9 / payload_bytes_per_s() + alpha_s(fabric)
    assert collective_s("sharp_all_reduce", fabric, 1e9) == pytest.approx(expected_s, rel=1e-9)


def test_three_levels_take_the_sum_of_their_rounds():
    """Clos by rail with pods of 8 in servers of 4: inside g = 4, between k = 2 servers of a pod, between 3 pods."""
    fabric = small_fabric("clos")
    groups = replace(everybody(fabric), pod=fabric.endpoint_pod)
    took_s = time_s(COLLECTIVES["three_level_all_reduce"](groups, 1e9), fabric)
    inside, pod = np.arange(4)[None], np.array([[0, 4]])
    between = np.arange(0, 24, 8)[None]
    parts = [("ring_reduce_scatter", inside, 1e9), ("ring_reduce_scatter", pod, 1e9 / 4)]
    parts += [("ring_all_reduce", between, 1e9 / 8), ("ring_all_gather", pod, 1e9 / 4)]
    parts += [("ring_all_gather", inside, 1e9)]
    alone_s = [time_s(COLLECTIVES[n](Groups(r.astype(np.int32), fabric.endpoint_host), s), fabric) for n, r, s in parts]
    assert took_s == pytest.approx(sum(alone_s), rel=1e-9)


def test_sizes_by_pair_take_as_long_as_the_busiest_port():
    """3 ranks: 0 sends 1 and 3 GB, and gets 2; 1 gets 1. Nothing on the diagonal, nothing where there is a zero."""
    fabric = one_leaf(3)
    matrix = np.array([[9e9, 1e9, 3e9], [2e9, 0, 0], [0, 0, 0]])
    traffic = all_to_all_of(everybody(fabric), matrix)
    assert len(traffic) == 3
    done_s = 4e9 / payload_bytes_per_s() + alpha_s(fabric)
    routed = Spray().route(traffic, fabric, None, KEY)
    assert sorted(routed.size_bytes.tolist()) == [1e9, 2e9, 3e9]
    loads = np.bincount(routed.hop_row, weights=routed.hop_weight * routed.size_bytes[routed.hop_flow])
    assert loads.max() / payload_bytes_per_s() + alpha_s(fabric) == pytest.approx(done_s, rel=1e-9)
