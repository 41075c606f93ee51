"""Static tables: the next link at every node."""

import numpy as np
import pytest

from cluster_sim.core import ConfigError, NotBuildableError
from cluster_sim.routing import StaticTables
from cluster_sim.topology import Torus
from tests.networks import all_pairs, all_paths, equipment, links_of_tier, small_circuits, small_fabric
from tests.routing.mixes import assert_all_arrives, hops_between, is_one_of


def written(folder, lines, header="node,dst,link"):
    path = folder / "tables.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return StaticTables(file=str(path))


def down_and_up(fabric, spine_of):
    """Lines for a Clos of two tiers: down where the destination hangs below, otherwise up to ``spine_of(dst)``."""
    lines, links = [], fabric.links
    leaf_of = dict(zip(*(links_ends(fabric, "host_leaf")), strict=True))
    for up in links_of_tier(fabric, "leaf_spine")[::2].tolist():
        leaf, spine = int(links.src[up]), int(links.dst[up])
        for dst, its_leaf in leaf_of.items():
            if its_leaf == leaf:
                lines.append(f"spine {spine},{dst},{up + 1}")
            elif spine_of(dst) == spine:
                lines.append(f"leaf {leaf},{dst},{up}")
    down = links_of_tier(fabric, "host_leaf")[1::2]
    return [*lines, *(f"leaf {links.src[k]},{links.dst[k]},{k}" for k in down)]


def links_ends(fabric, tier):
    up = links_of_tier(fabric, tier)[::2]
    return fabric.links.src[up].tolist(), fabric.links.dst[up].tolist()


def test_destinations_choose_spines(tmp_path):
    """Two tiers with one link from each leaf to each spine: even destinations over one spine, odd over the other."""
    fabric = small_fabric("two tiers")
    spines = sorted(set(links_ends(fabric, "leaf_spine")[1]))
    lines = down_and_up(fabric, lambda dst: spines[dst % len(spines)])
    src, dst = all_pairs(fabric)
    apart = fabric.endpoint_domain[src] != fabric.endpoint_domain[dst]
    src, dst = src[apart], dst[apart]
    carried = hops_between(written(tmp_path, lines), fabric, src, dst)
    assert_all_arrives(fabric, src, dst, carried)
    for mine, paths, end in zip(carried, all_paths(fabric, src, dst, None), dst, strict=True):
        assert is_one_of(mine, paths, len(fabric.links))
        crossed = set(fabric.links.dst[np.flatnonzero(mine)]) & set(spines)
        assert crossed <= {spines[end % len(spines)]}


def test_next_nodes_go_the_long_way_round_a_ring(tmp_path):
    """Ring of 4, always clockwise: 0 to 3 takes 3 links."""
    fabric = Torus(shape=(4,)).build(equipment(4, ports=4))
    lines = [f"endpoint {k},{dst},endpoint {(k + 1) % 4}" for k in range(4) for dst in range(4) if dst != k]
    src, dst = all_pairs(fabric)
    carried = hops_between(written(tmp_path, lines, "node,dst,next"), fabric, src, dst)
    assert_all_arrives(fabric, src, dst, carried)
    assert carried.sum(axis=1).tolist() == ((dst - src) % 4).tolist()


def test_a_circle_is_told(tmp_path):
    fabric = Torus(shape=(4,)).build(equipment(4, ports=4))
    lines = ["endpoint 0,2,endpoint 1", "endpoint 1,2,endpoint 0"]
    with pytest.raises(NotBuildableError, match=r"leads in a circle from endpoint 0 to endpoint 2, through node [01]"):
        hops_between(written(tmp_path, lines, "node,dst,next"), fabric, np.array([0]), np.array([2]))


def test_a_node_without_a_line_is_told(tmp_path):
    with pytest.raises(NotBuildableError, match=r"tables.csv has no line for node 32 and dst 9"):
        hops_between(written(tmp_path, []), small_fabric("fat tree"), np.array([0]), np.array([9]))


def test_all_mistakes_are_told_with_their_lines(tmp_path):
    """k=4: 16 accelerators, 128 links, the first leaf is node 32; link 35 goes down from it to 1."""
    fabric = small_fabric("fat tree")
    lines = ["leaf 3,1,35", "leaf 32,16,35", "leaf 32,1,128", "leaf 33,1,35", "leaf 32,1,35", "leaf 32,1,35"]
    with pytest.raises(ConfigError) as error:
        hops_between(written(tmp_path, lines), fabric, np.array([0]), np.array([1]))
    assert [problem.partition("tables.csv:")[2] for problem in error.value.problems] == [
        "2: 'leaf 3' is no node; expected names as in the results: 'leaf 16'",
        "3: expected dst from 0 to 15",
        "4: '128' is no link; expected numbers from 0 to 127",
        "5: link 35 leaves node 32, not 33",
        "6: a second line for node 32 and dst 1",
        "7: a second line for node 32 and dst 1",
    ]


def test_circuits_move_links(tmp_path):
    with pytest.raises(NotBuildableError, match="circuits join other links"):
        hops_between(written(tmp_path, []), small_fabric("ocs"), np.array([0]), np.array([1]), small_circuits("ocs"))
