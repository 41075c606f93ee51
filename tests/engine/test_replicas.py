"""Replicas apart: the same as together where nothing differs, and closed forms where something does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster_sim.backend import choose_backend
from cluster_sim.engine import Simulation, busiest_lane, fusible, route_collectives, step_parts
from cluster_sim.routing import Ecmp, Spray
from cluster_sim.tables import COMPUTE, DP, OPTIMIZER, PP
from cluster_sim.topology import Clos, Equipment, OcsSpine, SlowLinks
from cluster_sim.workload import PHASES, Algorithms, Stragglers, assemble, plan, split
from tests.engine.worlds import INTERCONNECT, moe_job, run_job, small_job

FREE = Algorithms(library="none")
#: What the payload of a port of 100 GB/s is.
PORT = 0.96 * 100e9

JOBS = {
    "dense": small_job(),
    "not overlapped": small_job(overlap_gradients=False),
    "pure data": small_job(tensor=1, pipeline=1, data=64, global_batch=64),
    "fsdp": small_job(sharding="fsdp"),
    "hsdp": small_job(sharding="hsdp", shard=2),
    "gradients sharded": small_job(sharding="zero2"),
    "parameters ahead": small_job(overlap_parameters=True),
    "fsdp in turn": small_job(sharding="fsdp", overlap_parameters=False, overlap_gradients=False),
    "gradients sharded in turn": small_job(sharding="zero2", overlap_gradients=False),
    "experts": moe_job(),
    "experts, fsdp": moe_job(sharding="fsdp"),
    "context": small_job(tensor=4, context=2),
    "tied": small_job(tied_embeddings=True),
    "interleaved": small_job(pipeline=4, data=2, virtual_stages=2, schedule="interleaved", global_batch=16),
    "two ways": small_job(virtual_stages=2, schedule="dualpipe"),
    "halves": small_job(schedule="zb-h1"),
}


def changed(job, **fields):
    """The same job with other fields."""
    return job.model_copy(update=fields)


def slow_ranks(*ranks, times=2.0):
    """Stragglers that take so many times as long."""
    return Stragglers(ranks=ranks, slowdown_ratio=times - 1.0)


@pytest.mark.parametrize("fuse", [True, False], ids=["fused", "explicit"])
@pytest.mark.parametrize("name", JOBS)
def test_apart_takes_as_long_as_together_where_nothing_differs(name, fuse):
    one, together, _ = run_job(changed(JOBS[name], replicas="together"), fuse=fuse)
    many, apart, _ = run_job(changed(JOBS[name], replicas="apart"), fuse=fuse)
    assert len(many.lanes) > len(one.lanes)
    assert apart.step_time_s == pytest.approx(together.step_time_s, rel=1e-9)
    for lane in range(len(many.lanes)):
        mine, its = ((s.lane == n) & (s.kind == COMPUTE) for s, n in ((many, lane), (one, many.lanes.stage[lane])))
        assert np.allclose(apart.end_s[mine], together.end_s[its], rtol=1e-9, atol=0)
    ours, theirs = step_parts(one, together), step_parts(many, apart)
    assert {part: theirs[part] for part in ours} == pytest.approx(ours, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", ["dense", "experts", "fsdp"])
def test_auto_is_together_to_the_last_bit_where_nothing_differs(name):
    _, auto, _ = run_job(JOBS[name])
    _, together, _ = run_job(changed(JOBS[name], replicas="together"))
    assert auto.start_s.tobytes() == together.start_s.tobytes()
    assert auto.end_s.tobytes() == together.end_s.tobytes()


@pytest.mark.parametrize("reconfigure", ["per_job", "per_phase"])
def test_circuits_serve_replicas_that_are_apart(reconfigure):
    job = small_job(accelerators=128, data=8, global_batch=64)
    topology = OcsSpine(pod_accelerators=64, reconfigure=reconfigure)
    _, together, _ = run_job(job, topology)
    _, apart, _ = run_job(changed(job, replicas="apart"), topology)
    assert apart.step_time_s == pytest.approx(together.step_time_s, rel=1e-9)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_backends_agree_on_replicas_that_are_apart(backend):
    job = moe_job(jitter_ratio=0.05)
    _, expected, _ = run_job(job, backend="numba")
    _, outcome, _ = run_job(job, backend=backend)
    assert np.allclose(outcome.end_s, expected.end_s, rtol=1e-9, atol=0)


def test_all_wait_for_a_straggler_in_pure_data_parallelism():
    """
    One stage, nothing overlapped: gather, compute, reduce, optimise. All wait for rank 5, which takes twice as long:
    the step is longer by one time of all that is computed, passes and optimiser.
    """
    job = small_job(
        tensor=1, pipeline=1, data=64, global_batch=64, overlap_gradients=False, algorithms=FREE, slowdown_ratio=0.0
    )
    schedule, even, _ = run_job(job)
    apart, uneven, _ = run_job(changed(job, stragglers=slow_ranks(5)))
    assert apart.lanes.replica.tolist() == [0, 1]
    assert uneven.step_time_s == pytest.approx(even.step_time_s + schedule.compute_s.sum(), rel=1e-12)
    parts = step_parts(apart, uneven)
    assert parts["compute"] == pytest.approx(2 * schedule.compute_s[schedule.kind == COMPUTE].sum(), rel=1e-12)
    assert parts["bubble"] == pytest.approx(0.0, abs=1e-12)
    assert parts["dp"] == pytest.approx(step_parts(schedule, even)["dp"], rel=1e-9)


def test_other_pipelines_wait_for_a_straggler_at_the_reduction_of_gradients():
    """
    Four pipelines of two stages, a straggler in the second stage of the third. The others end their passes when they
    end them without it; no gradient is reduced before the slow pipeline has ended its own.
    """
    job = small_job(overlap_gradients=False, global_batch=32)
    slow = changed(job, stragglers=slow_ranks(32 + 2 * 8 + 3))
    one, even, _ = run_job(job)
    two, uneven, _ = run_job(slow)
    assert two.lanes.replica.tolist() == [0, 0, 1, 1]
    ends = passes_end(two, uneven)
    assert ends[:2] == pytest.approx(passes_end(one, even), rel=1e-9)
    assert ends[3] > 1.5 * ends[1]
    reductions = np.array([c.kind == DP and "scatter" in c.name for c in two.collectives])
    for stage in (0, 1):
        runs = (two.stage == stage) & (two.collective >= 0) & reductions[two.collective]
        assert uneven.start_s[runs].min() == max(ends[stage], ends[2 + stage])
    assert uneven.step_time_s > even.step_time_s
    parts = step_parts(two, uneven)
    assert sum(parts.values()) == pytest.approx(uneven.step_time_s, rel=1e-9)


def passes_end(schedule, outcome):
    """When the last pass of each lane ends."""
    is_pass = schedule.kind == COMPUTE
    return [float(outcome.end_s[is_pass & (schedule.lane == lane)].max()) for lane in range(len(schedule.lanes))]


def test_together_all_are_as_slow_as_the_slowest():
    """A straggler of factor 2 in a stage: together that stage computes twice as long in every replica."""
    job = small_job(stragglers=slow_ranks(3), replicas="together")
    even, _, _ = run_job(small_job())
    slow, _, _ = run_job(job)
    assert len(slow.lanes) == 2
    for stage, times in ((0, 2.0), (1, 1.0)):
        mine, its = (s.compute_s[s.stage == stage].sum() for s in (slow, even))
        assert mine == pytest.approx(times * its, rel=1e-12)


def test_fully_sharded_replicas_wait_for_a_straggler_layer_by_layer():
    """Parameters are gathered over all replicas, so nobody is ahead of a straggler by more than it may gather ahead."""
    job = small_job(sharding="fsdp", pipeline=1, data=8, layers=8)
    one, even, _ = run_job(job)
    two, uneven, _ = run_job(changed(job, stragglers=slow_ranks(0, times=3.0)))
    # Together the slowest sets the pace of all: no longer than that.
    _, worst, _ = run_job(changed(job, stragglers=slow_ranks(0, times=3.0), replicas="together"))
    assert even.step_time_s < uneven.step_time_s <= worst.step_time_s * (1 + 1e-9)
    fast = (two.lane == 1) & (two.kind == COMPUTE)
    assert uneven.end_s[fast].max() > 2.5 * even.end_s[one.kind == COMPUTE].max()


@given(
    st.sampled_from(["dense", "experts", "fsdp", "not overlapped", "interleaved", "halves"]),
    st.lists(st.integers(0, 63), min_size=1, max_size=5, unique=True),
    st.floats(1.01, 5.0),
    st.sampled_from(["auto", "together"]),
)
@settings(max_examples=25, deadline=None)
def test_stragglers_never_make_a_step_shorter(name, ranks, times, replicas):
    """
    And it is no longer than if everybody were as slow. Collectives slow nothing down here: with that, one that starts
    earlier can make what runs beside it take longer.
    """
    job = changed(JOBS[name], slowdown_ratio=0.0)
    _, even, _ = run_job(job)
    _, uneven, _ = run_job(changed(job, stragglers=slow_ranks(*ranks, times=times), replicas=replicas))
    _, slowest, _ = run_job(changed(job, stragglers=slow_ranks(*range(64), times=times)))
    assert even.step_time_s * (1 - 1e-9) <= uneven.step_time_s <= slowest.step_time_s * (1 + 1e-9)


@given(st.sampled_from(["dense", "experts", "fsdp"]), st.floats(0.001, 0.3), st.integers(1, 9))
@settings(max_examples=10, deadline=None)
def test_together_is_never_faster_than_apart_and_the_parts_sum_up(name, jitter_ratio, seed):
    job = changed(JOBS[name], jitter_ratio=jitter_ratio, slowdown_ratio=0.0)
    schedule, apart, _ = run_job(job, seed=seed)
    _, together, _ = run_job(changed(job, replicas="together"), seed=seed)
    _, even, _ = run_job(changed(job, jitter_ratio=0.0))
    assert even.step_time_s * (1 - 1e-9) <= apart.step_time_s <= together.step_time_s * (1 + 1e-9)
    parts = step_parts(schedule, apart)
    assert sum(parts.values()) == pytest.approx(apart.step_time_s, rel=1e-9)
    assert min(parts.values()) >= -1e-12


def test_the_same_seed_gives_the_same_bits_and_another_one_others():
    job = small_job(jitter_ratio=0.05)
    first, again, other = (run_job(job, seed=seed, routing=Ecmp())[1] for seed in (1, 1, 2))
    assert first.end_s.tobytes() == again.end_s.tobytes()
    assert first.step_time_s != other.step_time_s


def test_a_collective_of_all_replicas_slows_all_of_them_down():
    """Where gradients are reduced behind the backward pass, compute of both classes takes longer beside that."""
    job = small_job(pipeline=1, data=8, layers=8, bucket_parameters=1, slowdown_ratio=0.5, global_batch=8)
    even, _, _ = run_job(job)
    two, outcome, _ = run_job(changed(job, stragglers=slow_ranks(0, times=1.0001)))
    for lane in (0, 1):
        mine = (two.lane == lane) & (two.kind == COMPUTE)
        spent_s = (outcome.end_s - outcome.start_s)[mine].sum()
        assert spent_s > 1.01 * (two.compute_s + two.fused_s)[mine].sum()
    assert len(even.lanes) == 1


# Slow links


def host_cable(topology, endpoint, job):
    """Number of the cable from an endpoint to its leaf."""
    fabric = topology.build(Equipment(job.accelerators, job.accelerator_entry, INTERCONNECT))
    links = fabric.links
    return int(np.flatnonzero((links.src == endpoint) & (links.tier == fabric.tiers.index("host_leaf")))[0])


def test_a_slow_port_slows_the_rings_through_it_and_nothing_else():
    """
    Servers of 8 tensor ranks, 8 data ranks, nothing overlapped: each data-parallel ring of 8 takes 7/8 S/B and
    latencies. The ring through a port at half its rate takes 7/8 S/B more; steps take that more for each collective.
    """
    job = small_job(pipeline=1, data=8, overlap_gradients=False, algorithms=FREE, global_batch=8)
    slow = SlowLinks(links=(host_cable(Clos(), 20, job),), capacity_ratio=0.5)
    schedule, even, _ = run_job(job)
    two, uneven, _ = run_job(job, slow=slow)
    assert two.lanes.replica.tolist() == [0, 1]
    runs = schedule.collective[schedule.kind == DP]
    more_s = sum(7 / 8 * schedule.collectives[row].size_bytes / PORT for row in runs)
    assert more_s > 0
    assert uneven.step_time_s == pytest.approx(even.step_time_s + more_s, rel=1e-9)


def test_a_slow_port_slows_the_pipeline_behind_it_and_no_other():
    """Two stages: messages through a port at a quarter of its rate take 4 S/B; those of other pipelines S/B."""
    job = small_job(overlap_gradients=False, algorithms=FREE)
    slow = SlowLinks(links=(host_cable(Clos(), 20, job),), capacity_ratio=0.25)
    one, even, _ = run_job(job)
    two, uneven, _ = run_job(job, slow=slow)
    assert two.lanes.replica.tolist() == [0, 0, 1, 1]
    for schedule, outcome, lanes, times in ((one, even, (0, 1), 1), (two, uneven, (0, 1), 1), (two, uneven, (2, 3), 4)):
        sends = (schedule.kind == PP) & np.isin(schedule.lane, lanes)
        size_bytes = {schedule.collectives[row].size_bytes for row in schedule.collective[sends]}
        latency_s = spent(one, even, one.kind == PP).min() - size_bytes.copy().pop() / PORT
        assert spent(schedule, outcome, sends) == pytest.approx(latency_s + times * size_bytes.pop() / PORT, rel=1e-9)
    assert uneven.step_time_s > even.step_time_s


def spent(schedule, outcome, tasks):
    """Seconds of each."""
    return (outcome.end_s - outcome.start_s)[tasks]


@pytest.mark.parametrize("capacity_ratio", [0.999999, 0.5])
def test_slow_links_between_switches_separate_nobody_and_never_help(capacity_ratio):
    job = small_job(accelerators=1024, data=64, global_batch=64)
    topology = Clos(pod_accelerators=256)
    slow = SlowLinks(ratio=0.3, capacity_ratio=capacity_ratio)
    _, even, _ = run_job(job, topology)
    schedule, uneven, _ = run_job(job, topology, slow=slow)
    assert len(schedule.lanes) == 2
    assert uneven.step_time_s >= even.step_time_s * (1 - 1e-9)
    if capacity_ratio > 0.99:
        assert uneven.step_time_s == pytest.approx(even.step_time_s, rel=1e-5)


def test_the_optimiser_of_a_straggler_ends_the_step():
    two, outcome, _ = run_job(small_job(stragglers=slow_ranks(0)))
    last = int(np.argmax(outcome.end_s))
    assert two.kind[last] == OPTIMIZER
    assert two.lanes.replica[two.lane[last]] == 0
    assert two.compute_s[last] == pytest.approx(2 * two.compute_s[(two.kind == OPTIMIZER) & (two.lane == 2)][0])


def test_the_lane_that_computes_longest_is_seen_although_another_replica_ends_the_step():
    """
    Replica 0 has the slowest stage, replica 1 two that are nearly as slow and ends later. The parts are those of the
    slowest stage: all it computes, and waiting for the others.
    """
    slow = np.ones(64)
    slow[32], slow[[8, 40]] = 1.5, 1.45
    job = small_job(overlap_gradients=False, slowdown_ratio=0.0, global_batch=8)
    schedule, outcome = with_factors(job, slow)
    ends = passes_end(schedule, outcome)
    assert max(ends[2:4]) > max(ends[:2])
    parts = step_parts(schedule, outcome)
    assert busiest_lane(schedule) == 1
    own = (schedule.lane == 1) & (schedule.kind == COMPUTE)
    assert parts["compute"] == pytest.approx(schedule.compute_s[own].sum(), rel=1e-9)
    assert sum(parts.values()) == pytest.approx(outcome.step_time_s, rel=1e-9)


def with_factors(job, factor):
    """(schedule, outcome) where accelerators compute so many times as long, each."""
    fabric = Clos().build(Equipment(job.accelerators, job.accelerator_entry, INTERCONNECT))
    replicas = split(job, factor, np.zeros(len(factor), np.int64))
    program = plan(job, fabric.endpoint_domain, fabric.endpoint_pod, replicas=replicas)
    collectives, backend = tuple(program.collectives), choose_backend("numba")
    routes = route_collectives(collectives, program.num_runs(), fabric, Spray(), 7, len(PHASES))
    schedule = assemble(program, fusible(collectives, routes, backend))
    return schedule, Simulation(schedule, routes, backend).run()
