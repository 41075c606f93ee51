"""Small fabrics that a reader can count by hand, and how long traffic takes on them.

Ports run at 800 Gb/s = 1e11 B/s. Switches have as few ports as the test wants; accelerators stand alone in a server
and a scale-up domain of their own unless the test says otherwise, so that the scale-up links take no part.
"""

from functools import cache
from typing import Any

import numpy as np
from hypothesis import strategies as st

from cluster_sim.backend import choose_backend
from cluster_sim.catalogue import Accelerator, Figure, Interconnect, accelerator, constants
from cluster_sim.core import NotBuildableError
from cluster_sim.kernels import maxmin_rates
from cluster_sim.routing import Routing, Spray
from cluster_sim.tables import Array, Circuits, Fabric, Flows, Traffic, starts_of
from cluster_sim.topology import (
    Clos,
    Dragonfly,
    Equipment,
    FatTree,
    FullMesh,
    HyperX,
    OcsSpine,
    OcsTorus,
    RailOnly,
    SlimFly,
    Topology,
    Torus,
)  # fmt: skip

PORT_BYTES_PER_S = 1e11
KEY = 0x9E3779B97F4A7C15


class SmallSwitches(Interconnect):
    """An interconnect whose switches have just ``ports`` ports of 800G, or more that are slower."""

    ports: int

    @property
    def num_ports(self) -> int:
        return round(self.ports * max(1.0, PORT_BYTES_PER_S / self.port_rate_bytes_per_s))


def small_interconnect(ports: int = 4, **changes: Any) -> SmallSwitches:
    """800G DSP modules everywhere; ``changes`` replaces fields."""
    fields = {
        "port_rate_bytes_per_s": PORT_BYTES_PER_S, "nic": "connectx8-800g", "switch": "tomahawk6",
        "host_leaf": "800g-dsp-dr8", "leaf_spine": "800g-dsp-dr8", "spine_core": "800g-dsp-dr8",
        "spine_ocs": "800g-dsp-2xfr4",
    }  # fmt: skip
    return SmallSwitches(ports=ports, **(fields | changes))


def count(value: float) -> Figure:
    """A figure that a test makes up."""
    return Figure(typical=value, year=2026, source="made up for a test", status="D")


def small_accelerator(per_host: int = 1, domain: int | None = None) -> Accelerator:
    """An H100 in servers and scale-up domains of another size; by default a domain is a server."""
    sizes = {"accelerators_per_host": count(per_host), "scale_up_domain": count(domain or per_host)}
    return accelerator("h100-sxm").model_copy(update=sizes)


def equipment(
    num_endpoints: int, ports: int = 4, per_host: int = 1, domain: int | None = None, **changes: Any
) -> Equipment:
    """Parts for ``num_endpoints`` accelerators behind switches of ``ports`` ports."""
    return Equipment(num_endpoints, small_accelerator(per_host, domain), small_interconnect(ports, **changes))


