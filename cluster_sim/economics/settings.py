"""What a user may say about money: how long things last, what power costs, what vendors earn."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from cluster_sim.catalogue import constants
from cluster_sim.core import YEAR_S, Ratio, Seconds, Spec
from cluster_sim.core.units import DOLLARS_PER_JOULE

#: Nothing that is bought pays off within a day.
_LEAST_LIFE_S = 86400.0

DollarsPerJoule = Annotated[float, BeforeValidator(DOLLARS_PER_JOULE.read)]


class Economics(Spec):
    """What costs are reckoned with.

    Attributes:
        lifetime_s: over which everything that is bought pays off; the cluster trains all the time, or as much of it
            as failures leave, where they are simulated.
        electricity_usd_per_j: price of energy; None for the catalogue's.
        pue: power of the facility over that of what computes in it; None for the catalogue's.
        vendor_margin_ratio: share of the price that is the vendor's, for parts whose cost to the vendor is known; None
            for the catalogue's prices.
        tokens: to train in all; 0 where nobody asks how long that takes.
        limits: True where limits of power decide what can be built: of cages, chassis and racks. False where they are
            only told, such as for a cluster that stands, made of parts that stand in for its own.
    """

    lifetime_s: Seconds = Field(4 * YEAR_S, ge=_LEAST_LIFE_S, le=50 * YEAR_S)
    electricity_usd_per_j: DollarsPerJoule | None = Field(None, ge=0, le=DOLLARS_PER_JOULE.sensible[1])
    pue: Ratio | None = Field(None, ge=1, le=10)
    vendor_margin_ratio: Ratio | None = Field(None, ge=0, le=0.99)
    tokens: float = Field(0.0, ge=0, le=1e18)
    limits: bool = True

    @property
    def used_pue(self) -> float:
        """The one given, or the catalogue's."""
        return constants().pue.typical if self.pue is None else self.pue

    @property
    def used_electricity_usd_per_j(self) -> float:
        """The one given, or the catalogue's."""
        given = self.electricity_usd_per_j
        return constants().electricity_price.typical if given is None else given
