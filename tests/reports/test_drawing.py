"""Pictures of fabrics: written, the same every time, and small whatever the size of the fabric."""

import xml.etree.ElementTree

import numpy as np
import pytest

from cluster_sim.reports import draw_fabric
from cluster_sim.reports.drawing import has_no_layers
from cluster_sim.topology import Clos
from tests.networks import SMALL, equipment, small_fabric
from tests.topology.test_survey import ring


def drawn(fabric, folder):
    return draw_fabric(fabric, [f"part of {tier}" for tier in fabric.tiers], "a $title$", folder)


def words_of(svg):
    """Text in the picture, line by line: matplotlib writes it as a comment before its glyphs."""
    return " ".join(svg.read_text().split())


@pytest.mark.parametrize("name", SMALL)
def test_every_fabric_can_be_drawn(name, tmp_path):
    png, svg = drawn(small_fabric(name), tmp_path)
    assert (png.name, svg.name) == ("topology.png", "topology.svg")
    assert png.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert xml.etree.ElementTree.parse(svg).getroot().tag.endswith("svg")


def test_the_same_fabric_gives_the_same_picture(tmp_path):
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    first, second = (drawn(small_fabric("clos"), tmp_path / folder) for folder in ("a", "b"))
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_the_picture_says_what_it_leaves_out(tmp_path):
    """20 pods of 16 accelerators: pod 0 in full, pods 1 and 19 as boxes, 17 more; what carries each tier."""
    fabric = Clos(pod_accelerators=16).build(equipment(320, ports=32, per_host=4))
    words = words_of(drawn(fabric, tmp_path)[1])
    for told in ("320 accelerators", "80 scale-up domains", "16 in a pod", "pod 1 ", "pod 19", "17 pods", "part of"):
        assert told in words, told


def test_planes_are_told_apart(tmp_path):
    words = words_of(drawn(small_fabric("four planes of two tiers"), tmp_path)[1])
    assert "4 separate planes" in words
    assert "plane 3" in words


@pytest.mark.parametrize("num", [8, 200])
def test_accelerators_joined_to_each_other_are_a_ring_while_they_are_few_and_then_a_matrix(num, tmp_path):
    fabric = ring(num)
    assert has_no_layers(fabric)
    assert f"{num} accelerators" in words_of(drawn(fabric, tmp_path)[1])


def test_a_large_fabric_is_as_small_a_picture(tmp_path):
    """65536 accelerators: a picture of no more than 1 MB, not of every link."""
    fabric = Clos().build(equipment(65536, ports=128, per_host=8))
    assert all(path.stat().st_size < 1e6 for path in drawn(fabric, tmp_path))


def test_drawing_changes_nothing(tmp_path):
    fabric = small_fabric("ocs")
    before = [np.copy(column) for column in (fabric.node_kind, fabric.links.src, fabric.links.dst)]
    drawn(fabric, tmp_path)
    for one, other in zip(before, (fabric.node_kind, fabric.links.src, fabric.links.dst), strict=True):
        assert (one == other).all()
