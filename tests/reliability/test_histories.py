"""Many drawn histories against closed forms, within their statistical error."""

from dataclasses import replace
from math import exp, inf

import numpy as np
import pytest

from cluster_sim.core import stream
from cluster_sim.reliability import Hazard, Histories, drawn, hazards_of, live_all, young_daly_steps
from tests.reliability.worlds import conditions


def mean_and_error(values):
    return float(np.mean(values)), float(np.std(values) / np.sqrt(len(values)))


@pytest.mark.parametrize(("every", "mean_s"), [(60, 1000.0), (200, 3000.0), (30, 300.0)])
def test_goodput_agrees_with_daly(every, mean_s):
    """
    Daly 2006: with failures at rate 1/M, a restart of R that can fail, too, and checkpoints of C after work T, a period
    takes M exp(R/M) (exp((T + C)/M) - 1). Nothing else goes wrong: one kind of failure, found at once.
    """
    world = conditions(
        rates=(0, 1 / mean_s, 0, 0), every=every, cost_s=8.0, detection_s=0.0, restart_s=40.0, span_s=300 * mean_s
    )
    found = live_all(world, 1, range(200))
    mean, error = mean_and_error(found.parts_s[:, 0] / found.wall_s)
    expected = every / (mean_s * exp(40 / mean_s) * (exp((every + 8.0) / mean_s) - 1))
    assert error < 0.004
    assert mean == pytest.approx(expected, abs=4 * error + 2 * (every + 8) / world.span_s)


