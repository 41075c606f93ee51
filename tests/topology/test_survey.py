"""What a fabric is like: counted by hand, and the bisection against the largest flow of the whole graph."""

from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings

from cluster_sim.kernels import components
from cluster_sim.tables import Links
from cluster_sim.topology import Clos, Custom, FatTree, OcsSpine, survey
from tests.networks import SMALL, all_pairs, all_paths, built, connected, equipment, payload_bytes_per_s, small_fabric


def test_accelerators_without_ports_have_a_cut_of_nothing_and_no_ratio(tmp_path):
    (tmp_path / "two.json").write_text('{"nodes": [{"id": 0, "kind": "endpoint"}, {"id": 1, "kind": "endpoint"}], '
                                       '"edges": []}')  # fmt: skip
    cut = survey(Custom(graph=str(tmp_path / "two.json")).build(equipment(2))).bisection
    assert (cut.bytes_per_s, cut.ratio) == (0.0, None)


def test_nodes_and_links_of_a_fat_tree():
    """k=4: 16 accelerators, 8 leaves, 8 spines, 4 cores; 16 cables in every tier; 6 links between pods."""
    found = survey(FatTree().build(equipment(16)))
    assert dict(found.nodes) == {"scale_up_switch": 16, "leaf": 8, "spine": 8, "core": 4}
    assert [(tier.name, tier.num_links) for tier in found.tiers] == [
        ("scale_up", 16), ("host_leaf", 16), ("leaf_spine", 16), ("spine_core", 16),
    ]  # fmt: skip
    assert (found.num_accelerators, found.num_hosts, found.num_domains, found.num_pods) == (16, 16, 16, 4)
    assert found.diameter.num_links == 6
    assert found.tiers[1].capacity_bytes_per_s == pytest.approx((payload_bytes_per_s(),) * 2)
    shortest, mean, longest = found.tiers[3].length_m
    assert shortest <= mean <= longest


@pytest.mark.parametrize(
    ("topology", "num", "ports", "ratio"),
    [
        (FatTree(), 16, 4, 1.0),
        (FatTree(planes=2), 32, 4, 1.0),
        (Clos(tiers=2, leaf_oversubscription=3), 48, 8, 1 / 3),
        (Clos(pod_accelerators=12, leaf_oversubscription=3), 48, 8, 1 / 3),
        (Clos(pod_accelerators=8, leaf_oversubscription=2, spine_oversubscription=2), 32, 6, 1 / 4),
        (OcsSpine(pod_accelerators=12, leaf_oversubscription=3), 48, 8, 1 / 3),
    ],
)
def test_bisection_is_full_over_the_oversubscription(topology, num, ports, ratio):
    """Half of whole pods sends what its uplinks carry: 1 / (leaf x spine oversubscription)."""
    found = survey(topology.build(equipment(num, ports))).bisection
    assert found.ratio == pytest.approx(ratio, rel=1e-9)
    assert found.num_accelerators == num // 2
    assert found.bytes_per_s == pytest.approx(ratio * num / 2 * payload_bytes_per_s(), rel=1e-9)


@given(built())
@settings(deadline=None, max_examples=25)
def test_bisection_is_the_largest_flow_of_the_whole_graph(fabric_and_circuits):
    """Kinds of nodes stand for all of them: the same flow between the same halves, node by node."""
    fabric = fabric_and_circuits[0]
    found = survey(fabric).bisection
    if found.bytes_per_s is None:
        assert fabric.num_endpoints == 1
        return
    order = fabric.endpoint_domain if fabric.endpoint_domain.max() else np.arange(fabric.num_endpoints)
    first = order < (order.max() + 1) // 2
    assert found.bytes_per_s == pytest.approx(largest_flow(fabric, first), rel=1e-9)


