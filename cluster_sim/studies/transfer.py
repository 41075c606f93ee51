"""The transfer of a collective, simulated: traffic, routing, engine, on a fabric that suits a table's row."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np

from cluster_sim.backend import Backend
from cluster_sim.catalogue import Accelerator, Figure, Interconnect, accelerator, scale_up
from cluster_sim.collectives import COLLECTIVES, Groups
from cluster_sim.engine import alone_s, route_collectives
from cluster_sim.routing import Spray
from cluster_sim.studies.nccl import Case, Machine
from cluster_sim.tables import DP, NONE, Collective, Fabric, Traffic
from cluster_sim.topology import Clos, Equipment

#: Bytes that are sent to learn the time of one, so that no flow is near the resolution of the clock.
_SENT_BYTES = 1e9
#: Line rate of the parts that fabrics are put together from, and of a port that nothing uses.
_PORT_BYTES_PER_S = 1e11


def seconds_per_byte(case: Case, scale_up_ratio: float, network_bytes_per_s: float, backend: Backend) -> float:
    """Time of sending a buffer of one byte.

    Latency is none: it is counted in steps. So the time is in proportion to the buffer.

    Args:
        case: what is sent, and where.
        scale_up_ratio: share of the rate of scale-up links that is used.
        network_bytes_per_s: rate of an accelerator's port that is used.
        backend: what solves rates.
    """
    fabric = _with_rates(_fabric(case.machine), case.machine, scale_up_ratio, network_bytes_per_s)
    traffic = traffic_of(case, Groups(np.arange(case.machine.num_ranks, dtype=np.int32)[None], fabric.endpoint_domain))
    sent = Collective(case.operation, DP, case.algorithm, NONE, 0, traffic, _SENT_BYTES, case.machine.num_ranks)
    routes = route_collectives((sent,), np.ones(1, np.int64), fabric, Spray(), 0, 1, backend)
    return alone_s(sent, 0, routes, backend) / _SENT_BYTES


def traffic_of(case: Case, groups: Groups) -> Traffic:
    """What an algorithm of NCCL sends for a buffer of one byte, as algorithms of the registry."""
    return _TRAFFIC[case.algorithm](case, groups)


def _ring(case: Case, groups: Groups) -> Traffic:
    return COLLECTIVES[f"ring_{case.operation}"](groups, 1.0)


def _tree(case: Case, groups: Groups) -> Traffic:
    return COLLECTIVES["double_tree_all_reduce"](groups, 1.0)


def _in_network(case: Case, groups: Groups) -> Traffic:
    """Pieces are in the domains and between them at the same time."""
    inside, between = _levels(groups, case.machine)
    reduced = COLLECTIVES["nvls_all_reduce"](inside, 1.0)
    if case.machine.domains == 1:
        return reduced
    return Traffic.at_once(reduced, COLLECTIVES["double_tree_all_reduce"](between, 1 / case.machine.per_domain))


def _fabric_reduction(case: Case, groups: Groups) -> Traffic:
    """The buffer once up and once down the network; an all-gather gets all of it from there, its own part too."""
    inside, between = _levels(groups, case.machine)
    reduced = COLLECTIVES["sharp_all_reduce"](between, 1 / case.machine.per_domain)
    if case.machine.per_domain == 1:
        return reduced
    return Traffic.at_once(COLLECTIVES["nvls_all_reduce"](inside, 1.0), reduced)


def _pairs(case: Case, groups: Groups) -> Traffic:
    """All-to-all, or everyone to the next one."""
    if case.operation == "alltoall":
        return COLLECTIVES["all_to_all"](groups, 1.0)
    ranks = groups.ranks[0]
    neighbours = np.stack([ranks, np.roll(ranks, -1)], axis=1)
    return COLLECTIVES["point_to_point"](replace(groups, ranks=neighbours), 1.0)


_TRAFFIC: dict[str, Callable[[Case, Groups], Traffic]] = {
    "ring": _ring,
    "tree": _tree,
    "in_network": _in_network,
    "fabric_reduction": _fabric_reduction,
    "pairs": _pairs,
}


def _levels(groups: Groups, machine: Machine) -> tuple[Groups, Groups]:
    """(the ranks of each domain, the ranks of equal place in every domain)."""
    by_domain = groups.ranks.reshape(machine.domains, machine.per_domain)
    return replace(groups, ranks=by_domain), replace(groups, ranks=np.ascontiguousarray(by_domain.T))


@cache
def _fabric(machine: Machine) -> Fabric:
    """A Clos without oversubscription, of servers that hold one scale-up domain each."""
    return Clos().build(Equipment(machine.num_ranks, _server(machine), _interconnect()))


def _server(machine: Machine) -> Accelerator:
    size = Figure(typical=machine.per_domain, year=2026, source="the measured system", status="D")
    entry = accelerator(machine.accelerator)
    return entry.model_copy(update={"scale_up_domain": size, "accelerators_per_host": size})


def _interconnect() -> Interconnect:
    """Only to have ports and reach; rates are those of the machine."""
    return Interconnect(
        port_rate_bytes_per_s=_PORT_BYTES_PER_S, nic="connectx8-800g", switch="tomahawk5", host_leaf="800g-dsp-dr8",
        leaf_spine="800g-dsp-dr8", spine_core="800g-dsp-dr8",
    )  # fmt: skip


def _with_rates(fabric: Fabric, machine: Machine, scale_up_ratio: float, network_bytes_per_s: float) -> Fabric:
    """The same links with other rates, and without latency."""
    inside = scale_up(accelerator(machine.accelerator).scale_up).bandwidth.typical * scale_up_ratio
    is_inside = fabric.links.tier == fabric.tiers.index("scale_up")
    capacity = np.where(is_inside, inside, network_bytes_per_s or _PORT_BYTES_PER_S)
    links = replace(fabric.links, capacity_bytes_per_s=capacity, latency_s=np.zeros(len(fabric.links)))
    return replace(fabric, links=links)
