"""Weighted multipath: shares in proportion to the narrowest link of each path."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster_sim.routing import Spray, Wcmp
from cluster_sim.tables import Traffic
from cluster_sim.topology import Clos, FatTree
from tests.networks import (
    KEY,
    SMALL,
    all_pairs,
    all_paths,
    equipment,
    links_of_tier,
    rates_of,
    small_circuits,
    small_fabric,
)
from tests.routing.mixes import assert_all_arrives, hops_between


def with_capacities(fabric, capacity):
    return replace(fabric, links=replace(fabric.links, capacity_bytes_per_s=np.asarray(capacity, float)))


def weighted(fabric, src, dst, circuits, weight):
    """float64[E, L] from all candidates: each path of a pair with its weight over their sum."""
    carried = np.zeros((len(src), len(fabric.links)))
    for number, paths in enumerate(all_paths(fabric, src, dst, circuits)):
        weights = np.array([weight(path) for path in paths])
        for path, share in zip(paths, weights / weights.sum(), strict=True):
            np.add.at(carried[number], path, share)
    return carried


@pytest.mark.parametrize("oblivious", [False, True])
@given(st.sampled_from(SMALL), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=40)
def test_paths_carry_in_proportion_to_their_narrowest_links(oblivious, name, seed):
    """Any capacities from 1 to 4; up to 256 candidates, all of them used."""
    random = np.random.default_rng(seed)
    small, circuits = small_fabric(name), small_circuits(name)
    fabric = with_capacities(small, random.choice([1.0, 2.0, 4.0], len(small.links)))
    src, dst = (ends[:: max(1, len(ends) // 40)] for ends in all_pairs(fabric))
    capacity = fabric.links.capacity_bytes_per_s
    expected = weighted(fabric, src, dst, circuits, (lambda path: 1.0) if oblivious else (lambda p: capacity[p].min()))
    carried = hops_between(Wcmp(max_paths=256, oblivious=oblivious), fabric, src, dst, circuits)
    np.testing.assert_allclose(carried, expected, rtol=1e-12, atol=1e-15)
    assert_all_arrives(fabric, src, dst, carried)


def test_weights_use_what_unequal_spines_have_and_equal_shares_do_not():
    """
    k=4, two tiers: spine 0 has links of 3, spine 1 of 1, accelerators of 4. Weights 3/4 and 1/4 fill both: 4. Equal
    shares stop where half of the flow fills the slow link: 2.
    """
    fabric = Clos(tiers=2).build(equipment(8, ports=4))
    spines = np.unique(fabric.links.dst[links_of_tier(fabric, "leaf_spine")[::2]])
    capacity = np.full(len(fabric.links), 4.0)
    for spine, width in zip(spines, (3.0, 1.0), strict=True):
        capacity[(fabric.links.src == spine) | (fabric.links.dst == spine)] = width
    fabric = with_capacities(fabric, capacity)
    traffic = Traffic.between(np.array([0]), np.array([7]), 1.0)
    for oblivious, rate in ((False, 4.0), (True, 2.0)):
        routing = Wcmp(oblivious=oblivious)
        flows = routing.route(traffic, fabric, None, KEY)
        assert rates_of(flows, routing.rows(fabric, None).capacity_bytes_per_s) == pytest.approx([rate])


@pytest.mark.parametrize("name", SMALL)
def test_where_all_links_of_a_bundle_are_alike_it_is_spraying(name):
    fabric, circuits = small_fabric(name), small_circuits(name)
    traffic = Traffic.between(*(ends[::7] for ends in all_pairs(fabric)), 1.0)
    one, other = (routing.route(traffic, fabric, circuits, KEY) for routing in (Wcmp(), Spray()))
    rates = [
        rates_of(flows, routing.rows(fabric, circuits).capacity_bytes_per_s)
        for flows, routing in ((one, Wcmp()), (other, Spray()))
    ]
    assert rates[0] == pytest.approx(rates[1], rel=1e-9)
    assert one.latency_s == pytest.approx(other.latency_s, rel=1e-9)


def test_more_candidates_than_asked_for_are_sampled():
    """k=8: 16 candidates between pods; 4 of them carry a quarter each, another 4 for other pairs."""
    fabric = FatTree().build(equipment(128, ports=8))
    fabric = with_capacities(fabric, np.where(np.arange(len(fabric.links)) == 0, 2.0, 1.0))
    up = links_of_tier(fabric, "spine_core")[::2]
    fabric.links.capacity_bytes_per_s.flags.writeable = True
    fabric.links.capacity_bytes_per_s[up[0]] = 1.0 + 1e-9  # links of a bundle that are not alike
    src, dst = np.arange(16, dtype=np.int32), np.arange(64, 80, dtype=np.int32)
    carried = hops_between(Wcmp(max_paths=4), fabric, src, dst)
    assert_all_arrives(fabric, src, dst, carried)
    used = [frozenset(np.flatnonzero(mine[up])) for mine in carried]
    assert {len(cores) for cores in used} == {4}
    assert len(set(used)) > 4
    np.testing.assert_allclose(carried[:, up][carried[:, up] > 0], 0.25, rtol=1e-8)
