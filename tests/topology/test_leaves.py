"""Leaves with fewer accelerators than they have ports for."""

import pytest

from cluster_sim.core import NotBuildableError
from cluster_sim.topology import Clos
from tests.networks import equipment


def shape(fabric):
    """Links of each tier."""
    return {tier: int((fabric.links.tier == number).sum()) // 2 for number, tier in enumerate(fabric.tiers)}


def test_racks_with_a_switch_of_their_own():
    """Sixteen ports: racks of two, pods of four racks with full bisection, a fourth of the links above."""
    parts = equipment(16, 16)
    fabric = Clos(leaf_accelerators=2, pod_accelerators=8, spine_oversubscription=4).build(parts)
    assert shape(fabric) == {"scale_up": 16, "host_leaf": 16, "leaf_spine": 16, "spine_core": 4}
    assert fabric.num_pods == 2


def test_as_many_as_there_are_ports_is_the_same_as_not_saying_it():
    parts = equipment(64, 8)
    assert shape(Clos(leaf_accelerators=4).build(parts)) == shape(Clos().build(parts))


def test_oversubscription_is_of_the_links_there_are():
    parts = equipment(16, 16)
    fabric = Clos(leaf_accelerators=4, leaf_oversubscription=2, pod_accelerators=16).build(parts)
    assert shape(fabric)["leaf_spine"] == 8


def test_more_than_the_ports_are_refused():
    parts = equipment(64, 8)
    with pytest.raises(NotBuildableError, match="4 ports down, fewer than 5 accelerators"):
        Clos(leaf_accelerators=5).build(parts)
