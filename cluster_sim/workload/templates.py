"""Passes as rows of tasks: a template for each kind of pass of a stage, laid out for every microbatch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cluster_sim.tables import COMPUTE, NONE, Array, ragged_ranges, starts_of
from cluster_sim.workload.program import PassKey, Program
from cluster_sim.workload.segments import AHEAD, BEHIND, WAIT, Segment, fuse

#: Role of a collective that runs beside compute, which the stage's next task waits for as for the compute.
BESIDE = 3


@dataclass(slots=True)
class _Rows:
    """Tasks of one pass, or of two that run together.

    Attributes:
        segments: compute, or one collective each, in the order of the lane.
        role: of each: WAIT, AHEAD, BEHIND or BESIDE.
        part: which of the passes each belongs to.
        edges: (before, after), row by row, where the order of the lane does not say it already.
        entry, exit: first and last row of each pass.
    """

    segments: list[Segment]
    role: list[int]
    part: list[int]
    edges: list[tuple[int, int]]
    entry: list[int]
    exit: list[int]


def _expanded(segments: Sequence[Segment]) -> _Rows:
    """Every collective as a row of its own. Begins and ends with one row that is alone, if need be of no time.

    The gradients of an embedding's weights are those of its inputs: a pass for weights can have nothing to compute.
    """
    waited = [segment for segment in segments if segment.role == WAIT]
    padded = [*([Segment()] if not waited or waited[0].beside else []), *segments]
    padded += [Segment()] if waited and waited[-1].beside else []
    rows = _Rows([], [], [], [], [], [])
    front: list[int] = []
    ahead: list[int] = []
    for segment in padded:
        if segment.role == AHEAD:
            ahead.append(_add(rows, segment, AHEAD, []))
        elif segment.role == BEHIND:
            _add(rows, segment, BEHIND, front)
        else:
            beside = [_add(rows, Segment(collective=row), BESIDE, front) for row in segment.beside]
            main = _add(rows, Segment(segment.compute_s, segment.fused_s, segment.collective), WAIT, front + ahead)
            rows.entry = rows.entry or [main]
            rows.exit, front, ahead = [main], [main, *beside], []
    return rows


def _add(rows: _Rows, segment: Segment, role: int, after: Sequence[int]) -> int:
    number = len(rows.segments)
    is_collective = segment.collective != NONE
    rows.edges += [(row, number) for row in after if is_collective or rows.segments[row].collective != NONE]
    rows.segments.append(segment)
    rows.role.append(role)
    rows.part.append(0)
    return number


def _together(one: _Rows, other: _Rows) -> _Rows:
    """Two passes whose rows take turns: while one communicates, the other computes. They begin and end as one."""
    parts = (one, other)
    order = sorted(
        ((at + 0.5) / len(part.segments), number, at)
        for number, part in enumerate(parts)
        for at in range(len(part.segments))
    )
    place = {(number, at): row for row, (_, number, at) in enumerate(order)}
    role = [parts[number].role[at] for _, number, at in order]
    waited = [row for row, what in enumerate(role) if what == WAIT]
    edges = [(place[n, a], place[n, b]) for n, part in enumerate(parts) for a, b in part.edges]
    edges += [(waited[0], place[n, part.entry[0]]) for n, part in enumerate(parts)]
    edges += [(place[n, part.exit[0]], waited[-1]) for n, part in enumerate(parts)]
    return _Rows(
        segments=[parts[number].segments[at] for _, number, at in order],
        role=role,
        part=[number for _, number, _ in order],
        edges=[(before, after) for before, after in edges if before != after],
        entry=[waited[0]] * 2,
        exit=[waited[-1]] * 2,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Lane:
    """All passes of a lane as rows, in its order. Numbers of rows count from 0 within the lane.

    Attributes:
        compute_s, fused_s: float64[n].
        collective, kind, chunk, microbatch, pass_kind: int32[n].
        role: int32[n], WAIT, AHEAD, BEHIND or BESIDE.
        edges: int64[e, 2], (before, after).
        passes: int64[passes, 5]: (kind, chunk, microbatch, entry, exit), in order.
    """

    compute_s: Array
    fused_s: Array
    collective: Array
    kind: Array
    chunk: Array
    microbatch: Array
    pass_kind: Array
    role: Array
    edges: Array
    passes: Array

    def __len__(self) -> int:
        return len(self.kind)


def lane_of(program: Program, number: int, fused_s: Mapping[int, float]) -> Lane:
    """The passes of a lane.

    Args:
        program: with passes and orders.
        number: of the lane.
        fused_s: as in ``segments.fuse``.
    """
    stage = program.stage_of(number)
    order, keys = program.orders[stage].astype(np.int64), program.keys(stage)
    first = np.flatnonzero(order[:, 3] == 0)
    members = np.full((len(first), 2), NONE)
    members[:, 0] = first
    joined = np.flatnonzero(order[:, 3])
    members[np.searchsorted(first, joined) - 1, 1] = joined
    code = np.where(members == NONE, NONE, (keys[:, 0] * 4 + keys[:, 1])[members] * 2 + keys[members, 2])
    kinds, template = np.unique(code, axis=0, return_inverse=True)
    templates = [_template(program, number, pair, fused_s) for pair in kinds.tolist()]
    return _laid_out(program, templates, template.reshape(-1), members, order)


def _template(program: Program, lane: int, pair: Sequence[int], fused_s: Mapping[int, float]) -> _Rows:
    rows = []
    for code in pair:
        if code != NONE:
            key: PassKey = (lane, code // 8, code // 2 % 4, code % 2)
            rows.append(_expanded(fuse(program.passes[key], fused_s, program.slowdown_ratio)))
    return rows[0] if len(rows) == 1 else _together(*rows)


def _laid_out(program: Program, templates: list[_Rows], template: Array, members: Array, order: Array) -> Lane:
    """One template after the other, with what differs from pass to pass."""
    starts = starts_of(np.array([len(rows.segments) for rows in templates]))
    counts = np.diff(starts)[template]
    row = ragged_ranges(starts[template], counts)
    begins = starts_of(counts)
    flat = [segment for rows in templates for segment in rows.segments]
    collective = np.array([segment.collective for segment in flat], np.int32)[row]
    part = np.array([part for rows in templates for part in rows.part], np.int64)[row]
    owner = order[members[np.repeat(np.arange(len(template)), counts), part]]
    kind_of = np.array([*(each.kind for each in program.collectives), COMPUTE], np.int32)  # NONE is the last
    edge_starts = starts_of(np.array([len(rows.edges) for rows in templates]))
    num_edges = np.diff(edge_starts)[template]
    edges = np.array([edge for rows in templates for edge in rows.edges], np.int64).reshape(-1, 2)
    edges = edges[ragged_ranges(edge_starts[template], num_edges)] + np.repeat(begins[:-1], num_edges)[:, None]
    return Lane(
        compute_s=np.array([segment.compute_s for segment in flat])[row],
        fused_s=np.array([segment.fused_s for segment in flat])[row],
        collective=collective, kind=kind_of[collective], chunk=owner[:, 1].astype(np.int32),
        microbatch=owner[:, 2].astype(np.int32), pass_kind=owner[:, 0].astype(np.int32),
        role=np.array([role for rows in templates for role in rows.role], np.int32)[row],
        edges=edges, passes=_passes(templates, template, members, order, begins),
    )  # fmt: skip


def _passes(templates: list[_Rows], template: Array, members: Array, order: Array, begins: Array) -> Array:
    """As in Lane."""
    ends = np.array([[*rows.entry, NONE, *rows.exit, NONE][:4] if len(rows.entry) == 1 else [*rows.entry, *rows.exit]
                     for rows in templates], np.int64)  # fmt: skip
    ends = ends.reshape(-1, 2, 2).transpose(0, 2, 1) if len(ends) else ends
    found = ends[template] + begins[:-1, None, None]
    unit, part = np.nonzero(members != NONE)
    return np.concatenate([order[members[unit, part], :3], found[unit, part]], axis=1)
