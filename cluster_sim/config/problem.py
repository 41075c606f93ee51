"""A raw flow problem from a text file, with file and line for every mistake.

::

    n_links n_flows
    capacity_bytes_per_s latency_s                     one line for each link, numbered from 0
    start_time_s size_bytes k link_0 ... link_k-1      one line for each flow; link:weight where the weight is not 1
"""

import math
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cluster_sim.core import ConfigError
from cluster_sim.kernels import segment_sum
from cluster_sim.tables import Array, FlowProblem, ragged_arange, ragged_ranges, starts_of

#: Problems that are shown; the rest is counted.
_SHOWN = 20
_FLOW = "start_time_s size_bytes k link_0 ... link_k-1"


@dataclass(frozen=True, slots=True, eq=False)
class _Words:
    """The words of a file; blank lines do not count.

    Attributes:
        number: float64[W], NaN for what is no number.
        weight: float64[W], what stands behind a colon, 1 where there is none.
        has_colon: bool[W].
        starts: int64[lines+1], where each line's words start.
        line: int64[lines], line number in the file, from 1.
    """

    number: Array
    weight: Array
    has_colon: Array
    starts: Array
    line: Array


class _Problems:
    """What is wrong, line by line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: list[tuple[int, str]] = []

    def add(self, lines: Array, message: str) -> None:
        """The same mistake on several lines."""
        self.found += [(int(line), message) for line in lines]

    def stop(self) -> None:
        """ConfigError if there are any."""
        if self.found:
            told = [f"{self.path}:{line}: {message}" for line, message in sorted(self.found)]
            rest = len(told) - _SHOWN
            raise ConfigError(
                (*told[:_SHOWN], *([f"{self.path}: and {rest} more lines like these"] if rest > 0 else ()))
            )


def read_problem(path: Path) -> FlowProblem:
    """Read a flow problem.

    Raises:
        ConfigError: every mistake, each with file and line.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ConfigError((f"{path}: cannot be read ({error.strerror})",)) from error
    problems, words = _Problems(path), _words_of(text)
    num_links, num_flows = _header(words, problems)
    counts, first = np.diff(words.starts), words.starts[:-1]
    links, flows = slice(1, 1 + num_links), slice(1 + num_links, 1 + num_links + num_flows)
    _check_words(words, counts, links, flows, problems)
    problems.stop()
    capacity, latency_s = words.number[first[links]], words.number[first[links] + 1]
    size_at, hop_counts = first[flows] + 1, words.number[first[flows] + 2].astype(np.int64)
    hop_word = ragged_ranges(first[flows] + 3, hop_counts)
    link, weight = words.number[hop_word], words.weight[hop_word]
    line = np.repeat(words.line[flows], hop_counts)
    wrong = (link != np.floor(link)) | (link < 0) | (link >= num_links)
    problems.add(np.unique(line[wrong]), f"expected links from 0 to {num_links - 1}; number them as their lines above")
    problems.add(np.unique(line[~(weight > 0) | np.isinf(weight)]), "expected link:weight with a weight above 0")
    problems.stop()
    hop_starts = starts_of(hop_counts)
    hop_link = link.astype(np.int32)
    flow_latency_s = segment_sum(latency_s[hop_link], hop_starts)
    hop_link, weight, hop_starts = _each_once(hop_link, weight, hop_starts, num_links)
    return FlowProblem(
        capacity_bytes_per_s=capacity, start_s=words.number[size_at - 1], latency_s=flow_latency_s,
        size_bytes=words.number[size_at], hop_link=hop_link, hop_weight=weight, hop_starts=hop_starts,
    )  # fmt: skip


def _words_of(text: bytes) -> _Words:
    symbols = np.frombuffer(text, np.uint8)
    is_word = symbols > ord(" ")
    begins = np.flatnonzero(is_word & ~np.append(False, is_word[:-1])[: len(is_word)])
    ends = np.flatnonzero(np.diff(np.append(is_word, False).astype(np.int8)) == -1) if len(is_word) else begins
    breaks = np.flatnonzero(symbols == ord("\n"))
    per_line = np.bincount(np.searchsorted(breaks, begins), minlength=len(breaks) + 1)
    filled = np.flatnonzero(per_line)
    colons = np.flatnonzero(symbols == ord(":"))
    colons_in = np.bincount(np.searchsorted(ends, colons), minlength=len(begins))[: len(begins)]
    number, weight = _numbers(text, begins, ends, colons_in)
    return _Words(number, weight, colons_in > 0, starts_of(per_line[filled]), filled + 1)


