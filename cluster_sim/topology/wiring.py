"""Links as they are laid, before anybody says what they are made of."""

from dataclasses import dataclass

import numpy as np

from cluster_sim.tables import NODE_KINDS, Array
from cluster_sim.topology.floor_plan import FloorPlan, Racks
from cluster_sim.topology.pods import Pods


@dataclass(frozen=True, slots=True, eq=False)
class Tier:
    """The duplex links of one tier; row i becomes two directed links, up then down.

    Attributes:
        name: of the tier.
        lower, upper: int64[n], nodes at the ends.
        up_bundle, down_bundle: int64[n], which rows are sprayed alike in each direction, numbered within the tier from
            0; NONE for links into an OCS.
        length_m: float64[n].
        way_m: float64[n], the longest way without regeneration that the link is part of; the same unless light goes on
            through an OCS.
        ports: that each link takes at a switch, and times the port rate that it runs at.
    """

    name: str
    lower: Array
    upper: Array
    up_bundle: Array
    down_bundle: Array
    length_m: Array
    way_m: Array | None = None
    ports: int = 1

    def __len__(self) -> int:
        return len(self.lower)


@dataclass(frozen=True, slots=True)
class Offsets:
    """First node of each kind, and first link of each tier; a tier's link i goes up as 2i and down as 2i+1."""

    scale_up_switch: int
    leaf: int
    spine: int
    top: int
    scale_up_links: int
    host_links: int
    leaf_links: int
    top_links: int

    @classmethod
    def of(cls, pods: Pods) -> "Offsets":
        """Offsets of a fabric made of ``pods``; ``top`` is whatever joins them."""
        n = pods.num_endpoints
        leaf = n + pods.num_domains
        leaf_links = 2 * n * 2
        return cls(
            scale_up_switch=n, leaf=leaf, spine=leaf + pods.num_leaves, top=leaf + pods.num_leaves + pods.num_spines,
            scale_up_links=0, host_links=2 * n, leaf_links=leaf_links,
            top_links=leaf_links + 2 * pods.num_leaves * pods.leaf_up,
        )  # fmt: skip


def wire_hosts(pods: Pods, floor: FloorPlan) -> tuple[Tier, Tier]:
    """The tiers below the leaves: scale-up, host to leaf."""
    at = Offsets.of(pods)
    endpoint = np.arange(pods.num_endpoints)
    here = floor.of_endpoints(endpoint)
    leaf_of = pods.leaf_of(endpoint)
    scale_up = Tier(
        "scale_up", endpoint, at.scale_up_switch + pods.domain_of(endpoint), endpoint, endpoint,
        np.full(len(endpoint), 1.0),
    )  # fmt: skip
    leaf_racks = racks_of_leaves(pods, floor)
    host_leaf = Tier(
        "host_leaf", endpoint, at.leaf + leaf_of, endpoint, endpoint,
        floor.length_m(here, Racks(leaf_racks.row[leaf_of], leaf_racks.rack[leaf_of])),
    )  # fmt: skip
    return scale_up, host_leaf


def wire_pods(pods: Pods, floor: FloorPlan) -> tuple[Tier, ...]:
    """The tiers inside pods: scale-up, host to leaf, leaf to spine."""
    at = Offsets.of(pods)
    leaf_racks = racks_of_leaves(pods, floor)
    leaf, spine, _ = np.unravel_index(
        np.arange(pods.num_leaves * pods.leaf_up), (pods.num_leaves, pods.spines, pods.parallel)
    )
    pod = leaf // pods.leaves
    spine_racks = racks_of_pods(pods, floor)
    leaf_spine = Tier(
        "leaf_spine", at.leaf + leaf, at.spine + pod * pods.spines + spine, leaf, leaf,
        floor.length_m(
            Racks(leaf_racks.row[leaf], leaf_racks.rack[leaf]), Racks(spine_racks.row[pod], spine_racks.rack[pod])
        ),
        ports=pods.link_ports,
    )  # fmt: skip
    return (*wire_hosts(pods, floor), leaf_spine)


def racks_of_leaves(pods: Pods, floor: FloorPlan) -> Racks:
    """A leaf stands in the rack of the middle one of its accelerators."""
    leaf = np.arange(pods.num_leaves)
    if pods.by_rail:
        group, rail = leaf // pods.per_host, leaf % pods.per_host
        middle = (group * pods.leaf_down + pods.leaf_down // 2) * pods.per_host + rail
    else:
        middle = leaf * pods.leaf_down + pods.leaf_down // 2
    return floor.of_endpoints(np.minimum(middle, pods.num_endpoints - 1))


def racks_of_pods(pods: Pods, floor: FloorPlan) -> Racks:
    """The spines of a pod stand in its middle."""
    size = pods.leaves * pods.leaf_down
    middle = np.arange(pods.num_pods) * size + size // 2
    return floor.of_endpoints(np.minimum(middle, pods.num_endpoints - 1))


def racks_of_top(pods: Pods, floor: FloorPlan, count: int) -> Racks:
    """What joins the pods stands in the middle of the hall."""
    middle = floor.of_endpoints(np.array([pods.num_endpoints // 2]))
    return Racks(np.repeat(middle.row, count), np.repeat(middle.rack, count))


def node_kinds(pods: Pods, top_kind: str, num_top: int) -> Array:
    """int32[N]: kind of every node, in the order of Offsets."""
    kinds = ("endpoint", "scale_up_switch", "leaf", "spine", top_kind)
    counts = (pods.num_endpoints, pods.num_domains, pods.num_leaves, pods.num_spines, num_top)
    return np.repeat(np.array([NODE_KINDS.index(kind) for kind in kinds], np.int32), counts)
