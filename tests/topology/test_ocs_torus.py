"""Slices of cubes joined by circuits."""

import numpy as np
import pytest

from cluster_sim.core import NotBuildableError
from cluster_sim.routing import Spray
from cluster_sim.tables import NODE_KINDS, NONE, Traffic
from cluster_sim.topology import FloorPlan, OcsTorus, Torus
from tests.networks import all_pairs, equipment, links_of_tier, time_s


@pytest.mark.parametrize("twisted", [False, True])
def test_circuits_make_the_same_torus_as_cables(twisted):
    """Neighbours, distances and all-to-all are those of the plain torus of the shape, up to the light's way."""
    shape = (4, 4, 8)
    slice_, plain = (kind(shape=shape, twisted=twisted).build(equipment(128)) for kind in (OcsTorus, Torus))
    src, dst = all_pairs(plain)
    assert slice_.paths.count(src, dst, None).tolist() == plain.paths.count(src, dst, None).tolist()
    traffic = Traffic.between(src, dst, 1e9)
    assert time_s(traffic, slice_, Spray()) == pytest.approx(time_s(traffic, plain, Spray()), rel=1e-4)


def test_opposite_faces_of_all_cubes_meet_in_one_ocs_for_each_dimension_and_place():
    """3 x 16 OCS; each joins the + and - fibres of 2 cubes, 4 links."""
    fabric = OcsTorus(shape=(4, 4, 8)).build(equipment(128))
    ocs = np.flatnonzero(fabric.node_kind == NODE_KINDS.index("ocs"))
    assert len(ocs) == 48
    up = links_of_tier(fabric, "spine_ocs")[::2]
    assert np.bincount(fabric.links.dst[up])[ocs].tolist() == [4] * 48
    assert len(links_of_tier(fabric, "leaf_spine")) == 2 * 288


def test_every_accelerator_uses_each_of_its_six_ports_once():
    fabric = OcsTorus(shape=(8, 4, 8)).build(equipment(256))
    edges = fabric.paths.edges
    assert np.diff(edges.starts).tolist() == [6] * 256
    used = np.concatenate([edges.link, edges.far_link[edges.far_link != NONE]])
    assert len(np.unique(used)) == len(used), "no link belongs to two circuits"


def test_a_failed_cube_is_swapped_by_switching_circuits():
    """The slice is the same; what stood in rack 1 stands in rack 2 now, so that cables into the OCS are longer."""
    floor = FloorPlan(accelerators_per_rack=64, racks_per_row=8)
    whole, swapped = (
        OcsTorus(shape=(4, 4, 8), installed_cubes=4, failed_cubes=failed, floor=floor).build(equipment(128))
        for failed in ((), (1,))
    )
    src, dst = all_pairs(whole)
    assert whole.paths.count(src, dst, None).tolist() == swapped.paths.count(src, dst, None).tolist()
    assert np.array_equal(whole.links.dst, swapped.links.dst)
    assert not np.array_equal(whole.links.length_m, swapped.links.length_m)


def test_a_slice_needs_cubes_that_work_and_ports_for_all_of_them():
    with pytest.raises(NotBuildableError, match="needs 2 cubes, 1 of 2 work"):
        OcsTorus(shape=(4, 4, 8), installed_cubes=2, failed_cubes=(0,)).build(equipment(128))
    with pytest.raises(NotBuildableError, match="ports, 65 cubes need two each"):
        OcsTorus(shape=(4, 4, 8), installed_cubes=65).build(equipment(128))
    with pytest.raises(NotBuildableError, match="999999999999 cubes need two each"):
        OcsTorus(shape=(4, 4, 8), installed_cubes=999_999_999_999).build(equipment(128))
    with pytest.raises(NotBuildableError, match="cube 7 has failed, but the pod has 3 cubes"):
        OcsTorus(shape=(4, 4, 8), failed_cubes=(7,)).build(equipment(128))
    with pytest.raises(NotBuildableError, match="has 128 accelerators, not 127"):
        OcsTorus(shape=(4, 4, 8)).build(equipment(127))
    with pytest.raises(ValueError, match="every side is a multiple of 4"):
        OcsTorus(shape=(4, 6, 8))
    with pytest.raises(ValueError, match="cubes are numbered from 0"):
        OcsTorus(shape=(4, 4, 8), failed_cubes=(-1,))
