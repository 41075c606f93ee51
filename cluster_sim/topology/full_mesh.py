"""Full mesh: every switch is joined to every other."""

from itertools import chain
from typing import Literal

import numpy as np
from pydantic import Field

from cluster_sim.core import NotBuildableError
from cluster_sim.tables import Fabric
from cluster_sim.topology.base import TOPOLOGIES, Equipment, Topology
from cluster_sim.topology.floor_plan import FloorPlan
from cluster_sim.topology.graph import Joins, all_pairs_of, build_graph, check_switches, no_joins


@TOPOLOGIES.register("full_mesh")
class FullMesh(Topology):
    """Links between switches are of the tier ``leaf_spine``.

    Attributes:
        accelerators_per_switch: 0 for as many as a switch holds if it has a port for every other one; at most half its
            ports, where that is enough for all.
        parallel: links between two switches; 0 for as many as its ports allow, at most the accelerators below it.
    """

    kind: Literal["full_mesh"] = "full_mesh"
    accelerators_per_switch: int = Field(0, ge=0)
    parallel: int = Field(0, ge=0)
    floor: FloorPlan = FloorPlan()

    def build(self, equipment: Equipment) -> Fabric:
        """See Topology.build."""
        ports, n = equipment.interconnect.num_ports, equipment.num_endpoints
        per_switch = self.accelerators_per_switch or _most_below(n, ports, max(self.parallel, 1))
        num_switches = -(-n // per_switch)
        others = num_switches - 1
        parallel = self.parallel or max(min((ports - per_switch) // max(others, 1), per_switch), 1)
        check_switches(num_switches, per_switch, others * parallel, equipment)
        pairs = np.tile(all_pairs_of(np.arange(num_switches)), (parallel, 1))
        return build_graph(Joins(pairs, no_joins()), num_switches, per_switch, equipment, self.floor)


def _most_below(num_endpoints: int, ports: int, parallel: int) -> int:
    """The most accelerators, first up to half the ports, that leave a switch a port to every other one."""
    for per_switch in chain(range(ports // 2, 0, -1), range(ports, ports // 2, -1)):
        if per_switch + (-(-num_endpoints // per_switch) - 1) * parallel <= ports:
            return per_switch
    raise NotBuildableError(
        (f"a full mesh of {ports}-port switches does not hold {num_endpoints} accelerators; use hyperx, dragonfly or "
         "a fat-tree",)
    )  # fmt: skip
