"""Failures of a stretch of time, drawn together."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cluster_sim.reliability.hazards import Hazards
from cluster_sim.tables import NONE, Array, check_columns, same_length

#: Failures that are drawn together; of more, a shorter stretch of time is drawn.
_DRAWN = 50_000


class Failure(NamedTuple):
    """One failure, as a process meets it; columns as in ``Failures``, with what its cause says."""

    time_s: float
    cause: int
    stops: bool
    repair_s: float
    servers: int
    state: int
    place_ratio: float


@dataclass(frozen=True, slots=True, eq=False)
class Failures:
    """N failures in the order of time; row i of every column describes failure i.

    Attributes:
        time_s: float64[N].
        cause: int32[N], row of ``Hazards``.
        seen_s: float64[N], how long transports see it; inf where only a repair ends it.
        repair_s: float64[N], until everything is as before.
        place_ratio: float64[N], in [0, 1): where among the job's servers it happens.
    """

    time_s: Array
    cause: Array
    seen_s: Array
    repair_s: Array
    place_ratio: Array

    def __post_init__(self) -> None:
        amounts = dict.fromkeys(("time_s", "seen_s", "repair_s", "place_ratio"), "float64")
        check_columns(self, cause="int32", **amounts)
        same_length(self, "cause", *amounts)

    def __len__(self) -> int:
        return len(self.time_s)

    def with_consequences(self, hazards: Hazards, retry_s: float) -> Iterator[Failure]:
        """Those that stop the job, take servers away or degrade the network; the others are at most ``waits``."""
        servers, state, stops = hazards.servers[self.cause], hazards.state[self.cause], self.seen_s > retry_s
        rows = np.flatnonzero(stops | (servers > 0) | (state != NONE))
        columns = (self.time_s, self.cause, stops, self.repair_s, servers, state, self.place_ratio)
        return map(Failure._make, zip(*(column[rows].tolist() for column in columns), strict=True))

    def waits(self, retry_s: float) -> Array:
        """int64[W], rows of those that transports see, and outlast."""
        return np.flatnonzero((self.seen_s > 0) & (self.seen_s <= retry_s))


def drawn(hazards: Hazards, from_s: float, to_s: float, random: np.random.Generator) -> Failures:
    """Failures from ``from_s`` to ``to_s``: so many of each cause as a Poisson process has, at any time alike."""
    cause = np.repeat(np.arange(len(hazards), dtype=np.int32), random.poisson(hazards.failures_per_s * (to_s - from_s)))
    time_s = random.uniform(from_s, to_s, len(cause))
    order = np.argsort(time_s, kind="stable")
    cause, lasting, around, repair = cause[order], *random.exponential(size=(3, len(cause)))
    return Failures(
        time_s=time_s[order],
        cause=cause,
        seen_s=np.minimum(lasting * hazards.outage_s[cause], around * hazards.detour_s[cause]),
        repair_s=repair * hazards.repair_s[cause],
        place_ratio=random.random(len(cause)),
    )


def drawn_one_after_the_other(hazards: Hazards, span_s: float, random: np.random.Generator) -> Iterator[Failures]:
    """The failures of ``span_s`` in stretches of some ten thousand, each drawn when it is asked for."""
    num = max(int(np.ceil(hazards.failures_per_s.sum() * span_s / _DRAWN)), 1)
    for number in range(num):
        yield drawn(hazards, span_s * number / num, span_s * (number + 1) / num, random)
