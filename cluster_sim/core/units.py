"""Quantities: text with a unit outside, SI floats inside.

GB is 10**9 bytes and GiB is 2**30. Link rates are per direction. A bare number is refused in a file, because
nobody can tell what it was meant to be.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal, DecimalException
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationInfo

from cluster_sim.core.errors import did_you_mean

#: A year has 365 days here.
YEAR_S = 365 * 86400.0

_PREFIXES = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_BINARY = {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}


def _scaled(unit: str, factor: float = 1.0) -> dict[str, float]:
    return {prefix + unit: factor * scale for prefix, scale in _PREFIXES.items()}


_SECONDS = {
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,
    "ns": 1e-9,
    "min": 60.0,
    "h": 3600.0,
    "day": 86400.0,
    "days": 86400.0,
    "year": YEAR_S,
    "years": YEAR_S,
}
_BYTES = _scaled("B") | {prefix + "B": scale for prefix, scale in _BINARY.items()}
_BYTES_PER_S = (
    _scaled("B/s")
    | _scaled("bps", 0.125)
    | _scaled("bit/s", 0.125)
    | _scaled("b/s", 0.125)
    | {prefix + "B/s": scale for prefix, scale in _BINARY.items()}
)
_FLOP_PER_S = _scaled("FLOP/s") | _scaled("FLOPS")
_METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001, "km": 1000.0}
_WATTS = _scaled("W")
_USD = {"USD": 1.0, "kUSD": 1e3, "MUSD": 1e6}
_RATIO = {"": 1.0, "%": 0.01}


@dataclass(frozen=True, slots=True)
class Dimension:
    """A kind of quantity: the suffix of its field names, its SI unit, an example, and its units as multiples of SI.

    Attributes:
        suffix: ending of field names, with the underscore; dropped in files.
        si: the unit of parsed values.
        example: how a user writes one.
        units: what each unit is in SI.
        zeros: what zero of a unit is in SI, where it is not zero.
        takes_bare: True where a number without a unit is meaningful (ratios, counts).
        sensible: the smallest and the largest SI value that makes sense of a part.
    """

    suffix: str
    si: str
    example: str
    units: dict[str, float]
    zeros: dict[str, float] = field(default_factory=dict)
    takes_bare: bool = False
    sensible: tuple[float, float] = (0.0, math.inf)

    def parse(self, text: str) -> float:
        """The SI value of ``text``, e.g. ``'400 Gbps'`` -> 5e10; ValueError says what was expected."""
        match = _QUANTITY.fullmatch(text.strip())
        if match is None or match["unit"] not in self.units:
            near = did_you_mean(match["unit"], tuple(self.units)) if match and match["unit"] else ""
            raise ValueError(f"{text!r} is not a quantity of this kind{near}; write e.g. {self.example!r}")
        try:
            scale, zero = (Decimal(repr(by.get(match["unit"], 0.0))) for by in (self.units, self.zeros))
            value = float(Decimal(match["number"]) * scale + zero)
        except DecimalException:
            value = math.inf
        if not math.isfinite(value):
            raise ValueError(f"{text!r} is beyond all numbers; write e.g. {self.example!r}")
        return value

    def said(self, value: float, text: Any) -> str:
        """``value``, in SI, as one who writes ``text`` would say it: ``(0.05, '3 ms')`` -> ``'50 ms'``."""
        match = _QUANTITY.fullmatch(text.strip()) if isinstance(text, str) else None
        unit = match["unit"] if match and match["unit"] in self.units else self.si
        number = (value - self.zeros.get(unit, 0.0)) / self.units.get(unit, 1.0)
        return f"{number:.6g} {unit}".rstrip()

    def read(self, value: Any, info: ValidationInfo) -> Any:
        """Pydantic hook: parse text; refuse a bare number that comes from a file."""
        if isinstance(value, str):
            return self.parse(value)
        if isinstance(value, bool):
            raise ValueError(f"{value} is not a quantity; write e.g. {self.example!r}")
        if self.takes_bare or not isinstance(value, int | float):
            return value
        if info.context and info.context.get("from_file"):
            raise ValueError(f"{value} has no unit; write e.g. {self.example!r}")
        return value


_QUANTITY = re.compile(r"(?P<number>[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(?P<unit>\S*)")

SECONDS = Dimension("_s", "s", "500 ns", _SECONDS, sensible=(0.0, 10 * YEAR_S))
BYTES = Dimension("_bytes", "B", "1 GiB", _BYTES)
BYTES_PER_S = Dimension("_bytes_per_s", "B/s", "400 Gbps", _BYTES_PER_S)
FLOP_PER_S = Dimension("_flop_per_s", "FLOP/s", "989 TFLOP/s", _FLOP_PER_S)
METRES = Dimension("_m", "m", "2 m", _METRES, sensible=(0.0, 1e8))
WATTS = Dimension("_w", "W", "16 W", _WATTS, sensible=(0.0, 1e7))
DOLLARS = Dimension("_usd", "USD", "800 USD", _USD, sensible=(0.0, 1e9))
DECIBELS = Dimension("_db", "dB", "1.5 dB", {"dB": 1.0}, sensible=(-50.0, 100.0))
RATIO = Dimension("_ratio", "", "0.8", _RATIO, takes_bare=True)
SECONDS_PER_METRE = Dimension("_s_per_m", "s/m", "4.9 ns/m", {"ns/m": 1e-9, "s/m": 1.0},
                             sensible=(0.0, 1e-6))  # fmt: skip
PER_YEAR = Dimension("_per_year", "/year", "1.0 %/year", {"%/year": 0.01, "/year": 1.0}, sensible=(0.0, 1e5))
JOULES_PER_BIT = Dimension("_j_per_bit", "J/bit", "15 pJ/bit", {"pJ/bit": 1e-12, "J/bit": 1.0}, sensible=(0.0, 1e-6))
DOLLARS_PER_JOULE = Dimension("_usd_per_j", "USD/J", "0.08 USD/kWh", {"USD/kWh": 1 / 3.6e6}, sensible=(0.0, 10 / 3.6e6))
KELVIN = Dimension("_kelvin", "K", "55 degC", {"K": 1.0, "degC": 1.0, "°C": 1.0}, {"degC": 273.15, "°C": 273.15},
                   sensible=(233.15, 398.15))  # fmt: skip
COUNT = Dimension("", "", "64", {"": 1.0}, takes_bare=True)

#: Longest suffix first, so that ``_bytes_per_s`` is not taken for ``_s``.
DIMENSIONS = tuple(
    sorted(
        (SECONDS, BYTES, BYTES_PER_S, FLOP_PER_S, METRES, WATTS, DOLLARS, DECIBELS, RATIO, SECONDS_PER_METRE, PER_YEAR,
         JOULES_PER_BIT, DOLLARS_PER_JOULE, KELVIN),
        key=lambda dimension: -len(dimension.suffix),
    )
)  # fmt: skip


def dimension_of(si: str) -> Dimension:
    """What is measured in an SI unit; ratios and counts in none."""
    return next((dimension for dimension in DIMENSIONS if dimension.si == si and si), RATIO)


def dimension_in(text: str) -> Dimension | None:
    """What ``text`` is a quantity of, by its unit; None where it has none."""
    match = _QUANTITY.fullmatch(text.strip())
    unit = match["unit"] if match else ""
    return next((dimension for dimension in DIMENSIONS if unit and unit in dimension.units), None)


def strip_unit(field_name: str) -> str:
    """The name a field has in a file: ``link_latency_s`` -> ``link_latency``."""
    for dimension in DIMENSIONS:
        if field_name.endswith(dimension.suffix):
            return field_name.removesuffix(dimension.suffix)
    return field_name


def _reads(dimension: Dimension) -> Callable[[Any, ValidationInfo], Any]:
    return dimension.read


Seconds = Annotated[float, BeforeValidator(_reads(SECONDS))]
Bytes = Annotated[float, BeforeValidator(_reads(BYTES))]
BytesPerSecond = Annotated[float, BeforeValidator(_reads(BYTES_PER_S))]
FlopPerSecond = Annotated[float, BeforeValidator(_reads(FLOP_PER_S))]
Metres = Annotated[float, BeforeValidator(_reads(METRES))]
Watts = Annotated[float, BeforeValidator(_reads(WATTS))]
Dollars = Annotated[float, BeforeValidator(_reads(DOLLARS))]
Ratio = Annotated[float, BeforeValidator(_reads(RATIO))]
Kelvin = Annotated[float, BeforeValidator(_reads(KELVIN))]


def bit_rate(bytes_per_s: float) -> str:
    """A link rate as people say it: 1e11 -> ``'800G'``, 2e11 -> ``'1.6T'``."""
    gbps = bytes_per_s * 8e-9
    return f"{gbps / 1000:g}T" if gbps >= 1000 else f"{gbps:g}G"
