"""Scale-up links of a technology of their own: lengths, latency, reach, and what they are made of."""

from dataclasses import replace

import networkx as nx
import numpy as np
import pytest

from cluster_sim.backend import choose_backend
from cluster_sim.catalogue import LinkEnds, scale_up, technology
from cluster_sim.config import load_config
from cluster_sim.core import ConfigError, NotBuildableError
from cluster_sim.run import evaluate
from cluster_sim.topology import Clos, Custom, FloorPlan, OcsHybrid, RailOnly
from cluster_sim.topology.scale_up_links import domain_lengths_m
from tests.networks import equipment, links_of_tier
from tests.small import small_run, write_small

LIGHT = LinkEnds(lower="cpo-scale-up-1.6t", upper="cpo-scale-up-1.6t")
#: A rack for every four accelerators, racks of a row a metre apart.
HALL = FloorPlan(accelerators_per_rack=4, racks_per_row=8, rack_pitch_m=1.0, slack_m=1.5)


def lengths_m(fabric, tier="scale_up"):
    return fabric.links.length_m[links_of_tier(fabric, tier)][::2].tolist()


def test_a_domain_in_one_rack_has_short_links():
    first_m, top_m = domain_lengths_m(4, 4, HALL)
    assert (first_m.tolist(), top_m.tolist()) == ([1.0] * 4, [1.0])


def test_a_domain_of_three_racks_is_joined_in_the_middle_one():
    """12 accelerators, the middle one in the second of three racks: a metre and 1.5 m of slack from the others."""
    first_m, _ = domain_lengths_m(12, 12, HALL)
    assert first_m.tolist() == [2.5] * 4 + [1.0] * 4 + [2.5] * 4


def test_two_tiers_lead_out_of_the_rack_in_the_second_only():
    """3 switches of 4, each in its rack; the second tier in the middle one."""
    first_m, top_m = domain_lengths_m(12, 4, HALL)
    assert first_m.tolist() == [1.0] * 12
    assert top_m.tolist() == [2.5, 1.0, 2.5]


@pytest.mark.parametrize("topology", [Clos, RailOnly])
def test_every_domain_of_a_fabric_is_laid_alike(topology):
    fabric = topology(floor=HALL, scale_up={"size": 12}).fabric(equipment(24, ports=16))
    assert lengths_m(fabric) == ([2.5] * 4 + [1.0] * 4 + [2.5] * 4) * 2


def test_the_second_tier_of_a_fabric_is_laid_by_its_switches():
    fabric = Clos(floor=HALL, scale_up={"size": 12, "per_switch": 4}).fabric(equipment(24, ports=16))
    assert lengths_m(fabric) == [1.0] * 24
    assert lengths_m(fabric, "scale_up_top") == [2.5, 1.0, 2.5] * 2


def test_hybrids_stand_in_the_hall_of_their_packet_network():
    assert OcsHybrid(packet=Clos(floor=HALL)).hall == HALL
    assert Custom(graph="graph.json").hall is None


@pytest.mark.parametrize("per_switch", [0, 4])
def test_a_technology_adds_the_latency_of_its_ends_and_of_its_fibre(per_switch):
    """Both ends of a link and its length, on top of half the accelerator's latency; the rate stays."""
    topology = Clos(floor=HALL, scale_up={"size": 12, "per_switch": per_switch})
    plain, optical = (topology.fabric(equipment(24, ports=16, scale_up=name)) for name in (None, "800g-dsp-dr8"))
    entry, inside = technology("800g-dsp-dr8"), scale_up("nvlink4")
    for tier in [tier for tier in plain.tiers if tier.startswith("scale_up")]:
        links = links_of_tier(plain, tier)
        assert plain.links.latency_s[links] == pytest.approx(inside.latency.typical / 2)
        added_s = optical.links.latency_s[links] - plain.links.latency_s[links]
        assert added_s == pytest.approx(2 * entry.latency.typical + 4.9e-9 * plain.links.length_m[links])
    others = ~np.isin(np.array(plain.tiers)[plain.links.tier], ["scale_up", "scale_up_top"])
    assert (optical.links.latency_s[others] == plain.links.latency_s[others]).all()
    assert (optical.links.capacity_bytes_per_s == plain.links.capacity_bytes_per_s).all()


def nvl(size, name, per_rack=72, num=576):
    """GB300-like accelerators in domains of ``size``, racks of ``per_rack``."""
    parts = equipment(num, ports=64, per_host=4, domain=size, scale_up=name)
    return Clos(floor=FloorPlan(accelerators_per_rack=per_rack)), parts


def test_a_backplane_carries_72_in_a_rack_and_not_576_in_eight():
    """Reach 1.5 m; seven of eight racks are elsewhere, the farthest four racks of 0.6 m and 1.5 m of slack."""
    topology, parts = nvl(72, "nvlink-backplane")
    assert set(lengths_m(topology.fabric(parts))) == {1.0}
    topology, parts = nvl(576, "nvlink-backplane")
    with pytest.raises(NotBuildableError) as caught:
        topology.fabric(parts)
    assert caught.value.args[0] == (
        "scale_up: nvlink-backplane reaches 1.5 m, but 504 of 576 links of a domain of 576 are longer (up to 3.9 m; "
        "racks hold 72)",
    )


