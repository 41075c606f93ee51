"""Where jobs are placed: distinct accelerators, whole blocks, near or far as the policy says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster_sim.catalogue import accelerator
from cluster_sim.core import InputError, UnknownNameError
from cluster_sim.topology import Clos, Equipment
from cluster_sim.workload import PLACEMENTS, Experts, place, plan
from tests.engine.worlds import INTERCONNECT, small_job
from tests.networks import SMALL, small_fabric

#: Four pods of one leaf with 8 servers each; eight leaves per pod, each with the i-th accelerators of its 64 servers.
PLAIN = Clos(pod_accelerators=64)
RAILS = Clos(pod_accelerators=512, rail_optimised=True)


def build(topology, num, name="b300-sxm"):
    return topology.build(Equipment(num, accelerator(name), INTERCONNECT))


def placed(name, fabric, num, tensor=8, taken=(), seed=1):
    """Endpoints of a job beside others."""
    is_taken = np.zeros(fabric.num_endpoints, bool)
    is_taken[list(taken)] = True
    return place(name, fabric, num, tensor, is_taken, np.random.default_rng(seed))


def leaves(fabric, endpoints):
    """Leaf that each hangs from."""
    up = np.flatnonzero((fabric.links.src < fabric.num_endpoints) & (fabric.links.tier == 1))
    leaf = np.zeros(fabric.num_endpoints, np.int64)
    leaf[fabric.links.src[up]] = fabric.links.dst[up]
    return leaf[endpoints]


@given(st.sampled_from(sorted(SMALL)), st.sampled_from(PLACEMENTS.names), st.integers(0, 99), st.data())
@settings(deadline=None, max_examples=60)
def test_ranks_get_endpoints_of_their_own_that_nobody_has(name, policy, seed, data):
    fabric = small_fabric(name)
    taken = data.draw(st.sets(st.integers(0, fabric.num_endpoints - 1), max_size=fabric.num_endpoints - 1))
    num = data.draw(st.integers(1, fabric.num_endpoints - len(taken)))
    tensor = data.draw(st.sampled_from([1, 2, 8, 64]))
    found = placed(policy, fabric, num, tensor, taken, seed)
    assert found.dtype == np.int32
    assert len(set(found.tolist())) == num
    assert not taken & set(found.tolist())
    assert found.min() >= 0
    assert found.max() < fabric.num_endpoints


@pytest.mark.parametrize("policy", PLACEMENTS.names)
def test_a_job_that_fills_the_cluster_is_a_permutation(policy):
    found = placed(policy, build(PLAIN, 256), 256)
    assert np.array_equal(np.sort(found), np.arange(256))


def test_packed_takes_what_is_free_in_order():
    fabric = build(PLAIN, 256)
    assert placed("packed", fabric, 6, taken=(0, 1, 5)).tolist() == [2, 3, 4, 6, 7, 8]


@pytest.mark.parametrize("policy", ["scattered", "rail_aligned", "random"])
def test_servers_stay_whole_and_their_accelerators_in_order(policy):
    blocks = placed(policy, build(PLAIN, 256), 128).reshape(-1, 8)
    assert np.array_equal(blocks, blocks[:, :1] // 8 * 8 + np.arange(8))


@pytest.mark.parametrize("policy", ["scattered", "rail_aligned", "random"])
@pytest.mark.parametrize(("tensor", "size"), [(4, 4), (8, 72)])
def test_domains_stay_whole_where_tensor_parallelism_needs_more_than_a_server(policy, tensor, size):
    """Servers of 4 in domains of 72: 4 tensor ranks fit a server, 8 need a domain."""
    fabric = build(Clos(), 288, "gb300-nvl72")
    blocks = placed(policy, fabric, 288, tensor).reshape(-1, size)
    assert np.array_equal(blocks, blocks[:, :1] // size * size + np.arange(size))


def test_parts_of_servers_come_last():
    """Server 0 has one taken: every other policy than packed begins elsewhere, and ends there."""
    fabric = build(PLAIN, 256)
    for policy in ("scattered", "rail_aligned", "random"):
        found = placed(policy, fabric, 255, taken=(3,))
        assert found[-7:].tolist() == [0, 1, 2, 4, 5, 6, 7]


def test_scattered_goes_round_the_pods():
    fabric = build(PLAIN, 256)
    servers = placed("scattered", fabric, 64)[::8]
    assert fabric.endpoint_pod[servers].tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
    assert servers.tolist() == [0, 64, 128, 192, 8, 72, 136, 200]


def test_scattered_goes_round_the_leaves_of_a_pod():
    """Two pods of two leaves with 8 servers: pods by turns, and in each its leaves by turns."""
    fabric = build(Clos(pod_accelerators=128), 256)
    servers = placed("scattered", fabric, 64)[::8]
    assert (servers // 8).tolist() == [0, 16, 8, 24, 1, 17, 9, 25]


def test_rail_aligned_servers_share_their_leaves():
    """Leaves of 64: 64 servers share eight. In a cluster of 1024 with two servers of the first 64 taken, 64 fit only
    into the other set, and 62 into what is left of the first."""
    fabric = build(RAILS, 1024)
    taken = tuple(range(16))
    for num_servers, first in ((64, 64), (62, 2), (10, 2)):
        found = placed("rail_aligned", fabric, 8 * num_servers, taken=taken)
        by_place = leaves(fabric, found).reshape(-1, 8)
        assert (by_place == by_place[0]).all()
        assert len(set(by_place[0].tolist())) == 8
        assert found[0] // 8 == first
    assert placed("packed", fabric, 512, taken=taken)[0] == 16  # which takes from both


def test_rail_aligned_takes_the_largest_sets_where_none_is_enough():
    fabric = build(RAILS, 1024)
    found = placed("rail_aligned", fabric, 800, taken=range(80))
    assert found[0] // 8 == 64
    assert len(np.unique(leaves(fabric, found[:512]))) == 8


def test_random_depends_on_the_seed_alone():
    fabric = build(PLAIN, 256)
    first, again, other = (placed("random", fabric, 128, seed=seed).tolist() for seed in (1, 1, 2))
    assert first == again != other


def test_too_many_accelerators_are_refused_with_numbers():
    with pytest.raises(InputError, match=r"a job of 100 accelerators where 56 are free.*cluster_accelerators"):
        placed("packed", build(PLAIN, 64), 100, taken=range(8))


def test_an_unknown_policy_names_the_known_ones():
    with pytest.raises(UnknownNameError, match="packed, rail_aligned, random, scattered"):
        placed("nearby", build(PLAIN, 64), 8)


@pytest.mark.parametrize("popularity", [0.0, 1.0])
def test_everything_that_ranks_send_goes_between_their_endpoints(popularity):
    """A job on servers 9 down to 2: every transfer of every collective, from and to the endpoints of its ranks."""
    experts = Experts(count=32, per_token=2, width=512, popularity=popularity)
    job = small_job(experts=experts, expert=16, tied_embeddings=True)
    endpoints = ((9 - np.arange(64) // 8) * 8 + np.arange(64) % 8).astype(np.int32)
    domain = np.arange(128, dtype=np.int32) // 8
    here, there = plan(job, domain), plan(job, domain, endpoints=endpoints)
    for one, other in zip(here.collectives, there.collectives, strict=True):
        before, after = one.traffic.written_out(), other.traffic.written_out()
        assert np.array_equal(after.edge_src, endpoints[before.edge_src]), one.name
        assert np.array_equal(after.edge_dst, endpoints[before.edge_dst]), one.name
        assert one.overhead_s == other.overhead_s