def _numbers(text: bytes, begins: Array, ends: Array, colons_in: Array) -> tuple[Array, Array]:
    """(number of each word, number behind its colon), NaN where there is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            values = np.fromstring(text.replace(b":", b" "), sep=" ")
        except ValueError:
            values = np.zeros(0)
    if len(values) == len(begins) + colons_in.sum() and colons_in.max(initial=0) <= 1:
        at = np.arange(len(begins)) + starts_of(colons_in)[:-1]
        weight = np.ones(len(begins))
        weight[colons_in > 0] = values[at[colons_in > 0] + 1]
        return values[at], weight
    words = [text[begin : end + 1].partition(b":") for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)]
    return (
        np.array([_number(word) for word, _, _ in words], np.float64),
        np.array([_number(weight) if colon else 1.0 for _, colon, weight in words], np.float64),
    )


def _number(word: bytes) -> float:
    try:
        return math.nan if b"_" in word else float(word)
    except ValueError:
        return math.nan


def _header(words: _Words, problems: _Problems) -> tuple[int, int]:
    """(links, flows) that the file says it has, and has."""
    expected = "expected 'n_links n_flows', two whole numbers"
    if not len(words.line):
        raise ConfigError((f"{problems.path}:1: {expected}; the file is empty",))
    header = words.number[: words.starts[1]]
    if len(header) != 2 or words.has_colon[:2].any() or not all(_is_count(value) for value in header.tolist()):
        raise ConfigError((f"{problems.path}:{words.line[0]}: {expected}",))
    num_links, num_flows = (int(value) for value in header)
    found = len(words.line) - 1
    if found != num_links + num_flows:
        what = f"the first line announces {num_links} links and {num_flows} flows, {num_links + num_flows} lines"
        raise ConfigError((f"{problems.path}:{words.line[0]}: {what}, but {found} follow; correct one or the other",))
    return num_links, num_flows


def _is_count(value: float) -> bool:
    return 0 <= value < 2**31 and value == math.floor(value)


def _check_words(words: _Words, counts: Array, links: slice, flows: slice, problems: _Problems) -> None:
    """How many words a line has, and that each is a number in its range."""
    is_bad = ~np.isfinite(words.number) | (words.number < 0)
    is_plain_line = np.zeros(len(words.line), bool)
    is_plain_line[links] = True
    line_of_word = np.repeat(np.arange(len(words.line)), counts)
    place = ragged_arange(counts)
    plain_colon = words.has_colon & (is_plain_line[line_of_word] | (place < 3))
    problems.add(words.line[links][counts[links] != 2], "expected 'capacity_bytes_per_s latency_s', two numbers")
    problems.add(words.line[flows][counts[flows] < 3], f"expected '{_FLOW}'")
    problems.add(words.line[np.unique(line_of_word[is_bad])], "expected finite numbers that are not negative")
    problems.add(
        words.line[np.unique(line_of_word[plain_colon])], "expected a colon only between a link and its weight"
    )
    long_enough = np.flatnonzero(counts[flows] >= 3) + flows.start
    announced, found = words.number[words.starts[long_enough] + 2], counts[long_enough] - 3
    wrong = np.isfinite(announced) & (announced != found)
    for line, said, number in np.stack([words.line[long_enough], announced, found])[:, wrong].T.tolist():
        problems.add(np.array([line]), f"k says {said:g} links, but {number:g} follow; expected '{_FLOW}'")


def _each_once(link: Array, weight: Array, starts: Array, num_links: int) -> tuple[Array, Array, Array]:
    """A flow that names a link twice loads it with both weights."""
    flow = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    pair = flow * max(num_links, 1) + link
    pairs, first, inverse = np.unique(pair, return_index=True, return_inverse=True)
    if len(pairs) == len(pair):
        return link, weight, starts
    sums = np.bincount(inverse.reshape(-1), weights=weight)
    kept = np.sort(first)
    order = np.argsort(first)
    return link[kept], sums[order], starts_of(np.bincount(flow[kept], minlength=len(starts) - 1))
