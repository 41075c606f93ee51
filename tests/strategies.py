"""Random networks and histories, drawn small and from few numbers, so that ties and symmetries are common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from hypothesis import strategies as st

from cluster_sim.kernels import FlowTable
from cluster_sim.tables import Array, starts_of

#: 0 is a row without capacity. The others are close enough for rounding errors to stay near the last bit.
CAPACITIES = (0.0, 0.3, 1.0, 1.0, 2.0, 3.0, 7.0, 10.0, 100.0)
WEIGHTS = (1.0, 1.0, 1 / 3, 2 / 3, 0.5, 2.0, 0.1)


@dataclass(frozen=True, eq=False)
class Network:
    """F flows with weighted hops over R rows; columns as in ``maxmin_rates``."""

    hop_starts: Array
    hop_row: Array
    hop_weight: Array
    capacity: Array

    @classmethod
    def of(cls, flows: Sequence[Mapping[int, float]], capacity: Sequence[float]) -> "Network":
        """From one ``{row: weight}`` for each flow."""
        return cls(
            hop_starts=starts_of(np.array([len(hops) for hops in flows], np.int64)),
            hop_row=np.array([row for hops in flows for row in hops], np.int32),
            hop_weight=np.array([weight for hops in flows for weight in hops.values()], np.float64),
            capacity=np.array(capacity, np.float64),
        )

    @property
    def flows(self) -> list[dict[int, float]]:
        """``{row: weight}`` of each flow."""
        hops = list(zip(self.hop_row.tolist(), self.hop_weight.tolist(), strict=True))
        return [dict(hops[first:last]) for first, last in pairwise(self.hop_starts.tolist())]

    @property
    def hop_flow(self) -> Array:
        """The flow each hop belongs to."""
        return np.repeat(np.arange(len(self)), np.diff(self.hop_starts))

    @property
    def arrays(self) -> tuple[Array, Array, Array, Array]:
        """In the order in which the kernels take them."""
        return self.hop_starts, self.hop_row, self.hop_weight, self.capacity

    def __len__(self) -> int:
        return len(self.hop_starts) - 1

    def __repr__(self) -> str:
        return f"Network.of({self.flows}, {self.capacity.tolist()})"


@st.composite
def networks(draw: st.DrawFn, max_rows: int = 6, max_flows: int = 6, max_copies: int = 3) -> Network:
    """Some rows without capacity or without flows, some flows without hops, some flows several times over."""
    capacity = draw(st.lists(st.sampled_from(CAPACITIES), min_size=1, max_size=max_rows))
    row, weight = st.integers(0, len(capacity) - 1), st.sampled_from(WEIGHTS)
    kinds = draw(st.lists(st.dictionaries(row, weight, max_size=4), max_size=max_flows))
    copies = draw(st.lists(st.integers(1, max_copies), min_size=len(kinds), max_size=len(kinds)))
    flows = [hops for hops, num in zip(kinds, copies, strict=True) for _ in range(num)]
    return Network.of(draw(st.permutations(flows)), capacity)


@st.composite
def repeated_networks(draw: st.DrawFn) -> tuple[Network, Network]:
    """(a network, the same several times side by side with flows and rows shuffled)."""
    one = draw(networks(max_rows=4, max_flows=4, max_copies=2))
    num, rows = draw(st.integers(2, 3)), len(one.capacity)
    name = draw(st.permutations(range(num * rows)))
    flows = [{name[k * rows + row]: weight for row, weight in hops.items()} for k in range(num) for hops in one.flows]
    capacity = np.zeros(num * rows)
    capacity[name] = np.tile(one.capacity, num)
    return one, Network.of(draw(st.permutations(flows)), capacity.tolist())


@dataclass(frozen=True, eq=False)
class History:
    """Flows in patterns, when each pattern starts, and how capacities change.

    Attributes:
        network: the flows, in order of their pattern, and the capacities at time 0.
        pattern: of each flow.
        size_bytes: of each flow.
        latency_s: of each flow.
        start_s: of each pattern.
        changes: (time, capacities from then on), ascending; never at an instant at which a flow starts.
    """

    network: Network
    pattern: list[int]
    size_bytes: list[float]
    latency_s: list[float]
    start_s: list[float]
    changes: list[tuple[float, list[float]]]

    @property
    def table(self) -> FlowTable:
        """What the kernels take."""
        return flow_table(self.network, self.pattern, self.size_bytes, self.latency_s)


def flow_table(
    network: Network, pattern: Sequence[int], size_bytes: Sequence[float], latency_s: Sequence[float]
) -> FlowTable:
    """A table of single flows, ascending by pattern."""
    return FlowTable(
        pattern=np.array(pattern, np.int32),
        pattern_starts=starts_of(np.bincount(np.array(pattern, np.int64))),
        size_bytes=np.array(size_bytes, np.float64),
        latency_s=np.array(latency_s, np.float64),
        hop_starts=network.hop_starts,
        hop_row=network.hop_row,
        hop_weight=network.hop_weight,
    )


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Patterns of one or more flows, each started once; capacities change up to three times, also to 0 for good.

    Changes come at odd times: where one coincides with a finish, a rounding error decides whether the flow is caught.
    """
    network = draw(networks(max_rows=4, max_flows=5, max_copies=2).filter(len))
    flows = len(network)
    pattern = np.cumsum([0, *draw(st.lists(st.integers(0, 1), min_size=flows - 1, max_size=flows - 1))]).tolist()
    sizes = st.integers(1, 40).map(float)
    times = st.integers(0, 40).map(lambda quarters: quarters / 4)
    row_capacity = st.sampled_from(CAPACITIES)
    rows, patterns = len(network.capacity), pattern[-1] + 1
    change_s = sorted(draw(st.sets(st.integers(0, 80), max_size=3)))
    return History(
        network=network,
        pattern=pattern,
        size_bytes=draw(st.lists(sizes, min_size=flows, max_size=flows)),
        latency_s=draw(st.lists(st.sampled_from((0.0, 0.0, 0.125, 1.0)), min_size=flows, max_size=flows)),
        start_s=draw(st.lists(times, min_size=patterns, max_size=patterns)),
        changes=[
            (k / 4 + 0.0376953125001, draw(st.lists(row_capacity, min_size=rows, max_size=rows))) for k in change_s
        ],
    )
