import networkx as nx
import numpy as np
import pytest
from hypothesis import given

from cluster_sim.kernels import independent_parts, parts
from tests.strategies import Network, networks


@pytest.fixture(scope="module", params=[1, 3])
def enough(request):
    """How many flows are worth a part of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "_ENOUGH", request.param)
        yield request.param


def split(network: Network, backend) -> list[list[int]]:
    rows = len(network.capacity)
    return [part.tolist() for part in independent_parts(network.hop_starts, network.hop_row, rows, backend)]


@given(network=networks(max_rows=12, max_flows=12))
def test_parts_share_no_row(backend, enough, network):
    """Every flow is in one part, and the connected components of networkx are never cut."""
    found = split(network, backend)
    assert sorted(flow for part in found for flow in part) == list(range(len(network)))
    assert all(part == sorted(part) for part in found)
    graph = nx.Graph()
    for flow, hops in enumerate(network.flows):
        graph.add_node(("flow", flow))
        graph.add_edges_from((("flow", flow), ("row", row)) for row in hops)
    part_of = {flow: number for number, part in enumerate(found) for flow in part}
    for component in nx.connected_components(graph):
        assert len({part_of[flow] for kind, flow in component if kind == "flow"}) == 1


def test_small_parts_are_put_together(backend, enough):
    """Seven flows on seven rows of their own: seven parts, or cuts before the third, the sixth and the ninth flow."""
    found = split(Network.of([{row: 1.0} for row in range(7)], [1.0] * 7), backend)
    assert [len(part) for part in found] == ([1] * 7 if enough == 1 else [2, 3, 2])


def test_a_chain_is_one_part(backend, enough):
    """Flow k crosses rows k and k+1: joined over a hundred rows, named in no order."""
    order = np.random.default_rng(1).permutation(101)
    flows = [{int(order[k]): 1.0, int(order[k + 1]): 1.0} for k in range(100)]
    assert split(Network.of(flows, [1.0] * 101), backend) == [list(range(100))]
