"""Compute that slows down beside communication."""

import pytest

from cluster_sim.engine.clock import Clock
from cluster_sim.engine.pace import Pace


def ends(*events, work_s=10.0, compute_ratio=1.0):
    """When work that begins at 0 ends, with (time, "+" or "-", ratio) of collectives beside it."""
    clock, pace = Clock(), None
    pace = Pace(clock)
    found = []

    def process():
        yield pace.run(work_s, compute_ratio)
        found.append(clock.now)

    def change(at_s, what, ratio):
        yield clock.timeout(at_s)
        (pace.slow_down if what == "+" else pace.speed_up)(ratio)

    clock.process(process())
    for event in events:
        clock.process(change(*event))
    clock.run_to_end()
    return found


def test_alone_it_takes_its_time():
    assert ends() == [10.0]


def test_it_is_slower_while_a_collective_runs():
    """4 s alone, then 3 s at a pace of 1 / 1.5 do 2 s of work, 4 s are left: 11 s."""
    assert ends((4.0, "+", 0.5), (7.0, "-", 0.5)) == [pytest.approx(11.0)]


def test_of_several_the_one_that_slows_most_counts():
    """From 2 on at 1 / 1.5 until 5 (2 s of work), then at 1 / 1.25: 6 s of work take 7.5 s."""
    assert ends((2.0, "+", 0.5), (2.0, "+", 0.25), (5.0, "-", 0.5)) == [pytest.approx(12.5)]


def test_what_is_no_compute_is_not_slowed():
    """Half of the task is fused communication: it is stretched by half as much."""
    assert ends((0.0, "+", 0.5), compute_ratio=0.5) == [pytest.approx(12.5)]


def test_what_ends_with_the_collective_ends_once():
    assert ends((0.0, "+", 1.0), (20.0, "-", 1.0)) == [20.0]
