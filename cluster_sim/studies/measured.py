"""Tables of measured collectives: a CSV file in, checked rows out, every mistake with its line."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from cluster_sim.core import ConfigError, did_you_mean

#: Columns that a table of measured collectives must have; others are not read, but for _OPTIONAL.
COLUMNS = (
    "row_id", "accelerator", "nodes", "accelerators_per_node", "nic_gbps_per_accelerator", "scale_up", "fabric", "op",
    "size_bytes", "time_us", "split",
)  # fmt: skip
_OPTIONAL = ("algorithm_hint", "bus_gbytes_per_s", "source")
#: Columns in which small values are printed as 0.
_ROUNDED = ("bus_gbytes_per_s",)
#: What tells a table of training steps.
_STEP_COLUMN = "step_time_s"

#: Accelerators that tables name, and whose links they have: (entry of "nccl scale-up", catalogue entry).
LINKS_OF = {
    "a100": ("nccl-nvlink3", "a100-80gb"),
    "a100-40gb": ("nccl-nvlink3", "a100-40gb"),
    "a100-80gb": ("nccl-nvlink3", "a100-80gb"),
    "b200": ("nccl-nvlink5", "b200-sxm"),
    "b200-sxm": ("nccl-nvlink5", "b200-sxm"),
    "b300": ("nccl-nvlink5", "b300-sxm"),
    "b300-sxm": ("nccl-nvlink5", "b300-sxm"),
    "gb200": ("nccl-nvlink5", "gb200-nvl72"),
    "gb200-nvl72": ("nccl-nvlink5", "gb200-nvl72"),
    "gb300": ("nccl-nvlink5", "gb300-nvl72"),
    "gb300-nvl72": ("nccl-nvlink5", "gb300-nvl72"),
    "gh200": ("nccl-nvlink4-direct", "h100-sxm"),
    "h100-sxm": ("nccl-nvlink4", "h100-sxm"),
    "h200-sxm": ("nccl-nvlink4", "h200-sxm"),
}
#: Accelerators that are known, and why they cannot be simulated.
WITHOUT_LINKS = {
    "h100-pcie": "NVLink bridges between pairs are not in the catalogue",
    "h800-sxm": "its cut-down NVLink is not in the catalogue",
    "mi300x": "xGMI and RCCL are not in the catalogue",
}

#: Operations of nccl-tests: (bus bandwidth over buffer / time) of n ranks.
OPERATIONS: dict[str, Callable[[int], float]] = {
    "all_gather": lambda n: (n - 1) / n,
    "all_reduce": lambda n: 2 * (n - 1) / n,
    "alltoall": lambda n: (n - 1) / n,
    "reduce_scatter": lambda n: (n - 1) / n,
    "sendrecv": lambda n: 1.0,
}
SPLITS = ("calibrate", "test")

#: Buffer that a row stands for that gives a peak bandwidth and no size.
PEAK_BYTES = float(8 << 30)
PEAK_NOTE = "no size given: compared at 8 GiB"

#: Accelerators of an NVL72 rack.
_RACK = 72
#: Mistakes that are shown; the rest is counted.
_SHOWN = 20


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
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError((f"{path}: cannot be read: {error}",)) from error
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        lines = [(reader.line_num, cells) for cells in reader if any(cells)]
    except csv.Error as error:
        raise ConfigError((f"{path}:{reader.line_num}: not CSV: {error}",)) from error
    if not lines:
        raise ConfigError((f"{path}:1: the file is empty; expected a line with the columns' names, then rows",))
    names = [name.strip() for name in lines[0][1]]
    _check_header(path, names)
    if len(lines) == 1:
        raise ConfigError((f"{path}:1: holds no rows; add at least one below the columns' names",))
    rows, problems = [], _Problems(path)
    for line, cells in lines[1:]:
        row = _Row(line, names, cells, problems)
        rows.append(row.measurement())
    problems.add_twice([(line, cells[names.index("row_id")]) for line, cells in lines[1:] if len(cells) == len(names)])
    problems.stop()
    return tuple(row for row in rows if row is not None)


def _check_header(path: Path, names: list[str]) -> None:
    """ConfigError unless it is a table of measured collectives."""
    if _STEP_COLUMN in names:
        what = f"a table of measured training steps (it has a column {_STEP_COLUMN!r})"
        raise ConfigError((f"{path}:1: {what}; these are not supported yet, only tables of measured collectives are",))
    problems = [
        f"{path}:1: column {name!r} is missing{did_you_mean(name, tuple(set(names) - set(COLUMNS)))}; a table of "
        f"measured collectives has {', '.join(COLUMNS)}"
        for name in COLUMNS
        if name not in names
    ]
    twice = sorted({name for name in names if name in (*COLUMNS, *_OPTIONAL) and names.count(name) > 1})
    problems += [f"{path}:1: column {name!r} is there twice; keep one" for name in twice]
    if problems:
        raise ConfigError(tuple(problems))


class _Problems:
    """What is wrong, line by line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: list[tuple[int, str]] = []

    def add(self, line: int, message: str) -> None:
        """One mistake."""
        self.found.append((line, message))

    def add_twice(self, row_ids: list[tuple[int, str]]) -> None:
        """Names of rows that are there twice."""
        first: dict[str, int] = {}
        for line, row_id in row_ids:
            if row_id and first.setdefault(row_id, line) != line:
                self.add(line, f"row_id: {row_id!r} is the name of line {first[row_id]}, too; rename one")

    def stop(self) -> None:
        """ConfigError if there are any."""
        if self.found:
            told = [f"{self.path}:{line}: {message}" for line, message in sorted(self.found)]
            rest = len(told) - _SHOWN
            raise ConfigError((*told[:_SHOWN], *([f"{self.path}: and {rest} more mistakes"] if rest > 0 else ())))


