"""Schedules that are put together from templates."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster_sim.tables import DP, NONE, OPTIMIZER, PP, TP
from cluster_sim.workload import Experts, Segment, assemble, fuse, plan, split
from cluster_sim.workload.schedules import WEIGHT
from cluster_sim.workload.segments import AHEAD, BEHIND, WAIT
from tests.engine.worlds import moe_job, small_job

ROWS = st.integers(0, 3)
SEGMENTS = st.lists(
    st.one_of(
        st.builds(Segment, compute_s=st.floats(0, 1), beside=st.sampled_from([(), (), (0,), (1, 2)])),
        st.builds(Segment, collective=ROWS, role=st.sampled_from([WAIT, WAIT, AHEAD, BEHIND])),
    ),
    max_size=12,
)


@given(SEGMENTS, st.dictionaries(ROWS, st.floats(0, 1)))
def test_fusing_keeps_all_time_and_every_other_collective(segments, fused_s):
    """What is waited for is added; what runs beside compute adds what it takes longer; the rest stays as it is."""
    joined = fuse(tuple(segments), fused_s)
    assert np.isclose(sum(s.compute_s for s in joined), sum(s.compute_s for s in segments))
    waited_s = sum(fused_s[s.collective] for s in segments if s.collective in fused_s and s.role == WAIT)
    longest_s = [(s, max((fused_s[row] for row in s.beside if row in fused_s), default=0.0)) for s in segments]
    longer_s = sum(max(0.0, beside_s - s.compute_s) for s, beside_s in longest_s)
    assert np.isclose(sum(s.fused_s for s in joined), waited_s + longer_s)
    kept = [(s.collective, s.role) for s in segments if s.collective not in (*_waited(fused_s, s), NONE)]
    assert [(s.collective, s.role) for s in joined if s.collective != NONE] == kept
    beside = [row for s in segments for row in s.beside if row not in fused_s]
    assert [row for s in joined for row in s.beside] == beside


def _waited(fused_s, segment):
    return fused_s if segment.role == WAIT else ()


def of_kind(program, what):
    """Collectives of data ranks that do ``what``, each once."""
    return [c for c in program.collectives if c.kind == DP and what in c.name]


def test_a_step_has_as_many_tasks_as_its_passes_say():
    """2 stages x 8 microbatches x 2 passes, a send each way for each microbatch, and one optimiser a stage."""
    job = small_job(bucket_parameters=0)
    program = plan(job, np.arange(64) // 8)
    private = {row: 1e-6 for row, c in enumerate(program.collectives) if c.kind == 2}
    schedule = assemble(program, private)
    assert (schedule.kind == PP).sum() == 2 * job.num_microbatches
    assert (schedule.kind == OPTIMIZER).sum() == 2
    items = 8 + 2  # layers, embedding and output layer
    assert (schedule.kind == DP).sum() == 2 * items  # a reduction and a gather each


def test_gradients_move_twice_the_bytes_of_parameters():
    """Reductions in 32 bit, gathers in 16, of the same parameters: all layers and both embeddings of a stage."""
    job = moe_job()
    program = plan(job, np.arange(64) // 8)
    reduced, gathered = (sum(c.size_bytes for c in of_kind(program, what)) for what in ("reduce-scatter", "all-gather"))
    model, p = job.model, job.parallelism
    per_rank = model.layers * (model.dense_parameters / p.tensor + model.expert_parameters / p.expert)
    per_rank += 2 * model.embedding_parameters / p.tensor
    assert np.isclose(gathered, 2 * per_rank)
    assert np.isclose(reduced, 4 * per_rank)


@pytest.mark.parametrize("replicas", ["together", "apart"])
@pytest.mark.parametrize("sharding", ["zero1", "zero2", "zero3", "fsdp"])
@pytest.mark.parametrize("overlaps", [True, False])
def test_runs_of_collectives_are_counted_as_the_schedule_has_them(sharding, overlaps, replicas):
    """What all replicas run together they run once, also where each of them waits for it."""
    fields = {"sharding": sharding, "overlap_gradients": overlaps, "overlap_parameters": overlaps, "replicas": replicas}
    for job in (small_job(**fields), moe_job(recompute="full", **fields)):
        program = plan(job, np.arange(64) // 8, replicas=split(job, np.ones(64), np.zeros(64)))
        schedule = assemble(program, {})
        in_schedule = np.bincount(schedule.collective[schedule.collective != NONE], minlength=len(program.collectives))
        assert np.array_equal(in_schedule, program.num_runs())


@pytest.mark.parametrize("schedule", ["zb-h1", "dualpipe"])
def test_a_stage_with_nothing_but_the_embedding_has_no_gradients_of_weights_to_compute(schedule):
    """2 layers, embedding and output layer over 4 stages: the pass is there, takes no time, and gradients follow it."""
    chunks = 2 if schedule == "dualpipe" else 1
    job = small_job(
        layers=2, pipeline=4, data=2, edges_are_layers=True, schedule=schedule, virtual_stages=chunks, sharding="zero2"
    )
    done = assemble(plan(job, np.arange(64) // 8), {})
    weights = np.flatnonzero((done.stage == 0) & (done.chunk == 0) & (done.pass_kind == WEIGHT) & done.is_lane)
    assert len(weights)
    assert not done.compute_s[weights].any()
    behind = done.unlocks[np.concatenate([range(*done.unlocks_starts[task : task + 2]) for task in weights])]
    reductions = [task for task in behind if done.kind[task] == DP and "copies" not in name_of(done, task)]
    assert len(reductions) == len(weights)


def name_of(schedule, task):
    """Of the collective that a task runs."""
    return schedule.collectives[schedule.collective[task]].name


def test_messages_of_both_ways_have_the_numbers_of_their_microbatches():
    job = small_job(schedule="dualpipe", virtual_stages=2)
    done = assemble(plan(job, np.arange(64) // 8), {})
    of_stage = [sorted(done.microbatch[(done.kind == PP) & (done.stage == stage)].tolist()) for stage in (0, 1)]
    assert of_stage == [list(range(8)), list(range(8))]


def test_reductions_behind_passes_follow_one_another():
    """Each bucket's starts no earlier than the one before it has ended: they share the links of their ranks."""
    done = assemble(plan(small_job(bucket_parameters=0), np.arange(64) // 8), {})
    reductions = np.flatnonzero((done.kind == DP) & (done.stage == 0) & (done.microbatch != NONE))
    assert len(reductions) > 2
    for before, after in pairwise(reductions.tolist()):
        assert after in done.unlocks[done.unlocks_starts[before] : done.unlocks_starts[before + 1]]


@pytest.mark.parametrize("hidden", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("experts", [None, Experts(count=32, per_token=2, width=512, shared=1)])
def test_tensor_ranks_send_as_much_where_products_hide_it(experts, hidden):
    fields = {"overlap_tensor_gradients": False, "tensor": 2, "data": 16}
    sent = [_tensor_bytes(small_job(experts=experts, overlap_tensor_ratio=ratio, **fields)) for ratio in (0.0, hidden)]
    assert np.isclose(*sent)


def _tensor_bytes(job):
    """Buffers of all tensor-parallel collectives of a step."""
    done = assemble(plan(job, np.arange(64) // 8), {})
    used = done.collective[done.kind == TP]
    return sum(done.collectives[row].size_bytes for row in used.tolist())


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
        reduced = sum(c.size_bytes for c in of_kind(program, "reduce-scatter"))
        assert np.isclose(reduced, 4 * job.model.parameters / 8)


def test_sends_that_close_the_ring_of_chunks_run_once_less_per_microbatch():
    job = small_job(pipeline=4, data=2, virtual_stages=2, schedule="interleaved", global_batch=16)
    program = plan(job, np.arange(64) // 8)
    schedule = assemble(program, {})
    in_schedule = np.bincount(schedule.collective[schedule.collective != NONE], minlength=len(program.collectives))
    assert np.array_equal(in_schedule, program.num_runs())
