"""Algorithms step by step: who sends which chunks to whom. Traffic is made of it, and tests run it on symbols.

Chunks are numbered so that chunk c belongs to position c mod n: what a reduce-scatter leaves there, and what an
all-gather finds there. In an all-to-all chunk o * n + d goes from position o to position d.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from cluster_sim.core import InputError
from cluster_sim.tables import Array, Traffic

#: Messages that a collective may be written out into.
MOST_MESSAGES = 2**26


@dataclass(frozen=True, slots=True, eq=False)
class Sends:
    """M messages of equal size that are sent at the same time, between positions in a group of n.

    Attributes:
        src: int32[M], sending position; n and above are switches.
        dst: int32[M], receiving position.
        num_chunks: chunks in each message.
        chunks: gives int64[M, num_chunks], which ones; large, so only made when asked for.
        reduces: whether the receiver adds them to its own; otherwise it keeps what it gets.
    """

    src: Array
    dst: Array
    num_chunks: int
    chunks: Callable[[], Array]
    reduces: bool


#: What is sent at the same time, once all that was sent before has arrived.
Step = tuple[Sends, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What one group does, step after step.

    Attributes:
        parts: equal chunks that the buffer is cut into.
        steps: the steps.
    """

    parts: int
    steps: tuple[Step, ...]

    def num_switches(self, num_ranks: int) -> int:
        """Switches that take part."""
        ends = [int(sends.dst.max()) + 1 for step in self.steps for sends in step]
        return max([num_ranks, *ends]) - num_ranks


def written_out(name: str, plan: Plan, ranks: Array, size_bytes: float) -> Traffic:
    """Every step a round, every message a transfer of its own.

    Args:
        name: of the algorithm, for errors.
        plan: what a group does.
        ranks: int32[G, n].
        size_bytes: the buffer.

    Raises:
        InputError: switches take part, or there are too many messages.
    """
    if plan.num_switches(ranks.shape[1]):
        raise InputError(f"{name} has no steps between accelerators, switches take part; use detail: lockstep")
    num = [sum(len(sends.src) for sends in step) for step in plan.steps]
    if sum(num) > MOST_MESSAGES:
        raise InputError(f"{name} sends {sum(num)} messages in a group of {ranks.shape[1]}, more than {MOST_MESSAGES}; "
                         "use another algorithm, or detail: lockstep")  # fmt: skip
    return Traffic(
        size_bytes=np.concatenate([_sizes(step, plan.parts, size_bytes) for step in plan.steps]),
        steps=np.ones(sum(num), np.int32),
        round=np.repeat(np.arange(len(num), dtype=np.int32), num),
        edge_src=np.concatenate([sends.src for step in plan.steps for sends in step]),
        edge_dst=np.concatenate([sends.dst for step in plan.steps for sends in step]),
        edge_starts=np.arange(sum(num) + 1, dtype=np.int64),
        ranks=ranks,
    )


def _sizes(step: Step, parts: int, size_bytes: float) -> Array:
    sizes = np.array([size_bytes * sends.num_chunks / parts for sends in step])
    return np.repeat(sizes, [len(sends.src) for sends in step])


def one_after_another(*plans: Plan) -> Plan:
    """Plans over the same chunks, one after the other."""
    assert len({plan.parts for plan in plans}) == 1, "plans cut the buffer alike"
    return Plan(plans[0].parts, tuple(step for plan in plans for step in plan.steps))


def side_by_side(*plans: Plan) -> Plan:
    """Plans over the same chunks at the same time; their k-th steps are one step."""
    assert len({plan.parts for plan in plans}) == 1, "plans cut the buffer alike"
    steps = zip_longest(*(plan.steps for plan in plans), fillvalue=())
    return Plan(plans[0].parts, tuple(tuple(sends for part in step for sends in part) for step in steps))


def inside(plan: Plan, members: Array, chunks: Array, parts: int, first_switch: int) -> Plan:
    """A plan for m positions, followed in subgroups of a larger group.

    Args:
        plan: of m positions.
        members: int[R, m], positions in the larger group.
        chunks: int64[R, plan.parts, K], the chunks of the larger group that each chunk of the plan stands for.
        parts: chunks of the larger group.
        first_switch: number of the first switch, should any take part.
    """
    num, size = members.shape
    num_switches = plan.num_switches(size)
    switches = first_switch + np.arange(num * num_switches).reshape(num, num_switches)
    where = np.concatenate([members, switches], axis=1).astype(np.int32)

    def lifted(sends: Sends) -> Sends:
        return Sends(
            src=where[:, sends.src].ravel(), dst=where[:, sends.dst].ravel(),
            num_chunks=sends.num_chunks * chunks.shape[2],
            chunks=lambda: chunks[:, sends.chunks()].reshape(num * len(sends.src), -1), reduces=sends.reduces,
        )  # fmt: skip

    return Plan(parts, tuple(tuple(lifted(sends) for sends in step) for step in plan.steps))


def sent_by_edge(plan: Plan, size_bytes: float) -> dict[tuple[int, int], float]:
    """Bytes over each edge (sending position, receiving position) in all steps together."""
    all_sends = [sends for step in plan.steps for sends in step]
    if not all_sends:
        return {}
    ends = np.concatenate([np.stack([sends.src, sends.dst]) for sends in all_sends], axis=1)
    num_chunks = np.repeat([sends.num_chunks for sends in all_sends], [len(sends.src) for sends in all_sends])
    edges, edge = np.unique(ends, axis=1, return_inverse=True)
    sent = np.bincount(edge.reshape(-1), weights=num_chunks) * size_bytes / plan.parts
    return dict(zip(map(tuple, edges.T.tolist()), sent.tolist(), strict=True))
