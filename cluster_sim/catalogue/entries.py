"""What the catalogue knows of each kind of part. All rates are per direction, all powers as their docstring says."""

from typing import Literal

from pydantic import model_validator

from cluster_sim.catalogue.figure import (
    BytesFigure,
    BytesPerSecondFigure,
    CountFigure,
    DecibelsFigure,
    DollarsFigure,
    DollarsPerJouleFigure,
    Figure,
    FlopPerSecondFigure,
    JoulesPerBitFigure,
    KelvinFigure,
    MetresFigure,
    PerYearFigure,
    RatioFigure,
    SecondsFigure,
    SecondsPerMetreFigure,
    WattsFigure,
)
from cluster_sim.core import Spec


class Entry(Spec):
    """Base of catalogue entries."""

    title: str

    @property
    def figures(self) -> dict[str, Figure]:
        """Every figure of the entry by its name."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in values.items() if isinstance(value, Figure)}

    @property
    def unverified(self) -> tuple[str, ...]:
        """Names of the figures for which no source was retrieved."""
        return tuple(name for name, figure in self.figures.items() if figure.is_unverified)


class Technology(Entry):
    """A way to carry a link: copper cable, pluggable module, or near- or co-packaged engine.

    Attributes:
        form: ``cable`` has both ends in its price; ``module`` and ``engine`` are priced per end.
        retimed: True where a DSP or retimer regenerates the signal.
        light: where it comes from; None for copper.
        external_laser: name of the laser module that feeds the ends of an engine; its failures are its own, its power
            and price are in the engine's.
        replaced: what is taken out when an end fails.
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
    first_year: CountFigure | None = None

    @model_validator(mode="after")
    def _optics_are_complete(self) -> "Technology":
        optics = (self.fibre_pairs, self.optical_margin, self.reacquisition)
        if self.medium == "optical" and any(figure is None for figure in optics):
            raise ValueError("an optical technology needs fibre_pairs, optical_margin and reacquisition")
        return self


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
    first_year: CountFigure | None = None


class Supply(Entry):
    """What is known of the supply of a kind of module, in units (``rate`` of it each) of the whole world.

    Attributes:
        shipped_2025, shipped_2026: in the year.
        orders: known to be ordered, not yet delivered.
        largest_share: of one supplier.
        lead_year: year in which what is ordered now arrives.
    """

    shipped_2025: CountFigure | None = None
    shipped_2026: CountFigure | None = None
    orders: CountFigure | None = None
    largest_share: RatioFigure | None = None
    lead_year: CountFigure | None = None


class Switch(Entry):
    """A packet switch without its optics.

    Attributes:
        bandwidth: sum of all ports, per direction.
        max_ports: highest radix, whatever the port rate.
        latency: port to port.
        power: typical, without optics.
        idle_power: without traffic; as ``power`` where it is not given.
        power_with_optics: published with its own co-packaged optics, which are counted as engines and not in ``power``.
        price: without optics.
        cage_power: that a pluggable module may draw, with the cooling that the switch has.
        liquid_cage_power: with liquid-cooled cages.
        max_power: of the chassis with its optics.
        annual_failure: of the whole switch.
        repair_time: from the failure to a working replacement.
    """

    optics: Literal["pluggable", "co-packaged"]
    cooling: Literal["air", "liquid"]
    bandwidth: BytesPerSecondFigure
    max_ports: CountFigure
    latency: SecondsFigure
    power: WattsFigure
    idle_power: WattsFigure | None = None
    power_with_optics: WattsFigure | None = None
    price: DollarsFigure
    cage_power: WattsFigure | None = None
    liquid_cage_power: WattsFigure | None = None
    max_power: WattsFigure | None = None
    annual_failure: PerYearFigure
    repair_time: SecondsFigure
    first_year: CountFigure | None = None

    def num_ports(self, port_rate_bytes_per_s: float) -> int:
        """Ports of that rate: bandwidth divided by rate, at most ``max_ports``."""
        return int(min(self.bandwidth.typical / port_rate_bytes_per_s * (1 + 1e-9), self.max_ports.typical))


