"""A number about the world: typical, low, high, year, source, and how far to trust it."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, model_validator

from cluster_sim.core import Spec
from cluster_sim.core.units import (
    BYTES,
    BYTES_PER_S,
    COUNT,
    DECIBELS,
    DOLLARS,
    DOLLARS_PER_JOULE,
    FLOP_PER_S,
    JOULES_PER_BIT,
    KELVIN,
    METRES,
    PER_YEAR,
    RATIO,
    SECONDS,
    SECONDS_PER_METRE,
    WATTS,
    Dimension,
)

#: V1 read in the originating text; V2 stated by a text that names a primary source; V3 retrieved but weak; D arithmetic
#: on V rows; M unverified: an assumption, shown as such; G given in a configuration.
Status = Literal["V1", "V2", "V3", "D", "M", "G"]


class Figure(Spec):
    """A sourced number in SI units.

    Attributes:
        typical: the value that runs use.
        low, high: the range that sources give, or None.
        unit: SI unit of the three.
        year: of the figure.
        source: where it stands.
        status: how far to trust it; M is unverified.
    """

    typical: float
    low: float | None = None
    high: float | None = None
    unit: str = ""
    year: int
    source: str = Field(min_length=1)
    status: Status

    @property
    def is_unverified(self) -> bool:
        """True where no source was retrieved."""
        return self.status == "M"

    @model_validator(mode="after")
    def _in_order(self) -> "Figure":
        low, high = (self.typical if bound is None else bound for bound in (self.low, self.high))
        if not low <= self.typical <= high:
            raise ValueError(f"expected low <= typical <= high, got {low}, {self.typical}, {high}")
        return self


def _read_in(dimension: Dimension) -> BeforeValidator:
    def read(value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, dict):
            return value
        parsed = {"unit": dimension.si, **value}
        for bound in ("typical", "low", "high"):
            if bound in parsed:
                parsed[bound] = dimension.read(parsed[bound], info)
        return parsed

    return BeforeValidator(read)


SecondsFigure = Annotated[Figure, _read_in(SECONDS)]
BytesFigure = Annotated[Figure, _read_in(BYTES)]
BytesPerSecondFigure = Annotated[Figure, _read_in(BYTES_PER_S)]
FlopPerSecondFigure = Annotated[Figure, _read_in(FLOP_PER_S)]
MetresFigure = Annotated[Figure, _read_in(METRES)]
WattsFigure = Annotated[Figure, _read_in(WATTS)]
DollarsFigure = Annotated[Figure, _read_in(DOLLARS)]
DecibelsFigure = Annotated[Figure, _read_in(DECIBELS)]
RatioFigure = Annotated[Figure, _read_in(RATIO)]
CountFigure = Annotated[Figure, _read_in(COUNT)]
SecondsPerMetreFigure = Annotated[Figure, _read_in(SECONDS_PER_METRE)]
PerYearFigure = Annotated[Figure, _read_in(PER_YEAR)]
JoulesPerBitFigure = Annotated[Figure, _read_in(JOULES_PER_BIT)]
DollarsPerJouleFigure = Annotated[Figure, _read_in(DOLLARS_PER_JOULE)]
KelvinFigure = Annotated[Figure, _read_in(KELVIN)]
