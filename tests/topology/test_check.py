"""What is found wrong: each kind of damage done to a good fabric is told by name, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from cluster_sim.tables import Links
from cluster_sim.topology import Clos, check
from tests.networks import SMALL, equipment, links_of_tier, small_fabric, small_interconnect

PARTS = equipment(24, ports=8, per_host=4)


def fabric():
    """3 pods of 8 accelerators: 2 leaves, 2 spines each."""
    return Clos(pod_accelerators=8).build(PARTS)


def changed(good, **columns):
    """The fabric with other columns in its links."""
    names = ("src", "dst", "tier", "bundle", "capacity_bytes_per_s", "latency_s", "length_m")
    return replace(good, links=Links(**{name: columns.get(name, getattr(good.links, name)) for name in names}))


def problems(found):
    """By what was checked, only what is wrong."""
    return {finding.what: finding.problems for finding in found if finding.problems}


@pytest.mark.parametrize("name", SMALL)
def test_a_good_fabric_has_nothing_wrong(name):
    interconnect = small_interconnect(8, leaf_spine="1.6t-dsp-dr8", spine_core="1.6t-dsp-dr8")
    found = check(small_fabric(name), interconnect)
    assert problems(found) == {}
    assert [finding.what for finding in found] == ["connectivity", "ports", "reach", "symmetry", "paths"]
    assert all(finding.looked_at for finding in found)


def test_a_switch_with_too_many_links_is_told_by_name():
    """The same fabric of 8-port switches against switches with 6: those that use more are named."""
    good = fabric()
    told = problems(check(good, small_interconnect(6).model_copy(update={"switch": "tomahawk6"})))
    assert set(told) == {"ports"}
    used = np.bincount(good.links.src, minlength=len(good.node_kind))
    wrong = [node for node in np.flatnonzero(used > 6) if good.node_kind[node] >= 2]
    assert f"leaf {wrong[0]} has 8 links that take 8 ports of 800G; tomahawk6 has 6" == told["ports"][0]
    assert len(told["ports"]) == min(len(wrong), 8) + (len(wrong) > 8)


def test_a_cable_that_is_too_long_is_told_by_name():
    good = fabric()
    link = int(links_of_tier(good, "leaf_spine")[4])
    length_m = good.links.length_m.copy()
    length_m[link] = 501.0
    told = problems(check(changed(good, length_m=length_m), PARTS.interconnect))
    assert list(told) == ["reach"]
    (line,) = told["reach"]
    assert line.startswith(f"leaf_spine link {link} (leaf ")
    assert line.endswith("is 501.0 m long; 800g-dsp-dr8 reaches 500 m")


def test_a_link_that_is_slower_one_way_is_told():
    good = fabric()
    link = int(links_of_tier(good, "spine_core")[6])
    capacity = good.links.capacity_bytes_per_s.copy()
    capacity[link + 1] /= 2
    told = problems(check(changed(good, capacity_bytes_per_s=capacity), PARTS.interconnect))
    assert list(told) == ["symmetry"]
    (line,) = told["symmetry"]
    assert line.startswith(f"spine_core link {link} ")
    assert line.endswith("carries 768G there and 384G back")


def test_a_link_without_capacity_is_told():
    good = fabric()
    link = int(links_of_tier(good, "host_leaf")[2])
    capacity = good.links.capacity_bytes_per_s.copy()
    capacity[[link, link + 1]] = 0.0
    told = problems(check(changed(good, capacity_bytes_per_s=capacity), PARTS.interconnect))
    assert [line.split(" (")[0] for line in told["symmetry"]] == [
        f"host_leaf link {link}",
        f"host_leaf link {link + 1}",
    ]


def test_a_node_that_is_cut_off_is_told_with_the_paths_that_miss_it():
    """What led to a core switch ends at endpoint 0, what left it begins at 1: paths do not meet there any more."""
    good = fabric()
    core = int(good.links.dst[links_of_tier(good, "spine_core")[0]])
    src, dst = good.links.src.copy(), good.links.dst.copy()
    src[src == core], dst[dst == core] = 1, 0
    told = problems(check(changed(good, src=src, dst=dst), PARTS.interconnect))
    assert told["connectivity"] == (f"core {core} cannot be reached from endpoint 0",)
    assert all("does not lead there" in line or "more like these" in line for line in told["paths"])


def test_a_one_way_street_is_told():
    """Endpoint 5 hears but cannot speak: both its links up go to itself."""
    good = fabric()
    dst = good.links.dst.copy()
    dst[good.links.src == 5] = 5
    told = problems(check(changed(good, dst=dst), PARTS.interconnect))
    assert "endpoint 5 cannot reach endpoint 0" in told["connectivity"]
    assert sum("not one cable both ways" in line for line in told["symmetry"]) == 2


class NoPathsFromTwo:
    """The paths of a fabric, but none from endpoint 2."""

    def __init__(self, paths):
        self.paths = paths

    def count(self, src, dst, circuits):
        return np.where(src == 2, 0, self.paths.count(src, dst, circuits))

    def links(self, src, dst, choice, circuits):
        return self.paths.links(src, dst, choice, circuits)


def test_pairs_without_a_path_are_counted_and_the_first_named():
    """From endpoint 2 to 23 others: 8 are named."""
    good = fabric()
    told = problems(check(replace(good, paths=NoPathsFromTwo(good.paths)), PARTS.interconnect))
    assert list(told) == ["paths"]
    assert told["paths"][0] == "endpoint 2 has no path to endpoint 0"
    assert told["paths"][-1] == "and 15 more like these"


def test_everything_is_told_at_once():
    good = fabric()
    length_m, capacity = good.links.length_m.copy(), good.links.capacity_bytes_per_s.copy()
    length_m[links_of_tier(good, "host_leaf")], capacity[links_of_tier(good, "leaf_spine")[::2]] = 1e4, 1.0
    broken = replace(changed(good, length_m=length_m, capacity_bytes_per_s=capacity), paths=NoPathsFromTwo(good.paths))
    told = problems(check(broken, small_interconnect(6)))
    assert set(told) == {"ports", "reach", "symmetry", "paths"}
    assert told["reach"][-1] == "and 40 more like these"


def test_many_pairs_are_sampled_and_the_finding_says_so():
    found = check(Clos().build(equipment(400, ports=64)), small_interconnect(64))
    assert any("a sample of" in finding.looked_at for finding in found)
    assert "all 552 pairs" in check(fabric(), PARTS.interconnect)[-1].looked_at
