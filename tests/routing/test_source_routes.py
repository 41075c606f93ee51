"""Source routes: what the file says, and every mistake in it."""

import numpy as np
import pytest

from cluster_sim.config import load_config
from cluster_sim.core import ConfigError, NotBuildableError
from cluster_sim.routing import Ecmp, SourceRoutes
from cluster_sim.tables import Traffic
from cluster_sim.topology import FailedLinks
from tests.networks import KEY, SMALL, all_pairs, links_of_tier, small_circuits, small_fabric
from tests.routing.mixes import hops_between
from tests.small import write_small


def written(folder, lines, header="src,dst,links", **fields):
    path = folder / "routes.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return SourceRoutes(file=str(path), **fields)


def of_ecmp(fabric):
    """(src, dst, links of each) as ECMP routes all pairs."""
    src, dst = all_pairs(fabric)
    edge, link, _ = Ecmp().hops(Traffic.between(src, dst, 1.0), fabric, None, KEY, None)
    return src, dst, np.split(link, np.flatnonzero(np.diff(edge)) + 1)


def node_name(fabric, node):
    """As in the name of a link that ends there."""
    link = int(np.flatnonzero(fabric.links.src == node)[0])
    return fabric.link_name(link).partition("(")[2].partition(" ->")[0]


@pytest.mark.parametrize("name", [name for name in SMALL if small_circuits(name) is None])
def test_routes_in_any_order_are_taken_link_by_link(name, tmp_path):
    fabric = small_fabric(name)
    src, dst, links = of_ecmp(fabric)
    lines = [f"{a}, {b}, {' '.join(map(str, path))}" for a, b, path in zip(src, dst, links, strict=True)]
    routing = written(tmp_path, lines[::-1])
    traffic = Traffic.between(src, dst, 1.0)
    for mine, theirs in zip(
        routing.hops(traffic, fabric, None, 0, None), Ecmp().hops(traffic, fabric, None, KEY, None), strict=True
    ):
        assert mine.tolist() == theirs.tolist()


@pytest.mark.parametrize("name", ["fat tree", "torus", "dragonfly", "two planes"])
def test_nodes_stand_for_the_links_between_them(name, tmp_path):
    fabric = small_fabric(name)
    src, dst, links = of_ecmp(fabric)
    lines = []
    for a, b, path in zip(src, dst, links, strict=True):
        nodes = [a, *fabric.links.dst[path]]
        lines.append(f"{a},{b},{' > '.join(node_name(fabric, node) for node in nodes)}")
    carried = hops_between(written(tmp_path, lines, "src,dst,nodes"), fabric, src, dst)
    for mine, path in zip(carried, links, strict=True):
        used = np.flatnonzero(mine)
        key = fabric.links.src.astype(np.int64) << 32 | fabric.links.dst
        assert sorted(key[used]) == sorted(key[path])


def test_nodes_avoid_the_failed_one_of_parallel_links(tmp_path):
    """Leaf to spine with two links beside each other: the first, or the second if that has failed."""
    small = small_fabric("clos")
    up = links_of_tier(small, "leaf_spine")[::2]
    first, second = (int(link) for link in up[:2])
    assert (small.links.src[first], small.links.dst[first]) == (small.links.src[second], small.links.dst[second])
    src, dst, links = of_ecmp(small)
    number = next(k for k, path in enumerate(links) if first in path or second in path)
    nodes = " > ".join(node_name(small, node) for node in [src[number], *small.links.dst[links[number]]])
    routing = written(tmp_path, [f"{src[number]},{dst[number]},{nodes}"], "src,dst,nodes")
    pair = src[number : number + 1], dst[number : number + 1]
    assert hops_between(routing, small, *pair)[0, [first, second]].tolist() == [1, 0]
    fabric = FailedLinks(links=(first,)).removed_from(small, np.random.default_rng(1))
    assert hops_between(routing, fabric, *pair)[0, [first, second]].tolist() == [0, 1]


