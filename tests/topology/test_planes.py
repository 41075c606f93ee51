"""Planes, two tiers and links of several ports: what they need, and what they carry."""

import numpy as np
import pytest

from cluster_sim.core import NotBuildableError
from cluster_sim.economics import bill_of_materials
from cluster_sim.kernels import hashed_choice
from cluster_sim.routing import Ecmp, Spray
from cluster_sim.tables import NODE_KINDS, Traffic
from cluster_sim.topology import Clos, FatTree
from tests.networks import KEY, equipment, links_of_tier, payload_bytes_per_s, small_fabric, small_interconnect, time_s


def switches(fabric, *kinds):
    """How many of each kind."""
    return [int((fabric.node_kind == NODE_KINDS.index(kind)).sum()) for kind in kinds]


def test_each_plane_has_its_share_of_the_rate_and_switches_with_more_ports():
    """
    4-port switches have 8 ports of half the rate: 4 accelerators below a leaf. Each of 2 planes is a fat-tree of 8-port
    switches for 32 accelerators in 2 pods of 16, as one plane of 8-port switches at the whole rate would be.
    """
    fabric = FatTree(planes=2).build(equipment(32, ports=4))
    one = FatTree().build(equipment(32, ports=8))
    assert switches(fabric, "leaf", "spine", "core") == [2 * count for count in switches(one, "leaf", "spine", "core")]
    for tier in ("host_leaf", "leaf_spine", "spine_core"):
        assert len(links_of_tier(fabric, tier)) == 2 * len(links_of_tier(one, tier))
        capacity = fabric.links.capacity_bytes_per_s[links_of_tier(fabric, tier)]
        assert capacity == pytest.approx(payload_bytes_per_s() / 2)


def test_scale_up_domains_are_joined_once():
    fabric, one = (Clos(planes=planes).build(equipment(24, ports=8, per_host=4)) for planes in (3, 1))
    assert switches(fabric, "scale_up_switch") == switches(one, "scale_up_switch") == [6]
    assert len(links_of_tier(fabric, "scale_up")) == len(links_of_tier(one, "scale_up"))


def test_planes_share_no_switch():
    """Without endpoints and scale-up switches the graph falls apart into one part for each plane."""
    fabric = small_fabric("two planes")
    links, first = fabric.links, fabric.num_endpoints + int(fabric.endpoint_domain.max()) + 1
    plane = (np.arange(len(fabric.node_kind)) - first) // ((len(fabric.node_kind) - first) // 2)
    above = (links.src >= first) & (links.dst >= first)
    assert (plane[links.src[above]] == plane[links.dst[above]]).all()
    into = links.dst[(links.src < fabric.num_endpoints) & (links.dst >= first)].reshape(2, -1)
    assert plane[into].tolist() == [[0] * fabric.num_endpoints, [1] * fabric.num_endpoints]


@pytest.mark.parametrize("planes", [1, 2, 4])
def test_spraying_gets_the_whole_port_whatever_the_planes(planes):
    """One accelerator sends 1 GB to another pod: 1e9 / 0.96e11 s and the latencies of six links."""
    fabric = FatTree(planes=planes).build(equipment(128, ports=4 if planes == 4 else 8))
    took_s = time_s(Traffic.between(np.array([0]), np.array([127]), 1e9), fabric)
    assert took_s == pytest.approx(1e9 / payload_bytes_per_s(), rel=1e-3)


def test_a_single_path_has_the_rate_of_one_plane():
    """ECMP keeps a flow in one of two planes: half the port, twice the time."""
    fabric = FatTree(planes=2).build(equipment(32, ports=4))
    took_s = time_s(Traffic.between(np.array([0]), np.array([31]), 1e9), fabric, Ecmp())
    assert took_s == pytest.approx(2e9 / payload_bytes_per_s(), rel=1e-3)


