"""A cycle of matchings, as its mean."""

import numpy as np
import pytest

from cluster_sim.catalogue import ocs, technology
from cluster_sim.core import NotBuildableError
from cluster_sim.routing import Spray
from cluster_sim.tables import Traffic
from cluster_sim.topology import OcsRotor
from tests.engine.worlds import run_job, small_job
from tests.networks import KEY, all_pairs, equipment, payload_bytes_per_s, rates_of

_POD = 8


def rotor(pods, two_hop=0.0, guard_s=1e-5, slot_s=1e-4, **changes):
    """Pods of 8 behind 8-port switches: 2 spines with 4 uplinks each; a tenth of every slot is dark."""
    spec = OcsRotor(pod_accelerators=_POD, slot_s=slot_s, guard_s=guard_s, two_hop=two_hop)
    return spec.build(equipment(pods * _POD, ports=8, **changes))


def sprayed(fabric, src, dst):
    circuits = fabric.planner.connect(np.zeros((fabric.num_pods, fabric.num_pods)))
    flows = Spray().route(Traffic.between(src, dst, 1.0), fabric, circuits, KEY)
    return rates_of(flows, Spray().rows(fabric, circuits).capacity_bytes_per_s) / payload_bytes_per_s()


@pytest.mark.parametrize("pods", [2, 3, 4, 5])
def test_between_two_pods_is_the_mean_of_a_cycle(pods):
    """
    8 uplinks of a pod are at each of P - 1 others for one slot in P - 1, with light for 0.9 of it: 7.2 / (P - 1). Also
    where 4 uplinks of a spine do not divide by the number of others.
    """
    fabric = rotor(pods)
    rows = Spray().rows(fabric, fabric.planner.connect(np.zeros((pods, pods))))
    trunks = rows.capacity_bytes_per_s[fabric.links.bundle.max() + 1 :] / payload_bytes_per_s()
    assert trunks == pytest.approx([7.2 / (pods - 1)] * pods * (pods - 1), rel=1e-12)
    endpoint = np.arange(_POD)
    assert sprayed(fabric, endpoint, endpoint + _POD).sum() == pytest.approx(7.2 / (pods - 1), rel=1e-9)


@pytest.mark.parametrize("pods", [3, 4, 5])
def test_two_hops_give_a_single_pair_all_uplinks(pods):
    """Everything goes out at once to whoever comes first, and from there in its slot: 0.9 of 8 uplinks."""
    endpoint = np.arange(_POD)
    assert sprayed(rotor(pods, two_hop=1.0), endpoint, endpoint + _POD).sum() == pytest.approx(7.2, rel=1e-9)


@pytest.mark.parametrize("two_hop", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("pods", [3, 5])
def test_uniform_traffic_pays_for_the_second_hop(pods, two_hop):
    """
    A share s = 1 / (1 + w (P - 2)) goes straight and loads one trunk, the rest two: 64 flows of a pair of pods get
    7.2 / (P - 1) / (2 - s) together. With Valiant's w = 1 and many pods that is half of what direct slots carry.
    """
    fabric = rotor(pods, two_hop)
    src, dst = all_pairs(fabric)
    apart = fabric.endpoint_pod[src] != fabric.endpoint_pod[dst]
    times = 2 - 1 / (1 + two_hop * (pods - 2))
    assert sprayed(fabric, src[apart], dst[apart]) == pytest.approx(7.2 / (pods - 1) / 64 / times, rel=1e-9)


def test_the_cycle_is_the_same_whatever_the_traffic():
    fabric = rotor(3)
    one, other = (fabric.planner.connect(demand) for demand in (np.eye(3), 9.0 * np.arange(9.0).reshape(3, 3)))
    assert one.ends.tolist() == other.ends.tolist()
    assert fabric.planner.switch_s == 0.0


def test_guard_time_is_that_of_the_parts_unless_given():
    """Palomar 15 ms and 6.2 ms of the module: of a slot of 100 ms 78.8 % are lit."""
    guard_s = ocs("palomar-mems").switch_time.typical + technology("800g-dsp-2xfr4").reacquisition.typical
    assert rotor(3, guard_s=None, slot_s=0.1).planner.lit_ratio == pytest.approx(1 - guard_s / 0.1)
    with pytest.raises(NotBuildableError, match=r"a slot of 20 ms is over before its guard time of 21\.2 ms"):
        rotor(3, guard_s=None, slot_s=0.02)


def test_fewer_uplinks_than_other_pods_are_not_buildable():
    with pytest.raises(NotBuildableError, match="a spine has 4 uplinks for 5 other pods"):
        rotor(6)


def test_a_job_runs_and_what_links_carry_adds_up():
    """Each way into and out of the OCS the links carry the same, whatever their circuits stand for."""
    job = small_job(accelerators=192, pipeline=2, data=12, layers=16, global_batch=96)
    _, outcome, routes = run_job(job, OcsRotor(pod_accelerators=64, slot_s=1e-4, guard_s=1e-5, two_hop=0.0))
    fabric = routes.fabric
    carried = routes.carried_by_links(outcome.carried)[0]
    into = np.flatnonzero(fabric.links.tier == fabric.tiers.index("spine_ocs"))
    below = np.flatnonzero(fabric.links.tier == fabric.tiers.index("leaf_spine"))
    assert carried[into[::2]].sum() == pytest.approx(carried[into[1::2]].sum(), rel=1e-9)
    assert 0 < carried[into[::2]].sum() <= carried[below[::2]].sum() * (1 + 1e-9)


def test_circulators_are_not_for_rotors():
    with pytest.raises(NotBuildableError, match="circulators make every circuit two-way"):
        rotor(3, circulators=True)