def test_the_interval_of_young_and_daly_is_the_best_one():
    world = conditions(rates=(0, 1e-3, 0, 0), every=1, cost_s=8.0, detection_s=0.0, restart_s=40.0)
    best = young_daly_steps(1.0, 8.0, world.hazards.stops_per_s(world.retry_s))
    assert best == round((2 * 8.0 * 1000.0) ** 0.5)
    goodput = {}
    for every in (best // 3, best, best * 3):
        one = conditions(
            rates=(0, 1e-3, 0, 0), every=every, cost_s=8.0, detection_s=0.0, restart_s=40.0, span_s=500_000.0
        )
        goodput[every] = live_all(one, 1, range(20)).goodput_ratio
    assert max(goodput, key=goodput.get) == best


def test_nothing_to_fear_and_free_checkpoints():
    assert young_daly_steps(1.0, 8.0, 0.0) == 2**40
    assert young_daly_steps(1.0, 0.0, 1e-3) == 1


@pytest.mark.parametrize("spares", [0, 1, 3])
def test_waiting_for_servers_agrees_with_the_birth_death_chain(spares):
    """
    Six servers, and cold spares: a server in use fails at rate L / 6, is repaired at rate 1 / 50 s, all repairs side by
    side. The chain of servers out of use has births min(6, 6 + spares - j) L / 6 and deaths j / 50. The job waits where
    more are out than there are spares; noticing and restart take next to no time.
    """
    servers, total, repair_s = 6, 0.03, 50.0
    weight = [1.0]
    for out in range(servers + spares):
        births = min(servers, servers + spares - out) * total / servers
        weight.append(weight[-1] * births / ((out + 1) / repair_s))
    waits = sum(weight[spares + 1 :]) / sum(weight)
    world = conditions(
        rates=(total, 0, 0, 0), servers=servers, spares=spares, detection_s=0.0, restart_s=1e-6, repair_s=repair_s,
        span_s=50_000.0,
    )  # fmt: skip
    found = live_all(world, 3, range(60))
    mean, error = mean_and_error(found.parts_s[:, 4] / found.wall_s)
    assert error < 0.01
    assert mean == pytest.approx(waits, abs=4 * error)
    assert found.availability_ratio == pytest.approx(1 - waits, abs=4 * error + 1e-3)


def test_slow_failures_are_thinned_out_of_all():
    """
    Of failures that last 3 s, and of those that traffic goes around in 1 s, on average, exp(-4/3) and exp(-4) are seen
    for more than 4 s; where both end it, exp(-4 (1/3 + 1)).
    """
    rows = [
        Hazard("flap", "flap", 50, 0.02, 0.0, outage_s=3.0),
        Hazard("link", "link", 50, 0.02, 9.0, detour_s=1.0, state="slow"),
        Hazard("both", "flap", 50, 0.02, 0.0, outage_s=3.0, detour_s=1.0),
        Hazard("at once", "flap", 50, 0.02, 0.0, outage_s=3.0, detour_s=0.0),
        Hazard("server", "gpu", 50, 0.02, 0.0, servers=1),
    ]
    hazards = hazards_of(rows, ("slow",))
    expected = np.array([exp(-4 / 3), exp(-4), exp(-4 * 4 / 3), 0.0, 1.0])
    assert hazards.stop_ratio(4.0) == pytest.approx(expected)
    found = drawn(hazards, 100.0, 100_100.0, stream(1, "test"))
    num = np.bincount(found.cause)
    assert num == pytest.approx(np.full(5, 100_000), abs=5 * np.sqrt(100_000))
    stops = np.bincount(found.cause[found.seen_s > 4.0], minlength=5) / num
    assert stops == pytest.approx(expected, abs=0.007)
    assert (np.diff(found.time_s) >= 0).all()
    assert found.time_s[0] >= 100
    assert found.repair_s[found.cause == 1].mean() == pytest.approx(9.0, rel=0.02)
    assert hazards.stops_per_s(4.0) == pytest.approx(expected.sum())
    assert [hazards.effect(cause) for cause in range(5)] == ["stalls", "degrades", "stalls", "stalls", "interrupts"]


def test_what_nobody_sees_is_counted_but_changes_nothing():
    """A job whose transports leave a path at once: flaps are in the results, and all of its time is as without them."""
    rows = [Hazard("flap", "flap", 10, 0.1, 0.0, outage_s=3.0, detour_s=0.0)]
    world = conditions()
    quiet = live_all(replace(world, hazards=hazards_of([], ())), 1, range(3))
    loud = live_all(replace(world, hazards=hazards_of(rows, ())), 1, range(3))
    assert loud.failures.sum() > 2000
    assert (loud.parts_s == quiet.parts_s).all()


def test_histories_are_the_same_whoever_simulates_them():
    world = conditions(rates=(1e-2, 1e-2, 1e-2, 1e-2))
    together = live_all(world, 7, range(6), 1)
    apart = Histories.joined([live_all(world, 7, range(2), 1), live_all(world, 7, range(2, 6), 1)])
    for name in ("wall_s", "parts_s", "failures", "interruptions", "lost_s"):
        assert (getattr(together, name) == getattr(apart, name)).all()
    assert together.events == apart.events
    assert together.events[0]
    assert not any(together.events[1:])
    assert (live_all(world, 8, range(6)).parts_s != together.parts_s).any()


def test_failures_that_are_drawn_in_stretches_fill_the_span(monkeypatch):
    monkeypatch.setattr("cluster_sim.reliability.failures._DRAWN", 10)
    world = conditions(rates=(0, 0, 0, 0.2), flap_s=0.1)
    found = live_all(world, 1, range(100))
    assert found.failures[:, 0].mean() == pytest.approx(200, abs=5)


def test_degraded_time_is_the_share_of_time_with_anything_to_repair():
    """
    Links fail at 1/200 s and are repaired in 50 s, side by side: none is out exp(-50/200) of the time. A step takes
    twice as long meanwhile; nobody sees the failures themselves.
    """
    world = conditions(rates=(0, 0, 1 / 200, 0), detour_s=0.0, slow_s=(2.0,), cost_s=0.0, span_s=100_000.0)
    found = live_all(world, 1, range(40))
    mean, error = mean_and_error(found.parts_s[:, 0] / found.wall_s)
    assert error < 0.003
    assert mean == pytest.approx((1 + exp(-0.25)) / 2, abs=4 * error)


def test_interruptions_are_counted_by_cause():
    """Flaps of 3 s stop the job exp(-4/3) of the time, failed links exp(-4); restarts take next to no time."""
    world = conditions(rates=(0, 0, 0.01, 0.01), detection_s=0.0, restart_s=1e-6, span_s=100_000.0, repair_s=1.0)
    found = live_all(world, 1, range(20))
    stops = found.interruptions.sum(axis=0) / found.failures.sum(axis=0)
    assert stops == pytest.approx([exp(-4), exp(-4 / 3)], rel=0.1)
    assert found.lost_s.sum() == pytest.approx(found.parts_s[:, 2:5].sum())
    assert inf not in found.parts_s
