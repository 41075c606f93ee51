"""CSV files of routes: columns of words, what they stand for on a fabric, and every mistake with its line."""

import csv
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cluster_sim.core import ConfigError, NotBuildableError
from cluster_sim.tables import NONE, Array, Fabric
from cluster_sim.topology import node_of

#: Mistakes that are shown; the rest is counted.
_SHOWN = 20


@dataclass(frozen=True, slots=True, eq=False)
class RouteFile:
    """A file as it stands.

    Attributes:
        path: where.
        header: names of the columns.
        line: int64[R], line of each row.
        rows: words of each row, as many as there are columns.
    """

    path: Path
    header: tuple[str, ...]
    line: Array
    rows: tuple[tuple[str, ...], ...]

    @classmethod
    def read(cls, path: Path, headers: tuple[tuple[str, ...], ...]) -> "RouteFile":
        """Read a file with one of ``headers``; ConfigError with every mistake in its form."""
        try:
            with path.open(newline="", encoding="utf-8") as file:
                reader = csv.reader(file, skipinitialspace=True)
                rows = [(reader.line_num, tuple(row)) for row in reader if row]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise ConfigError((f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}",)) from error
        header = rows[0][1] if rows else ()
        if header not in headers:
            known = " or ".join(repr(",".join(names)) for names in headers)
            raise ConfigError((f"{path}:1: expected the header {known}, got {','.join(header)!r}",))
        mistakes = Mistakes(path)
        for line, row in rows[1:]:
            if len(row) != len(header):
                mistakes.add(line, f"expected {len(header)} columns, got {len(row)}")
        mistakes.stop()
        return cls(path, header, np.array([line for line, _ in rows[1:]], np.int64), tuple(row for _, row in rows[1:]))

    def column(self, number: int) -> list[str]:
        """The words of a column."""
        return [row[number] for row in self.rows]


@dataclass(slots=True)
class Mistakes:
    """What is wrong in a file, line by line."""

    path: Path
    found: list[tuple[int, str]] = field(default_factory=list)

    def add(self, line: int, message: str) -> None:
        """One more."""
        self.found.append((int(line), message))

    def stop(self) -> None:
        """ConfigError if there are any."""
        told = [f"{self.path}:{line}: {message}" for line, message in sorted(self.found)]
        if told:
            rest = len(told) - _SHOWN
            raise ConfigError((*told[:_SHOWN], *((f"{self.path}: and {rest} more",) if rest > 0 else ())))


def refuse_circuits(fabric: Fabric) -> None:
    """NotBuildableError where circuits are set for the traffic."""
    if fabric.planner is not None:
        what = "routes from a file name links, but circuits join other links for other traffic; use ecmp or spray"
        raise NotBuildableError((what,))


def endpoints_in(words: list[str], line: Array, fabric: Fabric, what: str, mistakes: Mistakes) -> Array:
    """int64[W]: numbers of endpoints, NONE for anything else."""
    number = _numbers(words, fabric.num_endpoints)
    for row in np.unique(line[number == NONE]):
        mistakes.add(row, f"expected {what} from 0 to {fabric.num_endpoints - 1}")
    return number


def links_in(words: list[str], line: Array, fabric: Fabric, mistakes: Mistakes) -> Array:
    """int64[W]: links that have not failed, NONE for anything else."""
    link = _numbers(words, len(fabric.links))
    for at in np.flatnonzero(link == NONE):
        what = f"expected numbers from 0 to {len(fabric.links) - 1}"
        mistakes.add(line[at], f"{words[at].strip()!r} is no link; {what}")
    known = np.flatnonzero(link != NONE)
    for at in known[fabric.links.capacity_bytes_per_s[link[known]] == 0]:
        mistakes.add(line[at], f"link {link[at]} has failed")
    return link


def nodes_in(words: list[str], line: Array, fabric: Fabric, mistakes: Mistakes) -> Array:
    """int64[W]: nodes by their names, NONE for anything else."""
    stripped = [word.strip() for word in words]
    number = {word: node_of(word, fabric) for word in dict.fromkeys(stripped)}
    node = np.array([number[word] for word in stripped], np.int64)
    for at in np.flatnonzero(node == NONE):
        mistakes.add(line[at], f"{stripped[at]!r} is no node; expected names as in the results: 'leaf 16'")
    return node


def links_between(src: Array, dst: Array, line: Array, fabric: Fabric, mistakes: Mistakes) -> Array:
    """int64[W]: the first link from node to node that has not failed, NONE without and where a node is NONE."""
    links, num = fabric.links, len(fabric.node_kind)
    alive = np.flatnonzero(links.capacity_bytes_per_s > 0)
    ends, first = np.unique(links.src[alive].astype(np.int64) * num + links.dst[alive], return_index=True)
    wanted = np.where((src == NONE) | (dst == NONE), NONE, src * num + dst)
    place = np.minimum(np.searchsorted(ends, wanted), len(ends) - 1)
    link = np.where(ends[place] == wanted, alive[first[place]], NONE)
    for at in np.flatnonzero((link == NONE) & (wanted != NONE)):
        mistakes.add(line[at], f"no link that works leads from node {src[at]} to node {dst[at]}")
    return link


def found_in(keys: Array, wanted: Array) -> Array:
    """int64[W]: where each wanted key is among ``keys``, int64[R] ascending; NONE where it is not."""
    if not len(keys):
        return np.full(len(wanted), NONE, np.int64)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, place, NONE)


def _numbers(words: list[str], end: int) -> Array:
    """int64[W]: whole numbers below ``end``; NONE for anything else."""
    stripped = [word.strip() for word in words]
    number = np.array([int(word) if word.isdecimal() and len(word) < 19 else NONE for word in stripped], np.int64)
    return np.where(number < end, number, NONE)
