"""Candidate paths of every topology: that they exist, are all different, and load bundles as spraying assumes."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings

from cluster_sim.tables import NODE_KINDS, NONE
from tests.networks import SMALL, all_pairs, all_paths, built, small_circuits, small_fabric


def assert_paths_hold_together(fabric, circuits):
    """Every candidate of every pair starts at src, ends at dst, meets from link to link, and is like no other."""
    links, joined = fabric.links, light_paths(fabric, circuits)
    src, dst = all_pairs(fabric)
    for a, b, paths in zip(src, dst, all_paths(fabric, src, dst, circuits), strict=True):
        assert len(paths), f"{a} reaches {b}"
        assert (links.src[paths[:, 0]] == a).all()
        assert (links.dst[paths[:, -1]] == b).all()
        assert (links.dst[paths[:, :-1]] == links.src[paths[:, 1:]]).all()
        assert (np.diff(np.sort(paths, axis=1), axis=1) > 0).all(), "no link twice"
        assert len(np.unique(paths, axis=0)) == len(paths), "no candidate twice"
        into_ocs = fabric.node_kind[links.dst[paths]] == NODE_KINDS.index("ocs")
        path, hop = np.nonzero(into_ocs)
        assert all((int(x), int(y)) in joined for x, y in zip(paths[path, hop], paths[path, hop + 1], strict=True))


def light_paths(fabric, circuits):
    """The (link in, link out) that circuits join, those that are never switched included."""
    if circuits is not None:
        return set(zip(circuits.in_link.tolist(), circuits.out_link.tolist(), strict=True))
    edges = getattr(fabric.paths, "edges", None)
    if edges is None:
        return set()
    pairs = zip(edges.link.tolist(), edges.far_link.tolist(), strict=True)
    return {(link, far_link) for link, far_link in pairs if far_link != NONE}


def assert_bundles_load_alike(fabric, circuits):
    """
    All candidates of a pair cross the same bundles, and if each of P candidates carries 1/P, every link of a bundle of
    k carries 1/k. This is why spraying may take a bundle for one link with the sum of the capacities.
    """
    bundle = fabric.links.bundle.astype(np.int64)
    if circuits is not None:  # both links of a circuit; into and out of the OCS are two bundles of a trunk
        bundle[circuits.in_link] = bundle.max() + 1 + 2 * circuits.trunk
        bundle[circuits.out_link] = bundle[circuits.in_link] + 1
    size = np.bincount(bundle[bundle != NONE])
    src, dst = all_pairs(fabric)
    for paths in all_paths(fabric, src, dst, circuits):
        crossed = bundle[paths]
        assert (crossed == crossed[0]).all()
        link, times = np.unique(paths, return_counts=True)
        assert (times * size[bundle[link]] == len(paths)).all()
        assert sorted(link) == sorted(np.flatnonzero(np.isin(bundle, crossed[0])))


@pytest.mark.parametrize("name", SMALL)
def test_every_candidate_path_leads_from_src_to_dst(name):
    assert_paths_hold_together(small_fabric(name), small_circuits(name))


@given(built())
@settings(deadline=None, max_examples=40)
def test_every_candidate_path_leads_from_src_to_dst_in_any_fabric(fabric_and_circuits):
    assert_paths_hold_together(*fabric_and_circuits)


@pytest.mark.parametrize("name", SMALL)
def test_candidates_taken_evenly_load_every_link_of_a_bundle_alike(name):
    if small_fabric(name).paths.is_even:
        assert_bundles_load_alike(small_fabric(name), small_circuits(name))


@pytest.mark.parametrize("name", SMALL)
def test_shares_are_what_all_candidates_together_carry(name):
    """Where paths are not even: each of P candidates of a pair carries 1/P over each of its links."""
    fabric = small_fabric(name)
    if fabric.paths.is_even:
        return
    src, dst = all_pairs(fabric)
    pair, link, share = fabric.paths.shares(src, dst, None)
    assert (np.diff(pair) >= 0).all(), "grouped by pair"
    carried = np.zeros((len(src), len(fabric.links)))
    np.add.at(carried, (pair, link), share)
    for number, paths in enumerate(all_paths(fabric, src, dst, None)):
        expected = np.bincount(paths.ravel(), minlength=len(fabric.links)) / len(paths)
        np.testing.assert_allclose(carried[number], expected, rtol=1e-12, atol=1e-15)


@given(built())
@settings(deadline=None, max_examples=40)
def test_candidates_taken_evenly_load_every_link_of_a_bundle_alike_in_any_fabric(fabric_and_circuits):
    assert_bundles_load_alike(*fabric_and_circuits)


@pytest.mark.parametrize("name", SMALL)
def test_candidates_are_all_the_shortest_paths_of_the_graph_of_switches(name):
    """
    A graph from the table of links alone, without scale-up links, each circuit a node between two spines. Breadth
    first search finds as many shortest paths, as long as the candidates, for every pair in different domains. In a
    dragonfly a link between groups counts as three, so that no path crosses a second one.
    """
    fabric, circuits = small_fabric(name), small_circuits(name)
    graph = graph_of(fabric, circuits, far_length=3 if name == "dragonfly" else 1)
    src, dst = all_pairs(fabric)
    apart = fabric.endpoint_domain[src] != fabric.endpoint_domain[dst]
    if name.startswith("rail only"):  # between rails the way leads through the domain
        apart &= src % accelerators_per_domain(fabric) == dst % accelerators_per_domain(fabric)
    some = np.flatnonzero(apart)[:: max(1, apart.sum() // 60)]
    for a, b, paths in zip(src[some], dst[some], all_paths(fabric, src[some], dst[some], circuits), strict=True):
        shortest = list(nx.all_shortest_paths(graph, ("node", a), ("node", b), weight="length"))
        assert len(shortest[0]) - 1 == 2 * paths.shape[1] - num_circuits(fabric, paths)
        assert len(shortest) == len(paths)


def accelerators_per_domain(fabric):
    """Accelerators of a scale-up domain."""
    return int(np.bincount(fabric.endpoint_domain).max())


def graph_of(fabric, circuits, far_length=1):
    """Every link is a node between its ends, so that parallel links are parallel paths; a circuit joins two links."""
    graph, links = nx.DiGraph(), fabric.links
    is_ocs = fabric.node_kind == NODE_KINDS.index("ocs")
    for link in np.flatnonzero(links.tier != fabric.tiers.index("scale_up")):
        length = far_length if fabric.tiers[links.tier[link]] == "spine_core" else 1
        if not is_ocs[links.src[link]]:
            graph.add_edge(("node", links.src[link]), ("link", link), length=length)
        if not is_ocs[links.dst[link]]:
            graph.add_edge(("link", link), ("node", links.dst[link]), length=length)
    graph.add_edges_from(((("link", x), ("link", y)) for x, y in light_paths(fabric, circuits)), length=1)
    return graph


def num_circuits(fabric, paths):
    """How often the path crosses an OCS: two of its links meet in no switch."""
    return int((fabric.node_kind[fabric.links.dst[paths[0]]] == NODE_KINDS.index("ocs")).sum())


@pytest.mark.parametrize("name", SMALL)
def test_graph_of_the_links_is_connected(name):
    fabric = small_fabric(name)
    ends = zip(fabric.links.src.tolist(), fabric.links.dst.tolist(), strict=True)
    graph = nx.Graph(list(ends))
    assert set(graph) == set(range(len(fabric.node_kind))), "every node has a link"
    assert nx.is_connected(graph)


def test_numbers_of_candidates_of_a_fat_tree():
    """
    k=4: 2 accelerators below a leaf, 2 spines in a pod, 2 cores above each spine. Below one leaf one path; inside a
    pod one for each of 2 spines; between pods 2 spines x 2 cores.
    """
    fabric = small_fabric("fat tree")
    src, dst = np.array([0, 0, 0], np.int32), np.array([1, 2, 4], np.int32)
    assert fabric.paths.count(src, dst, None).tolist() == [1, 2, 4]


def test_accelerators_of_one_domain_meet_in_its_scale_up_switch():
    """Servers of 4: accelerators 0 and 3 share one, 3 and 4 do not and go through leaves."""
    fabric = small_fabric("clos")
    hop_pair, hop_link = fabric.paths.links(np.array([0, 3]), np.array([3, 4]), np.zeros(2, np.int64), None)
    tiers = [fabric.tiers[fabric.links.tier[link]] for link in hop_link]
    assert [tier for tier, pair in zip(tiers, hop_pair, strict=True) if pair == 0] == ["scale_up"] * 2
    assert "scale_up" not in [tier for tier, pair in zip(tiers, hop_pair, strict=True) if pair == 1]


def test_no_pairs_have_no_paths():
    fabric, none = small_fabric("clos"), np.zeros(0, np.int32)
    hop_pair, hop_link = fabric.paths.links(none, none, none, None)
    assert len(fabric.paths.count(none, none, None)) == len(hop_pair) == len(hop_link) == 0


def test_pods_without_a_circuit_do_not_reach_each_other():
    """Traffic only from pod 0 to pod 1: one candidate there (at least), none back, and pod 2 is cut off."""
    fabric = small_fabric("ocs")
    demand = np.zeros((3, 3))
    demand[0, 1] = 1.0
    circuits = fabric.planner.connect(demand)
    first = np.array([np.flatnonzero(fabric.endpoint_pod == pod)[0] for pod in range(3)])
    counts = fabric.paths.count(first[[0, 1, 0, 2]], first[[1, 0, 2, 1]], circuits)
    assert counts[0] > 0
    assert counts[1:].tolist() == [0, 0, 0]
