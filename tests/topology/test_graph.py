"""Graphs of switches: sizes, degrees and distances as their authors give them."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster_sim.core import ConfigError, NotBuildableError
from cluster_sim.topology import Dragonfly, FullMesh, HyperX, SlimFly, Torus
from tests.networks import all_pairs, equipment, links_of_tier


def switches_of(fabric):
    """The graph of routers alone."""
    graph = nx.MultiGraph()
    for tier in ("leaf_spine", "spine_core"):
        up = links_of_tier(fabric, tier)[::2]
        graph.add_edges_from(zip(fabric.links.src[up].tolist(), fabric.links.dst[up].tolist(), strict=True))
    return graph


@pytest.mark.parametrize("q", [5, 7, 11, 13, 17])
def test_a_slim_fly_has_2q2_switches_of_degree_3q_minus_d_halves_two_hops_apart(q):
    """[Besta and Hoefler 2014, sec. II-B]: q = 4w + d; diameter 2."""
    d = 1 if q % 4 == 1 else -1
    fabric = SlimFly(q=q, accelerators_per_switch=1).build(equipment(2 * q * q, ports=3 * q))
    graph = switches_of(fabric)
    assert len(graph) == 2 * q * q
    assert {degree for _, degree in graph.degree} == {(3 * q - d) // 2}
    assert nx.diameter(graph) == 2


def test_a_dragonfly_has_one_link_between_any_two_of_its_most_groups():
    """p = h = 2, a = 4: 9 groups of 4 switches, 72 accelerators; 3 hops between switches [Kim et al. 2008]."""
    fabric = Dragonfly().build(equipment(72, ports=7))
    assert len(links_of_tier(fabric, "leaf_spine")) == 2 * 9 * 6
    up = links_of_tier(fabric, "spine_core")[::2]
    groups = (np.stack([fabric.links.src[up], fabric.links.dst[up]]) - 144) // 4
    assert sorted(zip(*np.sort(groups, axis=0).tolist(), strict=True)) == [
        (a, b) for a in range(9) for b in range(a + 1, 9)
    ]
    graph = switches_of(fabric)
    assert {degree for _, degree in graph.degree} == {5}
    assert nx.diameter(graph) == 3


@given(st.integers(1, 3), st.integers(1, 5), st.integers(1, 4), st.integers(1, 12))
def test_no_switch_of_a_dragonfly_has_more_global_links_than_asked_for(below, switches, links, groups):
    """And every pair of groups has as many as the others."""
    if groups > switches * links + 1:
        return
    topology = Dragonfly(accelerators_per_switch=below, switches_per_group=switches, global_links=links)
    fabric = topology.build(equipment(groups * below * switches, ports=64))
    first = len(fabric.node_kind) - groups * switches
    up = links_of_tier(fabric, "spine_core")[::2]
    ends = np.stack([fabric.links.src[up], fabric.links.dst[up]]) - first
    assert np.bincount(ends.ravel(), minlength=1).max() <= links
    if groups > 1:
        pairs = np.unique(np.sort(ends // switches, axis=0), axis=1, return_counts=True)
        assert pairs[0].shape[1] == groups * (groups - 1) // 2
        assert set(pairs[1].tolist()) == {switches * links // (groups - 1)}


def test_a_hyperx_needs_one_hop_for_every_dimension_in_which_two_switches_differ():
    """3 x 4 switches, 2 links in each line: degree 2 (2 + 3), distance = coordinates that differ."""
    fabric = HyperX(shape=(3, 4), parallel=2, accelerators_per_switch=1).build(equipment(12, ports=11))
    graph = switches_of(fabric)
    assert {degree for _, degree in graph.degree} == {10}
    for a, lengths in nx.all_pairs_shortest_path_length(graph):
        for b, length in lengths.items():
            differ = np.array(np.unravel_index(a - 24, (3, 4))) != np.array(np.unravel_index(b - 24, (3, 4)))
            assert length == differ.sum()


def test_a_full_mesh_has_at_most_half_of_its_ports_down_where_that_is_enough():
    """8 ports: 20 accelerators need 5 switches with 4 below and 4 up, or 4 with 5 below; 21 would need 6 and 4 + 5."""
    fabric = FullMesh().build(equipment(20, ports=8))
    assert len(switches_of(fabric)) == 5
    with pytest.raises(NotBuildableError, match="a full mesh of 8-port switches does not hold 21"):
        FullMesh().build(equipment(21, ports=8))


@given(st.lists(st.integers(1, 6), min_size=1, max_size=3))
def test_neighbours_in_a_torus_differ_by_one_step_round_one_dimension(shape):
    """Distance of any two: the sum over the dimensions of the shorter way round."""
    size = int(np.prod(shape))
    fabric = Torus(shape=tuple(shape)).build(equipment(size))
    graph = switches_of(fabric)
    assert all(degree == 2 * sum(side > 1 for side in shape) for _, degree in graph.degree)
    src, dst = all_pairs(fabric)
    place = np.stack(np.unravel_index(np.arange(size), shape))
    apart = np.abs(place[:, src] - place[:, dst])
    expected = np.minimum(apart, np.array(shape)[:, None] - apart).sum(axis=0)
    pair, _ = fabric.paths.links(src, dst, np.zeros(len(src), np.int64), None)
    assert np.bincount(pair, minlength=len(src)).tolist() == expected.tolist()


@pytest.mark.parametrize("shape", [(4, 8), (4, 4, 8), (4, 8, 8), (2, 4, 4)])
def test_every_accelerator_of_a_twisted_torus_sees_the_same_distances_and_shorter_ones(shape):
    """[Camara et al. 2010]: alike from everywhere, with a smaller diameter and mean distance than the plain one."""
    graphs = []
    for twisted in (False, True):
        graph = switches_of(Torus(shape=shape, twisted=twisted).build(equipment(int(np.prod(shape)))))
        assert {degree for _, degree in graph.degree} == {2 * len(shape)}
        distances = [sorted(lengths.values()) for _, lengths in nx.all_pairs_shortest_path_length(graph)]
        assert all(seen == distances[0] for seen in distances)
        graphs.append(np.array(distances[0]))
    assert graphs[1].max() < graphs[0].max()
    assert graphs[1].mean() < graphs[0].mean()


def test_cubes_of_a_torus_are_joined_inside_by_the_near_tier_and_outside_by_the_far_one():
    """4 x 4 x 8 is two cubes of 3 x 3 x 16 = 144 links inside; of 3 x 128 links 96 are left."""
    fabric = Torus(shape=(4, 4, 8)).build(equipment(128))
    assert len(links_of_tier(fabric, "leaf_spine")) == 2 * 288
    assert len(links_of_tier(fabric, "spine_core")) == 2 * 96


@pytest.mark.parametrize(
    ("topology", "size", "reason"),
    [
        (Torus(shape=(4, 4)), 15, "a torus of 4 x 4 has 16 accelerators, not 15"),
        (HyperX(shape=(2, 2), accelerators_per_switch=2), 9, "4 switches with 2 accelerators each hold 8, not 9"),
        (HyperX(shape=(9, 9)), 81, "too few ports: a switch needs 17"),
        (Dragonfly(accelerators_per_switch=1, switches_per_group=2, global_links=1), 8, "4 groups need 3 links out"),
        (SlimFly(q=6), 8, "q is 6; it must be a prime"),
        (SlimFly(), 10_000, "no Slim Fly of 8-port switches holds 10000"),
        (SlimFly(q=5, accelerators_per_switch=1), 51, "holds 50, not 51"),
    ],
)
def test_what_does_not_fit_is_told_with_its_numbers(topology, size, reason):
    with pytest.raises(NotBuildableError, match=reason):
        topology.build(equipment(size, ports=8))


@pytest.mark.parametrize(
    ("topology", "reasons"),
    [
        (HyperX(shape=(2, 4), parallel=10**8), ["too few ports"]),
        (HyperX(shape=(5, 5, 5, 5, 5), parallel=1), ["too few ports"]),
        (HyperX(shape=(10**5, 10**5)), ["too few ports", "10000000000 switches are too many"]),
        (FullMesh(accelerators_per_switch=1, parallel=10**9), ["too few ports"]),
        (Dragonfly(switches_per_group=10**13), ["too few ports", "10000000000000 switches are too many"]),
        (Dragonfly(accelerators_per_switch=1, switches_per_group=8, global_links=10**9), ["too few ports"]),
        (SlimFly(q=1_000_003), ["too few ports", "switches are too many"]),
        (SlimFly(q=2**63 - 25), ["too few ports", "switches are too many"]),
    ],
)
def test_what_is_far_too_large_is_refused_before_anything_of_its_size_is_built(topology, reasons):
    with pytest.raises(NotBuildableError) as caught:
        topology.build(equipment(64, ports=16))
    assert [part in reason for part, reason in zip(reasons, caught.value.args[0], strict=True)] == [True] * len(reasons)


@given(st.integers(1, 4), st.integers(1, 6), st.integers(1, 4), st.integers(1, 200), st.integers(2, 12))
def test_a_dragonfly_is_refused_exactly_where_a_switch_has_more_links_than_ports(below, switches, links, size, ports):
    """Counted on the fabric with ports for everything."""
    topology = Dragonfly(accelerators_per_switch=below, switches_per_group=switches, global_links=links)
    try:
        wide = topology.build(equipment(size, ports=64))
    except NotBuildableError:
        return
    between = np.isin(np.array(wide.tiers)[wide.links.tier], ("leaf_spine", "spine_core"))
    used = below + int(np.bincount(wide.links.src[between]).max(initial=0))
    if used <= ports:
        assert len(topology.build(equipment(size, ports=ports)).links) == len(wide.links)
    else:
        with pytest.raises(NotBuildableError, match=f"a switch needs {used} "):
            topology.build(equipment(size, ports=ports))


@pytest.mark.parametrize("shape", [(4, 4), (4, 6), (2, 4, 8), (4, 12)])
def test_only_sides_of_k_and_2k_are_twisted(shape):
    with pytest.raises((ConfigError, ValueError), match="cannot be twisted; sides are k or 2k"):
        Torus(shape=shape, twisted=True)
