"""Published figures, what the model computes in their place, and the verdict on each.

A verdict is "reproduced" where our figure rounds to what is published, or lies within 5 % of it, or of its range;
"partly" within 25 %; "not reproduced" beyond; and "open" where what would decide is not known. Ours is always computed
from a bill of materials, or from figures of parts. Where a source's own prices of parts are used, the reason says so.
"""

import csv
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[4] / "shared" / "data"
CLAIMS = SHARED / "published_claims.csv"
CATALOGUED = SHARED / "interconnects" / "interconnects.csv"

#: Every module here starts with ``pytestmark = needs_tables``.
needs_tables = pytest.mark.skipif(
    not (CLAIMS.is_file() and CATALOGUED.is_file()),
    reason="no tables shared/data/published_claims.csv and interconnects",
)


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    claim: str
    published: str
    ours: str
    verdict: str
    why: str


@dataclass
class Ledger:
    """Rows as tests come to them."""

    rows: list[Row] = field(default_factory=list)

    def compare(self, claim, published, ours, unit="", why="", digits=3):
        """Enter a figure against a published one, or a range (low, high), and say how near it is.

        Args:
            claim: what is claimed.
            published: a number, or (low, high); None for an end that is open.
            ours: a number.
            unit: of both.
            why: assumptions, and what makes the difference.
            digits: to print.
        """
        low, high = published if isinstance(published, tuple) else (published, published)
        gap = _gap(ours, low, high)
        is_same = gap <= 0.05 or _rounds_to(ours, low) or _rounds_to(ours, high)
        verdict = "reproduced" if is_same else "partly" if gap <= 0.25 else "not reproduced"
        self.rows.append(Row(claim, _range(low, high, unit, digits), _with(ours, unit, digits), verdict, why))
        return verdict

    def note(self, claim, published, ours, verdict, why):
        """Enter what is no comparison of two numbers."""
        self.rows.append(Row(claim, published, ours, verdict, why))

    def markdown(self):
        """The table as it stands in the README."""
        head = ("| claim | published | ours | verdict | assumptions, and why |", "|---|---|---|---|---|")
        return "\n".join(
            (*head, *(f"| {r.claim} | {r.published} | {r.ours} | {r.verdict} | {r.why} |" for r in self.rows))
        )


def _gap(ours, low, high):
    """How far outside, as a share of the nearer end; 0 inside."""
    below = 0.0 if low is None or ours >= low else (low - ours) / abs(low)
    above = 0.0 if high is None or ours <= high else (ours - high) / abs(high)
    return max(below, above)


def _rounds_to(ours, printed):
    """Whether it would be printed alike, with as many digits."""
    if printed is None:
        return False
    decimals = 0 if printed == int(printed) else len(repr(float(printed)).partition(".")[2])
    return round(ours, decimals) == printed


def _range(low, high, unit, digits):
    if low is None:
        return f"at most {_with(high, unit, digits)}"
    if high is None:
        return f"at least {_with(low, unit, digits)}"
    return _with(low, unit, digits) if low == high else f"{_number(low, digits)} to {_with(high, unit, digits)}"


def _with(value, unit, digits):
    return f"{_number(value, digits)} {unit}".strip()


def _number(value, digits):
    return f"{value:,.0f}" if abs(value) >= 10**digits or value == int(value) else f"{value:.{digits}g}"


@cache
def _published():
    with CLAIMS.open(encoding="utf-8", newline="") as file:
        return {row["claim_id"]: row for row in csv.DictReader(file)}


def published(number):
    """Value of ``claim-NNN``, or (low, high) where it is a range; None for an open end."""
    row = _published()[f"claim-{number:03d}"]
    if row["value"]:
        return float(row["value"])
    return tuple(float(row[end]) if row[end] else None for end in ("low", "high"))


@cache
def _catalogued():
    with CATALOGUED.open(encoding="utf-8", newline="") as file:
        return {(row["option"], row["field"]): row for row in csv.DictReader(file)}


def catalogued(name, key="typical", option="Claim (test target)"):
    """A figure of the table of interconnects; ``key`` is a column, or what its unit says before another figure."""
    row = _catalogued()[option, name]
    if key in row:
        return float(row[key])
    found = re.search(rf"{key} ([+-]?[\d.]+)", row["unit"])
    assert found, f"{name}: no {key!r} in {row['unit']!r}"
    return float(found[1])
