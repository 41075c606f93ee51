"""Fabrics drawn by others."""

import json

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster_sim.core import ConfigError, NotBuildableError
from cluster_sim.routing import Ecmp, Spray
from cluster_sim.tables import NODE_KINDS, Traffic
from cluster_sim.topology import Custom
from tests.networks import KEY, all_pairs, all_paths, equipment, rates_of


def star(num_endpoints=3, **edge):
    """Endpoints around one leaf."""
    graph = nx.Graph()
    graph.add_node("hub", kind="leaf")
    for number in range(num_endpoints):
        graph.add_node(f"e{number}", kind="endpoint")
        graph.add_edge(f"e{number}", "hub", **edge)
    return graph


def built_from(graph, folder, num_endpoints):
    nx.write_graphml(graph, folder / "graph.graphml")
    return Custom(graph=str(folder / "graph.graphml")).build(equipment(num_endpoints))


def mistakes_of(graph, folder, num_endpoints=3):
    with pytest.raises(ConfigError) as caught:
        built_from(graph, folder, num_endpoints)
    return caught.value.problems


def test_links_have_the_figures_of_their_edges_and_otherwise_those_of_their_tier(tmp_path):
    """A thin slow link of 400 Gb/s = 5e10 B/s beside two of 800G, of which 0.96 is payload."""
    graph = star()
    graph.edges["e0", "hub"].update(bandwidth="400 Gbps", latency="7 us", length="30 m")
    fabric = built_from(graph, tmp_path, 3)
    assert fabric.tiers[1] == "host_leaf"
    assert fabric.links.capacity_bytes_per_s.tolist() == pytest.approx([5e10, 5e10, *[0.96e11] * 4])
    assert fabric.links.latency_s[:2].tolist() == [7e-6, 7e-6]
    assert fabric.links.length_m.tolist() == [30, 30, 2, 2, 2, 2]
    assert fabric.links.latency_s[2] < 5e-6


def test_flows_are_held_back_by_the_slower_of_different_links(tmp_path):
    """e0 has 5e10 B/s and receives from two: each 2.5e10."""
    graph = star()
    graph.edges["e0", "hub"]["bandwidth"] = "400 Gbps"
    fabric = built_from(graph, tmp_path, 3)
    flows = Ecmp().route(Traffic.between(np.array([1, 2]), np.array([0, 0]), 1.0), fabric, None, KEY)
    assert rates_of(flows, Ecmp().rows(fabric, None).capacity_bytes_per_s).tolist() == pytest.approx([2.5e10, 2.5e10])


def test_endpoints_stand_in_the_order_of_their_ranks_and_keep_hosts_and_domains(tmp_path):
    graph = star()
    for number, rank in enumerate((2, 0, 1)):
        graph.nodes[f"e{number}"].update(rank=rank, host=f"server {rank // 2}", domain=0)
    fabric = built_from(graph, tmp_path, 3)
    assert fabric.links.src[::2].tolist() == [2, 0, 1]
    assert fabric.endpoint_host.tolist() == [0, 0, 1]
    assert fabric.endpoint_domain.tolist() == [0, 0, 0]


def test_an_endpoint_with_two_links_uses_both_and_passes_nothing_on(tmp_path):
    """e0 hangs from two leaves that meet above only: e1 to e2 goes over the spine, although e0 would be as near."""
    graph = nx.Graph([("e0", "a"), ("e0", "b"), ("e1", "a"), ("e2", "b"), ("a", "s"), ("b", "s")])
    kinds = {"a": "leaf", "b": "leaf", "s": "spine"}
    nx.set_node_attributes(graph, {node: kinds.get(node, "endpoint") for node in graph}, "kind")
    fabric = built_from(graph, tmp_path, 3)
    spine = int(np.flatnonzero(fabric.node_kind == NODE_KINDS.index("spine"))[0])
    src, dst = all_pairs(fabric)
    paths = dict(zip(zip(src.tolist(), dst.tolist(), strict=True), all_paths(fabric, src, dst, None), strict=True))
    assert spine in fabric.links.dst[paths[1, 2]]
    assert [len(paths[0, other]) for other in (1, 2)] == [1, 1]
    assert paths[0, 1].shape[1] == paths[0, 2].shape[1] == 2