class _Row:
    """One line of the table, being read."""

    def __init__(self, line: int, names: list[str], cells: list[str], problems: _Problems) -> None:
        self.line, self.problems = line, problems
        self.cells = dict(zip(names, (cell.strip() for cell in cells), strict=False))
        self.is_whole = len(cells) == len(names)
        if not self.is_whole:
            self._wrong(f"{len(cells)} cells, but {len(names)} columns; quote cells that hold commas")

    def measurement(self) -> Measurement | None:
        """The row; None where it has mistakes, which are told."""
        if not self.is_whole:
            return None
        before = len(self.problems.found)
        accelerator = self._one_of("accelerator", (*LINKS_OF, *WITHOUT_LINKS))
        operation, split = self._one_of("op", tuple(OPERATIONS)), self._one_of("split", SPLITS)
        checked = len(self.problems.found)
        nodes, per_node = self._count("nodes"), self._count("accelerators_per_node")
        are_counts = len(self.problems.found) == checked
        nic_gbps, size = self._number("nic_gbps_per_accelerator"), self._number("size_bytes")
        time_us, bus = self._number("time_us"), self._number("bus_gbytes_per_s")
        if not self.cells["row_id"]:
            self._wrong("row_id: is empty; give the row a name")
        if are_counts and nodes * per_node == 1:
            self._wrong("nodes, accelerators_per_node: one accelerator alone; a collective needs two")
        empty = [name for name, value in (("size_bytes", size), ("time_us", time_us)) if value is None]
        if empty and not bus:
            self._wrong(f"{' and '.join(empty)}: empty; only a row that gives bus_gbytes_per_s can do without")
        if len(self.problems.found) > before:
            return None
        domains, per_domain = _domains(nodes, per_node, self.cells["scale_up"])
        return Measurement(
            row_id=self.cells["row_id"], accelerator=accelerator, domains=domains, per_domain=per_domain,
            nic_bytes_per_s=None if nic_gbps is None else nic_gbps * 1e9 / 8, fabric=self.cells["fabric"],
            operation=operation, algorithm_hint=self.cells.get("algorithm_hint", ""),
            size_bytes=size or PEAK_BYTES,
            measured_s=_measured_s(time_us, size, bus, OPERATIONS[operation](nodes * per_node)),
            split=split, source=self.cells.get("source", ""), note=PEAK_NOTE if size is None else "",
        )  # fmt: skip

    def _wrong(self, message: str) -> None:
        self.problems.add(self.line, message)

    def _one_of(self, name: str, known: tuple[str, ...]) -> str:
        text = self.cells[name]
        if text not in known:
            hint = did_you_mean(text, known)
            self._wrong(f"{name}: {text!r} is not known{hint} (known: {', '.join(sorted(known))})")
        return text

    def _count(self, name: str) -> int:
        """A whole number from 1; 1 where it is none, which is told."""
        text = self.cells[name]
        if text.isascii() and text.isdigit() and 0 < int(text) < 2**20:
            return int(text)
        self._wrong(f"{name}: expected a whole number from 1 to {2**20 - 1}; got {text!r}")
        return 1

    def _number(self, name: str) -> float | None:
        """A number above 0; None where the cell is empty or not there."""
        text = self.cells.get(name, "")
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if isfinite(value) and (value > 0 or (value == 0 and name in _ROUNDED)):
            return value
        self._wrong(f"{name}: expected a finite number above 0, or nothing; got {text!r}")
        return 1.0


def _domains(nodes: int, per_node: int, scale_up: str) -> tuple[int, int]:
    """(scale-up domains, ranks in each): a domain is a node, or a rack of 72; racks are filled evenly."""
    if "NVL72" not in scale_up.replace(" ", "").upper():
        return nodes, per_node
    fits = (racks for racks in range(1, nodes) if nodes % racks == 0 and nodes // racks * per_node <= _RACK)
    racks = next(fits, nodes)
    return racks, nodes // racks * per_node


def _measured_s(time_us: float | None, size: float | None, bus: float | None, per_bus: float) -> float:
    """The time that stands in the table, or follows from the bus bandwidth."""
    if time_us is not None and size is not None:
        return time_us * 1e-6
    assert bus, "checked before"
    return (size or PEAK_BYTES) * per_bus / (bus * 1e9)
