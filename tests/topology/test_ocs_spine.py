"""Circuits of an OCS spine: what light can do, and how ports are shared."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster_sim.catalogue import ocs, technology
from cluster_sim.core import InputError, NotBuildableError
from cluster_sim.tables import Circuits
from cluster_sim.topology import OcsSpine
from tests.networks import equipment, small_fabric

NAMES = ("ocs", "ocs by rail", "ocs, leaves 3:1", "ocs, spines 2:1")


@given(st.sampled_from(NAMES), st.lists(st.sampled_from([0.0, 1.0, 2.5, 10.0]), min_size=9, max_size=9))
@settings(deadline=None, max_examples=60)
def test_circuits_join_ports_of_one_ocs_each_used_once(name, demand):
    """Light enters and leaves the same box, from the pod that sends to the pod that receives, a port at a time."""
    fabric = small_fabric(name)
    links, circuits = fabric.links, fabric.planner.connect(np.array(demand).reshape(3, 3))
    pod_of_spine = pods_of_spines(fabric)
    assert (links.dst[circuits.in_link] == links.src[circuits.out_link]).all()
    assert [pod_of_spine[node] for node in links.src[circuits.in_link]] == circuits.src_pod.tolist()
    assert [pod_of_spine[node] for node in links.dst[circuits.out_link]] == circuits.dst_pod.tolist()
    assert len(np.unique(circuits.in_link)) == len(circuits.in_link)
    assert len(np.unique(circuits.out_link)) == len(circuits.out_link)
    assert (np.diff(circuits.trunk) >= 0).all(), "paths look circuits up by trunk"


def test_circuits_over_several_ocs_stay_within_one_each():
    """
    5 pods with 2 x 4 uplinks on 32-port OCS: 6 uplinks of every pod to the first, 2 to a second. Light that enters
    one does not leave the other.
    """
    fabric = OcsSpine(pod_accelerators=8).build(equipment(40, ports=8, ocs="ipronics-one32"))
    circuits = fabric.planner.connect(np.ones((5, 5)))
    box_in, box_out = fabric.links.dst[circuits.in_link], fabric.links.src[circuits.out_link]
    assert (box_in == box_out).all()
    assert np.unique(box_in, return_counts=True)[1].tolist() == [5 * 6, 5 * 2]


def pods_of_spines(fabric):
    """Pod of every spine, from the leaves and hosts below it."""
    pod = dict(enumerate(fabric.endpoint_pod.tolist()))
    for tier in ("host_leaf", "leaf_spine"):
        for link in np.flatnonzero(fabric.links.tier == fabric.tiers.index(tier))[::2]:
            lower = int(fabric.links.src[link])
            if lower in pod:
                assert pod.setdefault(int(fabric.links.dst[link]), pod[lower]) == pod[lower]
    return pod


@given(st.sampled_from(NAMES), st.lists(st.sampled_from([0.0, 1.0, 2.5, 10.0]), min_size=9, max_size=9))
@settings(deadline=None, max_examples=60)
def test_all_spines_of_a_pod_are_set_alike(name, demand):
    """Each spine has the same number of circuits to every other pod, so that spraying loads them evenly."""
    fabric = small_fabric(name)
    circuits = fabric.planner.connect(np.array(demand).reshape(3, 3))
    spine = fabric.links.src[circuits.in_link]
    for src in range(3):
        mine = circuits.src_pod == src
        all_spines = [node for node, pod in pods_of_spines(fabric).items() if pod == src and is_spine(fabric, node)]
        per_spine = {
            node: np.bincount(circuits.dst_pod[mine & (spine == node)], minlength=3).tolist() for node in all_spines
        }
        assert len({tuple(counts) for counts in per_spine.values()}) == 1


def is_spine(fabric, node):
    return node in set(fabric.links.src[fabric.links.tier == fabric.tiers.index("spine_ocs")].tolist())


def test_ports_follow_the_traffic():
    """
    Pods of 8 behind 8-port switches: 2 spines with 4 uplinks. Pod 0 sends 3 parts to pod 1 and 1 to pod 2: 3 and 1
    circuits from each spine, 6 and 2 in all.
    """
    circuits = small_fabric("ocs").planner.connect(np.array([[0, 3, 1], [1, 0, 3], [3, 1, 0]], float))
    pairs, counts = np.unique(np.stack([circuits.src_pod, circuits.dst_pod]), axis=1, return_counts=True)
    assert dict(zip(map(tuple, pairs.T.tolist()), counts.tolist(), strict=True)) == {
        (0, 1): 6, (0, 2): 2, (1, 0): 2, (1, 2): 6, (2, 0): 6, (2, 1): 2,
    }  # fmt: skip


def test_without_traffic_there_are_no_circuits():
    assert len(small_fabric("ocs").planner.connect(np.zeros((3, 3))).in_link) == 0


def test_more_partners_than_uplinks_of_a_spine_are_not_buildable():
    """8-port switches: 4 uplinks to a spine; 6 pods that all talk have 5 partners each."""
    fabric = OcsSpine(pod_accelerators=8).build(equipment(48, ports=8))
    with pytest.raises(NotBuildableError, match="traffic with 5 others"):
        fabric.planner.connect(np.ones((6, 6)))


def test_a_changed_port_is_dark_for_switching_and_reacquisition():
    """Palomar 15 ms, then what the transceiver needs."""
    expected_s = ocs("palomar-mems").switch_time.typical + technology("800g-dsp-2xfr4").reacquisition.typical
    assert small_fabric("ocs").planner.switch_s == pytest.approx(expected_s)
    assert expected_s > 15e-3


@pytest.mark.parametrize(("choice", "per_phase"), [("per_job", False), ("per_phase", True)])
def test_circuits_are_set_per_job_or_per_phase(choice, per_phase):
    fabric = OcsSpine(pod_accelerators=8, reconfigure=choice).build(equipment(16, ports=8))
    assert fabric.planner.per_phase is per_phase


def test_one_pod_has_nothing_to_join():
    """8 accelerators in a pod of 8: an OCS above them would carry nothing, and the comparison would be with itself."""
    with pytest.raises(NotBuildableError, match="8 accelerators fill one pod"):
        OcsSpine(pod_accelerators=8).build(equipment(8, ports=8))


@pytest.mark.parametrize(("into", "out_of", "message"), [
    ([4, 4], [7, 9], "2 circuits enter by link 4: a port of an OCS carries one"),
    ([4, 6], [9, 9], "2 circuits leave by link 9: a port of an OCS carries one"),
])  # fmt: skip
def test_a_matching_that_uses_a_port_twice_is_an_error(into, out_of, message):
    pods = np.zeros(2, np.int32)
    with pytest.raises(InputError, match=message):
        Circuits(pods, pods + np.int32(1), np.array(into, np.int32), np.array(out_of, np.int32), 2)


@given(st.lists(st.sampled_from([0.0, 1.0, 2.5, 10.0]), min_size=9, max_size=9))
@settings(deadline=None, max_examples=30)
def test_with_circulators_there_are_as_many_circuits_back_as_there(demand):
    fabric = OcsSpine(pod_accelerators=8).build(equipment(24, ports=8, circulators=True))
    circuits = fabric.planner.connect(np.array(demand).reshape(3, 3))
    counts = np.bincount(circuits.trunk, minlength=9).reshape(3, 3)
    assert (counts == counts.T).all()