#: Small fabrics that between them have every feature: (topology, accelerators, ports, accelerators per server).
_SMALL: dict[str, tuple[Topology, int, int, int]] = {
    "fat tree": (FatTree(), 16, 4, 1),
    "fat tree, last pod part filled, servers of 2": (FatTree(), 11, 4, 2),
    "fat tree by rail": (FatTree(rail_optimised=True), 32, 8, 4),
    "one leaf": (Clos(), 3, 8, 1),
    "one pod": (Clos(), 12, 8, 2),
    "clos": (Clos(pod_accelerators=8), 24, 8, 4),
    "clos by rail": (Clos(rail_optimised=True), 12, 4, 2),
    "clos, leaves 3:1": (Clos(pod_accelerators=12, leaf_oversubscription=3), 36, 8, 2),
    "clos, spines 3:1": (Clos(pod_accelerators=24, spine_oversubscription=3), 48, 8, 1),
    "clos, both 2:1": (Clos(pod_accelerators=8, leaf_oversubscription=2, spine_oversubscription=2), 20, 6, 4),
    "rail only": (RailOnly(), 24, 4, 3),
    "rail only, three tiers": (RailOnly(tiers=3), 30, 4, 2),
    "torus": (Torus(shape=(3, 4)), 12, 4, 1),
    "twisted torus": (Torus(shape=(2, 4, 2), twisted=True, cube=2), 16, 4, 1),
    "torus of cubes": (OcsTorus(shape=(3, 3, 6), cube=3, failed_cubes=(1,)), 54, 4, 1),
    "full mesh, servers of 2": (FullMesh(), 7, 5, 2),
    "hyperx": (HyperX(shape=(2, 3)), 11, 8, 1),
    "dragonfly": (Dragonfly(), 18, 7, 1),
    "slim fly": (SlimFly(accelerators_per_switch=1), 50, 8, 1),
    "two tiers": (Clos(tiers=2), 30, 8, 2),
    "two tiers, leaves 3:1, by rail": (Clos(tiers=2, leaf_oversubscription=3, rail_optimised=True), 36, 8, 2),
    "clos, links of two ports": (Clos(pod_accelerators=8, link_ports=2), 24, 8, 4),
    "two planes": (Clos(pod_accelerators=8, planes=2), 24, 4, 4),
    "four planes of two tiers": (Clos(tiers=2, planes=4), 20, 4, 2),
    "two planes by rail": (Clos(rail_optimised=True, planes=2, spine_oversubscription=2), 48, 4, 3),
    "fat tree of two planes": (FatTree(planes=2), 40, 4, 2),
    "ocs": (OcsSpine(pod_accelerators=8), 24, 8, 4),
    "ocs by rail": (OcsSpine(pod_accelerators=8, rail_optimised=True), 24, 8, 2),
    "ocs, leaves 3:1": (OcsSpine(pod_accelerators=12, leaf_oversubscription=3), 36, 8, 1),
    "ocs, spines 2:1": (OcsSpine(pod_accelerators=12, spine_oversubscription=2), 36, 6, 1),
}  # fmt: skip
SMALL = tuple(_SMALL)


@cache
def small_fabric(name: str) -> Fabric:
    """One of ``SMALL``."""
    topology, num_endpoints, ports, per_host = _SMALL[name]
    return topology.build(equipment(num_endpoints, ports, per_host, **links_between_switches(topology)))


def links_between_switches(topology: Topology) -> dict[str, str]:
    """Technologies that carry two ports where the topology joins them."""
    is_joined = getattr(topology, "link_ports", 1) > 1
    return dict.fromkeys(("leaf_spine", "spine_core"), "1.6t-dsp-dr8") if is_joined else {}


def ports_of(name: str) -> int:
    """Ports of 800G of the switches of ``small_fabric(name)``."""
    return _SMALL[name][2]


@cache
def small_circuits(name: str) -> Circuits | None:
    """Circuits of ``small_fabric(name)`` for uneven traffic between all pods; None without OCS."""
    fabric = small_fabric(name)
    pod = np.arange(fabric.num_pods)
    return connected(fabric, 1.0 + 3.0 * ((pod[:, None] + 2 * pod) % 3))


def connected(fabric: Fabric, demand: Array | None = None) -> Circuits | None:
    """Circuits for a demand, by default equal between all pods; None without OCS."""
    if fabric.planner is None:
        return None
    return fabric.planner.connect(np.ones((fabric.num_pods, fabric.num_pods)) if demand is None else demand)


