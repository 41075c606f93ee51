"""Failed links: nothing crosses them, and what is left is used evenly."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster_sim.core import ConfigError, NotBuildableError
from cluster_sim.routing import Adaptive, Ecmp, Spray, Valiant, Wcmp
from cluster_sim.run import simulate
from cluster_sim.tables import NONE, Traffic
from cluster_sim.topology import Clos, FailedLinks, FatTree, Torus, without_links
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
from tests.small import small_run


def failed(fabric, *links, **fields):
    return FailedLinks(links=links, **fields).removed_from(fabric, np.random.default_rng(1))


def between_switches(fabric):
    """Links up, between switches or routers."""
    return np.concatenate([links_of_tier(fabric, tier)[::2] for tier in ("leaf_spine", "spine_core", "spine_ocs")])


@given(st.sampled_from([n for n in SMALL if n != "one leaf"]), st.integers(0, 2**32 - 1), st.integers(1, 6))
@settings(deadline=None, max_examples=80)
def test_candidates_are_those_without_failed_links(name, seed, num):
    """
    In pods the old candidates that are left, none missing from what spraying uses; a pair without any has count 0. In
    graphs of routers see below.
    """
    small, circuits = small_fabric(name), small_circuits(name)
    up = between_switches(small)
    dead = np.random.default_rng(seed).choice(up, min(num, len(up)), replace=False)
    fabric = failed(small, *dead.tolist())
    if not small.paths.is_even:
        return
    src, dst = (ends[:: max(1, len(ends) // 50)] for ends in all_pairs(fabric))
    before = all_paths(small, src, dst, circuits)
    left = [[path.tolist() for path in paths if not np.isin(path // 2, dead // 2).any()] for paths in before]
    num_paths = fabric.paths.count(src, dst, circuits)
    assert (num_paths > 0).tolist() == [bool(paths) for paths in left]
    alive = np.flatnonzero(num_paths)
    for number, paths in zip(alive, all_paths(fabric, src[alive], dst[alive], circuits), strict=True):
        assert {tuple(path) for path in paths.tolist()} == {tuple(path) for path in left[number]}
    pair, link, share = fabric.paths.shares(src[alive], dst[alive], circuits)
    carried = np.zeros((len(alive), len(fabric.links)))
    np.add.at(carried, (pair, link), share)
    for mine, number in zip(carried, alive, strict=True):
        expected = np.bincount(np.concatenate(left[number]), minlength=len(fabric.links)) / len(left[number])
        np.testing.assert_allclose(mine, expected, rtol=1e-12, atol=1e-15)


@given(st.sampled_from(["torus", "hyperx", "dragonfly", "slim fly", "full mesh, servers of 2"]), st.integers(0, 999))
@settings(deadline=None, max_examples=30)
def test_in_graphs_of_routers_the_shortest_way_round_is_found(name, seed):
    """As long as networkx finds without the failed cables; no path at all where the graph falls apart."""
    small = small_fabric(name)
    up = between_switches(small)
    fabric = failed(small, *np.random.default_rng(seed).choice(up, min(5, len(up)), replace=False).tolist())
    far = fabric.links.tier == fabric.tiers.index("spine_core")
    graph = nx.DiGraph()
    graph.add_nodes_from(range(len(fabric.node_kind)))
    alive = (fabric.links.capacity_bytes_per_s > 0) & (fabric.links.tier != fabric.tiers.index("scale_up"))
    length = np.where(far & (name == "dragonfly"), 3, 1)
    graph.add_weighted_edges_from(
        zip(*(column[alive].tolist() for column in (fabric.links.src, fabric.links.dst, length)), strict=True)
    )
    src, dst = (ends[:: max(1, len(ends) // 30)] for ends in all_pairs(fabric))
    apart = fabric.endpoint_domain[src] != fabric.endpoint_domain[dst]
    src, dst = src[apart], dst[apart]
    num_paths = fabric.paths.count(src, dst, None)
    assert (num_paths > 0).tolist() == [nx.has_path(graph, a, b) for a, b in zip(src, dst, strict=True)]
    joined = np.flatnonzero(num_paths)
    pair, link = fabric.paths.links(src[joined], dst[joined], num_paths[joined] - 1, None)
    assert alive[link].all()
    found = np.bincount(pair, weights=length[link], minlength=len(joined))
    shortest = [nx.dijkstra_path_length(graph, a, b) for a, b in zip(src[joined], dst[joined], strict=True)]
    assert found.tolist() == shortest


@pytest.mark.parametrize("routing", [Adaptive(), Ecmp(), Ecmp(polarised=True), Spray(), Valiant(), Wcmp()], ids=str)
@pytest.mark.parametrize("name", ["fat tree", "clos", "two planes", "torus", "dragonfly", "ocs"])
def test_no_routing_sends_over_a_failed_link(routing, name):
    small, circuits = small_fabric(name), small_circuits(name)
    up = between_switches(small)
    fabric = failed(small, int(up[0]), int(up[len(up) // 2]))
    src, dst = all_pairs(fabric)
    ok = fabric.paths.count(src, dst, circuits) > 0
    flows = routing.route(Traffic.between(src[ok], dst[ok], 1.0), fabric, circuits, KEY)
    rows = routing.rows(fabric, circuits)
    dead = np.flatnonzero(fabric.links.capacity_bytes_per_s == 0)
    assert (rows.link_row[dead] == NONE).all()
    assert (rates_of(flows, rows.capacity_bytes_per_s) > 0).all()


def test_flows_of_a_failed_path_spread_over_all_that_are_left():
    """k=8, 16 candidates between pods, one uplink of leaf 0 dead: 12 left. Of 20,000 choices N/12 each, +- 6 sigma."""
    small = FatTree().build(equipment(128, ports=8))
    fabric = failed(small, int(links_of_tier(small, "leaf_spine")[0]))
    num = 20_000
    src, dst = np.zeros(num, np.int32), 64 + np.arange(num, dtype=np.int32) % 64
    choice = np.random.default_rng(1).integers(0, 16, num)
    pair, link = fabric.paths.links(src, dst, choice, None)
    cores = link[np.isin(link, links_of_tier(fabric, "spine_core")[::2])]
    times = np.unique(cores, return_counts=True)[1]
    assert len(pair) == 6 * num
    assert len(times) == 12
    assert np.abs(times - num / 12).max() < 6 * np.sqrt(num / 12)


def test_a_leaf_that_lost_one_of_two_uplinks_sends_at_half():
    """k=4, two tiers: 0 and 1 below leaf 0 send to 6 and 7; 2 and 3 to 4 and 5, untouched. Sprayed or weighted."""
    small = Clos(tiers=2).build(equipment(8, ports=4))
    fabric = failed(small, int(links_of_tier(small, "leaf_spine")[0]))
    traffic = Traffic.between(np.arange(4), np.array([6, 7, 4, 5]), 1.0)
    for routing in (Spray(), Wcmp(), Adaptive()):
        flows = routing.route(traffic, fabric, None, KEY)
        rate = rates_of(flows, routing.rows(fabric, None).capacity_bytes_per_s)
        assert rate[:2] == pytest.approx(payload_bytes_per_s() / 2)
        if routing.kind != "adaptive":
            assert rate[2:] == pytest.approx(payload_bytes_per_s())


def test_round_a_ring_the_other_way():
    """Ring of 4: 0 to 1 is one link; without it three."""
    small = Torus(shape=(4,)).build(equipment(4, ports=4))
    fabric = failed(small, "endpoint 0 - endpoint 1")
    one = np.array([0], np.int32)
    for whole, hops in ((small, 1), (fabric, 3)):
        assert len(whole.paths.links(one, one + 1, one * 0, None)[1]) == hops


@pytest.mark.parametrize("name", ["fat tree", "two planes", "torus", "dragonfly", "rail only"])
def test_a_pair_that_lost_all_its_paths_is_named(name):
    """The cables of accelerator 5 are dead: from 0 it cannot be reached, and 0 reaches 9 all the same."""
    small = small_fabric(name)
    dead = (small.links.src == 5) | (small.links.dst == 5)
    fabric = without_links(small, dead)
    traffic = Traffic.between(np.array([0, 0]), np.array([9, 5]), 1.0)
    with pytest.raises(NotBuildableError, match=r"endpoint 0 has no path to endpoint 5 \(1 of 2 pairs have none\)"):
        Ecmp().route(traffic, fabric, None, KEY)


def test_cables_are_named_by_their_ends_and_die_both_ways():
    small = small_fabric("fat tree")
    link = int(links_of_tier(small, "leaf_spine")[6])
    ends = small.link_name(link).partition("(")[2][:-1].replace("->", "-")
    for fabric in (failed(small, ends), failed(small, link), failed(small, link + 1)):
        assert np.flatnonzero(fabric.links.capacity_bytes_per_s == 0).tolist() == [link, link + 1]


def test_a_share_of_the_cables_is_drawn_with_the_seed():
    """k=8: 128 cables between leaves and spines, 128 above: a tenth of one tier is 13, of both 26."""
    small = FatTree().build(equipment(128, ports=8))
    for tiers, num in (((), 26), (("leaf_spine",), 13)):
        fabric = failed(small, ratio=0.1, tiers=tiers)
        dead = np.flatnonzero(fabric.links.capacity_bytes_per_s == 0)
        assert len(dead) == 2 * num
        assert (dead[::2] ^ 1).tolist() == dead[1::2].tolist()
        assert set(np.array(fabric.tiers)[fabric.links.tier[dead]]) == set(tiers or ("leaf_spine", "spine_core"))
    again = FailedLinks(ratio=0.1).removed_from(small, np.random.default_rng(2))
    assert (again.links.capacity_bytes_per_s != failed(small, ratio=0.1).links.capacity_bytes_per_s).any()


def test_nothing_failed_changes_nothing():
    small = small_fabric("clos")
    assert failed(small) is small


def test_all_mistakes_are_told_at_once():
    small = small_fabric("fat tree")
    with pytest.raises(ConfigError) as error:
        failed(small, 128, -1, "leaf 40", "leaf 1 - spine 40", ratio=0.5, tiers=("spine",))
    told = error.value.problems
    assert len(told) == 5
    assert "numbered 0 to 127" in told[0]
    assert "expected a number or 'leaf 40 - spine 52', got 'leaf 40'" in told[2]
    assert "no link is called 'leaf 1 - spine 40'" in told[3]
    assert "no tier 'spine' (known: scale_up, host_leaf, leaf_spine, spine_core)" in told[4]


def test_a_run_with_failed_links_takes_longer(tmp_path):
    """Three of ten cables between switches; the table of links has zeros for them, and no NaN."""
    steps = {}
    for number, ratio in enumerate((0.0, 0.3)):
        config = small_run(tmp_path, f"failed_links.ratio={ratio}")
        run = simulate(config, tmp_path / str(number))
        steps[ratio] = run.tables["summary"]["step_time_s"][0].as_py()
        for column in ("carried_bytes", "peak_ratio", "mean_ratio"):
            assert np.isfinite(run.tables["links"][column].to_numpy()).all()
    dead = run.tables["links"]["capacity_bytes_per_s"].to_numpy() == 0
    assert dead.any()
    assert (run.tables["links"]["carried_bytes"].to_numpy()[dead] == 0).all()
    assert steps[0.3] > steps[0.0]