class Nic(Entry):
    """What joins one accelerator to the fabric. ``host_link`` is the rate of its link to the accelerator."""

    rate: BytesPerSecondFigure
    host_link: BytesPerSecondFigure
    latency: SecondsFigure
    power: WattsFigure
    price: DollarsFigure
    annual_failure: PerYearFigure
    repair_time: SecondsFigure


class Ocs(Entry):
    """An optical circuit switch. ``power`` is of the chassis; ``latency`` is the light path inside."""

    kind: Literal["mems", "liquid-crystal", "piezo", "silicon-photonics", "robotic"]
    ports: CountFigure
    insertion_loss: DecibelsFigure
    switch_time: SecondsFigure
    power: WattsFigure
    price_per_port: DollarsFigure
    annual_failure: PerYearFigure
    repair_time: SecondsFigure
    latency: SecondsFigure
    first_year: CountFigure | None = None


class ScaleUp(Entry):
    """A scale-up link (NVLink, UALink).

    Attributes:
        bandwidth: per accelerator and direction.
        reach: of its copper, from accelerator to switch.
        largest_domain: accelerators that one network of it can join.
        latency: accelerator to accelerator.
        efficiency: that a large ring reaches of the bandwidth.
        reduces: True where its switches can reduce and multicast.
    """

    bandwidth: BytesPerSecondFigure
    reach: MetresFigure
    largest_domain: CountFigure
    latency: SecondsFigure
    efficiency: RatioFigure
    reduces: bool = False


class Accelerator(Entry):
    """A GPU and its share of the server.

    Attributes:
        scale_up: name of its scale-up link.
        scale_up_domain: accelerators joined by it.
        peak_bf16, peak_fp8, peak_fp4: dense.
        power: of the accelerator alone.
        host_power: of the server, per accelerator, its own NIC included.
        included_nic_power: of that NIC.
        price: with its share of the server.
        annual_failure: interruptions by the accelerator, its memory and its scale-up links.
        host_annual_failure: interruptions by the rest of a server, without NICs.
        repair_time: of a server that is taken out.
        compute: name of what its kernels reach of the peaks.
        processors: streaming multiprocessors.
    """

    compute: str
    scale_up: str
    scale_up_domain: CountFigure
    accelerators_per_host: CountFigure
    peak_bf16: FlopPerSecondFigure
    peak_fp8: FlopPerSecondFigure | None = None
    peak_fp4: FlopPerSecondFigure | None = None
    processors: CountFigure
    memory: BytesFigure
    memory_bandwidth: BytesPerSecondFigure
    power: WattsFigure
    host_power: WattsFigure
    included_nic_power: WattsFigure
    price: DollarsFigure
    annual_failure: PerYearFigure
    host_annual_failure: PerYearFigure
    repair_time: SecondsFigure


class Constants(Spec):
    """Single figures that belong to no part.

    Attributes:
        rack_power_air, rack_power_liquid: that a rack may draw.
        detection_time: from a failure to the job's noticing it.
        restart_time: from that to the first step, without waiting for a spare server.
        reroute_time: from the failure of a link inside the network to traffic around it.
        retry_time: that transports go on trying before the job is lost.
        flap_time: mean time that a flapping link is down.
        rewire_time: to lead an optical circuit around what has failed.
        software_failure: interruptions by software and unplanned maintenance, per accelerator.
        laser_activation_ev: activation energy of laser failures, electronvolt.
        laser_temperature: of the module's case, that annual failures of lasers hold for.
    """

    fec_latency: SecondsFigure
    pue: RatioFigure
    electricity_price: DollarsPerJouleFigure
    hours_per_year: CountFigure
    fibre_trunk_price: DollarsFigure
    patch_port_price: DollarsFigure
    circulator_loss: DecibelsFigure
    link_efficiency: RatioFigure
    rack_power_air: WattsFigure
    rack_power_liquid: WattsFigure
    detection_time: SecondsFigure
    restart_time: SecondsFigure
    reroute_time: SecondsFigure
    retry_time: SecondsFigure
    flap_time: SecondsFigure
    rewire_time: SecondsFigure
    software_failure: PerYearFigure
    laser_activation_ev: CountFigure
    laser_temperature: KelvinFigure
