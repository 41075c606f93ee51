"""How replicas share parameters and gradients, against closed forms."""

import numpy as np
import pytest

from cluster_sim.engine import step_parts
from cluster_sim.tables import COMPUTE, CP, DP, NONE, OPTIMIZER
from cluster_sim.workload import Algorithms
from tests.engine.worlds import run_job, small_job

#: Eight ranks of one server; communication has no launches, and does not slow compute.
ALONE = {
    "tensor": 1, "pipeline": 1, "data": 8, "accelerators": 8, "global_batch": 8, "layers": 4, "slowdown_ratio": 0.0,
    "bucket_parameters": 0, "algorithms": Algorithms(library="none"),
}  # fmt: skip


def spans(schedule, outcome, kind, word):
    """(start, end) of the collectives of a kind whose name contains a word, in order of time."""
    chosen = [
        task for task in np.flatnonzero(schedule.kind == kind)
        if word in schedule.collectives[schedule.collective[task]].name
    ]  # fmt: skip
    return sorted((float(outcome.start_s[task]), float(outcome.end_s[task])) for task in chosen)


def test_sharded_parameters_are_gathered_for_every_pass_and_gradients_reduced_once():
    """4 layers, embedding and output layer: 6 gathers forward, 6 backward, 6 reductions, for each of 2 microbatches."""
    schedule, outcome, _ = run_job(small_job(**ALONE | {"sharding": "fsdp", "global_batch": 16}))
    assert len(spans(schedule, outcome, DP, "all-gather")) == 2 * 2 * 6
    assert len(spans(schedule, outcome, DP, "reduce-scatter")) == 2 * 6


def test_gathers_run_one_layer_ahead_and_no_further():
    """A gather starts once the compute before the layer that the gather before it was for is done."""
    schedule, outcome, _ = run_job(small_job(**ALONE | {"sharding": "fsdp", "micro_batch": 1}))
    gathers = spans(schedule, outcome, DP, "all-gather")
    compute = np.flatnonzero(schedule.kind == COMPUTE)
    for number in range(2, len(gathers)):
        begun = outcome.start_s[compute] < gathers[number][0] - 1e-12
        assert begun.sum() >= number - 1


def test_compute_hides_all_gathers_but_the_first_where_it_is_longer():
    """Long sequences: only the first gather and the last reduction are exposed."""
    job = small_job(**ALONE | {"sharding": "fsdp", "sequence": 32768, "global_batch": 8, "accelerator": "h100-sxm"})
    schedule, outcome, _ = run_job(job)
    first = spans(schedule, outcome, DP, "all-gather")[0]
    last = spans(schedule, outcome, DP, "reduce-scatter")[-1]
    compute_s = float(schedule.compute_s.sum())
    assert outcome.step_time_s == pytest.approx(first[1] + compute_s + last[1] - last[0], rel=1e-3)
    assert step_parts(schedule, outcome)["dp"] == pytest.approx(first[1] + last[1] - last[0], rel=1e-3)


def test_hybrid_sharding_gathers_in_shards_and_adds_up_between_them():
    job = small_job(**ALONE | {"sharding": "hsdp", "shard": 4})
    schedule, _, _ = run_job(job)
    ranks = {c.name.partition(" of")[0]: c.num_ranks for c in schedule.collectives}
    assert ranks == {"dp all-gather": 4, "dp reduce-scatter": 4, "dp all-reduce": 2}


def test_without_sharding_gradients_are_added_up_everywhere_after_the_last_microbatch():
    schedule, outcome, _ = run_job(small_job(**ALONE | {"sharding": "none", "global_batch": 32}))
    reductions = spans(schedule, outcome, DP, "all-reduce")
    assert len(reductions) == 6
    last = np.flatnonzero((schedule.kind == COMPUTE) & (schedule.microbatch == 3))
    assert reductions[0][0] >= outcome.start_s[last].min()