def test_ecmp_hashes_over_planes():
    """
    1024 pairs over 2 planes: half of them in each, give or take 5 standard deviations of 16. The plane comes from the
    same hash as the path in it, so both halves of the candidates are drawn.
    """
    fabric = FatTree(planes=2).build(equipment(64, ports=8))
    src, dst = np.arange(1024) % 64, np.arange(1024) // 64
    src, dst = src[src != dst].astype(np.int32), dst[src != dst].astype(np.int32)
    num_paths = fabric.paths.count(src, dst, None)
    pair, link = fabric.paths.links(src, dst, hashed_choice(num_paths, src, dst, KEY), None)
    first = link[np.unique(pair, return_index=True)[1]]
    host_links = links_of_tier(fabric, "host_leaf")
    in_second = first >= host_links[len(host_links) // 2]
    assert abs(in_second.sum() - len(src) / 2) < 5 * 16


def test_a_bundle_holds_the_same_links_of_all_planes():
    """An accelerator's two ports are one row with the rate of both."""
    fabric = small_fabric("two planes")
    rows = Spray().rows(fabric, None)
    for tier in ("host_leaf", "leaf_spine", "spine_core"):
        links = links_of_tier(fabric, tier)
        one, other = links.reshape(2, -1)
        assert (rows.link_row[one] == rows.link_row[other]).all()


def test_a_module_carries_as_many_ports_of_a_plane_as_fit():
    """
    800G modules, 2 planes of 400G ports: a server of one accelerator has one module for both; the leaves, of 4 ports
    down, two each. 32 + 2 planes x 8 leaves x 2.
    """
    parts = equipment(32, ports=4)
    bill = bill_of_materials(FatTree(planes=2).build(parts), parts.interconnect)
    assert [item.count for item in bill if (item.kind, item.tier) == ("module", "host_leaf")] == [32 + 2 * 8 * 2]


def test_a_nic_that_cannot_feed_all_planes_is_not_buildable():
    """A 400G NIC with two ports of 400G: each could be fed, both cannot. Copper that is too short is told, too."""
    slow = equipment(16, nic="connectx7-400g", leaf_spine="dac-800g", host_leaf="dac-800g")
    with pytest.raises(NotBuildableError) as caught:
        Clos(planes=2, floor={"accelerators_per_rack": 1, "slack_m": 1.5}).build(slow)
    reasons = caught.value.args[0]
    assert len([reason for reason in reasons if "moves at most 400G, its port runs at 800G" in reason]) == 1
    assert len([reason for reason in reasons if "dac-800g reaches 2 m" in reason]) == 2
    with pytest.raises(NotBuildableError, match="its port runs at 800G"):
        Clos(planes=2).build(equipment(16, nic="connectx7-400g"))


def test_two_tiers_hold_half_the_square_of_the_ports():
    """8 ports: 4 accelerators below each of 8 leaves, 4 spines with a link to every leaf; the 33rd does not fit."""
    fabric = Clos(tiers=2).build(equipment(32, ports=8))
    assert switches(fabric, "leaf", "spine", "core") == [8, 4, 0]
    assert fabric.tiers == ("scale_up", "host_leaf", "leaf_spine")
    assert fabric.num_pods == 1
    with pytest.raises(NotBuildableError, match=r"two tiers of 8-port switches hold 32 accelerators.*9 leaves of 4"):
        Clos(tiers=2).build(equipment(33, ports=8))


def test_planes_let_two_tiers_hold_more():
    """4 planes: 32 ports instead of 8 on every switch, 512 accelerators instead of 32."""
    fabric = Clos(tiers=2, planes=4).build(equipment(512, ports=8))
    assert switches(fabric, "leaf", "spine") == [4 * 32, 4 * 16]


@pytest.mark.parametrize("field", ["pod_accelerators", "spine_oversubscription"])
def test_two_tiers_have_nothing_above_their_spines(field):
    with pytest.raises(ValueError, match=f"leave out {field}"):
        Clos(tiers=2, **{field: 2})


def test_links_of_two_ports_are_half_as_many_and_twice_as_fast():
    """The same 24 accelerators with single and with joined ports: equal capacity between leaves and spines."""
    twin = {"leaf_spine": "1.6t-dsp-dr8", "spine_core": "1.6t-dsp-dr8"}
    joined, single = (
        Clos(pod_accelerators=8, link_ports=ports).build(equipment(24, ports=8, **twin)) for ports in (2, 1)
    )
    for tier in ("leaf_spine", "spine_core"):
        few, many = links_of_tier(joined, tier), links_of_tier(single, tier)
        assert len(few) * 2 == len(many)
        assert joined.links.capacity_bytes_per_s[few] == pytest.approx(2 * payload_bytes_per_s())
    assert joined.links.capacity_bytes_per_s[links_of_tier(joined, "host_leaf")] == pytest.approx(payload_bytes_per_s())


def test_links_of_two_ports_need_modules_of_their_rate():
    with pytest.raises(NotBuildableError, match=r"leaf_spine: .*carries 800G, a link of 2 ports runs at 1.6T"):
        Clos(pod_accelerators=8, link_ports=2).build(equipment(24, ports=8))


def test_ports_that_cannot_be_joined_are_told():
    """4 ports up in threes."""
    with pytest.raises(NotBuildableError, match="4 ports up, which cannot be joined by 3"):
        Clos(link_ports=3).build(equipment(24, ports=8))


def test_a_split_interconnect_has_ports_of_a_share_of_the_rate():
    assert small_interconnect(8).split(4).port_rate_bytes_per_s == 2.5e10
    assert small_interconnect(8).split(4).num_ports == 32