@st.composite
def built(draw: st.DrawFn) -> tuple[Fabric, Circuits | None]:
    """Any small fabric that can be built, with its circuits."""
    ports, per_host = draw(st.sampled_from([4, 5, 6, 8])), draw(st.integers(1, 4))
    num_endpoints, by_rail = draw(st.integers(1, 32)), draw(st.booleans())
    kind = draw(st.sampled_from(["fat_tree", "clos", "two tiers", "ocs_spine"]))
    planes, link_ports = draw(st.sampled_from([1, 1, 2, 3])), draw(st.sampled_from([1, 1, 2]))
    above = {f"{tier}_oversubscription": draw(st.sampled_from([1, 1.5, 2, 3])) for tier in ("leaf", "spine")}
    per_leaf = _per_leaf(ports, above["leaf_oversubscription"]) * (per_host if by_rail else 1)
    pod = per_leaf * draw(st.integers(1, 3))
    topologies: dict[str, Topology] = {
        "fat_tree": FatTree(rail_optimised=by_rail, planes=planes),
        "clos": Clos(pod_accelerators=pod, rail_optimised=by_rail, planes=planes, link_ports=link_ports, **above),
        "two tiers": Clos(
            tiers=2,
            rail_optimised=by_rail,
            planes=planes,
            link_ports=link_ports,
            leaf_oversubscription=above["leaf_oversubscription"],
        ),
        "ocs_spine": OcsSpine(pod_accelerators=pod, rail_optimised=by_rail, **above),
    }
    try:
        joined = links_between_switches(topologies[kind])
        fabric = topologies[kind].build(equipment(num_endpoints, ports, per_host, **joined))
        return fabric, connected(fabric)
    except NotBuildableError:
        return draw(built())


def _per_leaf(ports: int, oversubscription: float) -> int:
    """Accelerators below a leaf that has as many uplinks as the oversubscription asks for."""
    up = max(1, int(ports / (1 + oversubscription)))
    return min(ports - up, int(up * oversubscription))


def all_pairs(fabric: Fabric) -> tuple[Array, Array]:
    """(src, dst) of every ordered pair of different endpoints, int32."""
    src, dst = np.nonzero(~np.eye(fabric.num_endpoints, dtype=bool))
    return src.astype(np.int32), dst.astype(np.int32)


def all_paths(fabric: Fabric, src: Array, dst: Array, circuits: Circuits | None) -> list[Array]:
    """For every pair, all its candidate paths: int32[candidates, hops] of links."""
    num_paths = fabric.paths.count(src, dst, circuits)
    pair = np.repeat(np.arange(len(src)), num_paths)
    choice = np.arange(len(pair)) - np.repeat(starts_of(num_paths)[:-1], num_paths)
    hop_candidate, hop_link = fabric.paths.links(src[pair], dst[pair], choice, circuits)
    num_hops = np.bincount(hop_candidate, minlength=len(pair))
    found, first_hop = [], starts_of(num_hops)
    for begin, end in zip(starts_of(num_paths)[:-1], starts_of(num_paths)[1:], strict=True):
        assert len(set(num_hops[begin:end])) <= 1, "candidates of a pair have one length"
        found.append(hop_link[first_hop[begin] : first_hop[end]].reshape(end - begin, -1))
    return found


def links_of_tier(fabric: Fabric, tier: str) -> Array:
    """Rows of the links of a tier."""
    return np.flatnonzero(fabric.links.tier == fabric.tiers.index(tier)) if tier in fabric.tiers else np.zeros(0, int)


def payload_bytes_per_s() -> float:
    """What a port carries."""
    return PORT_BYTES_PER_S * constants().link_efficiency.typical


def rates_of(flows: Flows, capacity: Array) -> Array:
    """float64[F]: max-min fair rates."""
    return maxmin_rates(flows.hop_starts, flows.hop_row, flows.hop_weight, capacity, choose_backend("numpy"))[0]


def time_s(traffic: Traffic, fabric: Fabric, routing: Routing | None = None) -> float:
    """How long traffic takes whose transfers, round by round, all end together or hold nobody back."""
    circuits, routing = connected(fabric), routing or Spray()
    flows = routing.route(traffic, fabric, circuits, KEY)
    capacity, total_s = routing.rows(fabric, circuits).capacity_bytes_per_s, 0.0
    for number in np.unique(flows.round):
        now = flows.chosen(np.flatnonzero(flows.round == number))
        total_s += float(np.max(now.latency_s + now.size_bytes / rates_of(now, capacity)))
    return total_s
