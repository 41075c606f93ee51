"""A raw flow problem from its first start to its last finish, without a job around it."""

from dataclasses import dataclass

import numpy as np

from cluster_sim.backend import Backend
from cluster_sim.core import SimulationError, StalledFlowsError
from cluster_sim.kernels import FlowState, FlowTable, advance, independent_parts, segment_min, settle, without_slack
from cluster_sim.tables import Array, FlowProblem, ragged_ranges, starts_of

#: Seconds; far from where sums of times overflow.
_LAST_S = 1e200


@dataclass(frozen=True, slots=True, eq=False)
class Finishes:
    """When everything was over.

    Attributes:
        finish_s: float64[F].
        num_events: instants at which flows began or finished, added up over parts that share no link.
        num_solves: max-min problems solved.
        largest_shift_s: the most by which a flow finished early to finish together with another.
    """

    finish_s: Array
    num_events: int
    num_solves: int
    largest_shift_s: float


def run_problem(problem: FlowProblem, backend: Backend, time_tolerance: float = 0.0) -> Finishes:
    """Simulate a raw flow problem.

    Args:
        problem: F flows over L links.
        backend: how rates are solved.
        time_tolerance: a flow may finish early by this fraction of its own time of sending, together with another;
            0 is exact.

    Raises:
        StalledFlowsError: flows that cross a link without capacity, and have something to send.
        SimulationError: a flow begins or ends later than numbers go.
    """
    _check_times(problem)
    every = FlowTable(
        pattern=np.zeros(len(problem), np.int32), pattern_starts=np.array([0, len(problem)]),
        size_bytes=problem.size_bytes, latency_s=problem.start_s + problem.latency_s, hop_starts=problem.hop_starts,
        hop_row=problem.hop_link, hop_weight=problem.hop_weight,
    )  # fmt: skip
    table, capacity = without_slack(every, problem.capacity_bytes_per_s)
    finish_s, stalled = np.zeros(len(problem)), np.zeros(len(problem), bool)
    num_events, num_solves, largest_shift_s, last_s = 0, 0, 0.0, 0.0
    for flows in independent_parts(table.hop_starts, table.hop_row, len(capacity), backend):
        part, part_capacity = _part(table, capacity, flows)
        state = FlowState.idle(part, part_capacity, time_tolerance, counts_bytes=False)
        state.start(part, 0, 0.0)
        advance(part, state, 0.0, np.inf, backend)
        settle(part, state, state.now_s)
        finish_s[flows] = state.classes["end_s"]
        stalled[flows[state.flying]] = True
        num_events, num_solves = num_events + state.num_events, num_solves + state.num_solves
        largest_shift_s, last_s = max(largest_shift_s, state.largest_shift_s), max(last_s, state.now_s)
    if stalled.any():
        raise _stalled(problem, np.flatnonzero(stalled), last_s)
    return Finishes(finish_s, num_events, num_solves, largest_shift_s)


def _check_times(problem: FlowProblem) -> None:
    """SimulationError unless every flow, alone, begins and ends at a finite time."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        capacity = problem.capacity_bytes_per_s
        slowest = capacity.min(initial=np.inf, where=capacity > 0) / problem.hop_weight.max(initial=1.0)
        begin_s = problem.start_s.max(initial=0.0) + problem.latency_s.max(initial=0.0)
        if begin_s + problem.size_bytes.max(initial=0.0) / slowest < _LAST_S:
            return
        rate = segment_min(problem.capacity_bytes_per_s[problem.hop_link] / problem.hop_weight, problem.hop_starts)
        end_s = problem.start_s + problem.latency_s + np.where(rate > 0, problem.size_bytes / rate, 0.0)
    beyond = np.flatnonzero(~(end_s < _LAST_S))
    if len(beyond):
        flow = beyond[0]
        raise SimulationError(
            f"{len(beyond)} flow(s) end beyond all numbers (first: flow {flow}, {problem.size_bytes[flow]:g} bytes, "
            f"starts at {problem.start_s[flow]:g} s, latency {problem.latency_s[flow]:g} s); check the units of "
            "capacities, latencies, sizes and starts"
        )


def _part(table: FlowTable, capacity: Array, flows: Array) -> tuple[FlowTable, Array]:
    """Some of the flows, over the rows that they cross, numbered anew."""
    if len(flows) == len(table.size_bytes):
        return table, capacity
    counts = table.hop_starts[flows + 1] - table.hop_starts[flows]
    hop = ragged_ranges(table.hop_starts[flows], counts)
    is_crossed = np.zeros(len(capacity), bool)
    is_crossed[table.hop_row[hop]] = True
    number = np.cumsum(is_crossed, dtype=np.int32) - np.int32(1)
    part = FlowTable(
        pattern=np.zeros(len(flows), np.int32), pattern_starts=np.array([0, len(flows)]),
        size_bytes=table.size_bytes[flows], latency_s=table.latency_s[flows], hop_starts=starts_of(counts),
        hop_row=number[table.hop_row[hop]], hop_weight=table.hop_weight[hop],
    )  # fmt: skip
    return part, capacity[is_crossed]


def _stalled(problem: FlowProblem, flows: Array, now_s: float) -> StalledFlowsError:
    """Names the flows and a dead link of the first."""
    first = slice(problem.hop_starts[flows[0]], problem.hop_starts[flows[0] + 1])
    links = problem.hop_link[first]
    dead = links[problem.capacity_bytes_per_s[links] == 0.0]
    return StalledFlowsError(tuple(f"flow {flow}" for flow in flows.tolist()), f"link {dead[0]}", now_s)
