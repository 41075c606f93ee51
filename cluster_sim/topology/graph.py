"""Fabrics in which every router has accelerators: how routers are joined is all that a topology has to say."""

from typing import NamedTuple

import numpy as np

from cluster_sim.core import NotBuildableError
from cluster_sim.tables import NODE_KINDS, NONE, Array, Fabric
from cluster_sim.topology.base import Equipment
from cluster_sim.topology.equip import equip
from cluster_sim.topology.floor_plan import FloorPlan, Racks
from cluster_sim.topology.graph_paths import Edges, GraphPaths
from cluster_sim.topology.wiring import Tier

#: More switches than any fabric has; far beyond them memory ends, not patience.
_MOST_ROUTERS = 2**20


class Joins(NamedTuple):
    """Duplex links between routers, each named once; a pair may occur several times.

    Attributes:
        near: tier ``leaf_spine``, int64[n, 2].
        far: tier ``spine_core``, int64[n, 2].
        circuits: through an OCS that stays as it is set, tier ``spine_ocs``, int64[n, 3]; the last column is the OCS.
        far_length: what a link of ``far`` adds to the length of a path, in links of ``near``.
    """

    near: Array
    far: Array
    circuits: Array = np.zeros((0, 3), np.int64)
    far_length: int = 1


def check_switches(num_switches: int, below: int, across: int, equipment: Equipment) -> None:
    """Check that a fabric can be built before anything of its size is.

    Args:
        num_switches: how many.
        below: accelerators below each.
        across: most links of one to other switches.
        equipment: whose switches they are.

    Raises:
        NotBuildableError: with every reason.
    """
    ports, reasons = equipment.interconnect.num_ports, []
    if below + across > ports:
        reasons.append(f"too few ports: a switch needs {below + across} ({below} down), it has {ports}; put fewer "
                       "accelerators below a switch, join fewer switches, or use one with more ports")  # fmt: skip
    if num_switches > _MOST_ROUTERS:
        reasons.append(f"{num_switches} switches are too many; at most {_MOST_ROUTERS}")
    if reasons:
        raise NotBuildableError(tuple(reasons))


