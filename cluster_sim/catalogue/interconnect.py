"""An interconnect option: which technology carries each tier, behind which switches and NICs."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

from cluster_sim.catalogue import load
from cluster_sim.catalogue.entries import Nic, Ocs, Switch
from cluster_sim.catalogue.technology import Technology
from cluster_sim.core import BytesPerSecond, Spec, raise_problems

TechnologyName = Annotated[str, AfterValidator(lambda name: load.technology(name) and name)]
SwitchName = Annotated[str, AfterValidator(lambda name: load.switch(name) and name)]
NicName = Annotated[str, AfterValidator(lambda name: load.nic(name) and name)]
OcsName = Annotated[str, AfterValidator(lambda name: load.ocs(name) and name)]


#: Tiers of links into optical circuit switches, by what is at their lower end.
OCS_TIERS = ("host_ocs", "leaf_ocs", "spine_ocs")


class LinkEnds(Spec):
    """The technologies at the two ends of a tier's links; one name in a file stands for both.

    Attributes:
        lower: at the end nearer to the accelerator.
        upper: at the end nearer to the core.
    """

    lower: TechnologyName
    upper: TechnologyName

    @model_validator(mode="before")
    @classmethod
    def _one_for_both(cls, data: Any) -> Any:
        if isinstance(data, str):
            load.technology(data)  # unknown: one mistake, not one per end
            return {"lower": data, "upper": data}
        return data

    @model_validator(mode="after")
    def _fit_together(self) -> "LinkEnds":
        lower, upper = self.technologies
        if self.lower != self.upper and "cable" in (lower.form, upper.form):
            raise ValueError(f"a cable is the same at both ends; got {self.lower!r} and {self.upper!r}")
        if lower.medium != upper.medium:
            raise ValueError(f"{self.lower!r} is {lower.medium}, {self.upper!r} is {upper.medium}: they do not meet")
        return self

    @property
    def technologies(self) -> tuple[Technology, Technology]:
        """The catalogue entries, lower end first."""
        return load.technology(self.lower), load.technology(self.upper)

    @property
    def by_name(self) -> dict[str, Technology]:
        """The catalogue entries by name; one where both ends are alike."""
        return dict(zip((self.lower, self.upper), self.technologies, strict=True))

    @property
    def reach_m(self) -> float:
        """The shorter reach of the two ends."""
        return min(technology.reach.typical for technology in self.technologies)

    @property
    def label(self) -> str:
        """``800g-dsp-dr8`` or ``800g-dsp-dr8 / cpo-800g``."""
        return self.lower if self.lower == self.upper else f"{self.lower} / {self.upper}"


class Interconnect(Spec):
    """One option to compare: tiers to technologies, at one line rate per accelerator.

    Attributes:
        port_rate_bytes_per_s: line rate of one port, per direction; an accelerator has one port, or one that is split.
        nic: what drives the accelerator's port.
        switch: packet switch of every tier.
        host_leaf, leaf_spine, spine_core: technologies of the packet tiers.
        spine_ocs: technology of links into optical circuit switches; ``spine_core`` where it is not given.
        ocs: the circuit switch, where a topology has one.
        circulators: one at each end of a path through it: a fibre carries both ways, so that half the ports do, and
            circuits are two-way. Their price is not known, and not in any bill.
        scale_up: technology of the links inside scale-up domains, as many modules or cables a link as its bandwidth
            takes; None for the copper that is in the accelerator's price, power and latency. A technology that is
            named comes on top of these.
        scale_up_top: technology between the two tiers of switches of a domain that has two; ``scale_up`` where it is
            not given, so that light can join racks of copper.
    """

    port_rate_bytes_per_s: BytesPerSecond = Field(gt=0)
    nic: NicName
    switch: SwitchName
    host_leaf: LinkEnds
    leaf_spine: LinkEnds
    spine_core: LinkEnds
    spine_ocs: LinkEnds | None = None
    ocs: OcsName = "palomar-mems"
    circulators: bool = False
    scale_up: LinkEnds | None = None
    scale_up_top: LinkEnds | None = None

    @model_validator(mode="after")
    def _modules_carry_ports(self) -> "Interconnect":
        tiers = ("host_leaf", "leaf_spine", "spine_core", *(("spine_ocs",) if self.spine_ocs else ()))
        raise_problems("Interconnect", [
            ((tier,), f"{technology.title} is slower than a port; lower port_rate or replace it")
            for tier in tiers
            for technology in dict.fromkeys(self.ends(tier).technologies)
            if technology.rate.typical < self.port_rate_bytes_per_s * (1 - 1e-9)
        ])  # fmt: skip
        return self

    def split(self, num: int) -> Self:
        """The same with every port split into ``num`` of equal rate, as breakout cables do."""
        return self.model_copy(update={"port_rate_bytes_per_s": self.port_rate_bytes_per_s / num})

    def ends(self, tier: str) -> LinkEnds:
        """Technologies at the ends of a tier's links; of scale-up links only where they are named, see ``inside``."""
        if tier in OCS_TIERS:
            return self.spine_ocs or self.spine_core
        ends: LinkEnds | None = self.inside(tier) if tier.startswith("scale_up") else getattr(self, tier)
        assert ends is not None, "these scale-up links are part of the servers"
        return ends

    def inside(self, tier: str) -> LinkEnds | None:
        """Technologies at the ends of scale-up links of a tier; None where they are part of the servers."""
        return (self.scale_up_top or self.scale_up) if tier == "scale_up_top" else self.scale_up

    @property
    def switch_entry(self) -> Switch:
        """The packet switch."""
        return load.switch(self.switch)

    @property
    def nic_entry(self) -> Nic:
        """The network interface."""
        return load.nic(self.nic)

    @property
    def ocs_entry(self) -> Ocs:
        """The circuit switch."""
        return load.ocs(self.ocs)

    @property
    def num_ports(self) -> int:
        """Ports of a switch at the port rate."""
        return self.switch_entry.num_ports(self.port_rate_bytes_per_s)
