"""The fabric of a measured training step: a Clos by rails, with a NIC of the row's rate for each accelerator."""

from dataclasses import dataclass
from typing import NamedTuple

from cluster_sim.catalogue import Accelerator, Interconnect, LinkEnds, accelerator
from cluster_sim.core import bit_rate
from cluster_sim.studies.machines import CATALOGUED, even_domains, network_of
from cluster_sim.studies.measured_steps import MeasuredStep
from cluster_sim.topology import Clos, ScaleUpDomain

#: Rates of the servers that accelerators are mostly sold in: NICs of 200 Gb/s beside A100 (DGX A100), of 400 beside
#: Hopper, B200 and GB200 (DGX H100, DGX B200, NVL72), of 800 beside B300 and GB300.
_NIC_BYTES_PER_S = {"ampere": 25e9, "hopper": 50e9, "blackwell": 50e9, "blackwell-ultra": 100e9}


class _Parts(NamedTuple):
    """What is sold for one rate."""

    bytes_per_s: float
    nic: str
    technology: str
    infiniband_switch: str
    ethernet_switch: str


#: From slow to fast; the first that is fast enough is taken, and its ports run at the row's rate.
_PARTS = (
    _Parts(25e9, "connectx6-200g", "200g-hdr-aoc", "quantum-hdr-qm8700", "spectrum4-sn5600"),
    _Parts(50e9, "connectx7-400g", "400g-dsp-dr4", "quantum2-qm9700", "spectrum4-sn5600"),
    _Parts(100e9, "connectx8-800g", "800g-dsp-dr8", "quantum-x800-q3400", "spectrum4-sn5600"),
    _Parts(200e9, "connectx9-1.6t", "1.6t-dsp-dr8", "tomahawk6", "tomahawk6"),
)
#: Kinds of network that run over InfiniBand switches.
_INFINIBAND = ("nccl-infiniband",)
_NETWORK_INSTEAD = "nccl-infiniband"


@dataclass(frozen=True, slots=True)
class StepFabric:
    """What joins the accelerators of a row.

    Attributes:
        interconnect: parts.
        topology: how they are put together.
        network: entry of "nccl network"; "" in a single scale-up domain.
        assumptions: what the row does not say.
    """

    interconnect: Interconnect
    topology: Clos
    network: str
    assumptions: tuple[str, ...]


def step_fabric(row: MeasuredStep, reached_bytes_per_s: float = 0.0, usual: str = "") -> StepFabric | str:
    """The fabric of a row, or why there is none.

    Args:
        row: as measured.
        reached_bytes_per_s: bus bandwidth that an all-reduce over all its accelerators reached; 0 where nobody knows.
        usual: kind of network that the software's runs have, where the row names none; "" for unknown.
    """
    entry = accelerator(CATALOGUED[row.accelerator])
    per_domain, assumed = _domain(row, entry)
    is_alone = per_domain >= row.num_accelerators
    network, told = ("", ()) if is_alone else _network(row.fabric, usual)
    rate, rate_told = _rate(row, entry)
    per_node = row.accelerators_per_node or int(entry.accelerators_per_host.typical)
    if 0 < reached_bytes_per_s < rate * per_node and not is_alone:
        rate = reached_bytes_per_s / per_node
        rate_told = (*rate_told, f"of which an all-reduce over all accelerators reached {bit_rate(rate)}")
    if rate > _PARTS[-1].bytes_per_s:
        return f"nic_gbps_per_accelerator: {bit_rate(rate)} is faster than any NIC of the catalogue"
    interconnect = _interconnect(rate, network in ("", *_INFINIBAND))
    is_given = per_domain == int(entry.scale_up_domain.typical)
    topology = Clos(
        tiers=2 if row.num_accelerators <= _most_of_two_tiers(interconnect, entry) else 3, rail_optimised=True,
        scale_up=ScaleUpDomain() if is_given else ScaleUpDomain(size=per_domain),
    )  # fmt: skip
    return StepFabric(interconnect, topology, network, (*assumed, *(() if is_alone else (*told, *rate_told))))


def _domain(row: MeasuredStep, entry: Accelerator) -> tuple[int, tuple[str, ...]]:
    """(accelerators of a scale-up domain, what is assumed); domains are filled evenly, as jobs are placed."""
    largest = row.scale_up_domain or int(entry.scale_up_domain.typical)
    assumed = () if row.scale_up_domain else (f"scale-up domains of {largest}",)
    per_node = row.accelerators_per_node or min(largest, int(entry.accelerators_per_host.typical))
    if row.num_accelerators % per_node or per_node > largest:
        return min(largest, row.num_accelerators), assumed
    domains, each = even_domains(row.num_accelerators // per_node, per_node, largest)
    if domains > 1 and each < largest:
        assumed = (*assumed, f"{domains} scale-up domains with {each} accelerators each")
    return each, assumed


def _network(fabric: str, usual: str) -> tuple[str, tuple[str, ...]]:
    """(kind of network, what is assumed)."""
    if usual and not fabric:
        return usual, (f"network not named: taken as {usual.removeprefix('nccl-').upper()}",)
    named = network_of(fabric)
    if named is not None:
        return named, ()
    if "ethernet" in fabric.lower():
        return "nccl-roce", ("Ethernet taken as RoCE",)
    return _NETWORK_INSTEAD, (f"network {'of ' + repr(fabric) if fabric else 'not named'}: taken as InfiniBand",)


def _rate(row: MeasuredStep, entry: Accelerator) -> tuple[float, tuple[str, ...]]:
    if row.nic_bytes_per_s:
        return row.nic_bytes_per_s, ()
    rate = _NIC_BYTES_PER_S[entry.compute]
    return rate, (f"{bit_rate(rate)} of network for each accelerator",)


def _interconnect(rate: float, is_infiniband: bool) -> Interconnect:
    parts = next(parts for parts in _PARTS if parts.bytes_per_s >= rate)
    ends = LinkEnds(lower=parts.technology, upper=parts.technology)
    return Interconnect(
        port_rate_bytes_per_s=rate, nic=parts.nic,
        switch=parts.infiniband_switch if is_infiniband else parts.ethernet_switch,
        host_leaf=ends, leaf_spine=ends, spine_core=ends,
    )  # fmt: skip


def _most_of_two_tiers(interconnect: Interconnect, entry: Accelerator) -> int:
    """Accelerators that leaves and spines join, in whole groups of rails."""
    down, rails = interconnect.num_ports // 2, int(entry.accelerators_per_host.typical)
    return interconnect.num_ports // rails * rails * down
