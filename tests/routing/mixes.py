"""What every routing has to do: carry all of a flow from its source to its destination."""

import numpy as np

from cluster_sim.tables import Traffic
from tests.networks import KEY


def hops_between(routing, fabric, src, dst, circuits=None, key=KEY):
    """float64[E, L]: what each link carries of each pair's traffic."""
    edge, link, share = routing.hops(Traffic.between(src, dst, 1.0), fabric, circuits, key, None)
    assert (np.diff(edge) >= 0).all(), "hops are grouped by edge"
    carried = np.zeros((len(src), len(fabric.links)))
    np.add.at(carried, (edge, link), share)
    assert len(np.unique(edge.astype(np.int64) * len(fabric.links) + link)) == len(edge), "a link occurs once"
    return carried


def assert_all_arrives(fabric, src, dst, carried):
    """At every node what comes in goes out, except that all of it begins at src and ends at dst."""
    pair, nodes = np.arange(len(src)), len(fabric.node_kind)
    excess = np.zeros((len(src), nodes))
    np.add.at(excess.T, fabric.links.dst, carried.T)
    np.subtract.at(excess.T, fabric.links.src, carried.T)
    excess[pair, src] += 1.0
    excess[pair, dst] -= 1.0
    np.testing.assert_allclose(excess, 0.0, atol=1e-12)


def is_one_of(carried, paths, num_links):
    """Whether links carry what those of one of the paths, int[P, H], do."""
    return any(np.array_equal(carried, np.bincount(path, minlength=num_links)) for path in paths)
