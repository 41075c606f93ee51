"""Pipelines with free communication take what their closed forms say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster_sim.engine import step_parts
from cluster_sim.tables import COMPUTE, PP, TP
from cluster_sim.workload.schedules import BACKWARD, FORWARD, INPUT, WEIGHT
from tests.engine.worlds import clos, free_pipeline, run_job, simulate_by_hand, small_job

TIMES = st.floats(1e-3, 10.0)


@given(st.integers(1, 6), st.integers(1, 12), TIMES, TIMES)
@settings(max_examples=40, deadline=None)
def test_1f1b_takes_m_plus_p_minus_1_passes(stages, microbatches, forward_s, backward_s):
    """(m + p - 1)(tf + tb), of which (p - 1)(tf + tb) is bubble: bubble_ratio (p-1)/(m+p-1)."""
    schedule, _ = free_pipeline(stages, microbatches, {FORWARD: forward_s, BACKWARD: backward_s})
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
    schedule, _ = free_pipeline(stages, microbatches, {FORWARD: forward_s, BACKWARD: backward_s}, "interleaved", chunks)
    outcome = simulate_by_hand(schedule, clos(stages))
    both_s = forward_s + backward_s
    assert outcome.step_time_s == pytest.approx((microbatches * chunks + stages - 1) * both_s, rel=1e-9)


@pytest.mark.parametrize("name", ["1f1b", "zb-h1", "dualpipe"])
def test_a_message_leaves_when_its_pass_is_done(name):
    """Also where the pass runs together with another one, and ends with a collective."""
    chunks = 2 if name == "dualpipe" else 1
    job = small_job(schedule=name, virtual_stages=chunks, overlap_tensor_gradients=False)
    schedule, outcome, _ = run_job(job, fuse=False)
    columns = (schedule.stage, schedule.microbatch, schedule.pass_kind)
    keys = np.stack(columns, axis=1).tolist()
    ends_s: dict[tuple[int, ...], float] = {}
    for task in np.flatnonzero(np.isin(schedule.kind, (COMPUTE, TP))).tolist():
        key = tuple(keys[task])
        ends_s[key] = max(ends_s.get(key, 0.0), float(outcome.end_s[task]))
    sends = np.flatnonzero(schedule.kind == PP).tolist()
    assert sends
    for task in sends:
        stage, microbatch, kind = keys[task]
        halves = (kind, 2) if kind == 1 else (kind,)  # gradients of inputs leave before those of weights are done
        done_s = max(ends_s.get((stage, microbatch, half), 0.0) for half in halves)
        assert outcome.start_s[task] >= done_s - 1e-12
        assert done_s > 0


def test_a_stage_does_one_thing_at_a_time():
    """No two compute tasks of a stage overlap, and forward comes before backward of each microbatch."""
    schedule, _ = free_pipeline(4, 8, {FORWARD: 1.0, BACKWARD: 2.0})
    outcome = simulate_by_hand(schedule, clos(4))
    for stage in range(4):
        own = np.flatnonzero((schedule.stage == stage) & (schedule.kind == 0))
        assert np.all(outcome.start_s[own][1:] >= outcome.end_s[own][:-1])
        for microbatch in range(8):
            forward, backward = own[schedule.microbatch[own] == microbatch]
            assert schedule.pass_kind[[forward, backward]].tolist() == [FORWARD, BACKWARD]
            assert outcome.end_s[forward] <= outcome.start_s[backward]


@given(st.integers(1, 6), st.integers(1, 12), TIMES, TIMES)
@settings(max_examples=20, deadline=None)
def test_gpipe_idles_as_long_as_1f1b(stages, microbatches, forward_s, backward_s):
    """(m + p - 1)(tf + tb) [Huang et al. 2019]."""
    schedule, _ = free_pipeline(stages, microbatches, {FORWARD: forward_s, BACKWARD: backward_s}, "gpipe")
    outcome = simulate_by_hand(schedule, clos(max(stages, 2)))
    assert outcome.step_time_s == pytest.approx((microbatches + stages - 1) * (forward_s + backward_s), rel=1e-9)


@given(st.integers(1, 6), st.integers(0, 6), TIMES, st.floats(0.3, 1.0))
@settings(max_examples=20, deadline=None)
def test_zb_h1_fills_the_bubble_with_gradients_of_weights(stages, more, both_s, weight_ratio):
    """m (tf + ti + tw) and a bubble of (p - 1)(tf + ti - tw), for tw up to tf = ti [Qi et al. 2023]."""
    microbatches, weight_s = stages + more, both_s * weight_ratio
    times_s = {FORWARD: both_s, INPUT: both_s, WEIGHT: weight_s}
    schedule, _ = free_pipeline(stages, microbatches, times_s, "zb-h1")
    outcome = simulate_by_hand(schedule, clos(max(stages, 2)))
    expected_s = microbatches * (2 * both_s + weight_s) + (stages - 1) * (2 * both_s - weight_s)
    assert outcome.step_time_s == pytest.approx(expected_s, rel=1e-9)


@given(st.integers(1, 3), st.integers(0, 4), TIMES, st.floats(0.3, 1.0))
@settings(max_examples=20, deadline=None)
def test_dualpipe_meets_in_the_middle(half, more, forward_s, weight_ratio):
    """A bubble of (p/2 - 1)(t_fb + tb - 3 tw) where joined passes take the sum of both [DeepSeek-V3 2024]."""
    stages, weight_s = 2 * half, forward_s * weight_ratio
    microbatches, backward_s = 2 * (stages + more), forward_s + weight_s
    times_s = {FORWARD: forward_s, BACKWARD: backward_s, INPUT: forward_s, WEIGHT: weight_s}
    schedule, _ = free_pipeline(stages, microbatches, times_s, "dualpipe", 2)
    outcome = simulate_by_hand(schedule, clos(stages))
    bubble_s = (half - 1) * (forward_s + backward_s + backward_s - 3 * weight_s)
    assert outcome.step_time_s == pytest.approx(microbatches * (forward_s + backward_s) + bubble_s, rel=1e-9)
