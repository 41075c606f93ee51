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


class Joins(NamedTuple):
    """Duplex links between routers, each named once; a pair may occur several times.

    Attributes:
        near: tier ``leaf_spine``, int64[n, 2].
        far: tier ``spine_core``, int64[n, 2].
    """

    near: Array
    far: Array


def build_graph(
    joins: Joins, num_routers: int, per_router: int, equipment: Equipment, floor: FloorPlan, seat: Array | None = None,
    far_length: int = 1,
) -> Fabric:  # fmt: skip
    """Accelerators below routers that are joined to each other.

    Args:
        joins: links between routers.
        num_routers: routers.
        per_router: accelerators below each, in order, the last routers part filled; 0 where accelerators are the
            routers and drive all of its links themselves.
        equipment: accelerators, technologies and switches.
        floor: where racks stand.
        seat: int64[routers], as which accelerator each router would stand in the hall; None for the middle of its own.
        far_length: what a link of ``joins.far`` adds to the length of a path, in links of ``joins.near``.

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
    below = (_host_links(router, first_router, racks, floor),) if per_router else ()
    tiers = (
        Tier("scale_up", endpoint, n + endpoint // per_domain, endpoint, endpoint, np.full(n, 1.0)),
        *below,
        _router_links("leaf_spine", joins.near, first_router, racks, floor),
        _router_links("spine_core", joins.far, first_router, racks, floor),
    )
    _check_ports(joins, num_routers, per_router, equipment)
    links, domain = equip(tiers, equipment), (endpoint // per_domain).astype(np.int32)
    up = (2 * endpoint).astype(np.int32)
    kinds = {"endpoint": n, "scale_up_switch": num_domains, "leaf": num_routers if per_router else 0}
    between = np.flatnonzero(links.tier > len(below))
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
            edges=Edges.of(
                num_routers, links.src[between] - first_router, links.dst[between] - first_router, between,
                length=np.where(links.tier[between] == len(below) + 2, far_length, 1),
            ),
            passes=np.ones(num_routers, bool),
        ),
        planner=None,
    )  # fmt: skip


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


def _check_ports(joins: Joins, num_routers: int, per_router: int, equipment: Equipment) -> None:
    if not per_router:
        return
    used = per_router + np.bincount(np.concatenate(joins).ravel(), minlength=num_routers)
    ports = equipment.interconnect.num_ports
    if used.max() > ports:
        raise NotBuildableError(
            (f"too few ports: a switch needs {used.max()} ({per_router} down), it has {ports}; put fewer accelerators "
             "below a switch, or use a switch with more ports",)
        )  # fmt: skip
