import numpy as np
import pytest

from cluster_sim.core import stream
from cluster_sim.reliability import Degraded, stays_spread
from cluster_sim.tables import NODE_KINDS
from cluster_sim.topology import Equipment
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