def test_light_can_join_racks_of_copper():
    """Eight racks of 72: copper inside them, as part of the servers or named, and light between them only."""
    for inside in (None, "nvlink-backplane"):
        _, parts = nvl(576, inside)
        parts = replace(parts, interconnect=parts.interconnect.model_copy(update={"scale_up_top": LIGHT}))
        topology = Clos(floor=FloorPlan(accelerators_per_rack=72), scale_up={"per_switch": 72})
        fabric = topology.fabric(parts)
        assert set(lengths_m(fabric)) == {1.0}
        plain = topology.fabric(nvl(576, None)[1])
        added_s = fabric.links.latency_s - plain.links.latency_s
        of_light = technology("cpo-scale-up-1.6t").latency.typical * 2
        assert (added_s[links_of_tier(fabric, "scale_up_top")] > of_light).all()
        first_s = 4.6e-9 if inside else 0.0
        assert added_s[links_of_tier(fabric, "scale_up")] == pytest.approx(first_s)
    with pytest.raises(NotBuildableError, match=r"scale_up_top: nvlink-backplane reaches 1\.5 m, but 7 of 8 links"):
        topology.fabric(nvl(576, "nvlink-backplane")[1])


def test_light_carries_a_domain_of_576():
    topology, parts = nvl(576, "cpo-scale-up-1.6t")
    fabric = topology.fabric(parts)
    assert max(lengths_m(fabric)) == pytest.approx(1.5 + 4 * 0.6)


def test_reasons_of_the_fabric_and_of_the_domain_are_told_together():
    _, parts = nvl(576, "nvlink-backplane")
    far = Clos(floor=FloorPlan(accelerators_per_rack=72, slack_m=600.0))
    with pytest.raises(NotBuildableError) as caught:
        far.fabric(parts)
    assert [reason.partition(":")[0] for reason in caught.value.args[0]] == ["host_leaf", "leaf_spine", "scale_up"]


def drawn(folder, name, **edge):
    """Two endpoints of a domain below a switch that is drawn, the second link with other figures."""
    graph = nx.Graph()
    graph.add_node("switch", kind="scale_up_switch")
    for number in range(2):
        graph.add_node(f"e{number}", kind="endpoint", domain=0)
        graph.add_edge(f"e{number}", "switch", **(edge if number else {}))
    nx.write_graphml(graph, folder / "graph.graphml")
    return Custom(graph=str(folder / "graph.graphml")).fabric(equipment(2, scale_up=name))


def test_drawn_links_have_their_own_lengths_and_latencies(tmp_path):
    """2 m as drawn where nothing else is said; a latency of its own is all that a link has."""
    entry, inside = technology("800g-dsp-dr8"), scale_up("nvlink4")
    fabric = drawn(tmp_path, "800g-dsp-dr8", length="30 m", latency="7 us")
    mine = links_of_tier(fabric, "scale_up")
    assert fabric.links.length_m[mine].tolist() == [2, 2, 30, 30]
    added_s = 2 * entry.latency.typical + 2 * 4.9e-9
    assert fabric.links.latency_s[mine] == pytest.approx([inside.latency.typical / 2 + added_s] * 2 + [7e-6] * 2)


def test_drawn_links_that_copper_does_not_reach_are_refused(tmp_path):
    told = r"nvlink-backplane reaches 1.5 m, but 2 of 2 links are longer \(up to 30.0 m\)"
    with pytest.raises(NotBuildableError, match=told):
        drawn(tmp_path, "nvlink-backplane", length="30 m")
    assert drawn(tmp_path, None, length="30 m")


def test_an_unknown_technology_of_scale_up_links_is_one_error_with_its_line(tmp_path):
    path = write_small(tmp_path, ("  port_rate: 800 Gbps\n", "  port_rate: 800 Gbps\n  scale_up: nvlink-backplan\n"))
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    (problem,) = caught.value.problems
    assert ": interconnect.scale_up: unknown technology 'nvlink-backplan'; did you mean 'nvlink-backplane'?" in problem


def test_a_run_with_optics_inside_domains_names_them(tmp_path):
    """Links are named by their technology, and the bill has them; the step takes longer by their latency."""
    plain, optical = (
        evaluate(small_run(tmp_path, "backend=numpy", *changes).scenario, choose_backend("numpy"))
        for changes in ((), ("interconnect.scale_up=cpo-scale-up-1.6t",))
    )
    links = optical["links"].to_pylist()
    assert {link["technology"] for link in links if link["tier"] == "scale_up"} == {"cpo-scale-up-1.6t"}
    assert "cpo-scale-up-1.6t" in optical["bom"]["part"].to_pylist()
    assert "scale_up" in optical["power"]["kind"].to_pylist()
    assert "scale_up" not in plain["power"]["kind"].to_pylist()
    assert "cpo-scale-up-1.6t price" in optical["summary"]["unverified"][0].as_py()
    step_s, longer_s = (tables["summary"]["step_time_s"][0].as_py() for tables in (plain, optical))
    assert step_s < longer_s < 1.01 * step_s
