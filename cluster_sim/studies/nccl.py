"""What NCCL does with a collective: which algorithms it has, what they cost, and which it takes.

The time of an algorithm is launch + steps + transfer + ramp. Steps are counted as in NCCL's cost model (src/graph/
tuning.cc), each at the latency of its protocol times a factor for the links; the wire is part of that. The transfer is
simulated. A tree also has to be filled: with the best number of pieces a pipeline of latency L and transfer time T
takes (sqrt(L) + sqrt(T))**2, so the ramp is 2 sqrt(L T), times a factor for pieces that are not the best. NCCL takes
the algorithm and protocol that it expects to be fastest; here it is the fastest predicted.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil, log2

import numpy as np

from cluster_sim.catalogue import entries
from cluster_sim.tables import Array

#: A parameter: what it describes (scale-up links, a network, or both), and a field of its catalogue entry.
Parameter = tuple[str, str]
#: The catalogue's sections with fitted parameters.
SECTIONS = ("nccl scale-up", "nccl network", "nccl rates")

_RING_PROTOCOLS = ("nccl-ll", "nccl-ll128", "nccl-simple")
_IN_NETWORK = "nccl-in-network"
#: Channels to a single peer over the network, and the most ranks that get two [NCCL src/graph/paths.cc,
#: ncclTopoGetNchannels: two while twice the ranks are at most four times the channels of a communicator; those are 16
#: where rows to calibrate with drop between 32 and 64 ranks].
_PEER_CHANNELS, _MOST_RANKS_WITH_TWO = 2, 32
#: Fewest ranks of a domain for in-network reduction.
_FEWEST_IN_NETWORK = 4
#: Links with switches that reduce.
_REDUCING_LINKS = ("nccl-nvlink4", "nccl-nvlink5")


@dataclass(frozen=True, slots=True)
class Machine:
    """What a communicator runs on.

    Attributes:
        accelerator: catalogue entry whose scale-up links it has.
        links: entry of "nccl scale-up".
        network: entry of "nccl network"; "" in a single domain.
        domains: scale-up domains.
        per_domain: ranks in each.
        nic_bytes_per_s: line rate of the network for each accelerator; 0 in a single domain.
    """

    accelerator: str
    links: str
    network: str
    domains: int
    per_domain: int
    nic_bytes_per_s: float

    @property
    def num_ranks(self) -> int:
        """Ranks of the communicator."""
        return self.domains * self.per_domain

    @property
    def rates(self) -> str:
        """Entry of "nccl rates"."""
        return f"{self.network}-{self.links.removeprefix('nccl-')}"


@dataclass(frozen=True, slots=True)
class Case:
    """An operation by one algorithm on one machine."""

    machine: Machine
    operation: str
    algorithm: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to do it: a case with a protocol, and what it takes besides the transfer.

    Attributes:
        case: what is sent.
        protocol: entry of "nccl protocol"; "" where it makes no difference.
        wire_bytes: link time for a byte of payload, in bytes.
        inside, across: seconds of latency inside domains and across the network, before their factors.
        inside_factor, across_factor, ramp_factor: parameters that these are multiplied with; None for 1.
        launch: parameter that is added.
        has_ramp: whether it is a pipeline that has to be filled.
    """

    case: Case
    protocol: str
    wire_bytes: float
    inside: float
    across: float
    launch: Parameter
    inside_factor: Parameter | None = None
    across_factor: Parameter | None = None
    ramp_factor: Parameter | None = None
    has_ramp: bool = False

    @property
    def label(self) -> str:
        """``ring, LL128``."""
        protocol = self.protocol.removeprefix("nccl-").replace("in-network", "")
        return f"{self.case.algorithm}, {protocol}" if protocol else self.case.algorithm


def algorithms_of(operation: str, machine: Machine, hint: str) -> tuple[str, ...]:
    """Algorithms that NCCL can take: those that the hint names, or all that machine and operation have.

    Args:
        operation: as nccl-tests names it.
        machine: where.
        hint: what the table says about the algorithm, in its words; "" for nothing.
    """
    if operation in ("alltoall", "sendrecv"):
        return ("pairs",)
    word = hint.replace(" ", "").lower()
    if operation != "all_reduce":
        return ("fabric_reduction",) if word.startswith("collnetdirect") and machine.network else ("ring",)
    return _named(word, machine) or _all(word, machine)


