"""Planes: the port of every accelerator split over disjoint copies of one fabric, each with its share of the rate."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from cluster_sim.core import NotBuildableError
from cluster_sim.tables import CHOICE, Array, Circuits, Fabric, Links, PathFinder, PathForms, PathKind
from cluster_sim.topology.base import Equipment
from cluster_sim.topology.equip import slow_nic
from cluster_sim.topology.path_kinds import EvenPaths


def in_planes(
    num: int, equipment: Equipment, build: Callable[[Equipment], Fabric], used: int | None = None
) -> Fabric:  # fmt: skip
    """``num`` planes, each what ``build`` makes of ports of 1/``num`` of the rate; one plane is just that.

    Only ``used`` of them are built where that is given: the ports of the others lead elsewhere.

    A switch has more ports where they are slower, up to its highest radix, so a plane needs fewer tiers or fewer
    switches. All planes stand in the same racks. Scale-up domains are joined once.

    Raises:
        NotBuildableError: with every reason.
    """
    if num == 1:
        return build(equipment)
    part = replace(equipment, interconnect=equipment.interconnect.split(num))
    slow = slow_nic(equipment.interconnect)
    try:
        plane = build(part)
    except NotBuildableError as error:
        others = [reason for reason in error.args[0] if reason not in slow_nic(part.interconnect)]
        raise NotBuildableError((*slow, *others)) from None
    if slow:
        raise NotBuildableError(slow)
    used = num if used is None else used
    return _stacked(plane, used) if used > 1 else plane


def _stacked(plane: Fabric, num: int) -> Fabric:
    """Copies of all that lies above endpoints and scale-up switches; the copies of a link are one bundle."""
    assert plane.planner is None, "circuits of several planes are not set together"
    assert plane.tiers[0] == "scale_up"
    common_nodes = plane.num_endpoints + int(plane.endpoint_domain.max()) + 1
    common_links = int((plane.links.tier == 0).sum())
    own_nodes, own_links = len(plane.node_kind) - common_nodes, len(plane.links) - common_links
    number = np.repeat(np.arange(num), own_links)

    def copied(column: Array, common: int) -> Array:
        return np.concatenate([column[:common], np.tile(column[common:], num)])

    def moved(node: Array) -> Array:
        own = copied(node, common_links)
        offset = np.concatenate([np.zeros(common_links, np.int64), number * own_nodes])
        return np.where(own >= common_nodes, own + offset, own).astype(np.int32)

    links = plane.links
    names = ("tier", "bundle", "capacity_bytes_per_s", "latency_s", "length_m")
    return replace(
        plane,
        node_kind=copied(plane.node_kind, common_nodes),
        links=Links(
            src=moved(links.src), dst=moved(links.dst),
            **{name: copied(getattr(links, name), common_links) for name in names},
        ),
        paths=PlanePaths(plane.paths, plane.endpoint_domain, num, common_links, own_links),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class PlanePaths(EvenPaths):
    """The paths of one plane in each of them; inside a scale-up domain those of the domain.

    Attributes:
        plane: paths of plane 0.
        domain: int32[endpoints], scale-up domain of each.
        num: planes.
        common_links: links of all planes, numbered first.
        own_links: links of each plane.
    """

    plane: PathFinder
    domain: Array
    num: int
    common_links: int
    own_links: int

    def count(self, src: Array, dst: Array, circuits: Circuits | None) -> Array:
        """See tables.PathFinder."""
        in_plane = self.plane.count(src, dst, circuits)
        return np.where(self.domain[src] == self.domain[dst], in_plane, in_plane * self.num)

    def links(self, src: Array, dst: Array, choice: Array, circuits: Circuits | None) -> tuple[Array, Array]:
        """See tables.PathFinder."""
        number, in_plane = np.divmod(choice, np.maximum(self.plane.count(src, dst, circuits), 1))
        pair, link = self.plane.links(src, dst, in_plane, circuits)
        offset = np.where(link >= self.common_links, number[pair] * self.own_links, 0)
        return pair, (link + offset).astype(np.int32)

    def places(self, endpoint: Array) -> tuple[Array, Array] | None:
        """See tables.PathFinder; the links of plane 0 stand for their bundles."""
        return self.plane.places(endpoint)

    def forms(self) -> PathForms | None:
        """See tables.PathFinder; digits of the choice have a modulus, so that the number of the plane is above them."""
        forms = self.plane.forms()
        if forms is None:
            return None
        inside, *above = forms.kinds
        return PathForms(forms.places, (inside, *(self._in_planes(kind) for kind in above)))

    def _in_planes(self, kind: PathKind) -> PathKind:
        offset = (CHOICE // kind.num_paths) * self.own_links
        return PathKind(kind.num_paths * self.num, tuple(hop + offset for hop in kind.hops))
