"""Circuits beside packets: who gets them, what takes them, and that all of it arrives."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cluster_sim.core import NotBuildableError
from cluster_sim.economics import bill_of_materials
from cluster_sim.routing import Ecmp, Spray
from cluster_sim.tables import NODE_KINDS, Traffic
from cluster_sim.topology import Clos, OcsHybrid
from tests.networks import KEY, all_pairs, equipment, payload_bytes_per_s, rates_of, small_interconnect

_DOMAINS, _MEMBERS = 6, 3


def hybrid(num_domains=_DOMAINS, members=_MEMBERS, ocs="palomar-mems", **fields):
    """Domains of 3, 8-port switches of 800G; ports of 800G are split."""
    spec = OcsHybrid(**({"packet": Clos(tiers=2)} | fields))
    return spec.build(equipment(num_domains * members, ports=8, per_host=members, ocs=ocs))


demands = st.lists(st.sampled_from([0.0, 0.0, 1.0, 2.5, 40.0]), min_size=_DOMAINS**2, max_size=_DOMAINS**2).map(
    lambda values: np.array(values).reshape(_DOMAINS, _DOMAINS) * (1 - np.eye(_DOMAINS))
)


def split(fabric, demand):
    """Circuits for a demand, with the share of it that takes them."""
    circuits = fabric.planner.connect(demand)
    return replace(circuits, pair_ratio=fabric.planner.share(circuits, demand))


@given(demands, st.sampled_from([0, 2, 3, 4]), st.sampled_from([(2, 1), (4, 3)]))
@settings(deadline=None, max_examples=40)
def test_circuits_join_ports_of_one_ocs_of_a_region_each_used_once(demand, region, ports):
    fabric = hybrid(region_domains=region, ports=ports[0], ocs_ports=ports[1])
    links, circuits = fabric.links, fabric.planner.connect(demand)
    assert (links.dst[circuits.in_link] == links.src[circuits.out_link]).all()
    assert (fabric.node_kind[links.dst[circuits.in_link]] == NODE_KINDS.index("ocs")).all()
    assert (fabric.endpoint_pod[links.src[circuits.in_link]] == circuits.src_pod).all()
    assert (fabric.endpoint_pod[links.dst[circuits.out_link]] == circuits.dst_pod).all()
    assert len(np.unique(circuits.in_link)) == len(np.unique(circuits.out_link)) == len(circuits.in_link)
    assert (np.diff(circuits.trunk) >= 0).all(), "paths look circuits up by trunk"
    assert (demand[circuits.src_pod, circuits.dst_pod] > 0).all()
    if region:
        assert (circuits.src_pod // region == circuits.dst_pod // region).all()


@given(demands, st.sampled_from([(2, 1), (4, 3)]))
@settings(deadline=None, max_examples=60)
def test_circuits_and_packets_end_together_and_could_not_end_earlier(demand, ports):
    """
    Ports run at one rate. With T the end: no pair's circuits carry more than T each, no domain sends or receives more
    packets than its packet ports carry in T, and one of them just as much: with less time it could not.
    """
    fabric = hybrid(ports=ports[0], ocs_ports=ports[1])
    circuits = split(fabric, demand)
    wide = np.zeros((_DOMAINS, _DOMAINS))
    np.add.at(wide, (circuits.src_pod, circuits.dst_pod), 1.0)
    ratio = np.zeros((_DOMAINS, _DOMAINS))
    ratio[circuits.src_pod, circuits.dst_pod] = circuits.pair_ratio
    packets = demand * (1 - ratio)
    loads = np.concatenate([packets.sum(axis=0), packets.sum(axis=1)]) / fabric.planner.packet_ports
    end = loads.max()
    assert (ratio <= 1).all()
    lit = wide > 0
    assert (demand[lit] * ratio[lit] <= wide[lit] * end * (1 + 1e-9)).all()
    short = lit & (ratio < 1 - 1e-9)
    assert demand[short] * ratio[short] == pytest.approx(wide[short] * end, rel=1e-9)


def test_heavy_pairs_get_the_circuits():
    """3 ports a domain: 40 parts against 1 get all of them, since 40 / 3 > 1; the pair with 1 part goes without."""
    demand = np.zeros((_DOMAINS, _DOMAINS))
    demand[0, 1], demand[0, 2] = 40.0, 1.0
    circuits = hybrid().planner.connect(demand)
    assert sorted(zip(circuits.src_pod.tolist(), circuits.dst_pod.tolist(), strict=True)) == [(0, 1)] * 3


def test_a_single_pair_of_domains_gets_all_its_ports():
    """
    3 half ports of circuits and 3 of packets: each carries half, and together the accelerators of the domain send as
    much as with undivided ports.
    """
    fabric = hybrid()
    demand = np.zeros((_DOMAINS, _DOMAINS))
    demand[0, 1] = 1.0
    circuits = split(fabric, demand)
    assert circuits.pair_ratio == pytest.approx([0.5] * 3)
    member = np.arange(_MEMBERS)
    rates = sprayed(fabric, circuits, member, member + _MEMBERS)
    assert rates == pytest.approx([1.0] * 3)


def test_an_all_to_all_of_all_domains_fills_circuits_and_packets():
    """
    4 domains of 3: a circuit for each of 12 ordered pairs, and as many packet ports: 9 flows of every pair share one
    half port of circuits and one of packets, so a flow gets 1/9 of a port.
    """
    fabric = hybrid(num_domains=4)
    circuits = split(fabric, np.ones((4, 4)) - np.eye(4))
    src, dst = all_pairs(fabric)
    apart = fabric.endpoint_pod[src] != fabric.endpoint_pod[dst]
    assert sprayed(fabric, circuits, src[apart], dst[apart]) == pytest.approx(1 / 9, rel=1e-9)


def sprayed(fabric, circuits, src, dst):
    flows = Spray().route(Traffic.between(src, dst, 1.0), fabric, circuits, KEY)
    return rates_of(flows, Spray().rows(fabric, circuits).capacity_bytes_per_s) / payload_bytes_per_s()


def test_any_accelerator_of_a_domain_reaches_its_circuits():
    """
    One circuit from domain 0 to 1, all traffic over it: from accelerator 0, whose port it may not be, up and down the
    scale-up links at either end unless it is.
    """
    fabric = hybrid(num_domains=2, members=2)
    whole = fabric.planner.connect(np.array([[0.0, 1.0], [0.0, 0.0]]))
    circuits = replace(whole.chosen(np.array([1])), pair_ratio=np.ones(1))
    assert fabric.links.src[circuits.in_link].tolist() == [1]
    for src, dst, hops in ((0, 2, 6), (1, 3, 2), (0, 3, 4), (1, 2, 4)):
        pair, links, share = fabric.paths.shares(np.array([src]), np.array([dst]), circuits)
        assert (pair == 0).all()
        assert share.tolist() == [1.0] * hops
        _, link = fabric.paths.links(np.array([src]), np.array([dst]), np.zeros(1, np.int64), circuits)
        assert sorted(link) == sorted(links)
        assert (fabric.links.src[link[0]], fabric.links.dst[link[-1]]) == (src, dst)
        assert (fabric.links.dst[link[:-1]] == fabric.links.src[link[1:]]).all()


def test_without_circuits_all_of_it_is_packets():
    fabric = hybrid()
    dark = fabric.planner.connect(np.zeros((_DOMAINS, _DOMAINS)))
    src, dst = all_pairs(fabric)
    pair, link, share = fabric.paths.shares(src, dst, dark)
    assert (share == 1.0).all()
    assert (fabric.links.tier[link] != fabric.tiers.index("host_ocs")).all()
    assert len(pair) == len(fabric.paths.links(src, dst, np.zeros(len(src), np.int64), dark)[0])


def test_every_candidate_leads_from_src_to_dst():
    """Circuits first, then packet paths; none twice, none that jumps."""
    fabric = hybrid(num_domains=4)
    circuits = split(fabric, 1.0 + np.arange(16).reshape(4, 4) % 3)
    links, joined = fabric.links, set(zip(circuits.in_link.tolist(), circuits.out_link.tolist(), strict=True))
    ocs = NODE_KINDS.index("ocs")
    src, dst = all_pairs(fabric)
    for a, b in zip(src.tolist(), dst.tolist(), strict=True):
        (num,) = fabric.paths.count(np.array([a]), np.array([b]), circuits)
        pair, link = fabric.paths.links(np.full(num, a), np.full(num, b), np.arange(num), circuits)
        paths = [link[pair == number].tolist() for number in range(num)]
        assert len({tuple(path) for path in paths}) == num > 0
        for path in paths:
            assert (links.src[path[0]], links.dst[path[-1]]) == (a, b)
            assert (links.dst[path[:-1]] == links.src[path[1:]]).all()
            into = [hop for hop in range(len(path)) if fabric.node_kind[links.dst[path[hop]]] == ocs]
            assert all((path[hop], path[hop + 1]) in joined for hop in into)


def test_ecmp_takes_one_way_or_the_other():
    fabric = hybrid(num_domains=4)
    circuits = split(fabric, np.ones((4, 4)))
    src, dst = all_pairs(fabric)
    flows = Ecmp().route(Traffic.between(src, dst, 1.0), fabric, circuits, KEY)
    assert (flows.hop_weight == 1.0).all()
    assert len(np.unique(np.diff(flows.hop_starts))) > 2


def test_ports_run_at_their_part_of_the_rate():
    """800G in four: 200G each way, three into the OCS."""
    fabric = hybrid(ports=4, ocs_ports=3)
    assert fabric.links.capacity_bytes_per_s[fabric.links.tier > 0] == pytest.approx(payload_bytes_per_s() / 4)
    assert (fabric.links.tier == fabric.tiers.index("host_ocs")).sum() == 2 * 3 * _DOMAINS * _MEMBERS


def test_the_bill_has_modules_for_both_halves_of_a_port_and_every_ocs():
    """
    6 domains of 3 with halves of 400G. Into the OCS: 3 halves a server take two 800G modules, 12 in all. 2xFR4 has 2
    fibre pairs for 800G, one for a half; 128 OCS ports take the 6 domains 21 times, so all slots meet in one.
    """
    fabric = hybrid()
    counted = {(item.kind, item.tier): item.count for item in bill_of_materials(fabric, small_interconnect(ports=8))}
    assert counted["module", "host_ocs"] == 12
    assert counted["ocs", "host_ocs"] == 1
    assert counted["fibre", "host_ocs"] == 18


def test_an_ocs_with_few_ports_serves_fewer_slots():
    """32 ports for regions of 12 domains of 4: two slots to an OCS, two OCS for each of two regions."""
    fabric = hybrid(
        num_domains=24, members=4, region_domains=12, ocs="ipronics-one32", packet=Clos(pod_accelerators=16)
    )
    assert (fabric.node_kind == NODE_KINDS.index("ocs")).sum() == 4


def test_a_region_larger_than_the_ocs_is_not_buildable():
    with pytest.raises(NotBuildableError, match="the OCS has 32 ports, a region has 33 scale-up domains"):
        hybrid(num_domains=33, members=1, ocs="ipronics-one32", packet=Clos())


def test_domains_are_whole():
    with pytest.raises(NotBuildableError, match="7 accelerators are not a whole number of scale-up domains of 3"):
        OcsHybrid(packet=Clos(tiers=2)).build(equipment(7, ports=8, per_host=3))


def test_copper_into_an_ocs_are_not_buildable():
    with pytest.raises(NotBuildableError, match=r"host_ocs: 800G active electrical cable .* is copper"):
        OcsHybrid(packet=Clos(tiers=2)).build(equipment(6, ports=8, per_host=3, spine_ocs="aec-800g"))


def test_some_ports_are_for_packets():
    with pytest.raises(ValidationError, match=r"(?s)ocs_ports.*is 2 of 2 ports"):
        OcsHybrid(ports=2, ocs_ports=2)
    with pytest.raises(ValidationError, match=r"(?s)packet.*leave out planes"):
        OcsHybrid(packet=Clos(planes=2))