def _named(word: str, machine: Machine) -> tuple[str, ...]:
    """The algorithm that a hint begins with; none if it names none, or one that the machine lacks."""
    if word.startswith("nvls") and _reduces(machine):
        return ("in_network",)
    if word.startswith("collnet") and machine.network:
        return ("fabric_reduction",)
    return tuple(name for name in ("ring", "tree") if word.startswith(name))


def _all(word: str, machine: Machine) -> tuple[str, ...]:
    reduces = ("in_network",) if _reduces(machine) and "nvls_enable=0" not in word else ()
    sharp = ("fabric_reduction",) if "sharp" in word and machine.network else ()
    return ("ring", "tree", *reduces, *sharp)


def _reduces(machine: Machine) -> bool:
    return machine.links in _REDUCING_LINKS and machine.per_domain >= _FEWEST_IN_NETWORK


@cache
def choices(case: Case) -> tuple[Choice, ...]:
    """Every way to run a case."""
    return _WAYS[case.algorithm](case)


def rates_of(case: Case) -> tuple[Parameter, Parameter | None]:
    """Parameters that say which share of the scale-up links' and of the network's rate it reaches."""
    machine, inside = case.machine, "in_network" if case.algorithm == "fabric_reduction" else case.algorithm
    across = (machine.rates, case.algorithm) if machine.network else None
    return (machine.links, inside), across


def channels_of(case: Case) -> tuple[int, Parameter] | None:
    """(channels, parameter with the rate of one) where those to a single peer may be what holds it back."""
    if case.operation != "sendrecv" or not case.machine.network:
        return None
    num = _PEER_CHANNELS if case.machine.num_ranks <= _MOST_RANKS_WITH_TWO else 1
    return num, (case.machine.rates, "channel")


def _ring(case: Case) -> tuple[Choice, ...]:
    machine, passes = case.machine, 2 if case.operation == "all_reduce" else 1
    across = passes * (machine.domains - 1)
    inside = passes * (machine.num_ranks - 1) - across
    return tuple(
        _choice(
            case, name, inside * _figure(name, "ring_scale_up"), across * _figure(name, "ring_network"),
            inside_factor=(machine.links, "step"), across_factor=(machine.network, "ring_step"),
        )
        for name in _RING_PROTOCOLS
    )  # fmt: skip


def _tree(case: Case) -> tuple[Choice, ...]:
    """A double binary tree of domains with a chain in each, up and down."""
    machine = case.machine
    inside, across = 2 * (machine.per_domain - 1), 2 * _levels(machine)
    return tuple(
        _choice(
            case, name, inside * _figure(name, "tree_scale_up"), across * _figure(name, "tree_network"),
            inside_factor=(machine.links, "step"), across_factor=(machine.network, "tree_step"), has_ramp=True,
            ramp_factor=(machine.network, "ramp") if machine.network else None,
        )
        for name in _RING_PROTOCOLS
    )  # fmt: skip


def _in_network(case: Case) -> tuple[Choice, ...]:
    """Reduction in the switches of each domain, a double binary tree of domains between them."""
    machine = case.machine
    ramp = (machine.network, "ramp") if machine.network else (machine.links, "in_network_ramp")
    return (
        _choice(
            case, _IN_NETWORK, _figure(_IN_NETWORK, "tree_scale_up"),
            2 * _levels(machine) * _figure(_IN_NETWORK, "tree_network"),
            inside_factor=(machine.links, "in_network_steps"), across_factor=(machine.network, "in_network_step"),
            has_ramp=True, ramp_factor=ramp,
        ),
    )  # fmt: skip


def _fabric_reduction(case: Case) -> tuple[Choice, ...]:
    machine = case.machine
    return (
        _choice(
            case, _IN_NETWORK, _figure(_IN_NETWORK, "ring_scale_up"), 2 * _figure(_IN_NETWORK, "ring_network"),
            inside_factor=(machine.links, "in_network_steps"), across_factor=(machine.network, "in_network_step"),
        ),
    )  # fmt: skip


def _pairs(case: Case) -> tuple[Choice, ...]:
    """Peers are served one after the other: the latency is for each of them."""
    machine, is_single = case.machine, case.operation == "sendrecv"
    inside = machine.per_domain - 1 if not is_single else float(machine.domains == 1)
    across = machine.num_ranks - machine.per_domain if not is_single else float(machine.domains > 1)
    return (
        _choice(
            case, "", float(inside), float(across), inside_factor=(machine.links, "peer"),
            across_factor=(machine.network, "peer"),
        ),
    )  # fmt: skip