def test_parameters_gathered_ahead_leave_only_the_first_bucket_exposed():
    """With overlap the first pass waits for its first bucket, without for all of them."""
    early, late = (
        run_job(small_job(**ALONE | {"overlap_parameters": overlap, "sequence": 32768, "accelerator": "h100-sxm"}))
        for overlap in (True, False)
    )
    gathers = spans(*late[:2], DP, "all-gather")
    gained_s = late[1].step_time_s - early[1].step_time_s
    hidden_s = sum(end - start for start, end in gathers[1:])
    assert gained_s == pytest.approx(hidden_s, rel=1e-6)


def test_context_ranks_hide_keys_and_values_behind_attention_or_wait_for_them():
    """The ring hides what attention outlasts; the all-gather waits for all of it, forward and backward."""
    fields = ALONE | {"data": 2, "context": 4, "sequence": 65536, "global_batch": 2, "accelerator": "h100-sxm"}
    ring = run_job(small_job(**fields))
    gathered = run_job(small_job(**fields | {"context_exchange": "all_gather"}))
    assert step_parts(*ring[:2])["cp"] == pytest.approx(0.0, abs=1e-6)
    waited_s = sum(end - start for start, end in spans(*gathered[:2], CP, "keys"))
    assert step_parts(*gathered[:2])["cp"] == pytest.approx(waited_s, rel=1e-6)
    assert all(c.num_ranks == 4 for c in ring[0].collectives if c.kind == CP)


def test_tied_embeddings_are_added_up_between_first_and_last_stage():
    schedule, outcome, _ = run_job(small_job(tied_embeddings=True))
    (tied,) = [n for n, c in enumerate(schedule.collectives) if "tied" in c.name]
    (task,) = np.flatnonzero(schedule.collective == tied)
    others = np.flatnonzero((schedule.kind == DP) & (schedule.collective != tied) & (schedule.collective != NONE))
    reductions = [t for t in others if "reduce-scatter" in schedule.collectives[schedule.collective[t]].name]
    assert outcome.start_s[task] >= outcome.end_s[reductions].max() - 1e-12
    assert schedule.collectives[tied].size_bytes == 4 * 4096 * 1024 / 8


def test_sharded_parameters_that_are_not_gathered_ahead_are_waited_for():
    """ZeRO-3 without overlap: compute, every gather and every reduction, one after the other."""
    fields = {"sharding": "zero3", "overlap_parameters": False, "overlap_gradients": False, "accelerator": "h100-sxm"}
    schedule, outcome, _ = run_job(small_job(**ALONE | fields))
    waited_s = sum(end - start for start, end in spans(schedule, outcome, DP, "dp "))
    assert outcome.step_time_s == pytest.approx(waited_s + float(schedule.compute_s.sum()), rel=1e-9)
    assert step_parts(schedule, outcome)["dp"] == pytest.approx(waited_s, rel=1e-9)


def test_two_ways_add_up_the_gradients_of_both_copies():
    """4 stages, each with its mirror: all parameters of a rank's two chunks, reduced among replicas before."""
    job = small_job(schedule="dualpipe", virtual_stages=2, pipeline=4, data=2, sharding="zero1")
    schedule, outcome, _ = run_job(job)
    rows = [n for n, c in enumerate(schedule.collectives) if "both copies" in c.name]
    assert [schedule.collectives[row].num_ranks for row in rows] == [2, 2]
    model = job.model
    layers = 4 * model.dense_parameters  # two chunks of two layers
    at_ends, inside = layers + 2 * model.embedding_parameters, layers
    assert [schedule.collectives[row].size_bytes for row in rows] == [4 * at_ends / 8 / 2, 4 * inside / 8 / 2]
    for row, stages in zip(rows, ((0, 3), (1, 2)), strict=True):
        (task,) = np.flatnonzero(schedule.collective == row)
        mine = (schedule.kind == DP) & np.isin(schedule.stage, stages) & ~np.isin(schedule.collective, rows)
        reductions = [t for t in np.flatnonzero(mine) if "scatter" in schedule.collectives[schedule.collective[t]].name]
        assert outcome.start_s[task] >= outcome.end_s[reductions].max() - 1e-12
        optimizers = np.flatnonzero((schedule.kind == OPTIMIZER) & np.isin(schedule.stage, stages))
        assert np.all(outcome.start_s[optimizers] >= outcome.end_s[task] - 1e-12)
