"""Pipelines with free communication take what their closed forms say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster_sim.engine import step_parts
from cluster_sim.workload.schedules import BACKWARD, FORWARD
from tests.engine.worlds import clos, free_pipeline, simulate_by_hand

TIMES = st.floats(1e-3, 10.0)


@given(st.integers(1, 6), st.integers(1, 12), TIMES, TIMES)
@settings(max_examples=40, deadline=None)
def test_1f1b_takes_m_plus_p_minus_1_passes(stages, microbatches, forward_s, backward_s):
    """(m + p - 1)(tf + tb), of which (p - 1)(tf + tb) is bubble: bubble_ratio (p-1)/(m+p-1)."""
    schedule, _ = free_pipeline(stages, microbatches, forward_s, backward_s)
    outcome = simulate_by_hand(schedule, clos(max(stages, 2)))
    both_s = forward_s + backward_s
    assert outcome.step_time_s == pytest.approx((microbatches + stages - 1) * both_s, rel=1e-9)
    parts = step_parts(schedule, outcome)
    assert parts["compute"] == pytest.approx(microbatches * both_s, rel=1e-9)
    assert parts["bubble"] == pytest.approx((stages - 1) * both_s, rel=1e-9, abs=1e-12)


@given(st.integers(2, 5), st.integers(1, 3), st.integers(2, 4), TIMES, TIMES)
@settings(max_examples=30, deadline=None)
def test_interleaving_divides_the_bubble_by_the_number_of_chunks(stages, times, chunks, forward_s, backward_s):
    """m v (tf + tb) of passes of one chunk each, and (p - 1)(tf + tb) of bubble instead of v times that."""
    microbatches = stages * (times + 1)
    schedule, _ = free_pipeline(stages, microbatches, forward_s, backward_s, chunks)
    outcome = simulate_by_hand(schedule, clos(stages))
    both_s = forward_s + backward_s
    assert outcome.step_time_s == pytest.approx((microbatches * chunks + stages - 1) * both_s, rel=1e-9)


def test_a_stage_does_one_thing_at_a_time():
    """No two compute tasks of a stage overlap, and forward comes before backward of each microbatch."""
    schedule, _ = free_pipeline(4, 8, 1.0, 2.0)
    outcome = simulate_by_hand(schedule, clos(4))
    for stage in range(4):
        own = np.flatnonzero((schedule.stage == stage) & (schedule.kind == 0))
        assert np.all(outcome.start_s[own][1:] >= outcome.end_s[own][:-1])
        for microbatch in range(8):
            forward, backward = own[schedule.microbatch[own] == microbatch]
            assert schedule.pass_kind[[forward, backward]].tolist() == [FORWARD, BACKWARD]
            assert outcome.end_s[forward] <= outcome.start_s[backward]
