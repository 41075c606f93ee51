"""Candidate paths as sums of digits, so that a device can write them out without knowing the fabric.

What computes a link of a path from arrays with ``+``, ``*``, ``//`` and ``%`` gives its form when it is called with the
variables below instead.
"""

from dataclasses import dataclass
from typing import NamedTuple


class Digit(NamedTuple):
    """``times * (variable // divisor % modulus)``; a modulus of 0 leaves the quotient as it is.

    Attributes:
        of: which variable: 0 src, 1 dst, 2 choice.
        divisor: > 0.
        modulus: >= 0.
        times: any.
    """

    of: int
    divisor: int
    modulus: int
    times: int


@dataclass(frozen=True, slots=True)
class Form:
    """``first`` plus the sum of the digits; behaves like the array of its values where the result is a form, too."""

    first: int = 0
    digits: tuple[Digit, ...] = ()

    def __add__(self, other: "Form | int") -> "Form":
        if isinstance(other, Form):
            return Form(self.first + other.first, self.digits + other.digits)
        return Form(self.first + other, self.digits)

    def __radd__(self, other: int) -> "Form":
        return self + other

    def __mul__(self, factor: int) -> "Form":
        return Form(self.first * factor, tuple(digit._replace(times=digit.times * factor) for digit in self.digits))

    def __rmul__(self, factor: int) -> "Form":
        return self * factor

    def __floordiv__(self, divisor: int) -> "Form":
        digit = self._variable()
        return Form(0, (digit._replace(divisor=digit.divisor * divisor),))

    def __mod__(self, modulus: int) -> "Form":
        return Form(0, (self._variable()._replace(modulus=modulus),))

    def _variable(self) -> Digit:
        """The only digit, where nothing has been done to it but division."""
        is_one = self.first == 0 and len(self.digits) == 1 and self.digits[0].modulus == 0 and self.digits[0].times == 1
        assert is_one, f"neither // nor % of {self} is a sum of digits"
        return self.digits[0]


SRC, DST, CHOICE = (Form(0, (Digit(of, 1, 0, 1),)) for of in range(3))


class PathKind(NamedTuple):
    """Paths of one length: how many a pair has, and the links of each, in order from src to dst."""

    num_paths: int
    hops: tuple[Form, ...]


@dataclass(frozen=True, slots=True)
class PathForms:
    """Candidate paths between any two endpoints.

    Attributes:
        places: P forms of SRC alone: where an endpoint hangs, from the closest on.
        kinds: P+1: a pair is of kind k where place k is the first that both have in common, of kind P without any.
    """

    places: tuple[Form, ...]
    kinds: tuple[PathKind, ...]
