"""What a fabric is like as a whole: nodes, links by tier, bisection, diameter. Works for any Fabric."""

from dataclasses import dataclass, replace

import networkx as nx
import numpy as np

from cluster_sim.kernels import equitable, scrambled
from cluster_sim.tables import NODE_KINDS, Array, Circuits, Fabric

#: Edges between classes of nodes beyond which the largest flow is not computed: minutes, in Python.
_MOST_EDGES = 20_000
#: Ways to halve a fabric that are tried beside the order of ranks.
_MOST_HALVINGS = 12
#: Pairs of accelerators whose paths are walked at most.
_MOST_PAIRS = 2**22


@dataclass(frozen=True, slots=True)
class TierSurvey:
    """The duplex links of a tier.

    Attributes:
        name: of the tier.
        num_links: duplex links.
        capacity_bytes_per_s: (lowest, highest), payload per direction.
        length_m: (shortest, mean, longest).
        latency_s: (shortest, longest) of either direction.
    """

    name: str
    num_links: int
    capacity_bytes_per_s: tuple[float, float]
    length_m: tuple[float, float, float]
    latency_s: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Bisection:
    """The smallest cut between two halves of the accelerators: the first and the second, in the order of ranks.

    Where there is no up and down, some other halves are tried too (see ``_halvings``), and the narrowest counts; the
    bisection over all halves may be narrower still. Scale-up domains stay whole where there are several. An OCS counts
    as a switch: what the best circuits would carry.

    Attributes:
        bytes_per_s: the cut, one way; None where it is not computed.
        num_accelerators: of the smaller half.
        full_bytes_per_s: what the ports of the smaller half carry, scale-up links aside where they do not cross.
        how: how it was computed, or why not.
    """

    bytes_per_s: float | None
    num_accelerators: int
    full_bytes_per_s: float
    how: str

    @property
    def per_accelerator_bytes_per_s(self) -> float | None:
        """The cut over the accelerators of the smaller half."""
        return None if self.bytes_per_s is None else self.bytes_per_s / self.num_accelerators

    @property
    def ratio(self) -> float | None:
        """The cut over what the ports carry: 1 is full bisection; None where there are no ports."""
        if self.bytes_per_s is None or not self.full_bytes_per_s:
            return None
        return self.bytes_per_s / self.full_bytes_per_s


@dataclass(frozen=True, slots=True)
class Diameter:
    """Links on the longest of the paths that routing starts from (candidate 0) between any two accelerators.

    Attributes:
        num_links: of that path; 0 for a single accelerator.
        how: between which accelerators.
    """

    num_links: int
    how: str


@dataclass(frozen=True, slots=True)
class Survey:
    """What ``cluster-sim topology show`` tells.

    Attributes:
        num_accelerators, num_hosts, num_domains, num_pods: sizes.
        nodes: (kind, how many), endpoints left out.
        tiers: those with links, from the accelerator up.
        bisection: see Bisection.
        diameter: see Diameter.
    """

    num_accelerators: int
    num_hosts: int
    num_domains: int
    num_pods: int
    nodes: tuple[tuple[str, int], ...]
    tiers: tuple[TierSurvey, ...]
    bisection: Bisection
    diameter: Diameter


def survey(fabric: Fabric) -> Survey:
    """Survey a fabric.

    Raises:
        NotBuildableError: the OCS cannot join all pods at once.
    """
    counts = np.bincount(fabric.node_kind, minlength=len(NODE_KINDS))
    return Survey(
        num_accelerators=fabric.num_endpoints,
        num_hosts=len(np.unique(fabric.endpoint_host)),
        num_domains=len(np.unique(fabric.endpoint_domain)),
        num_pods=fabric.num_pods,
        nodes=tuple((kind, int(num)) for kind, num in zip(NODE_KINDS, counts, strict=True) if num)[1:],
        tiers=_tiers(fabric),
        bisection=_bisection(fabric),
        diameter=_diameter(fabric),
    )


def all_pods_joined(fabric: Fabric) -> Circuits | None:
    """Circuits for equal traffic between all pods; None without OCS."""
    if fabric.planner is None:
        return None
    return fabric.planner.connect(1.0 - np.eye(fabric.num_pods))


def _tiers(fabric: Fabric) -> tuple[TierSurvey, ...]:
    links, found = fabric.links, []
    for number, name in enumerate(fabric.tiers):
        mine = np.flatnonzero(links.tier == number)
        if len(mine):
            capacity, length_m, latency_s = (
                column[mine] for column in (links.capacity_bytes_per_s, links.length_m, links.latency_s)
            )
            found.append(TierSurvey(
                name, len(mine) // 2, (float(capacity.min()), float(capacity.max())),
                (float(length_m.min()), float(length_m.mean()), float(length_m.max())),
                (float(latency_s.min()), float(latency_s.max())),
            ))  # fmt: skip
    return tuple(found)


def _bisection(fabric: Fabric) -> Bisection:
    """The smallest cut over the halvings tried."""
    if fabric.num_endpoints == 1:
        return Bisection(None, 0, 0.0, "one accelerator has no halves")
    halves = _halvings(fabric)
    cuts = [_cut(fabric, in_first) for in_first in halves]
    cut = min(cuts, key=lambda cut: np.inf if cut.bytes_per_s is None else cut.bytes_per_s)
    if len(halves) == 1 or cut.bytes_per_s is None:
        return cut
    return replace(cut, how=f"the smallest of {len(halves)} ways to halve it; {cut.how}")


