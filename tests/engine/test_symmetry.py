"""Groups that are not written out give what they give when they are."""

import numpy as np
import pytest

from cluster_sim.backend import choose_backend
from cluster_sim.collectives import COLLECTIVES, Groups
from cluster_sim.engine import alone_s, route_collectives, routes
from cluster_sim.kernels import FlowState, advance, settle, unfair_flows
from cluster_sim.routing import Ecmp, Spray
from cluster_sim.tables import DP, EP, NONE, Collective
from tests.engine.worlds import clos

NUMBA = choose_backend("numba")


def groups(fabric, size, placement):
    """Groups of ``size`` over all endpoints: neighbours, far apart, or anywhere."""
    endpoint = np.arange(fabric.num_endpoints, dtype=np.int32)
    order = {
        "linear": endpoint,
        "strided": endpoint.reshape(size, -1).T.ravel(),
        "random": np.random.default_rng(3).permutation(endpoint).astype(np.int32),
    }[placement]
    return Groups(order.reshape(-1, size), fabric.endpoint_domain)


def collective(name, kind, groups, size_bytes=1e9):
    return Collective(name, kind, name, NONE, 0, COLLECTIVES[name](groups, 1.0), size_bytes, groups.size)


def carried(found, fabric):
    """(when the two collectives, started together, end; float64[4, L] of what links carried meanwhile)."""
    state = FlowState.idle(found.table, found.capacity[0])
    ends = {}
    for number, scale in enumerate((1e9, 4e9)):
        for pattern in range(*found.route_patterns[found.route[number] : found.route[number] + 2]):
            state.start(found.table, pattern, 0.0, scale)
    while finished := advance(found.table, state, state.now_s, np.inf, NUMBA):
        ends |= dict.fromkeys(finished, state.now_s)
    settle(found.table, state, state.now_s)
    amounts = np.stack([state.carried[column] for column in ("bytes", "busy_s", "full_s", "peak")])
    return ends, found.carried_by_links(((0, amounts),))


FABRICS = {
    "three tiers": {"num": 1024, "spec": {"pod_accelerators": 256}},
    "oversubscribed": {"num": 384, "spec": {"pod_accelerators": 192, "leaf_oversubscription": 3.0}},
    "rails": {"num": 512, "spec": {"rail_optimised": True}},
    "one pod": {"num": 64, "spec": {}},
}


@pytest.mark.parametrize("placement", ["linear", "strided", "random"])
@pytest.mark.parametrize("world", FABRICS.values(), ids=FABRICS)
@pytest.mark.parametrize("size", [4, 64])
def test_groups_as_wholes_are_as_exact_as_pair_by_pair(world, placement, size, monkeypatch):
    """All-to-all beside rings: times, bytes, busy and full time and peak of every link."""
    fabric = clos(world["num"], **world["spec"])
    both = (
        collective("all_to_all", EP, groups(fabric, size, placement)),
        collective("ring_all_reduce", DP, groups(fabric, 16, "linear")),
    )
    in_groups = route_collectives(both, np.ones(2), fabric, Spray(), 7, 1)
    monkeypatch.setattr(routes, "_stays_in_groups", lambda *_: False)
    written_out = route_collectives(both, np.ones(2), fabric, Spray(), 7, 1)
    ends, amounts = carried(in_groups, fabric)
    expected_ends, expected = carried(written_out, fabric)
    assert ends == pytest.approx(expected_ends, rel=1e-9)
    for mine, theirs in zip(amounts, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-9 * theirs.max())


@pytest.mark.parametrize("placement", ["linear", "strided", "random"])
@pytest.mark.parametrize("world", FABRICS.values(), ids=FABRICS)
@pytest.mark.parametrize(
    "name",
    [
        "halving_doubling_all_reduce",
        "bruck_all_to_all",
        "pairwise_all_to_all",
        "hierarchical_all_to_all",
        "double_tree_all_reduce",
    ],
)
def test_groups_that_go_through_rounds_or_run_in_lockstep_are_as_exact_as_pair_by_pair(
    name, world, placement, monkeypatch
):
    """All rounds at once, beside rings: times, and what links carried."""
    fabric = clos(world["num"], **world["spec"])
    both = (
        collective(name, EP, groups(fabric, 16, placement)),
        collective("ring_all_reduce", DP, groups(fabric, 32, "linear")),
    )
    in_groups = route_collectives(both, np.ones(2), fabric, Spray(), 7, 1)
    monkeypatch.setattr(routes, "_stays_in_groups", lambda *_: False)
    written_out = route_collectives(both, np.ones(2), fabric, Spray(), 7, 1)
    ends, amounts = carried(in_groups, fabric)
    expected_ends, expected = carried(written_out, fabric)
    assert ends == pytest.approx(expected_ends, rel=1e-9)
    for mine, theirs in zip(amounts, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-9 * theirs.max())


def test_groups_that_do_the_same_are_never_written_out(monkeypatch):
    """Of 16 groups of 64 only one of each class is routed, pair by pair; a million endpoints cost as little."""
    fabric = clos(1024)
    all_to_all = collective("all_to_all", EP, groups(fabric, 64, "linear"))
    routed = []
    spray = Spray.route
    monkeypatch.setattr(
        Spray, "route", lambda self, traffic, *rest: (routed.append(len(traffic)), spray(self, traffic, *rest))[1]
    )
    found = route_collectives((all_to_all,), np.ones(1), fabric, Spray(), 7, 1)
    assert sum(routed) < 16 * 64 * 63
    assert all_to_all.traffic.num_transfers == 16 * 64 * 63
    assert len(found.table.size_bytes) < 64
    assert alone_s(all_to_all, 0, found, NUMBA) > 0


def test_hashed_paths_tell_pairs_apart():
    """ECMP gives every pair a path of its own, so all pairs are written out, and their rates are fair."""
    fabric = clos(192, pod_accelerators=64)
    all_to_all = collective("all_to_all", EP, groups(fabric, 16, "strided"))
    found = route_collectives((all_to_all,), np.ones(1), fabric, Ecmp(), 7, 1)
    assert len(found.table.size_bytes) > 12 * 16
    state = FlowState.idle(found.table, found.capacity[0])
    state.start(found.table, 0, 0.0, 1e9)
    advance(found.table, state, 0.0, float(found.table.latency_s.max()), NUMBA)
    table = found.table
    assert unfair_flows(table.hop_starts, table.hop_row, table.hop_weight, found.capacity[0], state.rate).size == 0
