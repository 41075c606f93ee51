"""The network as built: nodes, directed links, and the candidate paths between endpoints."""

from dataclasses import dataclass, fields, replace
from typing import Protocol, runtime_checkable

import numpy as np

from cluster_sim.core import InputError
from cluster_sim.tables.columns import Array, check_columns, same_length
from cluster_sim.tables.forms import PathForms

#: What a node can be; ``Fabric.node_kind`` indexes this.
NODE_KINDS = ("endpoint", "scale_up_switch", "leaf", "spine", "core", "ocs")
#: Those of them that are packet switches of the network.
PACKET_SWITCHES = ("leaf", "spine", "core")


def is_scale_up(tier: str) -> bool:
    """Whether the tier of this name is inside scale-up domains, which have one or two."""
    return tier.startswith("scale_up")


@dataclass(frozen=True, slots=True, eq=False)
class Circuits:
    """One setting of all OCS: row i is a circuit, light going from one fixed link in to one fixed link out.

    Attributes:
        src_pod: int32[C], pod whose light enters.
        dst_pod: int32[C], pod it leaves to.
        in_link: int32[C], the fixed link into the OCS.
        out_link: int32[C], the fixed link out of it.
        num_pods: pods that the OCS join.
        width_ratio: float64[C], capacity of each over that of its links: below 1 where it is lit part of the time,
            above where it also stands for others; None where all are 1.
        pair_ratio: float64[C], what of the traffic of its pair of pods takes this and the pair's other circuits, where
            there is another way; None where there is none.

    Raises:
        InputError: a port carries two circuits.
    """

    src_pod: Array
    dst_pod: Array
    in_link: Array
    out_link: Array
    num_pods: int
    width_ratio: Array | None = None
    pair_ratio: Array | None = None

    def __len__(self) -> int:
        return len(self.in_link)

    def __post_init__(self) -> None:
        check_columns(self, src_pod="int32", dst_pod="int32", in_link="int32", out_link="int32")
        same_length(self, "src_pod", "dst_pod", "in_link", "out_link")
        for way, links in (("enter", self.in_link), ("leave", self.out_link)):
            link, times = np.unique(links, return_counts=True)
            if len(link) < len(links):
                twice = int(link[times.argmax()])
                raise InputError(f"{times.max()} circuits {way} by link {twice}: a port of an OCS carries one; "
                                 "give every port one partner")  # fmt: skip

    def chosen(self, rows: Array) -> "Circuits":
        """Some of the circuits, bool[C] or int64[...]."""
        names = ("src_pod", "dst_pod", "in_link", "out_link", "width_ratio", "pair_ratio")
        columns = {name: getattr(self, name) for name in names}
        return replace(self, **{name: column[rows] for name, column in columns.items() if column is not None})

    @property
    def trunk(self) -> Array:
        """int64[C]: circuits of one ordered pair of pods share a number, ``src_pod * num_pods + dst_pod``."""
        return np.asarray(self.src_pod * np.int64(self.num_pods) + self.dst_pod)

    def between(self, src_pod: Array, dst_pod: Array) -> tuple[Array, Array]:
        """[first, last) rows, int64[F] each, of the circuits of each pair of pods; circuits are in order of trunk."""
        trunk, wanted = self.trunk, src_pod.astype(np.int64) * self.num_pods + dst_pod
        return np.searchsorted(trunk, wanted), np.searchsorted(trunk, wanted, side="right")

    @property
    def width(self) -> Array:
        """float64[C]: ``width_ratio``, or all 1."""
        return np.ones(len(self)) if self.width_ratio is None else self.width_ratio

    @property
    def ends(self) -> Array:
        """int64[C]: one number for both fixed links of a circuit; the same circuit has it under every setting."""
        return np.asarray(self.in_link.astype(np.int64) << 32 | self.out_link)


class PathFinder(Protocol):
    """Candidate paths of a fabric in closed form. All arrays have one row per pair of endpoints."""

    def count(self, src: Array, dst: Array, circuits: Circuits | None) -> Array:
        """int64[F]: how many candidate paths each pair has; 0 where it cannot be reached."""
        ...

    def links(self, src: Array, dst: Array, choice: Array, circuits: Circuits | None) -> tuple[Array, Array]:
        """(pair int32[H], link int32[H]) of candidate ``choice`` of each pair, in order from src to dst."""
        ...

    def places(self, endpoint: Array) -> tuple[Array, Array] | None:
        """Where endpoints hang: (places int64[P, E], links up int64[U, E], U <= P + 1).

        A path between two endpoints goes up links of the one and down the same links of the other, or others of their
        bundles: link 0 where their places 0 are equal, otherwise link k for every k >= 1 for which their places k - 1
        differ. None where there is more to it, as with OCS.
        """
        ...

    @property
    def is_even(self) -> bool:
        """Whether all candidate paths of a pair cross the same bundles, and load every link of a bundle alike."""
        ...

    @property
    def is_bundled(self) -> bool:
        """Whether spraying loads every link of a bundle alike, although the paths of a pair cross different ones."""
        ...

    def shares(self, src: Array, dst: Array, circuits: Circuits | None) -> tuple[Array, Array, Array]:
        """(pair int32[H], link int32[H], share float64[H]) of a sprayed pair, by default alike over all candidates.

        Grouped by pair; only where paths are not even. A link's share is what it carries of the pair's traffic; where
        paths are bundled one link stands for its bundle, and has the share of all of it.
        """
        ...

    def forms(self) -> PathForms | None:
        """All candidate paths as sums of digits; None where there is more to them, as with OCS."""
        ...


