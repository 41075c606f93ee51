from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster_sim.reliability import live
from tests.reliability.worlds import FLAP, LINK, SERVER, SOFTWARE, StepByStep, conditions, failures


def parts(outcome):
    names = ("useful", "checkpoints", "lost", "restart", "waiting", "degraded", "stalled")
    return dict(zip(names, outcome.parts_s.tolist(), strict=True))


def test_nothing_fails():
    """Ten steps of 1 s and a checkpoint of 2 s: 83 periods of 12 s are 996 s, and four more steps."""
    outcome = live(conditions(), [failures()])
    assert parts(outcome) == pytest.approx({"useful": 834, "checkpoints": 166} | dict.fromkeys(
        ("lost", "restart", "waiting", "degraded", "stalled"), 0.0))  # fmt: skip


def test_an_interruption_loses_what_came_after_the_last_checkpoint():
    """
    Software fails at 30 s: two periods of 12 s are saved, 6 s of steps are lost, noticing takes 5 s, starting 7 s. From
    42 s on 958 s are left: 79 periods and 10 steps, whose checkpoint has not begun.
    """
    outcome = live(conditions(), [failures((30.0, SOFTWARE, inf, 0.0, 0.0))])
    assert parts(outcome) == pytest.approx({
        "useful": 20 + 790 + 10, "checkpoints": 4 + 158, "lost": 6, "restart": 12, "waiting": 0, "degraded": 0,
        "stalled": 0,
    })  # fmt: skip
    assert outcome.interruptions.tolist() == [0, 1, 0, 0]
    assert outcome.lost_s.tolist() == pytest.approx([0, 18, 0, 0])


def test_without_a_spare_the_job_waits_for_the_repair():
    """One spare: the second server that fails, at 40 s, keeps the job waiting until the first is back at 130 s."""
    outcome = live(conditions(), [failures((30.0, SERVER, inf, 100.0, 0.0), (60.0, SERVER, inf, 500.0, 0.0))])
    assert parts(outcome)["waiting"] == pytest.approx(130 - 65)
    assert parts(outcome)["restart"] == pytest.approx(2 * 12)


def test_a_failure_while_the_job_starts_makes_it_start_again():
    """Noticed at 35 s, starting until 42 s; at 40 s software fails again: noticed at 45 s, running from 52 s on."""
    outcome = live(conditions(), [failures((30.0, SOFTWARE, inf, 0.0, 0.0), (40.0, SOFTWARE, inf, 0.0, 0.0))], True)
    assert parts(outcome)["restart"] == pytest.approx(22)
    assert outcome.interruptions.tolist() == [0, 2, 0, 0]
    assert [(event.start_s, event.end_s, event.lost_s) for event in outcome.events] == [
        (30.0, 40.0, pytest.approx(6.0)), (40.0, pytest.approx(52.0), 0.0),
    ]  # fmt: skip


def test_a_failure_before_the_first_is_noticed_is_found_with_it():
    outcome = live(conditions(), [failures((30.0, SOFTWARE, inf, 0.0, 0.0), (33.0, SOFTWARE, inf, 0.0, 0.0))], True)
    assert parts(outcome)["restart"] == pytest.approx(12)
    assert outcome.interruptions.tolist() == [0, 1, 0, 0]
    assert outcome.failures.tolist() == [0, 2, 0, 0]
    assert [event.what for event in outcome.events] == ["interruption", "down"]


def test_a_failed_link_slows_the_job_while_it_is_repaired():
    """Seen for 1 s, then 49 s at 3 s a step, which should take 1 s."""
    outcome = live(conditions(cost_s=0.0), [failures((30.0, LINK, 1.0, 50.0, 0.0))])
    assert parts(outcome)["stalled"] == pytest.approx(1)
    assert parts(outcome)["degraded"] == pytest.approx(49 * 2 / 3)


def test_stalls_that_overlap_count_once():
    """Stalled from 11 s to 16 s, in the middle of a checkpoint."""
    outcome = live(conditions(), [failures((11.0, FLAP, 3.0, 0.0, 0.0), (12.5, FLAP, 3.5, 0.0, 0.0))], True)
    assert parts(outcome)["stalled"] == pytest.approx(5)
    assert [(event.what, event.start_s, event.end_s) for event in outcome.events] == [
        ("outage", 11.0, 14.0), ("outage", 12.5, 16.0),
    ]  # fmt: skip


def test_a_job_that_starts_while_a_link_is_down_waits_for_it():
    """It would run from 42 s on, and is stalled until 44 s."""
    outcome = live(conditions(), [failures((30.0, SOFTWARE, inf, 0.0, 0.0), (40.5, FLAP, 3.5, 0.0, 0.0))])
    assert parts(outcome)["stalled"] == pytest.approx(2)


def test_a_short_stall_within_a_long_one_changes_nothing():
    """Stalled from 3 s to 6.5 s."""
    outcome = live(conditions(), [failures((3.0, FLAP, 3.5, 0.0, 0.0), (4.0, FLAP, 0.5, 0.0, 0.0))])
    assert parts(outcome)["stalled"] == pytest.approx(3.5)


