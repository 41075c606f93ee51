"""What holds for every routing."""

import numpy as np
import pytest

from cluster_sim.core import NotBuildableError
from cluster_sim.routing import Adaptive, Ecmp, Spray, Valiant, Wcmp
from cluster_sim.tables import Traffic
from tests.networks import KEY, all_pairs, rates_of, small_circuits, small_fabric

ROUTES = (
    Adaptive(), Adaptive(detours=2), Ecmp(), Ecmp(polarised=True), Ecmp(flows_per_pair=2), Spray(), Valiant(), Wcmp(),
)  # fmt: skip
FABRICS = ("fat tree", "rail only", "two planes", "dragonfly", "torus", "ocs")


@pytest.mark.parametrize("routing", ROUTES, ids=str)
@pytest.mark.parametrize("name", FABRICS)
def test_no_traffic_gives_no_flows(routing, name):
    flows = routing.route(Traffic.none(), small_fabric(name), small_circuits(name), KEY)
    assert len(flows) == len(flows.hop_row) == 0


@pytest.mark.parametrize("routing", ROUTES, ids=str)
@pytest.mark.parametrize("name", FABRICS)
def test_every_flow_gets_a_rate_and_waits_for_latencies(routing, name):
    fabric, circuits = small_fabric(name), small_circuits(name)
    traffic = Traffic.between(*(ends[::3] for ends in all_pairs(fabric)), 1.0)
    flows = routing.route(traffic, fabric, circuits, KEY)
    rates = rates_of(flows, routing.rows(fabric, circuits).capacity_bytes_per_s)
    assert (rates > 0).all()
    assert np.isfinite(rates).all()
    assert (flows.latency_s > 0).all()


@pytest.mark.parametrize("routing", ROUTES, ids=str)
def test_a_pair_without_a_circuit_is_named(routing):
    """Pod 0 sends only to pod 1; accelerator 0 cannot reach accelerator 16 in pod 2."""
    fabric, demand = small_fabric("ocs"), np.zeros((3, 3))
    demand[0, 1] = 1.0
    traffic = Traffic.between(np.array([0, 0]), np.array([8, 16]), 1.0)
    with pytest.raises(NotBuildableError, match=r"endpoint 0 has no path to endpoint 16 \(1 of 2 pairs have none\)"):
        routing.route(traffic, fabric, fabric.planner.connect(demand), KEY)
