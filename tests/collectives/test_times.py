"""Closed forms of the collectives on fabrics where nothing is in the way, through routing, fairness and latency.

S bytes, n ranks, B the payload rate of the narrowest link, alpha the latency of an edge.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster_sim.collectives import COLLECTIVES, Groups
from cluster_sim.tables import Traffic
from cluster_sim.topology import Clos, FatTree
from tests.networks import equipment, payload_bytes_per_s, small_fabric, time_s

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