def test_parallel_links_are_candidates_of_their_own(tmp_path):
    graph = nx.Graph([("e0", "a"), ("e1", "b")])
    graph.add_edge("a", "b", count=3)
    nx.set_node_attributes(graph, {"e0": "endpoint", "e1": "endpoint", "a": "leaf", "b": "leaf"}, "kind")
    fabric = built_from(graph, tmp_path, 2)
    assert fabric.paths.count(np.array([0]), np.array([1]), None).tolist() == [3]
    flows = Spray().route(Traffic.between(np.array([0]), np.array([1]), 1.0), fabric, None, KEY)
    assert sorted(flows.hop_weight.tolist()) == pytest.approx([1 / 3, 1 / 3, 1 / 3, 1, 1])


def test_json_is_read_as_graphml_is(tmp_path):
    (tmp_path / "graph.json").write_text(json.dumps(nx.node_link_data(star(4), edges="edges")))
    one = Custom(graph=str(tmp_path / "graph.json")).build(equipment(4))
    other = built_from(star(4), tmp_path, 4)
    assert one.links.src.tolist() == other.links.src.tolist()


@given(st.integers(2, 9), st.floats(0.1, 0.9), st.integers(0, 2**32 - 1))
def test_candidates_are_all_shortest_paths_of_any_graph(tmp_path_factory, num_switches, density, seed):
    """Against networkx, on random graphs of switches with an endpoint below each."""
    graph = nx.gnp_random_graph(num_switches, density, seed=seed)
    nx.set_node_attributes(graph, "leaf", "kind")
    for number in range(num_switches):
        graph.add_node(f"e{number}", kind="endpoint", rank=number)
        graph.add_edge(number, f"e{number}")
    fabric = built_from(graph, tmp_path_factory.mktemp("graph"), num_switches)
    src, dst = all_pairs(fabric)
    counts = fabric.paths.count(src, dst, None)
    for a, b, count in zip(src.tolist(), dst.tolist(), counts.tolist(), strict=True):
        reaches = nx.has_path(graph, f"e{a}", f"e{b}")
        assert count == (len(list(nx.all_shortest_paths(graph, f"e{a}", f"e{b}"))) if reaches else 0)


def test_a_pair_without_a_path_is_named(tmp_path):
    graph = star()
    graph.remove_edge("e2", "hub")
    fabric = built_from(graph, tmp_path, 3)
    for routing in (Ecmp(), Spray()):
        with pytest.raises(NotBuildableError, match="endpoint 0 has no path to endpoint 2"):
            routing.route(Traffic.between(np.array([0, 0]), np.array([1, 2]), 1.0), fabric, None, KEY)


def test_all_mistakes_of_a_graph_are_told_at_once(tmp_path):
    graph = star()
    graph.nodes["e1"]["kind"] = "endpiont"
    graph.nodes["e2"]["rank"] = 5
    graph.edges["e0", "hub"].update(bandwith="400 Gbps", count=0)
    graph.edges["e1", "hub"].update(bandwidth="400")
    graph.add_edge("hub", "hub")
    problems = "\n".join(mistakes_of(graph, tmp_path))
    for part in (
        "node e1: kind: input should be", "did you mean 'endpoint'", "ranks of the 2 endpoints must be 0 to 1",
        "bandwith: unknown key; did you mean 'bandwidth'", ": count: input should be greater than or equal to 1",
        "bandwidth: '400' is not a quantity of this kind; write e.g. '400 Gbps'", "edge hub - hub: a node is",
    ):  # fmt: skip
        assert part in problems, (part, problems)


def mistakes_of_json(data, folder):
    (folder / "graph.json").write_text(data if isinstance(data, str) else json.dumps(data))
    with pytest.raises(ConfigError) as caught:
        Custom(graph=str(folder / "graph.json")).build(equipment(2))
    return [problem.partition("graph.json")[2] for problem in caught.value.problems]


PAIR = [{"id": 0, "kind": "endpoint"}, {"id": 1, "kind": "endpoint"}]
BETWEEN = {"source": 0, "target": 1}


@pytest.mark.parametrize("data", [
    "null", "3", '"x"', "[]", "{}", '{"edges": []}', '{"nodes": 3, "edges": []}', '{"nodes": [], "edges": 3}',
    {"nodes": PAIR}, {"nodes": PAIR, "edges": [], "links": [BETWEEN]}, {"nodes": PAIR, "edges": [], "directed": 1},
])  # fmt: skip
def test_json_that_is_no_graph_is_told_what_was_expected(tmp_path, data):
    (problem,) = mistakes_of_json(data, tmp_path)
    assert problem.startswith(":1: not a graph: ")
    assert 'expected node-link JSON: {"nodes": ' in problem


