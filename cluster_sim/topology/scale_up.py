"""Scale-up domains of another size than the accelerator comes with, and of two tiers of switches."""

from dataclasses import dataclass, replace

import numpy as np
from pydantic import Field, model_validator

from cluster_sim.catalogue import Accelerator, scale_up
from cluster_sim.core import NotBuildableError, Spec
from cluster_sim.tables import NODE_KINDS, Array, Circuits, Fabric, Links, PathFinder
from cluster_sim.topology.path_kinds import EnumeratedPaths


class ScaleUpDomain(Spec):
    """How accelerators are joined inside a domain. Every accelerator has one link (a bundle of lanes) to its switch.

    Attributes:
        size: accelerators of a domain; 0 for what the accelerator comes with.
        per_switch: accelerators below a switch (all planes of it count as one); 0 for all of the domain. With fewer,
            a second tier joins the switches of a domain.
        oversubscription: bandwidth down over bandwidth up of the switches of the first tier.
    """

    size: int = Field(0, ge=0)
    per_switch: int = Field(0, ge=0)
    oversubscription: float = Field(1.0, ge=1)

    @model_validator(mode="after")
    def _is_whole(self) -> "ScaleUpDomain":
        if self.size and self.per_switch and self.size % self.per_switch:
            raise ValueError(f"a domain of {self.size} is not a whole number of switches with {self.per_switch}")
        return self

    def sized(self, accelerator: Accelerator) -> Accelerator:
        """The accelerator in a domain of this size."""
        if not self.size:
            return accelerator
        size = accelerator.scale_up_domain.model_copy(update={"typical": float(self.size), "low": None, "high": None})
        return accelerator.model_copy(update={"scale_up_domain": size})

    def joined(self, fabric: Fabric, accelerator: Accelerator) -> Fabric:
        """The fabric with a second tier in every domain, where there is one."""
        size = int(accelerator.scale_up_domain.typical)
        if not self.per_switch or self.per_switch >= size:
            return fabric
        if size % self.per_switch:
            raise NotBuildableError(
                (f"a scale-up domain of {size} is not a whole number of switches with {self.per_switch} accelerators",)
            )
        link = scale_up(accelerator.scale_up)
        bytes_per_s = link.bandwidth.typical * link.efficiency.typical * self.per_switch / self.oversubscription
        return _two_tiers(fabric, self.per_switch, bytes_per_s, link.latency.typical / 2)


def _two_tiers(fabric: Fabric, per_switch: int, bytes_per_s: float, latency_s: float) -> Fabric:
    """One link, which stands for all between them, from each new switch up to the one of its domain."""
    n, num_nodes, links = fabric.num_endpoints, len(fabric.node_kind), fabric.links
    switch = np.arange(n) // per_switch
    num_switches = int(switch[-1]) + 1
    above = links.dst[2 * (np.arange(num_switches) * per_switch)].astype(np.int64)
    src, dst = links.src.copy(), links.dst.copy()
    dst[: 2 * n : 2] = src[1 : 2 * n : 2] = num_nodes + switch
    lower, bundle = num_nodes + np.arange(num_switches), int(links.bundle.max()) // 2 * 2 + 2
    up = np.stack([lower, above], axis=1).astype(np.int32)
    new = Links(
        src=up.ravel(), dst=up[:, ::-1].ravel(), tier=np.full(2 * num_switches, len(fabric.tiers), np.int32),
        bundle=(bundle + np.arange(2 * num_switches)).astype(np.int32),
        capacity_bytes_per_s=np.full(2 * num_switches, bytes_per_s),
        latency_s=np.full(2 * num_switches, latency_s), length_m=np.full(2 * num_switches, 1.0),
    )  # fmt: skip
    kind = np.full(num_switches, NODE_KINDS.index("scale_up_switch"), np.int32)
    return replace(
        fabric,
        node_kind=np.concatenate([fabric.node_kind, kind]),
        tiers=(*fabric.tiers, "scale_up_top"),
        links=Links.joined(replace(links, src=src, dst=dst), new),
        paths=TwoTierPaths(fabric.paths, n, per_switch, len(links)),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class TwoTierPaths(EnumeratedPaths):
    """The paths of a fabric whose domains have one switch, led over two tiers where the ends hang from different ones.

    Attributes:
        paths: with one switch in a domain; scale-up links are the first ones.
        num_endpoints: accelerators.
        per_switch: accelerators below a switch.
        first_link: where the links of the second tier start.
    """

    paths: PathFinder
    num_endpoints: int
    per_switch: int
    first_link: int

    @property
    def is_even(self) -> bool:
        """See tables.PathFinder."""
        return self.paths.is_even

    @property
    def is_bundled(self) -> bool:
        """See tables.PathFinder."""
        return self.paths.is_bundled

    def count(self, src: Array, dst: Array, circuits: Circuits | None) -> Array:
        """See tables.PathFinder."""
        return self.paths.count(src, dst, circuits)

    def links(self, src: Array, dst: Array, choice: Array, circuits: Circuits | None) -> tuple[Array, Array]:
        """See tables.PathFinder."""
        pair, link = self.paths.links(src, dst, choice, circuits)
        pair, link, _ = self._over_the_top(pair, link, np.ones(len(pair)))
        return pair, link

    def shares(self, src: Array, dst: Array, circuits: Circuits | None) -> tuple[Array, Array, Array]:
        """See tables.PathFinder."""
        return self._over_the_top(*self.paths.shares(src, dst, circuits))

    def _over_the_top(self, pair: Array, link: Array, share: Array) -> tuple[Array, Array, Array]:
        """Between a link up and the link down that follows it: up and down the second tier, if switches differ."""
        goes_up, comes_down = ((link < 2 * self.num_endpoints) & (link % 2 == way) for way in (0, 1))
        up = np.flatnonzero(goes_up[:-1] & comes_down[1:] & (pair[:-1] == pair[1:]))
        near, far = link[up] // 2 // self.per_switch, link[up + 1] // 2 // self.per_switch
        crosses = np.flatnonzero(near != far)
        at = np.repeat(up[crosses] + 1, 2)
        top = self.first_link + np.stack([2 * near[crosses], 2 * far[crosses] + 1], axis=1).ravel()
        link = np.insert(link, at, top).astype(np.int32)
        return np.insert(pair, at, pair[at]), link, np.insert(share, at, share[at])
