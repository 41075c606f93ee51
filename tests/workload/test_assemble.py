"""Schedules that are put together from templates."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cluster_sim.tables import DP, NONE, OPTIMIZER, PP
from cluster_sim.workload import Experts, Segment, assemble, fuse, plan
from tests.engine.worlds import moe_job, small_job

SEGMENTS = st.lists(
    st.one_of(
        st.builds(Segment, compute_s=st.floats(0, 1), bucket=st.sampled_from([NONE, NONE, 0, 1])),
        st.builds(Segment, collective=st.integers(0, 3)),
    ),
    max_size=12,
)


@given(SEGMENTS, st.dictionaries(st.integers(0, 3), st.floats(0, 1)), st.booleans())
def test_fusing_keeps_all_time_and_every_other_collective(segments, fused_s, keep_buckets):
    joined = fuse(tuple(segments), fused_s, keep_buckets)
    assert np.isclose(sum(s.compute_s for s in joined), sum(s.compute_s for s in segments))
    fused = [s.collective for s in segments if s.collective in fused_s]
    assert np.isclose(sum(s.fused_s for s in joined), sum(fused_s[c] for c in fused))
    kept = [s.collective for s in segments if s.collective != NONE and s.collective not in fused_s]
    assert [s.collective for s in joined if s.collective != NONE] == kept
    buckets = [s.bucket for s in joined if s.bucket != NONE]
    assert buckets == ([s.bucket for s in segments if s.bucket != NONE] if keep_buckets else [])


def test_a_step_has_as_many_tasks_as_its_passes_say():
    """2 stages x 8 microbatches x 2 passes, a send each way for each microbatch, and one optimiser a stage."""
    job = small_job()
    program = plan(job, np.arange(64) // 8)
    private = {row: 1e-6 for row, c in enumerate(program.collectives) if c.kind == 2}
    schedule = assemble(program, private)
    assert (schedule.kind == PP).sum() == 2 * job.num_microbatches
    assert (schedule.kind == OPTIMIZER).sum() == 2
    layers = 8
    buckets = layers + 1  # the input embedding is a bucket of its own, the output layer shares one
    assert (schedule.kind == DP).sum() == 2 * buckets  # a reduction and a gather each


def test_gradients_move_twice_the_bytes_of_parameters():
    """Reductions in 32 bit, gathers in 16, of the same parameters: all layers and both embeddings of a stage."""
    job = moe_job()
    program = plan(job, np.arange(64) // 8)
    reduced = sum(program.collectives[row].size_bytes for rows in program.reduces.values() for row in rows)
    gathered = sum(program.collectives[row].size_bytes for rows in program.gathers.values() for row in rows)
    model, p = job.model, job.parallelism
    per_rank = model.layers * (model.dense_parameters / p.tensor + model.expert_parameters / p.expert)
    per_rank += 2 * model.embedding_parameters / p.tensor
    assert np.isclose(gathered, 2 * per_rank)
    assert np.isclose(reduced, 4 * per_rank)


def test_runs_of_collectives_are_counted_as_the_schedule_has_them():
    for job in (small_job(), moe_job(recompute="full")):
        program = plan(job, np.arange(64) // 8)
        schedule = assemble(program, {})
        in_schedule = np.bincount(schedule.collective[schedule.collective != NONE], minlength=len(program.collectives))
        assert np.array_equal(in_schedule, program.num_runs())


def test_groups_of_another_shape_do_not_share_traffic():
    """Experts that are not spread are reduced over all ranks of a stage, not over neighbouring tensor ranks."""
    job = small_job(experts=Experts(count=4, per_token=2, width=256))
    program = plan(job, np.arange(64) // 8)
    expert = next(c for c in program.collectives if "reduce-scatter of expert" in c.name)
    assert expert.num_ranks == 32
    assert set(np.concatenate([expert.traffic.edge_src, expert.traffic.edge_dst]).tolist()) <= set(range(64))
    assert len(np.unique(expert.traffic.edge_src)) == 32


def test_a_stage_that_is_first_and_last_holds_tied_embeddings_once():
    for tied in (True, False):
        job = small_job(tensor=8, pipeline=1, data=8, tied_embeddings=tied)
        program = plan(job, np.arange(64) // 8)
        reduced = sum(program.collectives[row].size_bytes for rows in program.reduces.values() for row in rows)
        assert np.isclose(reduced, 4 * job.model.parameters / 8)


def test_sends_that_close_the_ring_of_chunks_run_once_less_per_microbatch():
    job = small_job(pipeline=4, data=2, virtual_stages=2, schedule="interleaved", global_batch=16)
    program = plan(job, np.arange(64) // 8)
    schedule = assemble(program, {})
    in_schedule = np.bincount(schedule.collective[schedule.collective != NONE], minlength=len(program.collectives))
    assert np.array_equal(in_schedule, program.num_runs())
