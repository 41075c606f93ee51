"""HyperX: switches in a grid, each joined to all others of its line in every dimension [Ahn et al. 2009]."""

from math import prod
from typing import Literal

import numpy as np
from pydantic import Field

from cluster_sim.core import NotBuildableError
from cluster_sim.tables import Array, Fabric
from cluster_sim.topology.base import TOPOLOGIES, Equipment, Topology
from cluster_sim.topology.floor_plan import FloorPlan
from cluster_sim.topology.graph import Joins, all_pairs_of, build_graph, check_switches, no_joins


@TOPOLOGIES.register("hyperx")
class HyperX(Topology):
    """Links in the last dimension are of the tier ``leaf_spine``, those in all others of ``spine_core``.

    Attributes:
        shape: switches in each dimension, the first varying slowest.
        accelerators_per_switch: 0 for as few as hold the job.
        parallel: links between two switches of a line.
    """

    kind: Literal["hyperx"] = "hyperx"
    shape: tuple[int, ...] = Field(min_length=1, max_length=8)
    accelerators_per_switch: int = Field(0, ge=0)
    parallel: int = Field(1, ge=1)
    floor: FloorPlan = FloorPlan()

    def build(self, equipment: Equipment) -> Fabric:
        """See Topology.build."""
        if min(self.shape) < 1:
            raise NotBuildableError((f"shape {list(self.shape)}: every dimension has at least one switch",))
        num_switches = prod(self.shape)
        per_switch = self.accelerators_per_switch or -(-equipment.num_endpoints // num_switches)
        if per_switch * num_switches < equipment.num_endpoints:
            raise NotBuildableError(
                (f"{num_switches} switches with {per_switch} accelerators each hold "
                 f"{per_switch * num_switches}, not {equipment.num_endpoints}; make the shape larger",)
            )  # fmt: skip
        check_switches(num_switches, per_switch, self.parallel * sum(side - 1 for side in self.shape), equipment)
        lines = [np.tile(joined_lines(self.shape, axis), (self.parallel, 1)) for axis in range(len(self.shape))]
        far = np.concatenate(lines[:-1]) if lines[:-1] else no_joins()
        return build_graph(Joins(lines[-1], far), num_switches, per_switch, equipment, self.floor)


def joined_lines(shape: tuple[int, ...], axis: int) -> Array:
    """int64[n, 2]: every pair of switches that differ in ``axis`` alone."""
    lines = np.moveaxis(np.arange(prod(shape)).reshape(shape), axis, -1).reshape(-1, shape[axis])
    pairs = all_pairs_of(np.arange(shape[axis]))
    return lines[:, pairs].reshape(-1, 2)
