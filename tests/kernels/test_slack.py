import numpy as np
import pytest
from hypothesis import given

from cluster_sim.backend import choose_backend
from cluster_sim.kernels import maxmin_rates, without_slack
from tests.strategies import Network, flow_table, networks

NUMPY = choose_backend("numpy")


def pruned(network: Network) -> Network:
    num = len(network)
    table = flow_table(network, [0] * num, [1.0] * num, [0.0] * num) if num else None
    if table is None:
        return network
    left, capacity = without_slack(table, network.capacity)
    return Network(left.hop_starts, left.hop_row, left.hop_weight, capacity)


@given(network=networks(max_rows=10, max_flows=10))
def test_rates_stay_what_they_are(network):
    """The definition: what is dropped holds nobody back."""
    expected, _ = maxmin_rates(*network.arrays, NUMPY)
    np.testing.assert_allclose(maxmin_rates(*pruned(network).arrays, NUMPY)[0], expected, rtol=1e-12)


@given(network=networks(max_rows=10, max_flows=10))
def test_every_flow_that_crosses_something_still_does(network):
    """Otherwise it would be infinitely fast; rows without a flow are gone."""
    left = pruned(network)
    assert ((np.diff(left.hop_starts) > 0) == (np.diff(network.hop_starts) > 0)).all()
    if len(network):
        assert sorted(set(left.hop_row.tolist())) == list(range(len(left.capacity)))


@pytest.mark.parametrize(
    ("flows", "capacity", "kept"),
    [
        ([{0: 1.0, 1: 1.0, 2: 1.0}], [10.0, 5.0, 20.0], [5.0]),
        ([{0: 1.0, 2: 1.0}, {1: 1.0, 2: 1.0}], [10.0, 10.0, 20.0], [10.0, 10.0]),
        ([{0: 1.0, 2: 1.0}, {1: 1.0, 2: 1.0}], [10.0, 10.0, 15.0], [15.0]),
        ([{0: 1.0, 2: 1.0}, {1: 1.0, 2: 1.0}], [10.0, 16.0, 15.0], [10.0, 15.0]),
        ([{0: 1.0, 1: 4.0}], [10.0, 20.0], [20.0]),
    ],
    ids=["the narrowest", "wide enough for both", "too narrow for both", "one has a narrower one", "weighted"],
)
def test_what_is_kept(flows, capacity, kept):
    """
    A row stays when it cannot carry all its flows at their fastest; else a flow keeps one narrowest row of those that
    stay, or one of its own. Third case: both flows are held to 10 B/s by rows 0 and 1, which need 20 > 15 of row 2, so
    row 2 stays, and rows 0 and 1 must stay too, as 10 < 15: they are the narrowest.
    """
    if kept == [15.0]:
        kept = [10.0, 10.0, 15.0]
    assert pruned(Network.of(flows, capacity)).capacity.tolist() == kept
