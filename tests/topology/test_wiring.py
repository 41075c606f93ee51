"""What is laid: ports, duplex pairs, bisection, oversubscription, lengths."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster_sim.core import NotBuildableError
from cluster_sim.tables import NODE_KINDS
from cluster_sim.topology import Clos, FatTree, FloorPlan, OcsSpine
from tests.networks import (
    SMALL,
    built,
    equipment,
    links_of_tier,
    payload_bytes_per_s,
    ports_of,
    small_fabric,
)

HALL = FloorPlan(accelerators_per_rack=2, racks_per_row=2, rack_pitch_m=1.0, row_pitch_m=10.0, slack_m=0.5)


def ports_used(fabric, *kinds):
    """Ports of 800G that each switch of these kinds uses: what leaves it over what one port carries."""
    rate = fabric.links.capacity_bytes_per_s / payload_bytes_per_s()
    used = np.round(np.bincount(fabric.links.src, weights=rate, minlength=len(fabric.node_kind)), 9)
    return used[np.isin(fabric.node_kind, [NODE_KINDS.index(kind) for kind in kinds])]


@pytest.mark.parametrize("name", SMALL)
def test_no_switch_uses_more_ports_than_it_has(name):
    assert (ports_used(small_fabric(name), "leaf", "spine", "core") <= ports_of(name)).all()


def test_every_switch_of_a_full_fat_tree_uses_every_port():
    """16 accelerators, k=4: 8 leaves, 8 spines and 4 cores, all with 4 links."""
    assert ports_used(small_fabric("fat tree"), "leaf", "spine", "core").tolist() == [4] * 20


@pytest.mark.parametrize("name", [name for name in SMALL if name.startswith("ocs")])
def test_no_ocs_uses_more_ports_than_it_has(name):
    """A Palomar has 128; 3 pods fill 126 of one, and these fabrics have fewer uplinks than that."""
    used = ports_used(small_fabric(name), "ocs")
    assert len(used) == 1
    assert used[0] <= 128


def test_a_full_ocs_is_followed_by_another():
    """
    32-port OCS, 12 pods: floor(32 / 12) = 2 uplinks of every pod to each. A pod of 24 accelerators behind 48-port
    switches has 1 leaf, so 1 spine with 24 uplinks: 12 OCS of 24 used ports.
    """
    parts = equipment(12 * 24, ports=48, ocs="ipronics-one32")
    fabric = OcsSpine(pod_accelerators=24).build(parts)
    assert ports_used(fabric, "ocs").tolist() == [24] * 12


@given(built())
@settings(deadline=None, max_examples=40)
def test_links_come_in_duplex_pairs(fabric_and_circuits):
    """Link 2i+1 is link 2i the other way round, in the same tier, as fast and as long."""
    links = fabric_and_circuits[0].links
    up, down = slice(0, None, 2), slice(1, None, 2)
    assert (links.src[up] == links.dst[down]).all()
    assert (links.dst[up] == links.src[down]).all()
    for column in (links.tier, links.capacity_bytes_per_s, links.length_m):
        assert (column[up] == column[down]).all()


@given(built())
@settings(deadline=None, max_examples=40)
def test_links_of_a_bundle_are_alike(fabric_and_circuits):
    """One tier, one direction, one capacity and one latency: whatever link stands for a bundle, the result is one."""
    links = fabric_and_circuits[0].links
    for column in (links.tier, np.arange(len(links)) % 2, links.capacity_bytes_per_s, links.latency_s):
        for bundle in np.unique(links.bundle[links.bundle >= 0]):
            assert len(np.unique(column[links.bundle == bundle])) == 1


def greatest_flow_bytes_per_s(fabric, sources, sinks):
    """What the fabric carries from one set of accelerators to another, scale-up links aside."""
    graph, links = nx.DiGraph(), fabric.links
    for link in np.flatnonzero(links.tier != fabric.tiers.index("scale_up")):
        ends = int(links.src[link]), int(links.dst[link])
        before = graph.get_edge_data(*ends, default={"capacity": 0.0})["capacity"]
        graph.add_edge(*ends, capacity=before + links.capacity_bytes_per_s[link] / payload_bytes_per_s())
    graph.add_edges_from(("source", int(node)) for node in sources)
    graph.add_edges_from((int(node), "sink") for node in sinks)
    return nx.maximum_flow_value(graph, "source", "sink") * payload_bytes_per_s()


@pytest.mark.parametrize(
    ("topology", "num_endpoints", "ports"),
    [(FatTree(), 16, 4), (FatTree(), 54, 6), (FatTree(), 32, 8), (Clos(pod_accelerators=8), 32, 8)],
)
def test_bisection_of_a_fabric_without_oversubscription_is_half_the_hosts_at_full_rate(topology, num_endpoints, ports):
    """The largest flow from the first half of the accelerators to the second is n/2 ports."""
    fabric = topology.build(equipment(num_endpoints, ports))
    half = num_endpoints // 2
    carried = greatest_flow_bytes_per_s(fabric, range(half), range(half, num_endpoints))
    assert carried == pytest.approx(half * payload_bytes_per_s(), rel=1e-9)


@pytest.mark.parametrize(
    ("leaf", "spine", "num_endpoints", "ports", "pod"),
    [(3, 1, 36, 8, 12), (1, 3, 48, 8, 24), (2, 2, 32, 6, 8), (2, 1, 32, 12, 16), (1, 2, 36, 6, 12)],
)
def test_oversubscription_of_f_leaves_one_fth_of_the_bisection(leaf, spine, num_endpoints, ports, pod):
    """
    Whole pods below 1:1, f:1 or f:1 twice, from one pod to the others: 1 / (leaf x spine) of what its hosts send.
    Pods fill their spines, so that the ratio is exact (ports 8 at 3:1 are 6 down and 2 up; 6 at 2:1 are 4 and 2).
    """
    clos = Clos(pod_accelerators=pod, leaf_oversubscription=leaf, spine_oversubscription=spine)
    fabric = clos.build(equipment(num_endpoints, ports))
    inside = np.flatnonzero(fabric.endpoint_pod == 0)
    outside = np.flatnonzero(fabric.endpoint_pod != 0)
    assert fabric.num_pods > 1
    carried = greatest_flow_bytes_per_s(fabric, inside, outside)
    rest = len(outside) * payload_bytes_per_s()
    assert carried == pytest.approx(min(rest, len(inside) * payload_bytes_per_s() / leaf / spine), rel=1e-9)


@pytest.mark.parametrize(("f", "ports"), [(1, 8), (3, 8), (7, 8), (2, 6), (1.5, 5)])
def test_oversubscription_of_f_has_f_times_as_many_links_down_as_up(f, ports):
    """ports = down + up with down = f x up, counted at a full leaf."""
    fabric = Clos(leaf_oversubscription=f).build(equipment(2 * ports, ports))
    leaf = int(np.flatnonzero(fabric.node_kind == NODE_KINDS.index("leaf"))[0])
    out = fabric.links.tier[fabric.links.src == leaf]
    down = (out == fabric.tiers.index("host_leaf")).sum()
    up = (out == fabric.tiers.index("leaf_spine")).sum()
    assert (down, up) == (f * up, ports / (1 + f))


@given(st.integers(2, 64), st.sampled_from([1, 1.25, 1.5, 2, 3, 4.5, 7]))
@settings(deadline=None, max_examples=60)
def test_a_leaf_is_never_oversubscribed_by_more_than_asked_for(ports, f):
    """Any radix: down + up fit the switch, at least one each way, and down / up is at most f."""
    fabric = Clos(leaf_oversubscription=f).build(equipment(ports, ports))
    leaf = int(np.flatnonzero(fabric.node_kind == NODE_KINDS.index("leaf"))[0])
    out = fabric.links.tier[fabric.links.src == leaf]
    down = (out == fabric.tiers.index("host_leaf")).sum()
    up = (out == fabric.tiers.index("leaf_spine")).sum()
    assert 1 <= down <= f * up + 1e-9
    assert down + up <= ports


def test_a_pod_that_does_not_fill_its_spines_has_no_more_links_up_than_down():
    """
    12 accelerators of 8-port switches: 3 leaves with 4 uplinks each, 4 spines with 3 links down. Without
    oversubscription a pod has 12 links up, not the 16 that its spines have ports for: more would be bought for nothing.
    """
    fabric = Clos(pod_accelerators=12).build(equipment(24, ports=8))
    assert len(links_of_tier(fabric, "leaf_spine")) // 2 == 24
    assert len(links_of_tier(fabric, "spine_core")) // 2 == 24


def test_fat_tree_of_k_ports_holds_a_quarter_of_k_cubed():
    """k=4: 16 accelerators in 4 pods of 2 leaves and 2 spines, 4 cores; the 17th does not fit."""
    fabric = small_fabric("fat tree")
    kinds = [int((fabric.node_kind == NODE_KINDS.index(kind)).sum()) for kind in ("leaf", "spine", "core")]
    assert (fabric.num_pods, kinds) == (4, [8, 8, 4])
    with pytest.raises(NotBuildableError, match=r"4-port switches holds 16 accelerators, not 17"):
        FatTree().build(equipment(17))


def test_fat_tree_needs_an_even_number_of_ports():
    with pytest.raises(NotBuildableError):
        FatTree().build(equipment(4, ports=5))


def test_fat_tree_says_that_its_ports_are_odd():
    with pytest.raises(NotBuildableError, match="even"):
        FatTree().build(equipment(4, ports=5))


def test_rail_optimised_leaves_take_the_same_accelerator_of_neighbouring_servers():
    """
    Servers of 2 behind 4-port switches: 2 servers to a leaf. Accelerators 0 and 2 are the first of servers 0 and 1 and
    share leaf 0; 1 and 3 share leaf 1; 4 and 6 the next.
    """
    fabric = small_fabric("clos by rail")
    up = links_of_tier(fabric, "host_leaf")[::2]
    leaf = fabric.links.dst[up] - fabric.links.dst[up].min()
    assert leaf.tolist() == [0, 1, 0, 1, 2, 3, 2, 3, 4, 5, 4, 5]


def test_leaves_take_whole_servers_unless_rail_optimised():
    """k=4: accelerators 2i and 2i+1 below leaf i."""
    fabric = small_fabric("fat tree")
    up = links_of_tier(fabric, "host_leaf")[::2]
    assert (fabric.links.dst[up] - fabric.links.dst[up].min()).tolist() == [i // 2 for i in range(16)]


def test_pods_are_as_large_as_the_switches_allow_when_no_size_is_given():
    """8 ports: 4 accelerators below a leaf, 4 leaves below a spine: pods of 16."""
    assert np.bincount(Clos().build(equipment(40, ports=8)).endpoint_pod).tolist() == [16, 16, 8]


def test_rail_optimised_pods_are_as_large_as_the_switches_allow_when_no_size_is_given():
    """
    40 ports, servers of 8: a rail group is 20 servers, 160 accelerators; the largest pod is 400, so 2 rail groups.
    """
    fabric = Clos(rail_optimised=True).build(equipment(800, ports=40, per_host=8))
    assert np.bincount(fabric.endpoint_pod).tolist() == [320, 320, 160]


@pytest.mark.parametrize("name", SMALL)
def test_hosts_domains_and_pods_of_endpoints_are_contiguous(name):
    """Ranks are placed in order: neighbours share a server, servers a pod."""
    fabric = small_fabric(name)
    for column in (fabric.endpoint_host, fabric.endpoint_domain, fabric.endpoint_pod):
        assert column[0] == 0
        assert set(np.diff(column)) <= {0, 1}
    assert fabric.endpoint_pod.max() + 1 == fabric.num_pods


def test_cables_of_a_fat_tree_are_as_long_as_the_floor_plan_says():
    """
    2 accelerators a rack, 2 racks a row, 1 m between racks, 10 m between rows, 0.5 m slack. k=4: leaf l takes
    accelerators 2l and 2l+1 and stands in their rack l: 0.5 m. The spines of pod p (accelerators 4p to 4p+3, row p)
    stand with accelerator 4p+2, rack 1 of the row: 1.5 m from the pod's first leaf, 0.5 m from its second. The cores
    stand with accelerator 8, row 2, rack 0: 0.5 + 1 + 10 |p - 2| m from pod p.
    """
    fabric = FatTree(floor=HALL).build(equipment(16))
    length_m = {tier: fabric.links.length_m[links_of_tier(fabric, tier)][::2] for tier in fabric.tiers}
    assert length_m["host_leaf"] == pytest.approx(np.full(16, 0.5))
    assert length_m["leaf_spine"] == pytest.approx(np.tile([1.5, 1.5, 0.5, 0.5], 4))
    assert length_m["spine_core"] == pytest.approx(np.repeat([21.5, 11.5, 1.5, 11.5], 4))


def test_rail_optimised_leaves_stand_in_the_middle_of_their_servers():
    """
    Servers of 2, one to a rack. Leaves 0 and 1 take servers 0 and 1 and stand with server 1: from server 0 that is
    0.5 + 1 m, from server 1 0.5 m.
    """
    fabric = Clos(rail_optimised=True, floor=HALL).build(equipment(4, per_host=2))
    assert fabric.links.length_m[links_of_tier(fabric, "host_leaf")][::2] == pytest.approx([1.5, 1.5, 0.5, 0.5])


@given(st.integers(1, 9), st.integers(1, 5), st.integers(0, 500), st.integers(0, 500))
@settings(deadline=None, max_examples=60)
def test_cable_length_is_a_distance_plus_slack(per_rack, per_row, a, b):
    """The same there and back; slack alone within a rack; never shorter than by way of a third place."""
    floor = FloorPlan(accelerators_per_rack=per_rack, racks_per_row=per_row)
    at = [floor.of_endpoints(np.array([endpoint])) for endpoint in (a, b, 0)]
    there = {(i, k): float(floor.length_m(at[i], at[k])[0]) - floor.slack_m for i in range(3) for k in range(3)}
    assert there[0, 1] == there[1, 0]
    assert there[0, 0] == 0.0
    assert there[0, 1] <= there[0, 2] + there[2, 1] + 1e-9
    assert (there[0, 1] > 0) == (a // per_rack != b // per_rack)


def test_scale_up_links_have_the_rate_of_the_accelerator():
    """An H100's NVLink, per direction, at the share of it that large messages reach: 450 GB/s x 0.82."""
    fabric = small_fabric("clos")
    assert fabric.links.capacity_bytes_per_s[links_of_tier(fabric, "scale_up")] == pytest.approx(450e9 * 0.82)


def test_a_scale_up_domain_may_be_wider_than_a_server():
    """Servers of 2 in domains of 4: accelerators 0 to 3 share a domain, 0 and 1 a server."""
    fabric = Clos().build(equipment(8, ports=8, per_host=2, domain=4))
    assert fabric.endpoint_host.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert fabric.endpoint_domain.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