def build_graph(
    joins: Joins, num_routers: int, per_router: int, equipment: Equipment, floor: FloorPlan, seat: Array | None = None
) -> Fabric:
    """Accelerators below routers that are joined to each other.

    Args:
        joins: links between routers.
        num_routers: routers.
        per_router: accelerators below each, in order, the last routers part filled; 0 where accelerators are the
            routers and drive all of its links themselves.
        equipment: accelerators, technologies and switches.
        floor: where racks stand.
        seat: int64[routers], as which accelerator each router would stand in the hall; None for the middle of its own.

    Raises:
        NotBuildableError: with every reason.
    """
    n, per_domain = equipment.num_endpoints, int(equipment.accelerator.scale_up_domain.typical)
    endpoint = np.arange(n)
    num_domains = -(-n // per_domain)
    first_router = n + num_domains if per_router else 0
    router = endpoint // per_router if per_router else endpoint
    middle = np.arange(num_routers) * per_router + per_router // 2 if seat is None else seat
    racks = floor.of_endpoints(np.minimum(middle, n - 1) if seat is None else seat)
    first_ocs = first_router + num_routers if per_router else n + num_domains
    num_ocs = int(joins.circuits[:, 2].max(initial=-1)) + 1
    tiers = (
        Tier("scale_up", endpoint, n + endpoint // per_domain, endpoint, endpoint, np.full(n, 1.0)),
        *((_host_links(router, first_router, racks, floor),) if per_router else ()),
        _router_links("leaf_spine", joins.near, first_router, racks, floor),
        *((_router_links("spine_core", joins.far, first_router, racks, floor),) if not num_ocs else ()),
        *((_links_to_ocs(joins.circuits, first_router, first_ocs, racks, floor),) if num_ocs else ()),
    )
    links, domain = equip(tiers, equipment), (endpoint // per_domain).astype(np.int32)
    up = (2 * endpoint).astype(np.int32)
    kinds = {
        "endpoint": n, "scale_up_switch": num_domains, "leaf": num_routers if per_router else 0, "ocs": num_ocs,
    }  # fmt: skip
    return Fabric(
        num_endpoints=n,
        endpoint_host=(endpoint // int(equipment.accelerator.accelerators_per_host.typical)).astype(np.int32),
        endpoint_domain=domain,
        endpoint_pod=np.zeros(n, np.int32),
        num_pods=1,
        node_kind=np.repeat(np.array([NODE_KINDS.index(kind) for kind in kinds], np.int32), list(kinds.values())),
        tiers=tuple(tier.name for tier in tiers),
        links=links,
        paths=GraphPaths(
            router=router.astype(np.int32), host_link=2 * np.int32(n) + up if per_router else np.full_like(up, NONE),
            domain=domain, scale_up_link=up,
            edges=_edges(joins, num_routers, 2 * n * (2 if per_router else 1)),
            passes=np.ones(num_routers, bool),
        ),
        planner=None,
    )  # fmt: skip


def _edges(joins: Joins, num_routers: int, first_link: int) -> Edges:
    """Both directions of every join, in the order of its links; a circuit goes up one link and down another."""
    direct = np.concatenate([joins.near, joins.far])
    link, num = first_link + np.arange(2 * len(direct)), len(joins.circuits)
    into = first_link + 2 * len(direct) + 2 * np.arange(2 * num)  # link up of every end: all firsts, then all seconds
    out = np.roll(into, num) + 1
    ends = joins.circuits[:, :2]
    return Edges.of(
        num_routers,
        np.concatenate([direct.ravel(), ends.T.ravel()]),
        np.concatenate([direct[:, ::-1].ravel(), ends[:, ::-1].T.ravel()]),
        np.concatenate([link, into]),
        np.concatenate([np.full(len(link), NONE), out]),
        np.repeat([1, joins.far_length, 1], [2 * len(joins.near), 2 * len(joins.far), 2 * num]),
    )


def all_pairs_of(items: Array) -> Array:
    """int64[n(n-1)/2, 2]: every pair of ``items``, int64[n], once."""
    one, other = np.triu_indices(len(items), 1)
    return np.stack([items[one], items[other]], axis=1)


def no_joins() -> Array:
    """int64[0, 2]."""
    return np.zeros((0, 2), np.int64)


def _host_links(router: Array, first_router: int, racks: Racks, floor: FloorPlan) -> Tier:
    endpoint = np.arange(len(router))
    there = Racks(racks.row[router], racks.rack[router])
    length_m = floor.length_m(floor.of_endpoints(endpoint), there)
    return Tier("host_leaf", endpoint, first_router + router, endpoint, endpoint, length_m)


def _router_links(name: str, joined: Array, first_router: int, racks: Racks, floor: FloorPlan) -> Tier:
    lower, upper = joined[:, 0], joined[:, 1]
    length_m = floor.length_m(Racks(racks.row[lower], racks.rack[lower]), Racks(racks.row[upper], racks.rack[upper]))
    number = np.arange(len(joined))
    return Tier(name, first_router + lower, first_router + upper, number, number, length_m)


def _links_to_ocs(circuits: Array, first_router: int, first_ocs: int, racks: Racks, floor: FloorPlan) -> Tier:
    """The link up of every end of a circuit: all first ends, then all second ones. OCS stand in the middle."""
    router, ocs = circuits[:, :2].T.ravel(), np.tile(circuits[:, 2], 2)
    middle = floor.of_endpoints(np.array([len(racks.row) // 2]))
    there = Racks(np.repeat(middle.row, len(router)), np.repeat(middle.rack, len(router)))
    length_m = floor.length_m(Racks(racks.row[router], racks.rack[router]), there)
    number = np.arange(len(router))
    return Tier(
        "spine_ocs", first_router + router, first_ocs + ocs, number, number, length_m,
        way_m=length_m + np.roll(length_m, len(circuits)),
    )  # fmt: skip
