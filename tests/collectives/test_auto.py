"""What the cost model expects, against what really happens where nothing but the ranks' own links is in the way."""

from itertools import pairwise

import numpy as np
import pytest

from cluster_sim.collectives import COLLECTIVES, OPERATIONS, Groups, LinkCosts, choose, estimates
from cluster_sim.collectives.auto import Estimate
from tests.collectives.test_times import NVLINK_BYTES_PER_S, alpha_s, everybody, one_leaf
from tests.networks import connected, payload_bytes_per_s, small_fabric, time_s

INSIDE = ("", "scale_up")
CHOSEN = [operation for operation in OPERATIONS if operation not in ("barrier", "point_to_point")]


def test_costs_are_those_of_the_endpoints_links():
    fabric = one_leaf(4, per_host=2)
    costs = LinkCosts.of(fabric, INSIDE)
    assert (costs.inside_bytes_per_s, costs.outside_bytes_per_s) == pytest.approx(
        (NVLINK_BYTES_PER_S, payload_bytes_per_s())
    )
    assert (costs.inside_s, costs.outside_s) == pytest.approx((500e-9, alpha_s(fabric)))
    assert costs.reducing == INSIDE


@pytest.mark.parametrize(("h", "g"), [(4, 1), (1, 4), (1, 1)])
def test_costs_of_a_fabric_with_one_kind_of_pairs_are_the_same_inside_and_outside(h, g):
    costs = LinkCosts.of(one_leaf(h, per_host=g))
    assert (costs.inside_s, costs.inside_bytes_per_s) == (costs.outside_s, costs.outside_bytes_per_s)


@pytest.mark.parametrize("name", ["fat tree by rail", "ocs", "clos, both 2:1"])
def test_costs_outside_have_the_latency_of_a_far_pair(name):
    fabric = small_fabric(name)
    ends = np.zeros(1, np.int32), np.array([fabric.num_endpoints - 1], np.int32)
    circuits = connected(fabric)
    _, path = fabric.paths.links(*ends, np.zeros(1, np.int64), circuits)
    assert LinkCosts.of(fabric).outside_s >= fabric.links.latency_s[path].sum() * (1 - 1e-12)


@pytest.mark.parametrize(("h", "g"), [(8, 1), (1, 8), (4, 4), (5, 3)])
@pytest.mark.parametrize("operation", CHOSEN)
def test_what_is_chosen_is_nearly_the_fastest_below_one_leaf(operation, h, g):
    """No estimate is too high, none of a choice more than 10 % too low, and nothing is 10 % faster than the choice."""
    fabric = one_leaf(h, per_host=g)
    groups = everybody(fabric)
    found = estimates(operation, groups, LinkCosts.of(fabric, INSIDE))
    for size_bytes in (1e3, 1e5, 1e7, 1e10):
        took_s = {e.name: time_s(COLLECTIVES[e.name](groups, size_bytes).written_out(), fabric) for e in found}
        assert all(e.time_s(size_bytes) <= took_s[e.name] * (1 + 1e-9) for e in found)
        chosen = choose(found, size_bytes)
        assert took_s[chosen] <= 1.1 * min(took_s.values())


def test_small_buffers_take_few_steps_and_large_ones_few_bytes():
    """64 ranks alone: 12 latencies of halving and doubling; for ever larger buffers never more latency than bytes."""
    fabric = one_leaf(64)
    found = estimates("broadcast", everybody(fabric), LinkCosts.of(fabric))
    assert choose(found, 1.0) == "binomial_broadcast"
    assert choose(found, 1e6) == "double_tree_broadcast"
    chosen = [next(e for e in found if e.name == choose(found, 10.0**k)) for k in range(13)]
    assert all(b.s_per_byte <= a.s_per_byte for a, b in pairwise(chosen))
    assert all(b.latency_s >= a.latency_s for a, b in pairwise(chosen))


def test_switches_reduce_where_they_can():
    """Large all-reduces of a server of 8; algorithms that need them are left out where there are none."""
    fabric = one_leaf(2, per_host=8)
    groups = Groups(np.arange(16, dtype=np.int32).reshape(2, 8), fabric.endpoint_domain)
    assert choose(estimates("all_reduce", groups, LinkCosts.of(fabric, INSIDE)), 1e9) == "nvls_all_reduce"
    names = {estimate.name for estimate in estimates("all_reduce", groups, LinkCosts.of(fabric))}
    assert not any(COLLECTIVES[name].reducing for name in names)


def test_ranks_that_need_not_send_to_all_others_do_so_inside_a_domain_only():
    fabric = one_leaf(4, per_host=2)
    costs = LinkCosts.of(fabric)
    across = {estimate.name for estimate in estimates("all_gather", everybody(fabric), costs)}
    assert "direct_all_gather" not in across
    assert "ring_all_gather" in across
    pair = Groups(np.arange(2, dtype=np.int32)[None], fabric.endpoint_domain)
    assert "direct_all_gather" in {estimate.name for estimate in estimates("all_gather", pair, costs)}


def test_of_equally_fast_algorithms_the_one_with_the_shortest_name_is_chosen():
    found = Estimate("long_ring", 1.0, 1.0), Estimate("ring", 1.0, 1.0), Estimate("gnir", 1.0, 1.0 + 1e-12)
    assert choose(found, 5.0) == "gnir"
    assert choose((*found, Estimate("very_long_but_fast", 0.5, 1.0)), 5.0) == "very_long_but_fast"
