"""What every topology is: a Spec that builds a Fabric from parts."""

from abc import abstractmethod
from dataclasses import dataclass, replace

from cluster_sim.catalogue import Accelerator, Interconnect
from cluster_sim.core import NotBuildableError, Registry, Spec
from cluster_sim.tables import Fabric
from cluster_sim.topology.floor_plan import FloorPlan
from cluster_sim.topology.scale_up import ScaleUpDomain
from cluster_sim.topology.scale_up_links import too_long, with_lengths, with_technology


@dataclass(frozen=True, slots=True)
class Equipment:
    """What a topology is built from.

    Attributes:
        num_endpoints: accelerators to join.
        accelerator: their catalogue entry.
        interconnect: technologies, switches and NICs.
    """

    num_endpoints: int
    accelerator: Accelerator
    interconnect: Interconnect


class Topology(Spec):
    """Base of all topologies.

    Attributes:
        scale_up: the domains inside which accelerators are joined besides.
    """

    scale_up: ScaleUpDomain = ScaleUpDomain()

    @property
    def own_size(self) -> int | None:
        """Accelerators that its description asks for; None where it joins any number."""
        return None

    @property
    def hall(self) -> FloorPlan | None:
        """Where racks stand; None where its description has all lengths."""
        hall: FloorPlan | None = getattr(self, "floor", None)
        return hall

    def fabric(self, equipment: Equipment) -> Fabric:
        """What ``build`` makes, with scale-up domains and their links as asked for; raises as it does."""
        sized = replace(equipment, accelerator=self.scale_up.sized(equipment.accelerator))
        accelerator, per_switch = sized.accelerator, self.scale_up.per_switch
        far = too_long(sized.interconnect, accelerator, per_switch, self.hall)
        try:
            built = self.scale_up.joined(self.build(sized), accelerator)
        except NotBuildableError as error:
            raise NotBuildableError((*error.args[0], *far)) from None
        if far:
            raise NotBuildableError(far)
        if self.hall is None:
            return built
        laid = with_lengths(built, accelerator, per_switch, self.hall)
        return replace(laid, links=with_technology(laid.links, laid.tiers, sized.interconnect))

    @abstractmethod
    def build(self, equipment: Equipment) -> Fabric:
        """The fabric, with capacities, latencies and lengths; scale-up domains have one switch each.

        Raises:
            NotBuildableError: ports, reach, loss budget or NICs do not allow it; carries every reason.
        """


TOPOLOGIES: Registry[type[Topology]] = Registry("topology")