def test_nodes_and_edges_of_json_without_what_they_need_are_all_told(tmp_path):
    nodes = [*PAIR, {"kind": "endpoint"}, {"id": [1]}, [2], {"id": True}, {"id": 1, "kind": "leaf"}]
    problems = mistakes_of_json({"nodes": nodes, "edges": [{"source": 0}, 7, {"source": 0, "target": "x"}]}, tmp_path)
    assert [problem.partition(", from 0")[0] for problem in problems] == [
        *(f": node number {number}" for number in (2, 3, 4, 5)),
        ": node 1 is there twice; give each an id of its own",
        *(f": edge number {number}" for number in (0, 1, 2)),
    ]
    assert problems[-1].endswith("'x' is none")


def test_a_key_written_twice_in_json_is_refused(tmp_path):
    (problem,) = mistakes_of_json('{"nodes": [{"id": 0, "kind": "leaf", "kind": "endpoint"}], "edges": []}', tmp_path)
    assert problem == ":1: not a graph: key 'kind' is written twice in one object; keep one"


@pytest.mark.parametrize("is_multigraph", [True, False])
def test_an_edge_written_twice_is_two_links(tmp_path, is_multigraph):
    """Also with the same key, for which networkx would join them, and where the file says that there are none."""
    nodes = [*PAIR, {"id": "s", "kind": "leaf"}]
    edges = [{"source": 0, "target": "s", "key": 0}] * 2 + [{"source": 1, "target": "s"}]
    data = {"multigraph": is_multigraph, "nodes": nodes, "edges": edges}
    (tmp_path / "graph.json").write_text(json.dumps(data))
    assert len(Custom(graph=str(tmp_path / "graph.json")).build(equipment(2)).links) == 2 * 3


@pytest.mark.parametrize(("old", "new", "what"), [
    ('<node id="e1"', '<node id="e0"', "node e0 is there 2 times"),
    ("</graph>", "</graph><graph edgedefault='undirected'></graph>", "2 graphs; expected one"),
    ("<edge ", '<edge id="x" ', "edge x is there 3 times"),
])  # fmt: skip
def test_graphml_that_networkx_would_join_is_refused(tmp_path, old, new, what):
    text = "\n".join(nx.generate_graphml(star()))
    assert old in text
    (tmp_path / "graph.graphml").write_text(text.replace(old, new))
    with pytest.raises(ConfigError, match=what):
        Custom(graph=str(tmp_path / "graph.graphml")).build(equipment(3))


def test_attributes_that_would_not_count_are_refused(tmp_path):
    graph = star()
    graph.nodes["hub"].update(rank=3, host=1)
    graph.nodes["e0"].update(host=1)
    problems = "\n".join(mistakes_of(graph, tmp_path))
    assert "node hub: rank: only endpoints have one, not a leaf" in problems
    assert "node hub: host: only endpoints have one" in problems
    assert "1 of 3 endpoints have a host; give it to all or none" in problems


@pytest.mark.parametrize(
    "edge", [{"bandwidth": "1e300 Gbps"}, {"bandwidth": "1e-300 bps"}, {"latency": "1e300 s"}, {"length": "1e300 m"}]
)
def test_figures_beyond_all_links_are_refused(tmp_path, edge):
    assert all(next(iter(edge)) in problem for problem in mistakes_of(star(3, **edge), tmp_path))


def test_many_mistakes_are_counted_and_many_links_refused(tmp_path):
    problems = mistakes_of(star(40, bandwith="1 Gbps"), tmp_path, 40)
    assert len(problems) == 21
    assert problems[-1].endswith("and 20 more mistakes")
    (problem,) = mistakes_of(star(40, count=65536), tmp_path, 40)
    assert problem.endswith("the edges stand for 2621440 links, more than 1048576; lower their count")


def test_other_things_than_graphs_are_refused(tmp_path):
    (tmp_path / "broken.graphml").write_text("<graphml><graph>")
    (tmp_path / "broken.json").write_text("{\n,")
    (tmp_path / "other.json").write_text("[]")
    (tmp_path / "graph.png").write_text("")
    for name, reason in {
        "broken.graphml": "not a graph", "broken.json": "broken.json:2: not JSON", "other.json": "not a graph",
        "graph.png": "ends in .graphml", "missing.json": "cannot be read",
    }.items():  # fmt: skip
        with pytest.raises(ConfigError, match=reason):
            Custom(graph=str(tmp_path / name)).build(equipment(2))
    with pytest.raises(ConfigError, match="directed"):
        built_from(star().to_directed(), tmp_path, 3)
    with pytest.raises(NotBuildableError, match="has 3 endpoints, not 4"):
        built_from(star(), tmp_path, 4)
