"""What a pass is made of: pieces of compute and communication in the order in which a stage does them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from cluster_sim.tables import NONE

#: How a stage meets a collective: it waits for it; it needs it for what comes next, but lets it start ahead of its
#: turn; or it goes on, and only the end of the step needs it.
WAIT, AHEAD, BEHIND = range(3)


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a pass: compute, with collectives beside it that must end with it; or a collective.

    Attributes:
        compute_s: time the accelerators compute.
        fused_s: time of communication fused into it.
        collective: row of the program's collectives, NONE for compute.
        role: how the stage meets the collective: WAIT, AHEAD or BEHIND.
        beside: collectives that start with the compute; what follows waits for all.
    """

    compute_s: float = 0.0
    fused_s: float = 0.0
    collective: int = NONE
    role: int = WAIT
    beside: tuple[int, ...] = ()


Pass = tuple[Segment, ...]


@dataclass(slots=True)
class Writer:
    """Writes a pass down, segment by segment; a collective NONE is none.

    Attributes:
        segments: so far.
        factor: how many times as long compute takes.
    """

    segments: list[Segment] = field(default_factory=list)
    factor: float = 1.0

    def compute(self, seconds: float, *beside: int) -> None:
        """Compute, with collectives beside it."""
        if not seconds and all(row == NONE for row in beside):
            return
        self.segments.append(
            Segment(compute_s=seconds * self.factor, beside=tuple(row for row in beside if row != NONE))
        )

    def wait(self, collective: int) -> None:
        """A collective that the stage waits for."""
        self._add(collective, WAIT)

    def wait_for(self, collectives: Iterable[int]) -> None:
        """Collectives that the stage waits for, one after the other."""
        for collective in collectives:
            self._add(collective, WAIT)

    def ahead(self, collectives: Iterable[int]) -> None:
        """Collectives that what comes next needs, and that start ahead of it."""
        for collective in collectives:
            self._add(collective, AHEAD)

    def behind(self, collectives: Iterable[int]) -> None:
        """Collectives that start now and that nothing in the pass waits for."""
        for collective in collectives:
            self._add(collective, BEHIND)

    @property
    def written(self) -> Pass:
        """The pass."""
        return tuple(self.segments)

    def _add(self, collective: int, role: int) -> None:
        if collective != NONE:
            self.segments.append(Segment(collective=collective, role=role))


def fuse(segments: Iterable[Segment], fused_s: Mapping[int, float], slowdown_ratio: float = 0.0) -> Pass:
    """Join neighbouring segments without other traffic between them into one.

    Args:
        segments: of a pass.
        fused_s: time of each collective that runs between a stage's kernels without meeting any other traffic. What the
            stage waits for is added to the compute around it; what runs beside compute adds what it slows that down by,
            or what it takes longer.
        slowdown_ratio: how much longer compute takes beside a collective.
    """
    joined: list[Segment] = []
    is_open = False
    for segment in segments:
        fused = _fused(segment, fused_s, slowdown_ratio)
        if is_open and fused.collective == NONE and not fused.beside:
            before = joined.pop()
            both_s = before.compute_s + fused.compute_s, before.fused_s + fused.fused_s
            joined.append(replace(before, compute_s=both_s[0], fused_s=both_s[1]))
        else:
            joined.append(fused)
        is_open = fused.collective == NONE and not fused.beside
    return tuple(joined)


def _fused(segment: Segment, fused_s: Mapping[int, float], slowdown_ratio: float) -> Segment:
    """With as much of its communication fused into compute as can be.

    Beside a collective that takes c, compute gets c / (1 + slowdown) done: both take compute + c - c / (1 + slowdown),
    or c where that is longer.
    """
    if segment.collective in fused_s and segment.role == WAIT:
        return Segment(fused_s=fused_s[segment.collective])
    mine = [row for row in segment.beside if row in fused_s]
    if not mine:
        return segment
    longest_s = max(fused_s[row] for row in mine)
    return replace(
        segment,
        fused_s=segment.fused_s + max(longest_s - segment.compute_s, longest_s * slowdown_ratio / (1 + slowdown_ratio)),
        beside=tuple(row for row in segment.beside if row not in fused_s),
    )
