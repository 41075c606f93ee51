"""How a link is carried: cables, modules and engines, the lasers that feed these, and what is known of their supply."""

from typing import Literal

from pydantic import model_validator

from cluster_sim.catalogue.entries import Entry
from cluster_sim.catalogue.figure import (
    BytesPerSecondFigure,
    CountFigure,
    DecibelsFigure,
    DollarsFigure,
    JoulesPerBitFigure,
    MetresFigure,
    PerYearFigure,
    RatioFigure,
    SecondsFigure,
    SecondsPerMetreFigure,
    WattsFigure,
)
from cluster_sim.core import YEAR_S

#: One failure a year is so many in 10**9 hours.
FIT_PER_YEARLY_FAILURE = 1e9 * 3600 / YEAR_S


class Technology(Entry):
    """A way to carry a link: copper cable, pluggable module, or near- or co-packaged engine.

    Attributes:
        form: ``cable`` has both ends in its price; ``module`` and ``engine`` are priced per end.
        retimed: True where a DSP or retimer regenerates the signal.
        light: where it comes from; None for copper.
        external_laser: name of the laser module that feeds the ends of an engine; its failures are its own, its power
            and price are in the engine's.
        replaced: what is taken out when an end fails; a server is the accelerator's, or its scale-up switch.
        supply: name of what is known of its supply.
        rate: per direction, of one module or cable; it may carry several ports.
        lanes: electrical lanes per direction.
        power: per end, active, without host SerDes; the external laser of a CPO or NPO engine included.
        idle_power: per end, without traffic; as ``power`` where it is not given.
        latency: added per end, without FEC.
        price: to the buyer. list_price: as shops print it.
        vendor_cost: what it costs its vendor; with a margin it gives the price.
        vendor_margin: share of the price that is the vendor's, in ``price``.
        annual_failure: hard failures per end, or per cable, without those of an external laser.
        laser_share: of these failures, those of lasers.
        first_year: of volume.
        flaps: times that a link of it goes down and comes back by itself, per year.
        repair_time: from the failure to a working replacement.
        ports_per_engine: ports that go down together where an engine fails.
        fibre_pairs: each takes one OCS port.
        optical_margin: loss that the link budget has left for an OCS.
        host_loss: electrical loss between chip and module that it bears.
        reacquisition: from light to data after an OCS has switched.
        laser_count: lasers per end.
    """

    medium: Literal["copper", "optical"]
    form: Literal["cable", "module", "engine"]
    retimed: bool
    light: Literal["eml", "silicon-photonics", "vcsel", "external"] | None = None
    external_laser: str | None = None
    replaced: Literal["cable", "module", "switch", "server"] = "module"
    supply: str | None = None
    rate: BytesPerSecondFigure
    lanes: CountFigure
    reach: MetresFigure
    power: WattsFigure
    idle_power: WattsFigure | None = None
    latency: SecondsFigure
    price: DollarsFigure
    list_price: DollarsFigure | None = None
    vendor_cost: DollarsFigure | None = None
    vendor_margin: RatioFigure | None = None
    propagation: SecondsPerMetreFigure
    annual_failure: PerYearFigure
    laser_share: RatioFigure | None = None
    flaps: PerYearFigure
    repair_time: SecondsFigure
    ports_per_engine: CountFigure | None = None
    fibre_pairs: CountFigure | None = None
    optical_margin: DecibelsFigure | None = None
    host_loss: DecibelsFigure | None = None
    reacquisition: SecondsFigure | None = None
    energy_per_bit: JoulesPerBitFigure | None = None
    laser_count: CountFigure | None = None
    first_year: CountFigure

    @model_validator(mode="after")
    def _fits_its_medium(self) -> "Technology":
        optics = ("light", "fibre_pairs", "optical_margin", "reacquisition", "laser_count")
        needed = ["ports_per_engine"] if self.form == "engine" else []
        if self.medium == "optical":
            needed = [*optics, "external_laser" if self.light == "external" else "laser_share", *needed]
        unfit = (*optics, "external_laser", "laser_share") if self.medium == "copper" else ()
        missing = [name for name in needed if getattr(self, name) is None]
        beyond = [name for name in unfit if getattr(self, name) is not None]
        if missing:
            raise ValueError(f"an {self.medium} {self.form} needs {', '.join(missing)}")
        if beyond:
            raise ValueError(f"copper has no {', '.join(beyond)}")
        return self

    @property
    def num_ends(self) -> int:
        """Ends that the price and the failures are of: a cable's two, otherwise one."""
        return 2 if self.form == "cable" else 1

    @property
    def fit(self) -> dict[str, float]:
        """Failures of an end in 10**9 hours, by part: its own ``laser``, where it has one, and the ``rest``.

        Those of an external laser are the laser's; ``catalogue.fit_by_part`` has them too.
        """
        total = self.annual_failure.typical * FIT_PER_YEARLY_FAILURE / self.num_ends
        laser = total * self.laser_share.typical if self.laser_share else 0.0
        return ({"laser": laser} if self.laser_share else {}) | {"rest": total - laser}

    def price_at(self, margin_ratio: float) -> float:
        """Price, USD, if that share of it is the vendor's; what the catalogue says where no cost is known.

        Raises:
            ValueError: the margin is not in [0, 1).
        """
        if not 0 <= margin_ratio < 1:
            raise ValueError(f"a vendor's margin is a share of the price, from 0 to below 1; got {margin_ratio}")
        return self.vendor_cost.typical / (1 - margin_ratio) if self.vendor_cost else self.price.typical


class Laser(Entry):
    """An external laser module (ELSFP), which feeds engines and is replaced from outside.

    Attributes:
        lasers: in a module.
        power, price: of a module.
        annual_failure: of a module.
        repair_time: from the failure to a working replacement.
    """

    lasers: CountFigure
    power: WattsFigure
    price: DollarsFigure
    annual_failure: PerYearFigure
    repair_time: SecondsFigure
    first_year: CountFigure


class Supply(Entry):
    """What is known of the supply of a kind of module, in units of the whole world; None where nothing is.

    Attributes:
        shipped_2025, shipped_2026: in the year.
        orders: known to be ordered, not yet delivered.
        largest_order, second_order: of these, to one supplier each.
        order_value: of all orders.
        order_price: what a unit costs in them; shown with the order, never used as a price.
        largest_share: of one supplier.
        lead_year: year in which what is ordered now arrives.
        first_year: of volume.
    """

    shipped_2025: CountFigure | None = None
    shipped_2026: CountFigure | None = None
    orders: CountFigure | None = None
    largest_order: CountFigure | None = None
    second_order: CountFigure | None = None
    order_value: DollarsFigure | None = None
    order_price: DollarsFigure | None = None
    largest_share: RatioFigure | None = None
    lead_year: CountFigure | None = None
    first_year: CountFigure | None = None
