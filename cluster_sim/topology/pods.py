"""Pods of leaves and spines: how many of each, and the links inside. Shared by every topology made of pods."""

from dataclasses import dataclass
from math import ceil
from typing import TypeVar

from cluster_sim.core import NotBuildableError
from cluster_sim.tables import Array, Form
from cluster_sim.topology.base import Equipment

#: Integers of any width, or the sum of digits that they are; see tables.forms.
Number = TypeVar("Number", Array, Form)


@dataclass(frozen=True, slots=True)
class Pods:
    """Sizes of a fabric made of equal pods. Leaf, spine and pod numbers run through the whole fabric.

    Attributes:
        num_endpoints: accelerators.
        per_host: accelerators of a server.
        per_domain: accelerators of a scale-up domain.
        leaf_down: accelerators below a leaf.
        leaf_up: uplinks of a leaf.
        leaves: leaves of a pod.
        spines: spines of a pod.
        parallel: links between a leaf and a spine of its pod.
        spine_up: uplinks of a spine.
        num_pods: pods.
        by_rail: True when the i-th accelerators of neighbouring servers share a leaf, False when whole servers do.
        link_ports: ports that a link between switches takes at each end, and times the port rate that it runs at.
    """

    num_endpoints: int
    per_host: int
    per_domain: int
    leaf_down: int
    leaf_up: int
    leaves: int
    spines: int
    parallel: int
    spine_up: int
    num_pods: int
    by_rail: bool
    link_ports: int = 1

    @property
    def num_leaves(self) -> int:
        """Leaves of all pods."""
        return self.num_pods * self.leaves

    @property
    def num_spines(self) -> int:
        """Spines of all pods."""
        return self.num_pods * self.spines

    @property
    def num_domains(self) -> int:
        """Scale-up domains."""
        return -(-self.num_endpoints // self.per_domain)

    def leaf_of(self, endpoint: Number) -> Number:
        """The leaf above each endpoint."""
        if not self.by_rail:
            return endpoint // self.leaf_down
        leaf: Number = endpoint // (self.per_host * self.leaf_down) * self.per_host + endpoint % self.per_host
        return leaf

    def pod_of(self, endpoint: Number) -> Number:
        """The pod of each endpoint; a pod is whole groups of servers where leaves are by rail."""
        return endpoint // (self.leaf_down * self.leaves)

    def domain_of(self, endpoint: Number) -> Number:
        """The scale-up domain of each endpoint."""
        return endpoint // self.per_domain


def size_pods(
    equipment: Equipment, pod_accelerators: int, leaf_oversubscription: float, spine_oversubscription: float,
    by_rail: bool, link_ports: int = 1, is_only_pod: bool = False, leaf_accelerators: int = 0,
) -> Pods:  # fmt: skip
    """Pods of ``pod_accelerators`` (0: the largest that the switches allow) with the switches of the interconnect.

    Args:
        equipment: what they are made of.
        pod_accelerators: of a pod.
        leaf_oversubscription: links down over links up.
        spine_oversubscription: likewise.
        by_rail: see Pods.
        link_ports: see Pods.
        is_only_pod: True where spines have nothing above them, and use every port for leaves.
        leaf_accelerators: below a leaf, which leaves ports free; 0: as many as its ports allow.

    Raises:
        NotBuildableError: the switches have too few ports, or the pod is not a whole number of leaves.
    """
    ports = equipment.interconnect.num_ports
    per_host = int(equipment.accelerator.accelerators_per_host.typical)
    leaf_down, leaf_up = _split_ports(ports, leaf_oversubscription)
    if leaf_accelerators:
        if leaf_accelerators > leaf_down:
            what = f"a leaf has {leaf_down} ports down, fewer than {leaf_accelerators} accelerators"
            raise NotBuildableError((f"{what}; take fewer, or a switch with more ports",))
        leaf_down, leaf_up = leaf_accelerators, ceil(leaf_accelerators / leaf_oversubscription - 1e-9)
    if leaf_up % link_ports:
        raise NotBuildableError(
            (f"a leaf has {leaf_up} ports up, which cannot be joined by {link_ports}; choose another link_ports",)
        )  # fmt: skip
    leaf_up, spine_ports = leaf_up // link_ports, ports // link_ports
    spine_down = spine_ports if is_only_pod else _split_ports(spine_ports, spine_oversubscription)[0]
    unit = leaf_down * (per_host if by_rail else 1)
    everything = -(-equipment.num_endpoints // unit) * unit
    largest = everything if is_only_pod else max(spine_down * leaf_down // unit, 1) * unit
    pod = min(pod_accelerators or largest, everything)
    if pod % unit:
        what = f"rail group of {leaf_down} servers" if by_rail else f"leaf of {leaf_down} accelerators"
        raise NotBuildableError(
            (f"a pod of {pod} accelerators is not a whole number of times a {what}; take a multiple of {unit}",)
        )  # fmt: skip
    leaves = pod // leaf_down
    spines = _spines(leaves, leaf_up, spine_down)
    if not spines:
        raise NotBuildableError(_too_few_ports(leaves, leaf_up, spine_down, leaf_down, ports, is_only_pod))
    return Pods(
        num_endpoints=equipment.num_endpoints, per_host=per_host,
        per_domain=int(equipment.accelerator.scale_up_domain.typical), leaf_down=leaf_down, leaf_up=leaf_up,
        leaves=leaves, spines=spines, parallel=leaf_up // spines,
        spine_up=ceil(leaves * leaf_up / spines / spine_oversubscription - 1e-9),
        num_pods=-(-equipment.num_endpoints // pod), by_rail=by_rail, link_ports=link_ports,
    )  # fmt: skip


def _too_few_ports(
    leaves: int, leaf_up: int, spine_down: int, leaf_down: int, ports: int, is_only_pod: bool
) -> tuple[str]:
    if is_only_pod:
        most = f"two tiers of {ports}-port switches hold {spine_down * leaf_down} accelerators"
        return (f"{most}, which is too few: {leaves} leaves of {leaf_down} are asked for; take three tiers",)
    return (
        f"too few ports: {leaves} leaves with {leaf_up} uplinks need spines with more than {spine_down} ports "
        f"down (switch: {ports} ports); make the pod smaller or oversubscribe",
    )


def _split_ports(ports: int, oversubscription: float) -> tuple[int, int]:
    """(down, up) with down = oversubscription x up; up in sixteenths of the ports, which spines can share evenly."""
    unit = max(ports // 16, 1)
    up = max(int(ports / (1 + oversubscription) + 1e-9) // unit * unit, 1)
    return min(int(up * oversubscription + 1e-9), ports - up), up


def _spines(leaves: int, leaf_up: int, spine_down: int) -> int:
    """Fewest spines that take every uplink with equally many links from each leaf; 0 if none do."""
    for spines in range(1, leaf_up + 1):
        if leaf_up % spines == 0 and leaves * (leaf_up // spines) <= spine_down:
            return spines
    return 0
