"""Tori of accelerators: each is joined to its neighbours, and passes on the traffic of others."""

from dataclasses import replace
from math import prod
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from cluster_sim.core import NotBuildableError
from cluster_sim.tables import Array, Fabric
from cluster_sim.topology.base import TOPOLOGIES, Equipment, Topology
from cluster_sim.topology.floor_plan import FloorPlan
from cluster_sim.topology.graph import Joins, build_graph


@TOPOLOGIES.register("torus")
class Torus(Topology):
    """One, two or three dimensions, twisted or not; every accelerator drives two links of each dimension.

    Cubes of ``cube`` a side stand in racks of their own: links inside one are of the tier ``leaf_spine``, all others of
    ``spine_core``. A torus is twisted where a side is k and another 2k: whoever goes round a side of k arrives half way
    along every side of 2k [Camara et al. 2010; Jouppi et al. 2023].

    Attributes:
        shape: accelerators in each dimension, the last varying fastest with the rank.
        twisted: see above.
        cube: side of a cube.
    """

    kind: Literal["torus"] = "torus"
    shape: tuple[int, ...] = Field(min_length=1, max_length=3)
    twisted: bool = False
    cube: int = Field(4, ge=1)
    floor: FloorPlan = FloorPlan()

    @model_validator(mode="after")
    def _can_be_twisted(self) -> "Torus":
        if min(self.shape) < 1:
            raise ValueError(f"shape {list(self.shape)}: every side has at least one accelerator")
        check_twist(self.shape, self.twisted)
        return self

    @property
    def own_size(self) -> int:
        """See Topology.own_size."""
        return prod(self.shape)

    def build(self, equipment: Equipment) -> Fabric:
        """See Topology.build."""
        check_size("torus", self.shape, equipment)
        near, far, _ = joined_torus(self.shape, self.twisted, self.cube)
        place = np.stack(np.unravel_index(np.arange(prod(self.shape)), self.shape))
        cubes = tuple(-(-side // self.cube) for side in self.shape)
        cube = np.ravel_multi_index(tuple(place // self.cube), cubes)
        seat = np.argsort(np.argsort(cube, kind="stable"), kind="stable")
        fabric = build_graph(Joins(near, far), len(seat), 0, equipment, self.floor, seat)
        return replace(fabric, torus=self.shape)


def check_size(what: str, shape: tuple[int, ...], equipment: Equipment) -> None:
    """NotBuildableError unless the shape has as many places as there are accelerators."""
    if prod(shape) != equipment.num_endpoints:
        raise NotBuildableError(
            (f"a {what} of {' x '.join(map(str, shape))} has {prod(shape)} accelerators, not "
             f"{equipment.num_endpoints}; change the shape",)
        )  # fmt: skip


def check_twist(shape: tuple[int, ...], twisted: bool) -> None:
    """ValueError unless sides are k and 2k, where it is twisted."""
    if twisted and {side / min(shape) for side in shape} != {1, 2}:
        raise ValueError(f"shape {list(shape)} cannot be twisted; sides are k or 2k, and both occur")


def joined_torus(shape: tuple[int, ...], twisted: bool, cube: int) -> tuple[Array, Array, Array]:
    """(joins inside cubes int64[n, 2], joins between them int64[m, 2], dimension of each of these int64[m])."""
    place = np.stack(np.unravel_index(np.arange(prod(shape)), shape))
    parts = [neighbours(shape, axis, twisted) for axis in range(len(shape))]
    joined, axis = np.concatenate(parts), np.repeat(np.arange(len(shape)), [len(part) for part in parts])
    step = place[axis, joined[:, 0]]
    in_cube = (step % cube != cube - 1) & (step != np.array(shape)[axis] - 1)
    return joined[in_cube], joined[~in_cube], axis[~in_cube]


def neighbours(shape: tuple[int, ...], axis: int, twisted: bool) -> Array:
    """int64[n, 2]: each accelerator and the next one along ``axis``: twice the same for a side of 2, none for 1."""
    if shape[axis] == 1:
        return np.zeros((0, 2), np.int64)
    place = np.stack(np.unravel_index(np.arange(prod(shape)), shape))
    onward = place.copy()
    onward[axis] += 1
    is_round = onward[axis] == shape[axis]
    onward[axis, is_round] = 0
    if twisted and shape[axis] == min(shape):
        for other in np.flatnonzero(np.array(shape) == 2 * min(shape)):
            onward[other, is_round] = (onward[other, is_round] + min(shape)) % shape[other]
    return np.stack([np.arange(prod(shape)), np.ravel_multi_index(tuple(onward), shape)], axis=1)
