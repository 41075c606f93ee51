"""CSV tables of measurements: lines in, checked cells out, every mistake with its line."""

import csv
import io
from collections.abc import Collection
from math import isfinite
from pathlib import Path

from cluster_sim.core import ConfigError, did_you_mean

#: Mistakes that are shown; the rest is counted.
_SHOWN = 20
_MOST = 2**20 - 1

#: What the cells of a column "split" say.
SPLITS = ("calibrate", "test")


def read_lines(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """(names of the columns, (number, cells) of every line below).

    Raises:
        ConfigError: it cannot be read, or is no CSV file, or an empty one.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError((f"{path}:{line}: is not UTF-8 ({error.reason}); save it with this encoding",)) from error
    except OSError as error:
        raise ConfigError((f"{path}: cannot be read: {error}",)) from error
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        lines = [(reader.line_num, cells) for cells in reader if any(cells)]
    except csv.Error as error:
        raise ConfigError((f"{path}:{reader.line_num}: not CSV: {error}",)) from error
    if not lines:
        raise ConfigError((f"{path}:1: the file is empty; expected a line with the columns' names, then rows",))
    names = [name.strip() for name in lines[0][1]]
    _check_separator(path, names)
    return names, lines[1:]


def _check_separator(path: Path, names: list[str]) -> None:
    """ConfigError where cells are separated by something else than commas, as spreadsheets do in some languages."""
    found = [what for sign, what in ((";", "semicolons"), ("\t", "tabs")) if len(names) == 1 and sign in names[0]]
    if found:
        raise ConfigError((f"{path}:1: cells are separated by {found[0]}; expected commas, save it with these",))


def check_has_rows(path: Path, lines: list[tuple[int, list[str]]]) -> None:
    """ConfigError where a table has nothing below the names of its columns."""
    if not lines:
        raise ConfigError((f"{path}:1: holds no rows; add at least one below the columns' names",))


def missing_columns(names: list[str], needed: tuple[str, ...], what: str) -> list[str]:
    """A message for each column that ``what`` needs and has not."""
    others = tuple(set(names) - set(needed))
    return [
        f"column {name!r} is missing{did_you_mean(name, others)}; {what} has {', '.join(needed)}"
        for name in needed
        if name not in names
    ]


def repeated_columns(names: list[str], known: Collection[str]) -> list[str]:
    """A message for each known column that is there more than once."""
    twice = sorted({name for name in names if name in known and names.count(name) > 1})
    return [f"column {name!r} is there twice; keep one" for name in twice]


class Problems:
    """What is wrong, line by line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: list[tuple[int, str]] = []

    def add(self, line: int, message: str) -> None:
        """One mistake."""
        self.found.append((line, message))

    def add_twice(self, names: list[str], lines: list[tuple[int, list[str]]], key: str = "row_id") -> None:
        """Names of rows that are there twice."""
        first: dict[str, int] = {}
        for line, cells in lines:
            name = cells[names.index(key)].strip() if len(cells) == len(names) else ""
            if name and first.setdefault(name, line) != line:
                self.add(line, f"{key}: {name!r} is the name of line {first[name]}, too; rename one")

    def stop(self) -> None:
        """ConfigError if there are any."""
        if self.found:
            told = [f"{self.path}:{line}: {message}" for line, message in sorted(self.found)]
            rest = len(told) - _SHOWN
            raise ConfigError((*told[:_SHOWN], *([f"{self.path}: and {rest} more mistakes"] if rest > 0 else ())))


class Row:
    """One line of a table, being read. A column that the table lacks reads as empty cells.

    Attributes:
        is_whole: whether it has as many cells as there are columns.
    """

    def __init__(self, line: int, names: list[str], cells: list[str], problems: Problems) -> None:
        self.line, self.problems = line, problems
        self.cells = dict(zip(names, (cell.strip() for cell in cells), strict=False))
        self.is_whole = len(cells) == len(names)
        if not self.is_whole:
            self.wrong(f"{len(cells)} cells, but {len(names)} columns; quote cells that hold commas")

    def wrong(self, message: str) -> None:
        """Tell a mistake of this line."""
        self.problems.add(self.line, message)

    def text(self, name: str) -> str:
        """The cell as it is."""
        return self.cells.get(name, "")

    def one_of(self, name: str, known: tuple[str, ...]) -> str:
        """A name out of ``known``; told where it is another."""
        text = self.text(name)
        if text not in known:
            shown = sorted(word for word in known if word)
            self.wrong(f"{name}: {text!r} is not known{did_you_mean(text, tuple(shown))} (known: {', '.join(shown)})")
        return text

    def count(self, name: str, otherwise: int | None = None, least: int = 1, most: int = _MOST) -> int:
        """A whole number; ``otherwise`` in an empty cell, where that is allowed; ``least`` where it is told."""
        text = self.text(name)
        if not text and otherwise is not None:
            return otherwise
        if text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most:
            return int(text)
        self.wrong(f"{name}: expected a whole number from {least} to {most}; got {text!r}")
        return least

    def number(self, name: str, is_rounded: bool = False, unit: str = "") -> float | None:
        """A number above 0; None in an empty cell.

        Args:
            name: of the column.
            is_rounded: small values are printed as 0.
            unit: what the number is in, for the message.
        """
        text = self.text(name)
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if isfinite(value) and (value > 0 or (value == 0 and is_rounded)):
            return value
        told = f" of {unit}" if unit else ""
        self.wrong(f"{name}: expected a finite number above 0{told}, or nothing; got {text!r}")
        return 1.0
