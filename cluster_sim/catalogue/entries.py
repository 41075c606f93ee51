"""What the catalogue knows of each kind of part. All rates are per direction, all powers as their docstring says."""

from typing import Literal

from cluster_sim.catalogue.figure import (
    BytesFigure,
    BytesPerSecondFigure,
    CountFigure,
    DecibelsFigure,
    DollarsFigure,
    DollarsPerJouleFigure,
    Figure,
    FlopPerSecondFigure,
    KelvinFigure,
    MetresFigure,
    PerYearFigure,
    RatioFigure,
    SecondsFigure,
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


class Switch(Entry):
    """A packet switch without its optics.

    Attributes:
        bandwidth: sum of all ports, per direction.
        max_ports: highest radix, whatever the port rate.
        latency: port to port.
        power: typical, without optics.
        idle_power: without traffic.
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
    idle_power: WattsFigure
    power_with_optics: WattsFigure | None = None
    price: DollarsFigure
    cage_power: WattsFigure | None = None
    liquid_cage_power: WattsFigure | None = None
    max_power: WattsFigure | None = None
    annual_failure: PerYearFigure
    repair_time: SecondsFigure
    first_year: CountFigure

    def power_w(self, load_ratio: float = 1.0) -> float:
        """Draw without optics, W, while it forwards that share of its bandwidth."""
        idle_w = min(self.idle_power.typical, self.power.typical)
        return idle_w + (self.power.typical - idle_w) * load_ratio

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
    first_year: CountFigure


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
