"""Pipelined trees: the buffer flows over all edges of a tree at once, in small pieces, as it does around a ring.

As one transfer a tree is the limit of infinitely many pieces: every edge carries the buffer once, and what comes on
top are the latencies of the longest way to the root, or back. Step by step there are ``PIECES``.
"""

import numpy as np

from cluster_sim.collectives.steps import Plan, Sends
from cluster_sim.tables import NONE, Array, Traffic

#: Pieces in which each tree's share of the buffer goes through it, where steps are written out.
PIECES = 8


def tree_traffic(ranks: Array, parents: Array, size_bytes: float, up: bool, down: bool) -> Traffic:
    """One transfer for each of T trees in each of G groups, with 1/T of the buffer.

    Args:
        ranks: int32[G, n].
        parents: int[T, n], parent of each position; NONE for the root.
        size_bytes: the buffer.
        up: from the leaves to the root.
        down: from the root to the leaves, behind ``up``.
    """
    edges = [_edges(parent, up, down) for parent in parents]
    src, dst, step = (np.concatenate([edge[column] for edge in edges]) for column in range(3))
    num, steps = len(parents), int(step.max()) + 1
    return Traffic(
        size_bytes=np.full(num, size_bytes / num),
        steps=np.full(num, steps, np.int32),
        round=np.zeros(num, np.int32),
        edge_src=src.astype(np.int32),
        edge_dst=dst.astype(np.int32),
        edge_starts=np.arange(num + 1, dtype=np.int64) * (len(src) // num),
        ranks=ranks,
        edge_step=step.astype(np.int32),
    )


def tree_plan(parents: Array, up: bool, down: bool) -> Plan:
    """The same in pieces: chunk t * PIECES + p is piece p of tree t."""
    trees = len(parents)
    edges = [_edges(parent, up, down) for parent in parents]
    src, dst, first = (np.concatenate([edge[column] for edge in edges]) for column in range(3))
    tree = np.repeat(np.arange(trees), len(src) // trees)
    reduces = np.concatenate([edge[3] for edge in edges])

    def sends(step: int, way: bool) -> Sends:
        now = np.flatnonzero((first <= step) & (step < first + PIECES) & (reduces == way))
        chunk = (tree * PIECES + step - first)[now]
        return Sends(src[now].astype(np.int32), dst[now].astype(np.int32), 1, lambda: chunk[:, None], way)

    ways = [way for way, is_used in ((True, up), (False, down)) if is_used]
    steps = [[sends(step, way) for way in ways] for step in range(int(first.max()) + PIECES)]
    return Plan(trees * PIECES, tuple(tuple(part for part in step if len(part.src)) for step in steps))


def _edges(parent: Array, up: bool, down: bool) -> tuple[Array, Array, Array, Array]:
    """(src, dst, step at which the first piece crosses, whether it goes up) of each edge of a tree."""
    child = np.flatnonzero(parent != NONE)
    above, (depth, height) = parent[child], _depth_and_height(parent)
    first_down = depth.max() if up else 0
    parts = [(child, above, height[child], np.ones(len(child), bool))] if up else []
    parts += [(above, child, first_down + depth[above], np.zeros(len(child), bool))] if down else []
    src, dst, step, goes_up = (np.concatenate(column) for column in zip(*parts, strict=True))
    return src, dst, step, goes_up


def _depth_and_height(parent: Array) -> tuple[Array, Array]:
    """Edges to the root, and to the farthest leaf below."""
    depth, at = np.zeros(len(parent), np.int64), parent
    while (at != NONE).any():
        depth += at != NONE
        at = np.where(at == NONE, NONE, parent[at])
    height = np.zeros(len(parent), np.int64)
    order = np.argsort(-depth, kind="stable")
    for level in np.split(order, np.flatnonzero(np.diff(depth[order])) + 1)[:-1]:
        np.maximum.at(height, parent[level], height[level] + 1)
    return depth, height