class CircuitPlanner(Protocol):
    """How the OCS of a fabric are set. Pods are numbered as in ``Fabric.endpoint_pod``."""

    @property
    def switch_s(self) -> float:
        """Time a changed port carries nothing: switching, then link re-acquisition."""
        ...

    @property
    def per_phase(self) -> bool:
        """True when every phase of a step gets circuits of its own."""
        ...

    def connect(self, demand_bytes: Array) -> Circuits:
        """Circuits for a traffic matrix, float64[P, P] of bytes from pod to pod."""
        ...


@runtime_checkable
class HybridPlanner(CircuitPlanner, Protocol):
    """The same where a packet network joins the pods, too: traffic without circuits takes that."""

    @property
    def per_layer(self) -> bool:
        """True when every layer of experts gets circuits of its own, and nothing else has any."""
        ...

    def share(self, circuits: Circuits, demand_bytes: Array) -> Array:
        """float64[C]: ``pair_ratio`` of the circuits for float64[P, P] of bytes from pod to pod."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Links:
    """L directed links. A duplex cable is two rows, one behind the other: even row one way, odd row back.

    Attributes:
        src: int32[L], node it leaves.
        dst: int32[L], node it enters.
        tier: int32[L], index into ``Fabric.tiers``.
        bundle: int32[L], links that perfect spraying loads alike share a number: every candidate path of a pair
            crosses the same bundles, and spraying spreads it evenly over each. Bundle 2k + 1 is bundle 2k the other
            way. NONE for links to an OCS, whose bundle depends on the circuits.
        capacity_bytes_per_s: float64[L], payload rate.
        latency_s: float64[L], module ends, FEC, propagation, and the switch or NIC it enters.
        length_m: float64[L], of the cable or fibre.
    """

    src: Array
    dst: Array
    tier: Array
    bundle: Array
    capacity_bytes_per_s: Array
    latency_s: Array
    length_m: Array

    def __post_init__(self) -> None:
        check_columns(
            self, src="int32", dst="int32", tier="int32", bundle="int32", capacity_bytes_per_s="float64",
            latency_s="float64", length_m="float64",
        )  # fmt: skip
        same_length(self, "src", "dst", "tier", "bundle", "capacity_bytes_per_s", "latency_s", "length_m")

    def __len__(self) -> int:
        return len(self.src)

    @classmethod
    def joined(cls, *parts: "Links") -> "Links":
        """The links of all parts, one part behind the other."""
        names = [column.name for column in fields(cls)]
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


@dataclass(frozen=True, slots=True, eq=False)
class Fabric:
    """Endpoints, switches and links between them; endpoints are nodes 0 .. num_endpoints-1.

    Attributes:
        num_endpoints: accelerators.
        endpoint_host: int32[endpoints], server of each.
        endpoint_domain: int32[endpoints], scale-up domain of each.
        node_kind: int32[N], index into NODE_KINDS.
        tiers: names of the tiers, from the endpoint up.
        links: the links.
        paths: candidate paths between endpoints.
        num_pods: pods joined by the topmost tier.
        endpoint_pod: int32[endpoints], pod of each.
        planner: sets the circuits of a fabric with OCS; None without.
        torus: sides of the torus that endpoints make in their order, the last varying fastest; () where they make none.
    """

    num_endpoints: int
    endpoint_host: Array
    endpoint_domain: Array
    endpoint_pod: Array
    num_pods: int
    node_kind: Array
    tiers: tuple[str, ...]
    links: Links
    paths: PathFinder
    planner: CircuitPlanner | None
    torus: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_columns(self, endpoint_host="int32", endpoint_domain="int32", endpoint_pod="int32", node_kind="int32")
        same_length(self, "endpoint_host", "endpoint_domain", "endpoint_pod")

    @property
    def inside_tiers(self) -> Array:
        """bool[tiers]: those inside scale-up domains."""
        return np.array([is_scale_up(tier) for tier in self.tiers], bool)

    @property
    def joins_alike(self) -> bool:
        """Whether any node is joined to one of its own kind."""
        return bool((self.node_kind[self.links.src] == self.node_kind[self.links.dst]).any())

    def link_name(self, link: int) -> str:
        """A link as people say it: ``host_leaf link 12 (endpoint 3 -> leaf 40)``."""
        src, dst = int(self.links.src[link]), int(self.links.dst[link])
        ends = " -> ".join(f"{NODE_KINDS[self.node_kind[node]]} {node}" for node in (src, dst))
        return f"{self.tiers[self.links.tier[link]]} link {link} ({ends})"
