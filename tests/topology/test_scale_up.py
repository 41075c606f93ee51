"""Scale-up domains of any size, with one tier of switches or two."""

import numpy as np
import pytest

from cluster_sim.core import NotBuildableError
from cluster_sim.tables import Traffic
from cluster_sim.topology import Clos, Custom, HyperX, RailOnly, ScaleUpDomain, Torus
from tests.networks import all_pairs, equipment, time_s

TWO_TIERS = {"size": 12, "per_switch": 4}


def inside_a_domain(num, size_bytes=1e9):
    """Everybody sends to everybody among the first ``num``."""
    src, dst = np.nonzero(~np.eye(num, dtype=bool))
    return Traffic.between(src, dst, size_bytes)


@pytest.mark.parametrize(
    "topology",
    [Clos, RailOnly, lambda **with_: HyperX(shape=(2, 2), **with_), lambda **with_: Torus(shape=(4, 6), **with_)],
    ids=["clos", "rail only", "hyperx", "torus"],
)
def test_paths_go_over_the_second_tier_where_switches_differ(topology):
    """2 domains of 12 with 3 switches each: links meet from end to end, and nothing inside a domain leaves it."""
    fabric = topology(scale_up=TWO_TIERS).fabric(equipment(24, ports=16))
    assert np.bincount(fabric.endpoint_domain).tolist() == [12, 12]
    src, dst = all_pairs(fabric)
    pair, link = fabric.paths.links(src, dst, np.zeros(len(src), np.int64), None)
    first = np.searchsorted(pair, np.arange(len(src) + 1))
    tier = np.array(fabric.tiers)[fabric.links.tier]
    for number, (a, b) in enumerate(zip(src.tolist(), dst.tolist(), strict=True)):
        path = link[first[number] : first[number + 1]]
        assert fabric.links.src[path[0]] == a
        assert fabric.links.dst[path[-1]] == b
        assert (fabric.links.dst[path[:-1]] == fabric.links.src[path[1:]]).all()
        if a // 12 == b // 12:
            top = ["scale_up_top"] * 2 if a // 4 != b // 4 else []
            assert tier[path].tolist() == ["scale_up", *top, "scale_up"]


def test_two_tiers_without_oversubscription_are_as_fast_as_one():
    """What differs is the latency of two more links, half a link's way each: 0.5 us in all."""
    one, two = (
        Clos(scale_up={"size": 12, "per_switch": per_switch}).fabric(equipment(24, ports=16)) for per_switch in (0, 4)
    )
    times_s = [time_s(inside_a_domain(12), fabric) for fabric in (one, two)]
    assert times_s[1] - times_s[0] == pytest.approx(0.5e-6, rel=1e-6)


@pytest.mark.parametrize("oversubscription", [1.0, 1.2, 2.0, 3.0])
def test_an_oversubscribed_second_tier_slows_an_all_to_all_by_its_closed_form(oversubscription):
    """n = 12 accelerators, m = 4 below a switch: max(1, f (n - m) / (n - 1)) as long."""
    scale_up = {**TWO_TIERS, "oversubscription": oversubscription}
    fabric = Clos(scale_up=scale_up).fabric(equipment(24, ports=16))
    plain = Clos(scale_up=TWO_TIERS).fabric(equipment(24, ports=16))
    slower = time_s(inside_a_domain(12), fabric) / time_s(inside_a_domain(12), plain)
    assert slower == pytest.approx(max(1.0, oversubscription * 8 / 11), rel=1e-4)


@pytest.mark.parametrize("size", [8, 72, 144, 576])
def test_domains_have_the_size_that_is_asked_for(size):
    fabric = Clos(scale_up={"size": size}).fabric(equipment(1152, ports=64, per_host=4))
    assert set(np.bincount(fabric.endpoint_domain).tolist()) == {size}
    assert set(np.bincount(fabric.endpoint_host).tolist()) == {4}


def test_switches_that_do_not_fill_a_domain_are_refused():
    with pytest.raises(ValueError, match="a domain of 12 is not a whole number of switches with 5"):
        ScaleUpDomain(size=12, per_switch=5)
    with pytest.raises(NotBuildableError, match="domain of 8 is not a whole number of switches with 3"):
        Clos(scale_up={"per_switch": 3}).fabric(equipment(24, ports=16, per_host=8))
    with pytest.raises(ValueError, match="draw the scale-up switches into the graph"):
        Custom(graph="graph.json", scale_up={"size": 8})