def test_pairs_that_are_not_in_the_file_are_named_or_hashed(tmp_path):
    fabric = small_fabric("fat tree")
    src, dst, links = of_ecmp(fabric)
    line = f"{src[20]},{dst[20]},{' '.join(map(str, links[20]))}"
    with pytest.raises(
        NotBuildableError, match=r"routes.csv has no route from endpoint 0 to endpoint 1, nor for 238 more"
    ):
        hops_between(written(tmp_path, [line]), fabric, src, dst)
    carried = hops_between(written(tmp_path, [line], others="ecmp"), fabric, src, dst)
    assert (carried == hops_between(Ecmp(), fabric, src, dst)).all()
    assert (hops_between(written(tmp_path, [], others="ecmp"), fabric, src, dst) == carried).all()


def test_all_mistakes_are_told_with_their_lines(tmp_path):
    """k=4: 16 accelerators, 128 links; links 0 up from 0 and 32 up from 0 to its leaf, 35 down to 1."""
    fabric = small_fabric("fat tree")
    routing = written(tmp_path, ["0,16,32 35", "x,1,32 35", "3,3,1", "0,1,32 128", "0,2,a", "0,1,32 35"])
    with pytest.raises(ConfigError) as error:
        hops_between(routing, fabric, np.array([0]), np.array([1]))
    told = [problem.partition("routes.csv:")[2] for problem in error.value.problems]
    assert told == [
        "2: expected src and dst from 0 to 15",
        "3: expected src and dst from 0 to 15",
        "4: src and dst are the same",
        "5: '128' is no link; expected numbers from 0 to 127",
        "6: 'a' is no link; expected numbers from 0 to 127",
        "7: a second route from 0 to 1",
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0,1,34 35", "2: link 34 leaves node 1, but the route is at 0"),
        ("0,1,32 34 35", "2: link 34 leaves node 1, but the route is at 32"),
        ("0,2,32 35", "2: the route ends at node 1, not at 2"),
        ("0,1,", "2: the route has no links"),
        ("0,1,32 33 32 35", "2: link 32 is crossed twice"),
        ("0,1,32 35,4", "2: expected 3 columns, got 4"),
        ("0,1,32 99999999999999999999", "2: '99999999999999999999' is no link"),
    ],
)
def test_a_route_that_does_not_hold_together_is_told(line, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        hops_between(written(tmp_path, [line]), small_fabric("fat tree"), np.array([0]), np.array([1]))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0,1,endpoint 0 > leaf 3 > endpoint 1", "2: 'leaf 3' is no node"),
        ("0,1,endpoint 0 > endpoint 1", "2: no link that works leads from node 0 to node 1"),
        ("0,1,endpoint 0", "2: the route has no links"),
        ("0,1,", "2: '' is no node"),
    ],
)
def test_nodes_that_are_not_there_or_not_joined_are_told(line, message, tmp_path):
    routing = written(tmp_path, [line], "src,dst,nodes")
    with pytest.raises(ConfigError, match=message):
        hops_between(routing, small_fabric("fat tree"), np.array([0]), np.array([1]))


def test_a_route_over_a_failed_link_is_told(tmp_path):
    fabric = FailedLinks(links=(32,)).removed_from(small_fabric("fat tree"), np.random.default_rng(1))
    with pytest.raises(ConfigError, match="2: link 32 has failed"):
        hops_between(written(tmp_path, ["0,1,32 35"]), fabric, np.array([0]), np.array([1]))


@pytest.mark.parametrize("text", ["", "from,to,path\n", "src,dst\n"])
def test_a_file_without_the_header_is_told(text, tmp_path):
    (tmp_path / "routes.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"routes.csv:1: expected the header 'src,dst,links' or 'src,dst,nodes'"):
        hops_between(
            SourceRoutes(file=str(tmp_path / "routes.csv")), small_fabric("torus"), np.array([0]), np.array([1])
        )


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"none.csv: cannot be read: No such file"):
        hops_between(SourceRoutes(file=str(tmp_path / "none.csv")), small_fabric("torus"), np.array([0]), np.array([1]))


def test_circuits_move_links(tmp_path):
    with pytest.raises(NotBuildableError, match="routes from a file name links, but circuits join other links"):
        hops_between(written(tmp_path, []), small_fabric("ocs"), np.array([0]), np.array([1]), small_circuits("ocs"))


def test_the_file_is_looked_for_beside_the_configuration(tmp_path):
    path = write_small(tmp_path, ("routing: spray", "routing: {kind: source_routes, file: routes.csv}"))
    routing = load_config(path).routing
    assert routing.file == str(tmp_path / "routes.csv")
    assert SourceRoutes.model_validate(routing.model_dump()) == routing