def largest_flow(fabric, first):
    """From the accelerators where ``first`` is True to the others, in bytes/s."""
    graph = nx.DiGraph()
    links = fabric.links
    columns = links.src.tolist(), links.dst.tolist(), links.capacity_bytes_per_s.tolist()
    for src, dst, capacity in zip(*columns, strict=True):
        before = graph.get_edge_data(src, dst, default={"capacity": 0})["capacity"]
        graph.add_edge(src, dst, capacity=before + round(capacity))
    graph.add_edges_from(("source", node) for node in np.flatnonzero(first).tolist())
    graph.add_edges_from((node, "sink") for node in np.flatnonzero(~first).tolist())
    return nx.maximum_flow_value(graph, "source", "sink")


def ring(num):
    """A fabric of accelerators that each drive a link to the next, in the place of what a Clos has above them."""
    fabric = Clos().build(equipment(num, ports=2 * num))
    keep = fabric.links.tier == 0
    here = np.arange(num)
    up, down = np.stack([here, (here + 1) % num], axis=1), np.stack([(here + 1) % num, here], axis=1)
    ends = np.stack([up, down], axis=1).reshape(-1, 2).astype(np.int32)
    rest = 2 * num
    links = {
        "src": ends[:, 0], "dst": ends[:, 1], "tier": np.full(rest, 1, np.int32),
        "bundle": np.full(rest, -1, np.int32), "capacity_bytes_per_s": np.full(rest, 1e9),
        "latency_s": np.zeros(rest), "length_m": np.ones(rest),
    }  # fmt: skip
    joined = {name: np.concatenate([getattr(fabric.links, name)[keep], column]) for name, column in links.items()}
    return replace(fabric, links=Links(**joined), node_kind=fabric.node_kind[: 2 * num].copy(), paths=RingPaths(num))


class RingPaths:
    """The shorter way round."""

    def __init__(self, num):
        self.num = num

    def links(self, src, dst, choice, circuits):
        ahead = (dst - src) % self.num
        steps = np.where(ahead <= self.num // 2, ahead, ahead - self.num)
        pairs = np.repeat(np.arange(len(src)), np.abs(steps))
        link = [
            2 * self.num + 2 * ((s + k) % self.num) if n > 0 else 2 * self.num + 2 * ((s - k - 1) % self.num) + 1
            for s, n in zip(src.tolist(), steps.tolist(), strict=True)
            for k in range(abs(n))
        ]
        return pairs, np.array(link, np.int64)

    def count(self, src, dst, circuits):
        return np.ones(len(src), np.int64)


def test_a_ring_is_cut_in_two_places_and_half_as_wide_as_it_is_long():
    """8 accelerators in a ring: two links from half to half, 2e9 B/s; each drives two of 1e9, 4 x 2e9 for a half."""
    found = survey(ring(8))
    assert found.bisection.bytes_per_s == pytest.approx(2e9)
    assert found.bisection.ratio == pytest.approx(2 / 8)
    assert "ways to halve" in found.bisection.how
    assert found.diameter.num_links == 4


@pytest.mark.parametrize("name", SMALL)
def test_the_diameter_is_the_longest_path_of_all_pairs(name):
    """One accelerator of each kind is enough."""
    fabric = small_fabric(name)
    circuits = connected(fabric, 1.0 - np.eye(fabric.num_pods))
    longest = max(paths.shape[1] for paths in all_paths(fabric, *all_pairs(fabric), circuits))
    assert survey(fabric).diameter.num_links == longest


def test_a_single_accelerator_has_no_halves_and_no_way_to_go():
    found = survey(Clos().build(equipment(1, ports=8)))
    assert (found.bisection.bytes_per_s, found.bisection.ratio, found.diameter.num_links) == (None, None, 0)


def test_a_scale_up_domain_alone_is_halved_within():
    """4 accelerators of one domain: the first two send 2 x (450 x 0.82 + 96) GB/s through its switch and their leaf."""
    found = survey(Clos().build(equipment(4, ports=8, per_host=4))).bisection
    assert found.bytes_per_s == pytest.approx(2 * (450e9 * 0.82 + payload_bytes_per_s()))
    assert found.ratio == pytest.approx(1.0)


def test_components_are_named_by_their_lowest_node():
    assert components(6, np.array([4, 1, 5]), np.array([1, 3, 5])).tolist() == [0, 1, 2, 1, 1, 5]