def _halvings(fabric: Fabric) -> list[Array]:
    """bool[endpoints] each, in whole scale-up domains where there are several.

    The first half in the order of ranks. Where switches, or accelerators, are joined to their like there is no up and
    down that makes this the narrowest place; so also every other half of as many equal parts as come out even, among
    which are the halvings of a torus along each of its dimensions.
    """
    order = fabric.endpoint_domain if _num_domains(fabric) > 1 else np.arange(fabric.num_endpoints)
    num = int(order.max()) + 1
    in_order = np.asarray(order < num // 2)
    if not fabric.joins_alike:
        return [in_order]
    parts = [part for part in range(2, num) if num % part == 0 and part % 2 == 0]
    return [in_order, *(order % part < part // 2 for part in parts[: -_MOST_HALVINGS - 1 : -1])]


def _cut(fabric: Fabric, in_first: Array) -> Bisection:
    """The largest flow from one half to the other."""
    links = fabric.links
    num = min(int(in_first.sum()), int((~in_first).sum()))
    smaller = np.zeros(len(fabric.node_kind), bool)
    smaller[: fabric.num_endpoints] = in_first if in_first.sum() == num else ~in_first
    is_port = smaller[links.src] & ~(fabric.inside_tiers[links.tier] & (_num_domains(fabric) > 1))
    full = float(links.capacity_bytes_per_s[is_port].sum())
    side = np.full(len(fabric.node_kind), 2)
    side[: fabric.num_endpoints] = np.where(in_first, 0, 1)
    classes = _alike(fabric, fabric.node_kind.astype(np.int64) * 3 + side)
    src, dst, capacity = _between_classes(fabric, classes)
    num_classes = int(classes.max()) + 1
    if len(src) > _MOST_EDGES:
        why = f"not computed: {num_classes:,} kinds of nodes with {len(src):,} kinds of links between them are too many"
        return Bisection(None, num, full, why)
    cut = _largest_flow(src, dst, capacity, np.unique(classes[side == 0]), np.unique(classes[side == 1]))
    how = f"exact largest flow between halves, {num_classes:,} kinds of nodes for {len(classes):,}"
    how += ", with the best circuits" if (fabric.node_kind == NODE_KINDS.index("ocs")).any() else ""
    return Bisection(cut, num, full, how)


def _num_domains(fabric: Fabric) -> int:
    return int(fabric.endpoint_domain.max()) + 1


def _alike(fabric: Fabric, colour: Array) -> Array:
    """int32[N]: class of each node: equal colours, and links of equal capacities to and from equally many of a class.

    The largest flow between unions of classes is that of the classes: any flow can be averaged over each class.
    """
    links = fabric.links
    ends = np.stack([links.src, links.dst], axis=1).ravel()
    label = scrambled(np.tile(np.arange(2, dtype=np.uint64), len(links)))
    starts = 2 * np.arange(len(links) + 1, dtype=np.int64)
    return equitable(starts, ends, label, _whole(links.capacity_bytes_per_s), colour)[1]


def _whole(capacity_bytes_per_s: Array) -> Array:
    """int64[L]: in bytes/s, so that sums and differences are exact."""
    return np.round(capacity_bytes_per_s).astype(np.int64)


def _between_classes(fabric: Fabric, classes: Array) -> tuple[Array, Array, list[int]]:
    """(class it leaves, class it enters, bytes/s) of all links between two classes together."""
    links, num = fabric.links, int(classes.max()) + 1
    pair = classes[links.src].astype(np.int64) * num + classes[links.dst]
    pairs, number = np.unique(pair, return_inverse=True)
    total = np.zeros(len(pairs), np.int64)
    np.add.at(total, number.ravel(), _whole(links.capacity_bytes_per_s))
    return pairs // num, pairs % num, total.tolist()


def _largest_flow(src: Array, dst: Array, capacity: list[int], sources: Array, sinks: Array) -> float:
    graph: nx.DiGraph = nx.DiGraph()
    for a, b, amount in zip(src.tolist(), dst.tolist(), capacity, strict=True):
        if a != b:
            graph.add_edge(a, b, capacity=amount)
    # No capacity is no limit.
    graph.add_edges_from(("from", source) for source in sources.tolist())
    graph.add_edges_from((sink, "to") for sink in sinks.tolist())
    return float(nx.maximum_flow_value(graph, "from", "to"))


def _diameter(fabric: Fabric) -> Diameter:
    num = fabric.num_endpoints
    classes = _alike(fabric, fabric.node_kind.astype(np.int64))[:num]
    src = np.unique(classes, return_index=True)[1]
    most = max(_MOST_PAIRS // num, 1)
    how = f"over all pairs; kinds of accelerators to start from: {len(src):,}"
    if len(src) > most:
        src = src[np.linspace(0, len(src) - 1, most).astype(np.int64)]
        how = f"a sample: from {most:,} accelerators to all others"
    circuits, hops = all_pods_joined(fabric), 0
    for one in src.tolist():
        dst = np.delete(np.arange(num, dtype=np.int32), one)
        pair, _ = fabric.paths.links(np.full(len(dst), one, np.int32), dst, np.zeros(len(dst), np.int64), circuits)
        hops = max(hops, int(np.bincount(pair, minlength=1).max()))
    return Diameter(hops, how)
