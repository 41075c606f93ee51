from dataclasses import replace

import numpy as np
import pytest

from cluster_sim.core import stream
from cluster_sim.reliability import Degraded, stays_spread
from cluster_sim.tables import NODE_KINDS, Traffic
from cluster_sim.topology import Equipment, FatTree, without_links
from tests.networks import all_pairs, equipment, time_s
from tests.small import small_run


@pytest.fixture
def fabric(tmp_path):
    config = small_run(tmp_path)
    return config.topology.fabric(Equipment(64, config.job.accelerator_entry, config.interconnect))


def all_used(fabric):
    return np.ones(len(fabric.links), bool)


def tiers_of(fabric, links):
    return {fabric.tiers[fabric.links.tier[link]] for link in links}


def test_one_cable_of_a_tier_that_the_job_uses(fabric):
    tier = np.array(fabric.tiers)[fabric.links.tier]
    only = int(np.flatnonzero(tier == "spine_core")[7])
    is_used = np.zeros(len(fabric.links), bool)
    is_used[only] = True
    found = Degraded("spine_core", "spine_core", 1, True).links(fabric, is_used, stream(1, "test"))
    assert found.tolist() == [only & ~1]


def test_the_place_is_drawn_with_the_seed(fabric):
    state = Degraded("leaf_spine", "leaf_spine", 1, True)
    places = [state.links(fabric, all_used(fabric), stream(seed, "test")).tolist() for seed in (1, 1, 2, 3, 4)]
    assert places[0] == places[1]
    assert len({place[0] for place in places}) > 1
    assert all(place[0] % 2 == 0 for place in places)


@pytest.mark.parametrize(("is_lower", "kind"), [(True, "leaf"), (False, "spine")])
def test_several_cables_meet_in_one_node(fabric, is_lower, kind):
    found = Degraded("some", "leaf_spine", 4, is_lower).links(fabric, all_used(fabric), stream(1, "test"))
    ends = (fabric.links.src if is_lower else fabric.links.dst)[found]
    assert len(set(found.tolist())) == 4
    assert tiers_of(fabric, found) == {"leaf_spine"}
    assert len(set(ends.tolist())) == 1
    assert NODE_KINDS[fabric.node_kind[ends[0]]] == kind


def test_all_links_of_a_switch(fabric):
    found = Degraded("spine", "spine", 0, False).links(fabric, all_used(fabric), stream(1, "test"))
    up, down = fabric.links.src[found], fabric.links.dst[found]
    node = set(up.tolist()) & set(down.tolist())
    assert len(node) == 1
    assert ((up == next(iter(node))) | (down == next(iter(node)))).all()
    assert tiers_of(fabric, found) == {"leaf_spine", "spine_core"}


def test_bundles_that_are_gone_as_a_whole_are_noticed(fabric):
    tier = np.array(fabric.tiers)[fabric.links.tier]
    uplinks = np.flatnonzero(tier == "leaf_spine")[::2]
    assert stays_spread(fabric, uplinks[:1])
    assert not stays_spread(fabric, np.flatnonzero(tier == "host_leaf")[:1])
    assert not stays_spread(fabric, uplinks[fabric.links.src[uplinks] == fabric.links.src[uplinks[0]]])


@pytest.mark.parametrize(("tier", "tolerance"), [("leaf_spine", 1e-4), ("spine_core", 1 / 15)])
def test_a_cable_that_its_bundle_does_without_is_as_good_as_one_that_paths_avoid(tier, tolerance):
    """
    An all-to-all of 128 in a fat-tree of 8-port switches. Where a pair has few enough paths, those that are left can
    be counted out. One of a leaf's four uplinks takes a third of the bandwidth of what is behind it, either way. Above,
    the bundle is all of a pod's sixteen uplinks, which have some to spare here; paths that avoid one of them leave its
    spine with less traffic, and load other uplinks of leaves by up to a fifteenth more, which no bundle knows of.
    """
    healthy = FatTree().build(equipment(128, 8))
    cables = np.flatnonzero(np.array(healthy.tiers)[healthy.links.tier] == tier)[:1]
    assert healthy.paths.count(np.array([0]), np.array([127]), None) <= 256
    dead = np.isin(np.arange(len(healthy.links)) & ~1, cables)
    capacity = np.where(dead, 1e-6, 1.0) * healthy.links.capacity_bytes_per_s
    slow = replace(healthy, links=replace(healthy.links, capacity_bytes_per_s=capacity))
    traffic = Traffic.between(*all_pairs(healthy), 1e6)
    took_s, slow_s, failed_s = (time_s(traffic, one) for one in (healthy, slow, without_links(healthy, dead)))
    print(f"{tier}: {took_s:.6f} s, {slow_s / took_s:.4f} in the bundle, {failed_s / took_s:.4f} around it")
    assert took_s <= slow_s <= failed_s * (1 + 1e-9)
    assert slow_s == pytest.approx(failed_s, rel=tolerance)
    assert (slow_s > 1.25 * took_s) == (tier == "leaf_spine")
