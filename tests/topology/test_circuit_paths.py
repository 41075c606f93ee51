"""Transit: traffic between pods over their own circuits and over one other pod."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster_sim.core import NotBuildableError
from cluster_sim.routing import Ecmp, Spray
from cluster_sim.tables import NODE_KINDS, Traffic
from cluster_sim.topology import OcsSpine
from tests.engine.worlds import run_job, small_job
from tests.networks import KEY, all_pairs, equipment, payload_bytes_per_s, rates_of

_PODS, _POD, _SPINES, _UP = 5, 8, 2, 4


def fabric_with(transit, pods=_PODS, **fields):
    """Pods of 8 behind 8-port switches: 2 spines with 4 uplinks each."""
    return OcsSpine(pod_accelerators=_POD, transit=transit, **fields).build(equipment(pods * _POD, ports=8))


def sprayed_rates(fabric, circuits, src, dst):
    flows = Spray().route(Traffic.between(src, dst, 1.0), fabric, circuits, KEY)
    return rates_of(flows, Spray().rows(fabric, circuits).capacity_bytes_per_s) / payload_bytes_per_s()


def between_pods(fabric):
    """(src, dst) of all endpoints in different pods."""
    src, dst = all_pairs(fabric)
    apart = fabric.endpoint_pod[src] != fabric.endpoint_pod[dst]
    return src[apart], dst[apart]


@pytest.mark.parametrize("transit", [0.0, 0.25, 0.5, 1.0])
def test_uniform_traffic_pays_for_every_detour(transit):
    """
    5 pods with 8 uplinks: 2 circuits to each other pod. A path over one of 3 other pods has weight w, so 1 / (1 + 3w)
    of the traffic is direct and the rest crosses two trunks: 64 flows from pod to pod share 2 circuits, and load them
    2 - 1 / (1 + 3w) times.
    """
    fabric = fabric_with(transit)
    circuits = fabric.planner.connect(np.ones((_PODS, _PODS)))
    times = 2 - 1 / (1 + (_PODS - 2) * transit)
    assert sprayed_rates(fabric, circuits, *between_pods(fabric)) == pytest.approx(2 / 64 / times, rel=1e-9)


@pytest.mark.parametrize("transit", [0.0, 0.25, 0.5, 1.0])
def test_a_single_pair_of_pods_gets_more_than_its_direct_share(transit):
    """
    Circuits for uniform traffic; only pod 0 sends, and only to pod 1: 2 of its 8 uplinks are direct, and each of 3
    other pods adds w times as much. At w = 1 all uplinks are full.
    """
    fabric = fabric_with(transit)
    circuits = fabric.planner.connect(np.ones((_PODS, _PODS)))
    endpoint = np.arange(_POD)
    rates = sprayed_rates(fabric, circuits, endpoint, endpoint + _POD)
    assert rates.sum() == pytest.approx(2 * (1 + (_PODS - 2) * transit), rel=1e-9)


def test_a_pair_without_circuits_goes_over_other_pods():
    """
    6 pods with 4 uplinks a spine all talk, each with 5 others: not buildable with direct circuits only. With transit
    everybody reaches everybody, and what a pair without circuits sends crosses two trunks.
    """
    fabric = fabric_with(0.5, pods=6)
    circuits = fabric.planner.connect(np.ones((6, 6)))
    src, dst = between_pods(fabric)
    assert fabric.paths.count(src, dst, circuits).min() > 0
    has_circuit = np.zeros((6, 6), bool)
    has_circuit[circuits.src_pod, circuits.dst_pod] = True
    lonely = np.argwhere(~has_circuit & ~np.eye(6, dtype=bool))
    assert len(lonely)
    _, trunk, share = fabric.paths.trunk_shares(lonely[:1, 0], lonely[:1, 1], circuits)
    assert share.sum() == pytest.approx(2.0)
    assert trunk.size >= 2
    with pytest.raises(NotBuildableError, match="allow transit"):
        fabric_with(0.0, pods=6).planner.connect(np.ones((6, 6)))


def test_more_pods_than_two_hops_reach_are_not_buildable():
    """2-port leaves and spines: one uplink a spine."""
    fabric = OcsSpine(pod_accelerators=1, transit=1.0).build(equipment(4, ports=2))
    with pytest.raises(NotBuildableError, match="4 pods with 1 ports into the OCS each reach 1 pods in two hops"):
        fabric.planner.connect(np.ones((4, 4)))


demands = st.lists(st.sampled_from([0.0, 1.0, 2.5, 10.0]), min_size=_PODS**2, max_size=_PODS**2).map(
    lambda values: np.array(values).reshape(_PODS, _PODS)
)


@given(demands, st.sampled_from([0.1, 1.0]))
@settings(deadline=None, max_examples=40)
def test_what_leaves_a_pod_arrives_and_nothing_stays_on_the_way(demand, transit):
    """Shares of a pair, seen from any pod: 1 out of the source, 1 into the destination, as much in as out elsewhere."""
    fabric = fabric_with(transit)
    circuits = fabric.planner.connect(demand)
    src, dst = (column.ravel() for column in np.meshgrid(np.arange(_PODS), np.arange(_PODS), indexing="ij"))
    src, dst = src[src != dst], dst[src != dst]
    pair, trunk, share = fabric.paths.trunk_shares(src, dst, circuits)
    assert np.isin(trunk, circuits.trunk).all(), "only over lit trunks"
    net = np.zeros((len(src), _PODS))
    np.add.at(net, (pair, trunk // _PODS), share)
    np.add.at(net, (pair, trunk % _PODS), -share)
    expected = np.zeros_like(net)
    expected[np.arange(len(src)), src], expected[np.arange(len(src)), dst] = 1.0, -1.0
    np.testing.assert_allclose(net, expected, atol=1e-12)


@given(demands)
@settings(deadline=None, max_examples=40)
def test_every_port_is_used_once(demand):
    """Whatever the demand, also none at all: dark ports would carry somebody's transit."""
    circuits = fabric_with(1.0).planner.connect(demand)
    assert len(np.unique(circuits.in_link)) == len(circuits.in_link) == _PODS * _SPINES * _UP
    assert (circuits.src_pod != circuits.dst_pod).all()