_WAYS: dict[str, Callable[[Case], tuple[Choice, ...]]] = {
    "ring": _ring,
    "tree": _tree,
    "in_network": _in_network,
    "fabric_reduction": _fabric_reduction,
    "pairs": _pairs,
}


def _choice(
    case: Case, protocol: str, inside: float, across: float, inside_factor: Parameter, across_factor: Parameter,
    ramp_factor: Parameter | None = None, has_ramp: bool = False,
) -> Choice:  # fmt: skip
    return Choice(
        case, protocol, _figure(protocol, "wire_bytes") if protocol else 1.0, inside, across,
        (case.machine.links, "launch"), inside_factor, across_factor if case.machine.network else None, ramp_factor,
        has_ramp,
    )  # fmt: skip


def _levels(machine: Machine) -> int:
    return ceil(log2(machine.domains))


def _figure(protocol: str, name: str) -> float:
    return entries("nccl protocol")[protocol].figures[name].typical


@dataclass(frozen=True, slots=True, eq=False)
class Choices:
    """K choices of R rows, grouped by row: what each takes besides the transfer, as columns.

    Attributes:
        row_starts: int64[R+1], where each row's choices start.
        wire_bytes: float64[K], bytes of link time: size times ``Choice.wire_bytes``.
        inside, across: float64[K], as in Choice.
        launch, inside_factor, across_factor, ramp_factor: int64[K], numbers of parameters; 0 for none.
        has_ramp: float64[K], 1 for a pipeline, else 0.
        case: int64[K], number of the case.
        label: of each choice.
        cases: every case once.
        parameters: every parameter once; number 0 is 1 and has no name.
    """

    row_starts: Array
    wire_bytes: Array
    inside: Array
    across: Array
    launch: Array
    inside_factor: Array
    across_factor: Array
    ramp_factor: Array
    has_ramp: Array
    case: Array
    label: tuple[str, ...]
    cases: tuple[Case, ...]
    parameters: tuple[Parameter, ...]

    @classmethod
    def of(cls, rows: Sequence[tuple[tuple[Case, ...], float]]) -> "Choices":
        """Choices of rows, each given as its cases and its size in bytes."""
        ways = [[choice for case in cases for choice in choices(case)] for cases, _ in rows]
        flat = [(number, choice) for number, found in enumerate(ways) for choice in found]
        numbers: dict[Parameter | None, int] = {None: 0}
        cases: dict[Case, int] = {}

        def parameter(name: str) -> Array:
            found = (getattr(choice, name) for _, choice in flat)
            return np.array([numbers.setdefault(key, len(numbers)) for key in found], np.int64)

        def amount(name: str) -> Array:
            return np.array([getattr(choice, name) for _, choice in flat], np.float64)

        row = np.array([number for number, _ in flat], np.int64)
        size = np.array([size for _, size in rows])
        columns = {name: parameter(name) for name in ("launch", "inside_factor", "across_factor", "ramp_factor")}
        return cls(
            row_starts=np.searchsorted(row, np.arange(len(rows) + 1)), wire_bytes=amount("wire_bytes") * size[row],
            **{name: amount(name) for name in ("inside", "across", "has_ramp")}, **columns,
            case=np.array([cases.setdefault(choice.case, len(cases)) for _, choice in flat], np.int64),
            label=tuple(choice.label for _, choice in flat), cases=tuple(cases),
            parameters=tuple(key for key in numbers if key is not None),
        )  # fmt: skip

    def times(self, values: Array, transfer_s: Array) -> Array:
        """float64[K]: seconds of every choice.

        Args:
            values: float64[1 + parameters], value of each parameter, 1 in front.
            transfer_s: float64[K], time of sending alone.
        """
        latency_s = self.inside * values[self.inside_factor] + self.across * values[self.across_factor]
        ramp_s = 2 * self.has_ramp * values[self.ramp_factor] * np.sqrt(latency_s * transfer_s)
        time_s: Array = values[self.launch] + latency_s + transfer_s + ramp_s
        return time_s

    def fastest(self, times: Array) -> Array:
        """int64[R]: the fastest choice of every row; the first of equals."""
        order: Array = np.lexsort((times, np.repeat(np.arange(len(self.row_starts) - 1), np.diff(self.row_starts))))
        return order[self.row_starts[:-1]]
