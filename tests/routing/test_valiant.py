"""Valiant: by way of random switches, at the cost of twice the links."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster_sim.routing import Adaptive, Spray, Valiant
from cluster_sim.tables import Traffic
from cluster_sim.topology import Dragonfly
from tests.networks import (
    KEY,
    SMALL,
    all_pairs,
    all_paths,
    equipment,
    links_of_tier,
    payload_bytes_per_s,
    rates_of,
    small_circuits,
    small_fabric,
)
from tests.routing.mixes import assert_all_arrives, hops_between, is_one_of


@pytest.mark.parametrize("detours", [1, 3])
@pytest.mark.parametrize("name", SMALL)
def test_all_of_a_flow_goes_from_its_source_to_its_destination(name, detours):
    fabric, circuits = small_fabric(name), small_circuits(name)
    src, dst = all_pairs(fabric)
    carried = hops_between(Valiant(detours=detours), fabric, src, dst, circuits)
    assert_all_arrives(fabric, src, dst, carried)
    assert np.isin(carried * detours, range(2 * detours + 1)).all(), "a detour crosses a link once or twice"


@pytest.mark.parametrize("name", [name for name in SMALL if "rail" not in name])
def test_no_detour_leads_through_another_accelerator(name):
    """Accelerators below a switch: links up from and down to others carry nothing."""
    fabric, circuits = small_fabric(name), small_circuits(name)
    src, dst = all_pairs(fabric)
    carried = hops_between(Valiant(), fabric, src, dst, circuits)
    for end, up in ((src, 0), (dst, 1)):
        links = links_of_tier(fabric, "host_leaf")[up::2]
        owner = (fabric.links.src, fabric.links.dst)[up][links]
        assert (carried[:, links][owner != end[:, None]] == 0).all()


def test_detours_lead_to_every_switch():
    """Full mesh of 4 switches with 5 accelerators: a flow between two of them passes each other, or none."""
    fabric = small_fabric("dragonfly")
    src, dst = np.array([0], np.int32), np.array([17], np.int32)
    carried = hops_between(Valiant(detours=256), fabric, src, dst)
    routers = np.unique(fabric.links.src[links_of_tier(fabric, "leaf_spine")])
    entered = np.zeros(len(fabric.node_kind))
    np.add.at(entered, fabric.links.dst, carried[0])
    assert (entered[routers] > 0).all()


@given(st.integers(0, 2**64 - 1))
@settings(deadline=None, max_examples=20)
def test_the_same_key_gives_the_same_way(key):
    fabric = small_fabric("torus")
    src, dst = all_pairs(fabric)
    one = hops_between(Valiant(detours=2), fabric, src, dst, key=key)
    assert (one == hops_between(Valiant(detours=2), fabric, src, dst, key=key)).all()
    reverse = hops_between(Valiant(detours=2), fabric, src[::-1], dst[::-1], key=key)
    assert (one == reverse[::-1]).all()


def test_where_there_is_nothing_between_a_flow_takes_a_candidate():
    """Three accelerators below one leaf: every detour turns round at the leaf."""
    fabric = small_fabric("one leaf")
    src, dst = all_pairs(fabric)
    for carried, paths in zip(
        hops_between(Valiant(detours=1), fabric, src, dst), all_paths(fabric, src, dst, None), strict=True
    ):
        assert is_one_of(carried, paths, len(fabric.links))


def test_from_group_to_next_group_of_a_dragonfly_valiant_gets_half_and_minimal_one_in_ap():
    """
    p = h = 3, a = 6: all 18 accelerators of a group send to the next group, over the one link that the groups share:
    1/18 each. By way of random groups each flow crosses two links between groups, of which there are as many as
    accelerators: at most 1/2 of the rate [Kim et al. 2008, fig. 8; Dally and Towles 2004, sec. 9.1], a little less for
    256 detours that are drawn, and for links inside groups.
    """
    fabric = Dragonfly().build(equipment(342, ports=11))
    src = np.arange(342, dtype=np.int32)
    traffic = Traffic.between(src, (src + 18) % 342, 1.0)

    def rates(routing):
        flows = routing.route(traffic, fabric, None, KEY)
        return rates_of(flows, routing.rows(fabric, None).capacity_bytes_per_s) / payload_bytes_per_s()

    assert rates(Spray()) == pytest.approx(np.full(342, 1 / 18))
    valiant = rates(Valiant(detours=256))
    assert 0.4 < valiant.min() < 0.5
    assert valiant.mean() < 0.52
    chosen = rates(Adaptive(choices=4, detours=8))
    assert chosen.mean() > 5 / 18
    assert chosen.min() > 2 / 18
