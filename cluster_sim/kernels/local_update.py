"""The compiled twins of ``kernels.maxmin``, ``kernels.advance`` and ``kernels.parts``, as Python calls them."""

import numpy as np

from cluster_sim.kernels import compiled_numba as compiled
from cluster_sim.kernels.net import Net, net_of
from cluster_sim.kernels.state import FlowState, FlowTable
from cluster_sim.tables import NONE, Array


def maxmin_rates_numba(hop_starts: Array, hop_row: Array, hop_weight: Array, capacity: Array) -> tuple[Array, Array]:
    """Same contract as ``kernels.maxmin_rates``: the rates of flows that all begin now."""
    num_flows = len(hop_starts) - 1
    zeros = np.zeros(num_flows)
    table = FlowTable(
        pattern=np.zeros(num_flows, np.int32), pattern_starts=np.array([0, num_flows]), size_bytes=zeros + 1.0,
        latency_s=zeros, hop_starts=hop_starts, hop_row=hop_row, hop_weight=hop_weight,
    )  # fmt: skip
    state = FlowState.idle(table, capacity)
    state.start(table, 0, 0.0)
    net = net_of(table, state)
    compiled.begin_all(net.at)
    rate = np.where(hop_starts[1:] > hop_starts[:-1], state.rate, np.inf)
    return rate, state.bottleneck


def advance_numba(table: FlowTable, state: FlowState, now_s: float, until_s: float) -> list[int]:
    """Same contract as ``kernels.advance``."""
    if state.index is None:
        state.index = net_of(table, state)
    net: Net = state.index
    for pattern in state.started:
        compiled.wait(net.at, table.pattern_starts[pattern], table.pattern_starts[pattern + 1])
    state.started.clear()
    state.now_s, state.next_s, num_finished = compiled.run(net.at, now_s, until_s)
    return sorted(net.finished[:num_finished].tolist()) if num_finished else []


def settle_numba(state: FlowState, now_s: float) -> None:
    """Same contract as ``kernels.settle``."""
    compiled.settle_all(state.index.at, now_s)


def reroute_numba(table: FlowTable, state: FlowState) -> None:
    """Start anew on the rows of ``table``; everything is settled."""
    if state.index is not None:
        for name in ("load", "open_weight", "fastest", "num_members", "num_held", "num_flowing", "is_touched"):
            state.rows[name] = 0
        state.index = net_of(table, state)
        compiled.go_on(state.index.at)


def withdraw_numba(state: FlowState, flows: Array) -> None:
    """Take sending classes, int64[...], off their rows; everything is settled."""
    compiled.withdraw(state.index.at, flows.astype(np.uint32))


def wait_numba(state: FlowState, flows: Array) -> None:
    """Let classes, int64[...], wait for their ``begin_s``."""
    compiled.wait_anew(state.index.at, flows.astype(np.uint32))


def set_capacity_numba(state: FlowState, capacity: Array) -> None:
    """Change rows; everything is settled."""
    compiled.change_capacity(state.index.at, capacity)


def row_of_part_numba(hop_starts: Array, hop_row: Array, num_rows: int) -> Array:
    """Same contract as ``kernels.parts.row_of_part``."""
    lowest = np.arange(num_rows, dtype=np.int32)
    row = np.full(len(hop_starts) - 1, NONE, np.int32)
    compiled.join(hop_starts, hop_row, lowest, row)
    return row