def test_every_candidate_leads_over_circuits_from_src_to_dst():
    """Direct ones cross one circuit, others two that meet at one spine; no candidate twice."""
    fabric = fabric_with(1.0)
    circuits = fabric.planner.connect(1.0 + np.arange(_PODS**2).reshape(_PODS, _PODS) % 3)
    links, joined = fabric.links, set(zip(circuits.in_link.tolist(), circuits.out_link.tolist(), strict=True))
    ocs, lengths = NODE_KINDS.index("ocs"), set()
    for a, b in [(0, 8), (3, 39), (17, 1)]:
        (num,) = fabric.paths.count(np.array([a]), np.array([b]), circuits)
        pair, link = fabric.paths.links(np.full(num, a), np.full(num, b), np.arange(num), circuits)
        paths = [link[pair == number].tolist() for number in range(num)]
        assert len({tuple(path) for path in paths}) == num
        for path in paths:
            assert (links.src[path[0]], links.dst[path[-1]]) == (a, b)
            assert (links.dst[path[:-1]] == links.src[path[1:]]).all()
            assert len(set(path)) == len(path)
            into = [hop for hop in range(len(path)) if fabric.node_kind[links.dst[path[hop]]] == ocs]
            assert all((path[hop], path[hop + 1]) in joined for hop in into)
            lengths.add(len(into))
    assert lengths == {1, 2}


def test_ecmp_takes_one_of_the_candidates():
    fabric = fabric_with(1.0)
    circuits = fabric.planner.connect(np.ones((_PODS, _PODS)))
    flows = Ecmp().route(Traffic.between(*between_pods(fabric), 1.0), fabric, circuits, KEY)
    assert set(np.diff(flows.hop_starts)) == {5, 6}, "up, up, one circuit or two, down, down"


def test_latency_is_the_mean_over_the_ways_that_traffic_takes():
    """A circuit more is its two links more for the share that takes it: at w = 1 and 3 other pods, 3 parts in 4."""
    direct, over = fabric_with(0.0), fabric_with(1.0)
    demand = np.ones((_PODS, _PODS))
    traffic = Traffic.between(np.array([0]), np.array([_POD]), 1.0)
    latency_s = [
        float(Spray().route(traffic, fabric, fabric.planner.connect(demand), KEY).latency_s[0])
        for fabric in (direct, over)
    ]
    (tier,) = np.flatnonzero(np.array(over.tiers) == "spine_ocs")
    mean_circuit_s = 2 * over.links.latency_s[over.links.tier == tier].mean()
    assert latency_s[1] - latency_s[0] == pytest.approx(0.75 * mean_circuit_s, rel=0.05)


def test_a_job_runs_over_transit_in_every_phase():
    """Circuits of each phase, with a share over other pods: the parts of the traffic on the links add up."""
    job = small_job(accelerators=192, pipeline=2, data=12, layers=16, global_batch=96)
    topology = OcsSpine(pod_accelerators=64, reconfigure="per_phase", transit=0.5)
    _, outcome, routes = run_job(job, topology)
    carried = routes.carried_by_links(outcome.carried)[0]
    tier = routes.fabric.links.tier == routes.fabric.tiers.index("spine_ocs")
    up = carried[tier][::2].sum()
    assert up > 0
    assert carried[tier][1::2].sum() == pytest.approx(up, rel=1e-9), "what enters the OCS leaves it"


def test_circulators_and_transit_exclude_each_other():
    with pytest.raises(NotBuildableError, match="circulators make every circuit two-way"):
        OcsSpine(pod_accelerators=_POD, transit=1.0).build(equipment(_PODS * _POD, ports=8, circulators=True))
