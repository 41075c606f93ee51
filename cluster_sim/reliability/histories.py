"""Many histories of one job, and what they have in common."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cluster_sim.core import stream
from cluster_sim.reliability.conditions import Conditions
from cluster_sim.reliability.failures import drawn_one_after_the_other
from cluster_sim.reliability.history import PARTS, Event, Outcome, live
from cluster_sim.tables import Array

#: Where what happens in five of a hundred histories begins.
_LOW, _HIGH = 0.05, 0.95

#: With less nobody would go on.
LEAST_GOODPUT = 0.01
#: So many interruptions in all, and in each history, and not one whole checkpoint: what the ends of histories count as
#: useful comes to nothing.
_MOST_WITHOUT, _MOST_WITHOUT_EACH = 10, 3

#: Parts of the wall time whose names say too little.
_WORDS = {
    "lost_work": "work that is lost", "restart": "detection and restart", "waiting": "waiting for servers",
    "degraded": "steps of a degraded network", "stalled": "standing still",
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Histories:
    """H histories; row i of every column describes history i, columns as in ``Outcome``.

    Attributes:
        wall_s: float64[H].
        parts_s: float64[H, 7], in the order of ``PARTS``.
        failures: int64[H, C].
        interruptions: int64[H, C].
        lost_s: float64[H, C].
        checkpoints: int64[H].
        reasons: why each was given up; "" where it was not.
        events: of each; () where they were not recorded.
    """

    wall_s: Array
    parts_s: Array
    failures: Array
    interruptions: Array
    lost_s: Array
    checkpoints: Array
    reasons: tuple[str, ...]
    events: tuple[tuple[Event, ...], ...]

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> "Histories":
        """One row for each."""

        def column(name: str) -> Array:
            return np.array([getattr(outcome, name) for outcome in outcomes])

        return cls(
            wall_s=column("wall_s"), parts_s=column("parts_s"), failures=column("failures"),
            interruptions=column("interruptions"), lost_s=column("lost_s"), checkpoints=column("checkpoints"),
            reasons=tuple(outcome.reason for outcome in outcomes), events=tuple(one.events for one in outcomes),
        )  # fmt: skip

    @classmethod
    def joined(cls, parts: Sequence["Histories"]) -> "Histories":
        """The histories of all parts, in their order."""

        def column(name: str) -> Array:
            return np.concatenate([getattr(part, name) for part in parts])

        return cls(
            wall_s=column("wall_s"), parts_s=column("parts_s"), failures=column("failures"),
            interruptions=column("interruptions"), lost_s=column("lost_s"), checkpoints=column("checkpoints"),
            reasons=tuple(reason for part in parts for reason in part.reasons),
            events=tuple(events for part in parts for events in part.events),
        )  # fmt: skip

    def part_ratio(self, part: str) -> float:
        """Share of the wall time of all histories that goes into a part."""
        return float(self.parts_s[:, PARTS.index(part)].sum() / self.wall_s.sum())

    @property
    def goodput_ratio(self) -> float:
        """Useful time over wall time."""
        return self.part_ratio("useful")

    @property
    def availability_ratio(self) -> float:
        """Share of the wall time in which the job runs, whether or not it gets on."""
        return 1.0 - self.part_ratio("restart") - self.part_ratio("waiting")

    @property
    def goodput_bounds(self) -> tuple[float, float]:
        """(low, high): nine of ten histories lie between them."""
        return bounds(self.parts_s[:, PARTS.index("useful")] / self.wall_s)

    @property
    def reason(self) -> str:
        """Why there is no progress; "" where there is."""
        given_up = [reason for reason in self.reasons if reason]
        if given_up:
            return f"{given_up[0]} ({len(given_up)} of {len(self.reasons)} histories)"
        interruptions = int(self.interruptions.sum())
        if not self.checkpoints.any() and interruptions >= max(_MOST_WITHOUT, _MOST_WITHOUT_EACH * len(self.reasons)):
            return f"no progress: {interruptions} interruptions, and no checkpoint was whole before; save more often"
        if self.goodput_ratio >= LEAST_GOODPUT:
            return ""
        shares = {part: 100 * self.part_ratio(part) for part in PARTS if part != "useful"}
        most = sorted(shares, key=lambda part: -shares[part])[:2]
        told = ", ".join(f"{shares[part]:.0f} % goes into {_WORDS.get(part, part)}" for part in most)
        return f"no progress: {100 * self.goodput_ratio:.2g} % of the wall time is useful, {told}"


def bounds(values: Array) -> tuple[float, float]:
    """(low, high) of float64[H]: a twentieth lies below, and a twentieth above."""
    low, high = np.quantile(values, (_LOW, _HIGH))
    return float(low), float(high)


def live_all(conditions: Conditions, seed: int, numbers: Sequence[int], num_recorded: int = 0) -> Histories:
    """The histories of these numbers: each has random numbers of its own, whoever simulates it.

    Args:
        conditions: what they run under.
        seed: of the configuration.
        numbers: which histories.
        num_recorded: events are kept of those with a number below.
    """
    return Histories.of(list(_each(conditions, seed, numbers, num_recorded)))


def _each(conditions: Conditions, seed: int, numbers: Sequence[int], num_recorded: int) -> Iterator[Outcome]:
    for number in numbers:
        failures = drawn_one_after_the_other(conditions.hazards, conditions.span_s, stream(seed, "reliability", number))
        yield live(conditions, failures, number < num_recorded)
