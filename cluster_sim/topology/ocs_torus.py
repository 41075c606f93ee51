"""Cubes of accelerators whose faces meet in OCS: tori of any number of cubes, and a spare for one that has failed."""

from dataclasses import replace
from math import prod
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from cluster_sim.core import NotBuildableError
from cluster_sim.tables import Array, Fabric
from cluster_sim.topology.base import TOPOLOGIES, Equipment, Topology
from cluster_sim.topology.floor_plan import FloorPlan
from cluster_sim.topology.graph import Joins, build_graph, no_joins
from cluster_sim.topology.torus import check_size, check_twist, joined_torus


@TOPOLOGIES.register("ocs_torus")
class OcsTorus(Topology):
    """A slice of a pod of cubes as in TPU v4 [Jouppi et al. 2023]: electrical links inside cubes, circuits between.

    Opposite faces of all cubes that have the same place in them meet in one OCS for each dimension, so that a circuit
    can join any cube to any: the slice is the first cubes that work, in the order of the job, wherever they stand.

    Attributes:
        shape: accelerators in each of three dimensions, multiples of ``cube``.
        twisted: as in Torus.
        cube: side of a cube.
        installed_cubes: cubes of the pod; 0 for as many as the slice and the failed ones need.
        failed_cubes: numbers of cubes that are left out; circuits go round them.
    """

    kind: Literal["ocs_torus"] = "ocs_torus"
    shape: tuple[int, ...] = Field(min_length=3, max_length=3)
    twisted: bool = False
    cube: int = Field(4, ge=1)
    installed_cubes: int = Field(0, ge=0)
    failed_cubes: tuple[int, ...] = ()
    floor: FloorPlan = FloorPlan()

    @model_validator(mode="after")
    def _is_made_of_cubes(self) -> "OcsTorus":
        if any(side < 1 or side % self.cube for side in self.shape):
            raise ValueError(f"shape {list(self.shape)}: every side is a multiple of {self.cube}, the side of a cube")
        if self.failed_cubes and min(self.failed_cubes) < 0:
            raise ValueError(f"failed_cubes {list(self.failed_cubes)}: cubes are numbered from 0")
        check_twist(self.shape, self.twisted)
        return self

    @property
    def own_size(self) -> int:
        """See Topology.own_size."""
        return prod(self.shape)

    def build(self, equipment: Equipment) -> Fabric:
        """See Topology.build."""
        check_size("slice", self.shape, equipment)
        place = np.stack(np.unravel_index(np.arange(prod(self.shape)), self.shape))
        cube = np.ravel_multi_index(tuple(place // self.cube), tuple(side // self.cube for side in self.shape))
        within = np.ravel_multi_index(tuple(place % self.cube), (self.cube,) * 3)
        standing = self._working_cubes(int(cube.max()) + 1, equipment)
        near, far, axis = joined_torus(self.shape, self.twisted, self.cube)
        across = np.array([[1, 2], [0, 2], [0, 1]])[axis].T  # the two dimensions of a face
        number = np.ravel_multi_index((axis, *(place[across, far[:, 0]] % self.cube)), (3, self.cube, self.cube))
        circuits = np.concatenate([far, number[:, None]], axis=1)
        seat = standing[cube] * self.cube**3 + within
        fabric = build_graph(Joins(near, no_joins(), circuits), len(seat), 0, equipment, self.floor, seat)
        return replace(fabric, torus=self.shape)

    def _working_cubes(self, num_cubes: int, equipment: Equipment) -> Array:
        """int64[cubes of the slice]: their numbers in the pod."""
        installed = self.installed_cubes or num_cubes + len(set(self.failed_cubes))
        failed = set(self.failed_cubes)
        ports = int(equipment.interconnect.ocs_entry.ports.typical)
        reasons = [
            f"cube {cube} has failed, but the pod has {installed} cubes, numbered from 0; install more, or leave it out"
            for cube in sorted(failed)
            if cube >= installed
        ]
        working = installed - sum(cube < installed for cube in failed)
        if working < num_cubes:
            reasons.append(f"the slice needs {num_cubes} cubes, {working} of {installed} work; install more")
        if 2 * installed > ports:
            reasons.append(f"an OCS has {ports} ports, {installed} cubes need two each")
        if reasons:
            raise NotBuildableError(tuple(reasons))
        return np.setdiff1d(np.arange(installed), self.failed_cubes)[:num_cubes]
