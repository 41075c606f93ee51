"""Slow links: both ways, named or drawn, and who gets into the network through them."""

import numpy as np
import pytest

from cluster_sim.core import ConfigError
from cluster_sim.run import simulate
from cluster_sim.tables import COMPUTE, TASK_KINDS
from cluster_sim.topology import FailedLinks, SlowLinks, access_classes
from tests.networks import links_of_tier, small_fabric
from tests.small import small_run


@pytest.fixture
def fabric():
    return small_fabric("fat tree")


def slowed(fabric, *links, **fields):
    return SlowLinks(links=links, **fields).slowed_in(fabric, np.random.default_rng(1))


def kept(before, after):
    """What is left of the capacity of each link."""
    return after.links.capacity_bytes_per_s / before.links.capacity_bytes_per_s


def test_a_slow_cable_keeps_its_share_both_ways_and_no_other_changes(fabric):
    ratio = kept(fabric, slowed(fabric, 10, capacity_ratio=0.25))
    assert np.flatnonzero(ratio != 1).tolist() == [10, 11]
    assert ratio[[10, 11]] == pytest.approx(0.25, rel=1e-15)


def test_ends_name_all_cables_between_them(fabric):
    up = links_of_tier(fabric, "leaf_spine")[0]
    name = fabric.link_name(up).partition("(")[2].rstrip(")").replace("->", "-")
    ratio = kept(fabric, slowed(fabric, name))
    between = (fabric.links.src == fabric.links.src[up]) & (fabric.links.dst == fabric.links.dst[up])
    assert (ratio[between] == 0.5).all()
    assert np.count_nonzero(ratio != 1) == 2 * np.count_nonzero(between)


def test_a_drawn_share_is_of_cables_between_switches_and_depends_on_the_seed(fabric):
    up = np.concatenate([links_of_tier(fabric, tier)[::2] for tier in ("leaf_spine", "spine_core")])
    first, again, other = (
        kept(fabric, SlowLinks(ratio=0.25).slowed_in(fabric, np.random.default_rng(seed))) for seed in (1, 1, 2)
    )
    slow = np.flatnonzero(first != 1)[::2]
    assert len(slow) == round(0.25 * len(up))
    assert np.isin(slow, up).all()
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_slow_link_that_has_failed_stays_dark(fabric):
    dark = FailedLinks(links=(10,)).removed_from(fabric, np.random.default_rng(1))
    assert slowed(dark, 10).links.capacity_bytes_per_s[[10, 11]].tolist() == [0.0, 0.0]


def test_no_slow_links_are_the_same_fabric(fabric):
    assert slowed(fabric) is fabric


def test_mistakes_are_told_together(fabric):
    with pytest.raises(ConfigError) as error:
        slowed(fabric, 10**6, "leaf 0 - leaf 1", "nonsense", ratio=0.1, tiers=("moon",))
    assert len(error.value.problems) == 4
    assert all(problem.startswith("slow_links: ") for problem in error.value.problems)


def test_endpoints_differ_by_what_is_left_of_their_own_links_alone(fabric):
    """Two ports at half rate and one at a quarter: three kinds; a slow link between switches makes none."""
    up = links_of_tier(fabric, "host_leaf")[::2]
    half = slowed(fabric, int(up[3]), int(up[7]), int(links_of_tier(fabric, "leaf_spine")[0]))
    both = slowed(half, int(up[5]), capacity_ratio=0.25)
    found = access_classes(fabric, both)
    ends = fabric.links.src[up]
    assert found[ends[3]] == found[ends[7]] != found[ends[5]]
    others = np.delete(found, ends[[3, 5, 7]])
    assert len(set(others.tolist())) == 1
    assert len(np.unique(found)) == 3


def test_lengths_of_cables_separate_nobody(fabric):
    assert not access_classes(fabric, fabric).any()


def test_a_run_names_slow_links_by_their_capacity_and_tells_replicas_apart(tmp_path):
    """The port of accelerator 0 at half rate: its capacity in links.arrow, and its replica a class of its own."""
    healthy = simulate(small_run(tmp_path), tmp_path / "a")
    rows = healthy.tables["links"].to_pylist()
    port = next(row["link"] for row in rows if row["src"] == 0 and row["tier"] == "host_leaf")
    run = simulate(small_run(tmp_path, f"slow_links.links=[{port}]"), tmp_path / "b")
    slow = run.tables["links"].to_pylist()
    changed = [
        row["link"] for row, old in zip(slow, rows, strict=True)
        if row["capacity_bytes_per_s"] != old["capacity_bytes_per_s"]
    ]  # fmt: skip
    assert changed == [port, port + 1]
    assert slow[port]["capacity_bytes_per_s"] == pytest.approx(rows[port]["capacity_bytes_per_s"] / 2, rel=1e-15)
    assert run.summary["step_time_s"][0].as_py() > healthy.summary["step_time_s"][0].as_py()
    assert "replica" not in healthy.tables["tasks"].column_names
    tasks = run.tables["tasks"].to_pylist()
    computes = {(row["stage"], row["replica"]) for row in tasks if row["kind"] == TASK_KINDS[COMPUTE]}
    assert computes == {(stage, replica) for stage in (0, 1) for replica in (0, 1)}
