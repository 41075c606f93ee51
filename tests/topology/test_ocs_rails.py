"""Rails joined by circuits: every path on its rail, circuits where the traffic goes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster_sim.collectives import Groups, ring_all_reduce
from cluster_sim.core import NotBuildableError
from cluster_sim.economics import bill_of_materials
from cluster_sim.engine import hidden_switching_s, step_parts
from cluster_sim.routing import Ecmp, Spray
from cluster_sim.tables import NODE_KINDS, Traffic
from cluster_sim.topology import OcsRails
from tests.engine.worlds import run_job, small_job
from tests.networks import KEY, all_pairs, equipment, payload_bytes_per_s, rates_of, small_interconnect

_RAILS, _GROUPS, _SERVERS = 2, 3, 4


def rails(num_groups=_GROUPS, **fields):
    """Servers of 2 behind 8-port leaves: 4 servers a group, 4 uplinks a leaf; 3 groups."""
    return OcsRails(**fields).build(equipment(num_groups * _SERVERS * _RAILS, ports=8, per_host=_RAILS))


def demand_of(fabric, src, dst, size_bytes=1.0):
    """Bytes from leaf to leaf."""
    demand = np.zeros((fabric.num_pods, fabric.num_pods))
    np.add.at(demand, (fabric.endpoint_pod[src], fabric.endpoint_pod[dst]), size_bytes)
    return demand


def sprayed(fabric, circuits, traffic):
    flows = Spray().route(traffic, fabric, circuits, KEY)
    return rates_of(flows, Spray().rows(fabric, circuits).capacity_bytes_per_s) / payload_bytes_per_s()


def test_a_leaf_has_one_accelerator_of_each_server_of_its_group():
    fabric = rails()
    assert fabric.num_pods == _GROUPS * _RAILS
    for leaf in range(fabric.num_pods):
        mine = np.flatnonzero(fabric.endpoint_pod == leaf)
        assert (mine % _RAILS == leaf % _RAILS).all()
        assert (mine // (_RAILS * _SERVERS) == leaf // _RAILS).all()


@given(st.lists(st.sampled_from([0.0, 1.0, 2.5, 10.0]), min_size=36, max_size=36))
@settings(deadline=None, max_examples=40)
def test_circuits_join_leaves_of_one_rail_through_one_ocs_each_port_once(values):
    fabric = rails()
    links, circuits = fabric.links, fabric.planner.connect(np.array(values).reshape(6, 6))
    first_leaf = int(np.flatnonzero(fabric.node_kind == NODE_KINDS.index("leaf"))[0])
    assert (links.dst[circuits.in_link] == links.src[circuits.out_link]).all()
    assert (links.src[circuits.in_link] - first_leaf == circuits.src_pod).all()
    assert (links.dst[circuits.out_link] - first_leaf == circuits.dst_pod).all()
    assert (circuits.src_pod % _RAILS == circuits.dst_pod % _RAILS).all()
    assert len(np.unique(circuits.in_link)) == len(np.unique(circuits.out_link)) == len(circuits)
    assert (np.diff(circuits.trunk) >= 0).all(), "paths look circuits up by trunk"


def test_every_candidate_stays_on_the_rail_of_the_receiver():
    """Other rails are left in the sender's own server; leaves are crossed one, or two with a circuit between them."""
    fabric = rails()
    src, dst = all_pairs(fabric)
    circuits = fabric.planner.connect(demand_of(fabric, src, dst))
    links, joined = fabric.links, set(zip(circuits.in_link.tolist(), circuits.out_link.tolist(), strict=True))
    for a, b in zip(src.tolist(), dst.tolist(), strict=True):
        (num,) = fabric.paths.count(np.array([a]), np.array([b]), circuits)
        pair, link = fabric.paths.links(np.full(num, a), np.full(num, b), np.arange(num), circuits)
        paths = [link[pair == number].tolist() for number in range(num)]
        assert len({tuple(path) for path in paths}) == num > 0
        for path in paths:
            nodes = [int(links.src[path[0]]), *links.dst[path].tolist()]
            assert (nodes[0], nodes[-1]) == (a, b)
            assert (links.dst[path[:-1]] == links.src[path[1:]]).all()
            relays = [node for node in nodes[1:-1] if node < fabric.num_endpoints]
            assert all(node // _RAILS == a // _RAILS and node % _RAILS == b % _RAILS for node in relays)
            hops = [
                hop for hop in range(len(path)) if fabric.node_kind[links.dst[path[hop]]] == NODE_KINDS.index("ocs")
            ]
            assert len(hops) == (a // (_RAILS * _SERVERS) != b // (_RAILS * _SERVERS))
            assert all((path[hop], path[hop + 1]) in joined for hop in hops)


def test_circuits_follow_a_ring():
    """
    A ring over one accelerator of each of 12 servers goes from group to group: all 4 uplinks of every leaf on its rail
    lead to the next group, none anywhere else, and the ring runs at the rate of a port.
    """
    fabric = rails()
    ring = np.arange(0, fabric.num_endpoints, _RAILS, dtype=np.int32)[None]
    traffic = ring_all_reduce(Groups(ring, fabric.endpoint_domain), 1.0)
    circuits = fabric.planner.connect(demand_of(fabric, traffic.edge_src, traffic.edge_dst))
    assert len(circuits) == 4 * _GROUPS
    assert ((circuits.dst_pod // _RAILS - circuits.src_pod // _RAILS) % _GROUPS == 1).all()
    assert (circuits.src_pod % _RAILS == 0).all()
    assert sprayed(fabric, circuits, traffic) == pytest.approx([1.0])


def test_traffic_between_two_groups_shares_the_circuits_of_the_rail():
    """
    4 servers send from rail 0 to rail 1 of another group: over the scale-up links to rail 1, and its 4 circuits are
    theirs; oversubscribed 3:1, 2 uplinks carry 6 servers.
    """
    fabric = rails()
    src = np.arange(0, _SERVERS * _RAILS, _RAILS)
    traffic = Traffic.between(src, src + _SERVERS * _RAILS + 1, 1.0)
    circuits = fabric.planner.connect(demand_of(fabric, traffic.edge_src, traffic.edge_dst))
    assert (circuits.src_pod % _RAILS == 1).all()
    assert sprayed(fabric, circuits, traffic) == pytest.approx([1.0] * 4)
    narrow = OcsRails(leaf_oversubscription=3).build(equipment(24, ports=8, per_host=_RAILS))
    src = np.arange(0, 12, _RAILS)
    traffic = Traffic.between(src, src + 12, 1.0)
    circuits = narrow.planner.connect(demand_of(narrow, traffic.edge_src, traffic.edge_dst))
    assert sprayed(narrow, circuits, traffic) == pytest.approx([2 / 6] * 6)


def test_ecmp_takes_one_circuit():
    fabric = rails()
    src, dst = all_pairs(fabric)
    circuits = fabric.planner.connect(demand_of(fabric, src, dst))
    assert (Ecmp().route(Traffic.between(src, dst, 1.0), fabric, circuits, KEY).hop_weight == 1.0).all()


def test_no_spines_are_bought():
    """3 groups x 2 leaves x 4 uplinks into OCS of 128 ports, 42 sets of 3: one of them, times 2 fibre pairs."""
    counted = {(item.kind, item.tier): item.count for item in bill_of_materials(rails(), small_interconnect(ports=8))}
    assert counted["switch", "leaf"] == 6
    assert ("switch", "spine") not in counted
    assert counted["module", "leaf_ocs"] == 24
    assert counted["ocs", "leaf_ocs"] == 2


@pytest.mark.parametrize(("num", "message"), [
    (8, "8 accelerators fill one group of 4 servers: there is nothing for the OCS to join"),
    (23, "23 accelerators are not a whole number of servers of 2"),
    (8 * 129, "the OCS has 128 ports, the fabric has 129 groups of servers"),
])  # fmt: skip
def test_what_does_not_fit_is_not_buildable(num, message):
    with pytest.raises(NotBuildableError, match=message):
        OcsRails().build(equipment(num, ports=8, per_host=_RAILS))


def job_across_groups():
    """Servers of 8, 64 to a group: three groups, pipeline stages of 1.5 of them."""
    return small_job(accelerators=1536, tensor=8, pipeline=2, data=96, global_batch=768, layers=4)


def test_rotation_between_phases_is_hidden_where_there_is_compute():
    """
    Gradient rings after pipeline neighbours: the last message of the pipeline leaves stage 1 before stage 0 computes
    its last backward pass, and so much of the switching is hidden.
    """
    schedule, outcome, routes = run_job(job_across_groups(), OcsRails())
    assert len(outcome.switchings) >= 2
    hidden_s = hidden_switching_s(schedule, outcome, routes.light.collective_setting)
    whole_s = np.array([switching.end_s - switching.start_s for switching in outcome.switchings])
    assert (hidden_s >= 0).all()
    assert (hidden_s <= whole_s * (1 + 1e-9)).all()
    assert hidden_s.max() > 0
    parts = step_parts(schedule, outcome)
    assert sum(parts.values()) == pytest.approx(outcome.step_time_s, rel=1e-9)
    assert parts["switching"] <= (whole_s - hidden_s).sum() * (1 + 1e-9)


def test_circuits_per_job_never_switch():
    _, outcome, _ = run_job(job_across_groups(), OcsRails(reconfigure="per_job"))
    assert not outcome.switchings
