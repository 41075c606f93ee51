"""Lockstep and step by step: the same where all edges are alike; elsewhere apart by latencies at most."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster_sim.collectives import COLLECTIVES, Groups, tree
from tests.collectives.test_steps import alone
from tests.collectives.test_times import SIZES, everybody, one_leaf
from tests.networks import time_s

RINGS = [
    f"{kind}_{operation}"
    for kind in ("ring", "bidirectional_ring")
    for operation in ("all_reduce", "reduce_scatter", "all_gather")
]


def both_s(name, groups, fabric, size_bytes):
    """(in lockstep, step by step)."""
    algorithm = COLLECTIVES[name]
    forms = algorithm(groups, size_bytes), algorithm.step_by_step(groups, size_bytes)
    return tuple(time_s(traffic.written_out(), fabric) for traffic in forms)


@pytest.mark.parametrize("name", [*RINGS, "halving_doubling_all_reduce", "all_to_all", "direct_all_gather"])
@given(n=st.integers(2, 9), size_bytes=SIZES)
@settings(deadline=None, max_examples=15)
def test_both_forms_take_equally_long_where_all_edges_are_alike(name, n, size_bytes):
    """Below one leaf, and inside one server."""
    for fabric in (one_leaf(n), one_leaf(1, per_host=n)):
        lockstep_s, steps_s = both_s(name, everybody(fabric), fabric, size_bytes)
        assert lockstep_s == pytest.approx(steps_s, rel=1e-9)


@pytest.mark.parametrize("name", ["hierarchical_all_reduce", "hierarchical_all_gather", "hierarchical_reduce_scatter"])
@given(g=st.integers(2, 4), h=st.integers(2, 4), size_bytes=SIZES)
@settings(deadline=None, max_examples=10)
def test_levels_take_equally_long_in_both_forms(name, g, h, size_bytes):
    """The edges of a level are alike, and levels follow each other."""
    fabric = one_leaf(h, per_host=g)
    lockstep_s, steps_s = both_s(name, everybody(fabric), fabric, size_bytes)
    assert lockstep_s == pytest.approx(steps_s, rel=1e-9)


@pytest.mark.parametrize("shape", [(4,), (3, 3), (2, 2, 2)])
def test_buckets_take_equally_long_in_both_forms_where_all_sides_are(shape):
    n = int(np.prod(shape))
    fabric = one_leaf(n)
    lockstep_s, steps_s = both_s("bucket_all_reduce", alone(n, shape), fabric, 1e9)
    assert lockstep_s == pytest.approx(steps_s, rel=1e-9)


@given(g=st.integers(2, 4), h=st.integers(2, 4), size_bytes=SIZES)
@settings(deadline=None, max_examples=15)
def test_channels_over_servers_differ_by_latencies_at_most(g, h, size_bytes):
    """Inner and outer edges: at most a latency of the slowest kind for each step lies between the two forms."""
    fabric = one_leaf(h, per_host=g)
    lockstep_s, steps_s = both_s("ring_all_reduce", everybody(fabric), fabric, size_bytes)
    steps = 2 * (g * h - 1)
    _, alpha_s = both_s("point_to_point", Groups(np.array([[0, g]], np.int32), fabric.endpoint_host), fabric, 1e-30)
    assert abs(steps_s - lockstep_s) <= steps * alpha_s * (1 + 1e-9)


@st.composite
def mixed_rings(draw):
    """(bytes/s and latency of each edge of a ring of 2 to 8, buffer)."""
    n = draw(st.integers(2, 8))
    rate = draw(st.lists(st.sampled_from([1.0, 1.5, 2.0, 10.0]), min_size=n, max_size=n))
    latency_s = draw(st.lists(st.sampled_from([0.0, 0.1, 0.5, 3.0]), min_size=n, max_size=n))
    return np.array(rate), np.array(latency_s), draw(st.sampled_from([0.1, 1.0, 10.0, 100.0]))


def event_by_event_s(plan, rate, latency_s, size_bytes):
    """Exact: a rank's next message waits for what arrived from its neighbour's last step and for its own last one."""
    n = len(rate)
    arrived_s, sent_s = np.zeros(n), np.zeros(n)
    for (sends,) in plan.steps:
        sent_s = np.maximum(arrived_s, sent_s) + size_bytes * sends.num_chunks / plan.parts / rate[sends.src]
        arrived_s = np.roll(sent_s + latency_s, 1)
    return arrived_s.max()


@given(mixed_rings(), st.sampled_from(["ring_all_reduce", "ring_reduce_scatter", "ring_all_gather"]))
@settings(deadline=None, max_examples=200)
def test_on_mixed_edges_lockstep_is_never_faster_and_slower_by_its_latencies_at_most(ring, name):
    """
    Exact steps: the longest chain of messages, which either stay at a rank or go on to the next with a latency. The
    slowest edge alone, step after step, is such a chain; so lockstep adds its latencies at most. With a barrier after
    each step it takes longer than exactly, never less.
    """
    rate, latency_s, size_bytes = ring
    groups = alone(len(rate))
    traffic = COLLECTIVES[name](groups, size_bytes)
    alpha_s = traffic.latency_s(latency_s)[0]
    lockstep_s = alpha_s + traffic.size_bytes[0] / rate.min()
    plan = COLLECTIVES[name].plan(groups)
    exact_s = event_by_event_s(plan, rate, latency_s, size_bytes)
    assert exact_s * (1 - 1e-9) <= lockstep_s <= (exact_s + alpha_s) * (1 + 1e-9)
    barrier_s = len(plan.steps) * (latency_s + size_bytes / len(rate) / rate).max()
    assert barrier_s >= exact_s * (1 - 1e-9)


@pytest.mark.parametrize("name", ["double_tree_all_reduce", "double_tree_broadcast", "chain_broadcast", "chain_reduce"])
def test_trees_in_ever_smaller_pieces_come_to_the_lockstep_form(name, monkeypatch):
    """Large buffer, P pieces: every step sends a fraction of it, P + depth of them; half the size, nearly half the rest."""
    fabric = one_leaf(8)
    beyond_s = []
    for pieces in (8, 16, 32, 64):
        monkeypatch.setattr(tree, "PIECES", pieces)
        lockstep_s, steps_s = both_s(name, everybody(fabric), fabric, 1e12)
        beyond_s.append(steps_s / lockstep_s - 1)
    assert all(0 < after < 0.6 * before for before, after in pairwise(beyond_s))
