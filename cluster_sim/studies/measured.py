"""Tables of measured collectives: a CSV file in, checked rows out, every mistake with its line."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cluster_sim.core import ConfigError
from cluster_sim.studies.machines import CATALOGUED, WITHOUT_LINKS, even_domains
from cluster_sim.studies.rows import (
    SPLITS,
    Problems,
    Row,
    check_has_rows,
    missing_columns,
    read_lines,
    repeated_columns,
)

#: Columns that a table of measured collectives must have; others are not read, but for _OPTIONAL.
COLUMNS = (
    "row_id", "accelerator", "nodes", "accelerators_per_node", "nic_gbps_per_accelerator", "scale_up", "fabric", "op",
    "size_bytes", "time_us", "split",
)  # fmt: skip
_OPTIONAL = ("algorithm_hint", "bus_gbytes_per_s", "source")
#: What tells a table of training steps.
STEP_COLUMN = "step_time_s"

#: Operations of nccl-tests: (bus bandwidth over buffer / time) of n ranks.
OPERATIONS: dict[str, Callable[[int], float]] = {
    "all_gather": lambda n: (n - 1) / n,
    "all_reduce": lambda n: 2 * (n - 1) / n,
    "alltoall": lambda n: (n - 1) / n,
    "reduce_scatter": lambda n: (n - 1) / n,
    "sendrecv": lambda n: 1.0,
}

#: Buffer that a row stands for that gives a peak bandwidth and no size.
PEAK_BYTES = float(8 << 30)
PEAK_NOTE = "no size given: compared at 8 GiB"

#: Accelerators of an NVL72 rack.
_RACK = 72


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measured collective.

    Attributes:
        row_id: stable name.
        accelerator: name in the table.
        domains: scale-up domains that take part.
        per_domain: ranks in each.
        nic_bytes_per_s: rate of the network for each accelerator; None where the table does not say.
        fabric: the network in the table's words.
        operation: one of OPERATIONS.
        algorithm_hint: the algorithm in the table's words, "" where it does not say.
        size_bytes: buffer, as nccl-tests counts it.
        measured_s: time.
        split: one of SPLITS.
        source: where it stands.
        note: what was assumed.
    """

    row_id: str
    accelerator: str
    domains: int
    per_domain: int
    nic_bytes_per_s: float | None
    fabric: str
    operation: str
    algorithm_hint: str
    size_bytes: float
    measured_s: float
    split: str
    source: str
    note: str

    @property
    def num_ranks(self) -> int:
        """Accelerators that take part."""
        return self.domains * self.per_domain


def read_measurements(path: Path) -> tuple[Measurement, ...]:
    """The rows of a table of measured collectives, in order.

    Raises:
        ConfigError: it cannot be read, is a table of something else, or has mistakes; all of them, each with its line.
    """
    names, lines = read_lines(path)
    _check_header(path, names)
    check_has_rows(path, lines)
    problems = Problems(path)
    rows = [_Row(line, names, cells, problems).measurement() for line, cells in lines]
    problems.add_twice(names, lines)
    problems.stop()
    return tuple(row for row in rows if row is not None)


def _check_header(path: Path, names: list[str]) -> None:
    """ConfigError unless it is a table of measured collectives."""
    if STEP_COLUMN in names:
        what = f"a table of measured training steps (it has a column {STEP_COLUMN!r})"
        raise ConfigError((f"{path}:1: {what}; this function reads those of measured collectives; use read_steps",))
    problems = missing_columns(names, COLUMNS, "a table of measured collectives")
    problems += repeated_columns(names, (*COLUMNS, *_OPTIONAL))
    if problems:
        raise ConfigError(tuple(f"{path}:1: {problem}" for problem in problems))


class _Row(Row):
    """One line of the table, being read."""

    def measurement(self) -> Measurement | None:
        """The row; None where it has mistakes, which are told."""
        if not self.is_whole:
            return None
        before = len(self.problems.found)
        accelerator = self.one_of("accelerator", (*CATALOGUED, *WITHOUT_LINKS))
        operation, split = self.one_of("op", tuple(OPERATIONS)), self.one_of("split", SPLITS)
        checked = len(self.problems.found)
        nodes, per_node = self.count("nodes"), self.count("accelerators_per_node")
        are_counts = len(self.problems.found) == checked
        nic_gbps, size = self.number("nic_gbps_per_accelerator"), self.number("size_bytes")
        time_us, bus = self.number("time_us"), self.number("bus_gbytes_per_s", is_rounded=True)
        if not self.text("row_id"):
            self.wrong("row_id: is empty; give the row a name")
        if are_counts and nodes * per_node == 1:
            self.wrong("nodes, accelerators_per_node: one accelerator alone; a collective needs two")
        empty = [name for name, value in (("size_bytes", size), ("time_us", time_us)) if value is None]
        if empty and not bus:
            self.wrong(f"{' and '.join(empty)}: empty; only a row that gives bus_gbytes_per_s can do without")
        if len(self.problems.found) > before:
            return None
        domains, per_domain = _domains(nodes, per_node, self.text("scale_up"))
        return Measurement(
            row_id=self.text("row_id"), accelerator=accelerator, domains=domains, per_domain=per_domain,
            nic_bytes_per_s=None if nic_gbps is None else nic_gbps * 1e9 / 8, fabric=self.text("fabric"),
            operation=operation, algorithm_hint=self.text("algorithm_hint"),
            size_bytes=size or PEAK_BYTES,
            measured_s=_measured_s(time_us, size, bus, OPERATIONS[operation](nodes * per_node)),
            split=split, source=self.text("source"), note=PEAK_NOTE if size is None else "",
        )  # fmt: skip


def _domains(nodes: int, per_node: int, scale_up: str) -> tuple[int, int]:
    """(scale-up domains, ranks in each): a domain is a node, or a rack of 72; racks are filled evenly."""
    if "NVL72" not in scale_up.replace(" ", "").upper():
        return nodes, per_node
    return even_domains(nodes, per_node, _RACK)


def _measured_s(time_us: float | None, size: float | None, bus: float | None, per_bus: float) -> float:
    """The time that stands in the table, or follows from the bus bandwidth."""
    if time_us is not None and size is not None:
        return time_us * 1e-6
    assert bus, "checked before"
    return (size or PEAK_BYTES) * per_bus / (bus * 1e9)
