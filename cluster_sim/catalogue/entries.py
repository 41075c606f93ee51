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
        rate: per direction, of one module or cable; it may carry several ports.
        power: per end, the external laser of a CPO or NPO engine included.
        latency: added per end, without FEC.
        annual_failure: per end, or per cable.
        fibre_pairs: each takes one OCS port.
        optical_margin: loss that the link budget has left for an OCS.
        reacquisition: from light to data after an OCS has switched.
    """

    medium: Literal["copper", "optical"]
    form: Literal["cable", "module", "engine"]
    retimed: bool
    rate: BytesPerSecondFigure
    reach: MetresFigure
    power: WattsFigure
    latency: SecondsFigure
    price: DollarsFigure
    propagation: SecondsPerMetreFigure
    annual_failure: PerYearFigure
    fibre_pairs: CountFigure | None = None
    optical_margin: DecibelsFigure | None = None
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


class Switch(Entry):
    """A packet switch without its optics.

    Attributes:
        bandwidth: sum of all ports, per direction.
        max_ports: highest radix, whatever the port rate.
        latency: port to port.
        power: typical, without optics.
        price: without optics.
    """

    optics: Literal["pluggable", "co-packaged"]
    cooling: Literal["air", "liquid"]
    bandwidth: BytesPerSecondFigure
    max_ports: CountFigure
    latency: SecondsFigure
    power: WattsFigure
    price: DollarsFigure
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


class Ocs(Entry):
    """An optical circuit switch. ``power`` is of the chassis; ``latency`` is the light path inside."""

    kind: Literal["mems", "liquid-crystal", "piezo", "silicon-photonics", "robotic"]
    ports: CountFigure
    insertion_loss: DecibelsFigure
    switch_time: SecondsFigure
    power: WattsFigure
    price_per_port: DollarsFigure
    annual_failure: PerYearFigure
    latency: SecondsFigure


class ScaleUp(Entry):
    """A scale-up link (NVLink): ``bandwidth`` per accelerator and direction; ``latency`` accelerator to accelerator.

    ``reduces`` where its switches can reduce and multicast.
    """

    bandwidth: BytesPerSecondFigure
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


class Constants(Spec):
    """Single figures that belong to no part."""

    fec_latency: SecondsFigure
    pue: RatioFigure
    electricity_price: DollarsPerJouleFigure
    hours_per_year: CountFigure
    fibre_trunk_price: DollarsFigure
    patch_port_price: DollarsFigure
    circulator_loss: DecibelsFigure
    link_efficiency: RatioFigure