def test_a_checkpoint_that_is_still_being_written_is_lost_with_what_came_before():
    """Copied from 10 s to 12 s, whole at 17 s; at 15 s the job stops: everything since the beginning is lost."""
    stop = failures((15.0, SOFTWARE, inf, 0.0, 0.0))
    assert parts(live(conditions(lag_s=5.0), [stop]))["lost"] == pytest.approx(13)
    assert parts(live(conditions(lag_s=2.5), [stop]))["lost"] == pytest.approx(3)


def test_a_server_that_is_missing_cannot_fail():
    """No spare, one of four servers is out: a failure at the place of the fourth hits nobody."""
    lost = (30.0, SERVER, inf, 100.0, 0.0)
    for place, waits_until_s in ((0.8, 130.0), (0.7, 540.0)):
        outcome = live(conditions(spares=0), [failures(lost, (40.0, SERVER, inf, 500.0, place))])
        assert parts(outcome)["waiting"] == pytest.approx(waits_until_s - 35)


def test_a_job_that_makes_no_progress_is_given_up():
    """Something fails every 10 s, and a period takes 12 s: given up after a thousand interruptions."""
    world = conditions(detection_s=0.0, restart_s=1.0, span_s=1e6)
    often = [failures(*((10.0 * number, SOFTWARE, inf, 0.0, 0.0) for number in range(1, 90_000)))]
    outcome = live(world, often)
    assert "no progress: 1000 interruptions in a row" in outcome.reason
    assert outcome.wall_s == pytest.approx(10_000)
    assert outcome.parts_s.sum() == pytest.approx(outcome.wall_s)


def test_absurdly_many_failures_end_the_history_with_the_first_of_them():
    """A failure a microsecond: not even ten million are drawn, since nobody waits for them."""
    stretches = (failures(*((first + 0.1 * n, FLAP, 0.0, 0.0, 0.0) for n in range(60))) for first in (0.0, 10.0, 20.0))
    outcome = live(conditions(rates=(1e-4, 1e-4, 1e-4, 1e6)), stretches)
    assert outcome.reason == "given up after 60 failures of 1e+09 that are to come; lower their rates, or the span"
    assert outcome.failures.sum() == 60
    assert outcome.parts_s.sum() == pytest.approx(outcome.wall_s)
    assert outcome.wall_s == pytest.approx(5.9)


def test_a_state_that_joins_not_everybody_stops_all_steps():
    outcome = live(conditions(slow_s=(inf,)), [failures((30.0, LINK, 0.0, 50.0, 0.0))])
    assert parts(outcome)["degraded"] == pytest.approx(50)


#: Times that are no multiples of a step, so that nothing happens at one instant by chance.
odd_times = st.integers(0, 900_000).map(lambda number: number * 1.0000123e-3 + 0.0003137)


@st.composite
def histories(draw):
    """Up to a dozen failures of all kinds."""
    world = conditions(
        every=draw(st.integers(1, 30)), cost_s=draw(st.sampled_from([0.0, 0.3, 2.0, 6.1])),
        lag_s=draw(st.sampled_from([0.0, 0.0, 0.9])), slow_s=(draw(st.sampled_from([1.0, 1.7, 4.0, inf])),),
        spares=draw(st.integers(0, 2)), span_s=draw(odd_times) + 50, detection_s=draw(st.sampled_from([0.0, 5.3])),
        restart_s=draw(st.sampled_from([0.7, 13.1])),
    )  # fmt: skip
    rows = []
    for number in range(draw(st.integers(0, 12))):
        cause = draw(st.sampled_from([SERVER, SOFTWARE, LINK, FLAP]))
        seen_s = inf if cause in (SERVER, SOFTWARE) else draw(odd_times) * 0.01
        at_s = draw(odd_times) + 0.0137 * number
        rows.append((at_s, cause, seen_s, draw(odd_times) * 0.3, draw(st.floats(0, 0.99))))
    return world, failures(*rows)


@given(histories())
def test_it_agrees_with_every_step_simulated(case):
    """Useful steps, lost time and wall time, and all the other parts, to 1e-9."""
    world, failed = case
    outcome, walked = live(world, [failed]), StepByStep(world, failed).walk()
    np.testing.assert_allclose(outcome.parts_s, walked.parts_s, rtol=1e-9, atol=1e-9 * world.span_s)
    assert outcome.interruptions.tolist() == walked.interruptions
    assert outcome.parts_s.sum() == pytest.approx(world.span_s, rel=1e-12)
    assert outcome.parts_s[0] / world.checkpoints.step_s == pytest.approx(walked.useful_steps, rel=1e-9, abs=1e-9)


def test_standing_still_at_the_beginning_of_a_period_is_not_forgotten():
    """
    A network that is apart from 0 to 50, before the first of ten steps of a second; then whole periods of 12 s, many
    at once.
    """
    outcome = live(conditions(slow_s=(inf,)), [failures((0.0, LINK, 0.0, 50.0, 0.0))])
    assert parts(outcome)["degraded"] == pytest.approx(50)
    assert outcome.parts_s.sum() == pytest.approx(1000)
