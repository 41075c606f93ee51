"""What can fail: a row for each cause, with how many pieces there are, how often one fails, and what follows."""

from dataclasses import dataclass, replace

import numpy as np

from cluster_sim.tables import NONE, Array, check_columns, same_length


@dataclass(frozen=True, slots=True, eq=False)
class Hazards:
    """C causes of failure; row i of every column describes cause i. Failures of a cause are a Poisson process.

    A failure is seen by the job's transports for as long as it lasts, or until traffic goes around it, whichever is
    shorter; both times are drawn exponential. What is seen for longer than transports go on trying stops the job.

    Attributes:
        name: names of the causes.
        group: gpu, host, nic, link, flap, laser, switch, ocs or software.
        part: name in the catalogue; "" for none.
        tier: where it is; "" for none.
        num_pieces: int64[C].
        rate_per_s: float64[C], failures of one piece.
        outage_s: float64[C], mean time that it lasts for the transports; inf where only a repair ends it.
        detour_s: float64[C], mean time until traffic goes around it; 0 at once, inf where there is no other way.
        repair_s: float64[C], mean time until everything is as before, exponential; 0 where nothing is left to repair.
        servers: int64[C], that are out of use until then.
        state: int32[C], the degraded state that the network is in until then; NONE where it stays as it is.
    """

    name: tuple[str, ...]
    group: tuple[str, ...]
    part: tuple[str, ...]
    tier: tuple[str, ...]
    num_pieces: Array
    rate_per_s: Array
    outage_s: Array
    detour_s: Array
    repair_s: Array
    servers: Array
    state: Array

    def __post_init__(self) -> None:
        amounts = dict.fromkeys(("rate_per_s", "outage_s", "detour_s", "repair_s"), "float64")
        check_columns(self, num_pieces="int64", servers="int64", state="int32", **amounts)
        same_length(self, "name", "group", "part", "tier", "num_pieces", "servers", "state", *amounts)

    def __len__(self) -> int:
        return len(self.name)

    @property
    def failures_per_s(self) -> Array:
        """float64[C], of all pieces."""
        return np.asarray(self.num_pieces * self.rate_per_s)

    def stop_ratio(self, retry_s: float) -> Array:
        """float64[C], share of the failures that transports see for longer than ``retry_s``.

        The shorter of two exponential times is exponential, with the sum of their rates.
        """
        with np.errstate(divide="ignore"):
            ends_per_s = 1 / self.outage_s + 1 / self.detour_s
            return np.where(ends_per_s > 0, np.exp(-retry_s * ends_per_s), 1.0)

    def stops_per_s(self, retry_s: float) -> float:
        """Failures of all causes that stop a running job."""
        return float(self.failures_per_s @ self.stop_ratio(retry_s))

    def effect(self, cause: int) -> str:
        """What mostly follows: ``interrupts``, ``degrades`` or ``stalls``."""
        if self.state[cause] != NONE:
            return "degrades"
        return "interrupts" if np.isinf(self.outage_s[cause]) and np.isinf(self.detour_s[cause]) else "stalls"


@dataclass(frozen=True, slots=True)
class Breaks:
    """What follows where something goes down; columns as in ``Hazards``."""

    detour_s: float = np.inf
    servers: int = 0
    state: str = ""


@dataclass(frozen=True, slots=True)
class Hazard:
    """One row of ``Hazards``, with the name of the degraded state in the place of its number."""

    name: str
    group: str
    num_pieces: int
    rate_per_s: float
    repair_s: float
    part: str = ""
    tier: str = ""
    outage_s: float = np.inf
    detour_s: float = np.inf
    servers: int = 0
    state: str = ""

    def that(self, breaks: Breaks) -> "Hazard":
        """The same, with what follows."""
        return replace(self, detour_s=breaks.detour_s, servers=breaks.servers, state=breaks.state)


def hazards_of(rows: list[Hazard], states: tuple[str, ...]) -> Hazards:
    """Columns of those rows of which there are pieces that fail; ``states`` numbers the degraded states."""
    rows = [row for row in rows if row.num_pieces and row.rate_per_s]
    numbers = [states.index(row.state) if row.state else NONE for row in rows]

    def texts(column: str) -> tuple[str, ...]:
        return tuple(getattr(row, column) for row in rows)

    def values(column: str, kind: type) -> Array:
        return np.array([getattr(row, column) for row in rows], kind)

    return Hazards(
        name=texts("name"), group=texts("group"), part=texts("part"), tier=texts("tier"),
        num_pieces=values("num_pieces", np.int64), rate_per_s=values("rate_per_s", np.float64),
        outage_s=values("outage_s", np.float64), detour_s=values("detour_s", np.float64),
        repair_s=values("repair_s", np.float64), servers=values("servers", np.int64),
        state=np.array(numbers, np.int32),
    )  # fmt: skip
