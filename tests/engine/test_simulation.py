"""Whole jobs: what must hold whatever the job."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster_sim.backend import choose_backend
from cluster_sim.core import BackendError, StalledFlowsError
from cluster_sim.engine import Simulation, route_collectives, step_parts, symmetry
from cluster_sim.engine import routes as routing
from cluster_sim.routing import Ecmp, Spray
from cluster_sim.topology import Clos, OcsSpine
from cluster_sim.workload import Algorithms
from tests.engine.worlds import chain, clos, message, moe_job, run_job, simulate_by_hand, small_job

JOBS = st.one_of(
    st.builds(
        small_job,
        sharding=st.sampled_from(["none", "zero1"]),
        overlap_gradients=st.booleans(),
        recompute=st.sampled_from(["none", "selective", "full"]),
    ),
    st.builds(moe_job, overlap_gradients=st.booleans(), recompute=st.sampled_from(["none", "full"])),
    st.just(small_job(pipeline=4, data=2, virtual_stages=2, schedule="interleaved", global_batch=16)),
    st.just(small_job(tensor=1, pipeline=1, data=64, global_batch=64)),
)


CIRCUITS = OcsSpine(pod_accelerators=64, reconfigure="per_phase")
OVER_CIRCUITS = st.builds(
    lambda make, **changes: make(accelerators=128, data=8, global_batch=64, **changes),
    make=st.sampled_from([small_job, moe_job]),
    overlap_gradients=st.booleans(),
)


@given(st.one_of(st.tuples(JOBS, st.just(Clos())), st.tuples(OVER_CIRCUITS, st.just(CIRCUITS))))
@settings(max_examples=25, deadline=None)
def test_the_parts_of_the_step_time_sum_to_it(case):
    job, topology = case
    schedule, outcome, _ = run_job(job, topology)
    parts = step_parts(schedule, outcome)
    assert sum(parts.values()) == pytest.approx(outcome.step_time_s, rel=1e-9)
    assert min(parts.values()) >= -1e-12


def test_what_passes_that_run_together_communicate_is_not_fused():
    """It meets what the other pass sends, and the other pass computes meanwhile."""
    job = small_job(virtual_stages=2, schedule="dualpipe", slowdown_ratio=0.0)
    fused, together, _ = run_job(job, fuse=True)
    _, explicit, _ = run_job(job, fuse=False)
    assert not fused.fused_s.any()
    assert together.step_time_s == explicit.step_time_s


@given(JOBS)
@settings(max_examples=15, deadline=None)
def test_fusing_private_collectives_changes_nothing(job):
    """
    Tensor parallelism on NVLink meets no other traffic: explicit or fused, the step takes as long. Where other
    collectives slow compute down, fused communication counts as spread over its task, which is good to a thousandth.
    """
    for slowdown_ratio, tolerance in ((0.0, 1e-9), (0.1, 1e-3)):
        job = job.model_copy(update={"slowdown_ratio": slowdown_ratio})
        fused, together, _ = run_job(job, fuse=True)
        apart, explicit, _ = run_job(job, fuse=False)
        if job.parallelism.tensor > 1:
            assert len(fused) < len(apart)
        assert together.step_time_s == pytest.approx(explicit.step_time_s, rel=tolerance)


@pytest.mark.parametrize("job", [small_job(), moe_job()], ids=["dense", "moe"])
@pytest.mark.parametrize("routing", [Spray(), Ecmp()], ids=["spray", "ecmp"])
def test_numpy_and_numba_give_the_same_times(job, routing):
    _, numba, _ = run_job(job, backend="numba", routing=routing)
    _, numpy, _ = run_job(job, backend="numpy", routing=routing)
    assert np.allclose(numba.end_s, numpy.end_s, rtol=1e-9, atol=0)
    assert np.allclose(numba.start_s, numpy.start_s, rtol=1e-9, atol=1e-15)


@pytest.mark.gpu
@pytest.mark.parametrize("job", [small_job(), moe_job()], ids=["dense", "moe"])
def test_cupy_gives_the_same_times_as_numpy(job):
    try:
        choose_backend("cupy")
    except BackendError as error:
        pytest.skip(str(error))
    _, cupy, _ = run_job(job, backend="cupy")
    _, numpy, _ = run_job(job, backend="numpy")
    assert np.allclose(cupy.end_s, numpy.end_s, rtol=1e-9, atol=0)


def test_the_same_run_twice_is_the_same_to_the_last_bit():
    for job in (small_job(), moe_job()):
        first, second = run_job(job, routing=Ecmp())[1], run_job(job, routing=Ecmp())[1]
        assert first.end_s.tobytes() == second.end_s.tobytes()
        assert first.start_s.tobytes() == second.start_s.tobytes()


def test_symmetry_changes_no_time(monkeypatch):
    """Every flow a class of its own (rates solved for each) gives the times of the merged classes."""
    job = moe_job()
    _schedule, merged, routes = run_job(job)
    original = symmetry.refine
    monkeypatch.setattr(
        symmetry, "refine",
        lambda starts, row, weight, flows, rows, backend: original(
            starts, row, weight, np.arange(len(flows)), np.arange(len(rows))
        ),
    )  # fmt: skip
    monkeypatch.setattr(routing, "_stays_in_groups", lambda *_: False)
    _apart_schedule, apart, apart_routes = run_job(job)
    assert 4 * len(routes.table.size_bytes) < len(apart_routes.table.size_bytes)
    assert apart_routes.row_class.tolist() == list(range(len(apart_routes.row_class)))
    assert np.allclose(merged.end_s, apart.end_s, rtol=1e-9, atol=0)


def test_data_parallel_step_is_compute_then_reduction_then_optimiser():
    """
    Pure data parallelism, one rank a server, nothing overlapped: all-gather of 16-bit parameters, one forward and
    backward, reduce-scatter of 32-bit gradients, optimiser. Each collective takes (n-1)/n S/B and n-1 latencies.
    """
    job = small_job(
        tensor=8, pipeline=1, data=8, global_batch=8, overlap_gradients=False, layers=1, hidden=1024, heads=8,
        algorithms=Algorithms(library="none"),
    )  # fmt: skip
    schedule, outcome, routes = run_job(job)
    rank, ranks = 0.96 * 100e9, 8
    collectives = [c for c in schedule.collectives if c.kind == 6]
    latency_s = routes.table.latency_s[routes.table.pattern_starts[routes.route_patterns[routes.route[0]]]]
    wire_s = sum((ranks - 1) / ranks * c.size_bytes / rank for c in collectives)
    comm = np.isin(schedule.kind, [6])
    spent_s = (outcome.end_s - outcome.start_s)[comm].sum()
    alpha_s = [routes.table.latency_s[routes.table.pattern_starts[routes.route_patterns[r]]] for r in routes.route]
    alphas = sum(a for a, c in zip(alpha_s, schedule.collectives, strict=True) if c.kind == 6)
    assert latency_s > 0
    assert spent_s == pytest.approx(wire_s + alphas, rel=1e-9)
    compute_s = (schedule.compute_s + schedule.fused_s).sum()
    assert outcome.step_time_s == pytest.approx(compute_s + spent_s, rel=1e-9)


def test_two_messages_through_one_port_share_it():
    """
    Endpoint 0 sends 96 GB to endpoint 8 and, from the same port, 48 GB to endpoint 16, both at once: 48 GB/s each for
    a second, then the first has 48 GB left and the port (96 GB/s) for itself: ends at 1.5 s, apart from latencies.
    """
    schedule = chain([1e-6, message(0, 8, 96e9), message(0, 16, 48e9)], 1)
    parallel = _both_at_once(schedule)
    outcome = simulate_by_hand(parallel, clos(64))
    assert outcome.end_s[2] == pytest.approx(1.0, rel=1e-4)
    assert outcome.end_s[1] == pytest.approx(1.5, rel=1e-4)


def _both_at_once(schedule):
    """The chain with its second and third task released together."""
    from dataclasses import replace

    return replace(
        schedule,
        unlocks=np.array([1, 2], np.int32),
        unlocks_starts=np.array([0, 2, 2, 2], np.int64),
        num_needs=np.array([0, 1, 1], np.int32),
    )


def test_collectives_on_one_route_go_one_after_the_other():
    """The same message asked for twice at once takes twice as long as once, not half the rate each."""
    once = message(0, 8, 96e9)
    schedule = _both_at_once(chain([1e-6, once, once], 1))
    outcome = simulate_by_hand(schedule, clos(64))
    assert outcome.end_s[1] == pytest.approx(1.0, rel=1e-4)
    assert outcome.end_s[2] == pytest.approx(2.0, rel=1e-4)


def test_flows_that_nothing_can_finish_end_the_run_with_their_names():
    """The destination's port has no capacity and no event will change that."""
    schedule = chain([1e-6, message(0, 8, 1e9)], 1)
    routes = route_collectives(schedule.collectives, np.ones(1), clos(64), Spray(), 7, 1)
    routes.capacity[:] = 0.0
    with pytest.raises(StalledFlowsError, match=r"0 to 8 .*host_leaf link"):
        Simulation(schedule, routes, choose_backend("numba")).run()


def test_hashing_is_never_faster_than_spraying():
    """On a non-blocking fabric spraying is perfect; two flows hashed onto one link are slower."""
    for job in (
        small_job(accelerators=1024, data=64, global_batch=64),
        moe_job(accelerators=1024, data=64, global_batch=64),
    ):
        sprayed = run_job(job, Clos(pod_accelerators=256))[1].step_time_s
        hashed = run_job(job, Clos(pod_accelerators=256), routing=Ecmp())[1].step_time_s
        assert hashed >= sprayed * (1 - 1e-9)


def test_doubling_every_capacity_halves_what_the_bytes_take():
    """Latencies apart: with twice the capacity a large message takes half the time."""
    schedule = chain([message(0, 8, 1e12)], 1)
    fabric = clos(64)
    routes = route_collectives(schedule.collectives, np.ones(1), fabric, Spray(), 7, 1)
    slow = Simulation(schedule, routes, choose_backend("numba")).run()
    routes.capacity[:] *= 2
    fast = Simulation(schedule, routes, choose_backend("numba")).run()
    latency_s = float(routes.table.latency_s[0])
    assert (slow.step_time_s - latency_s) == pytest.approx(2 * (fast.step_time_s - latency_s), rel=1e-9)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_job_on_one_accelerator_sends_nothing(backend):
    """No collectives, no waiting: the step is compute and optimiser."""
    job = small_job(accelerators=1, tensor=1, pipeline=1, data=1, global_batch=2)
    schedule, outcome, _ = run_job(job, backend=backend)
    parts = step_parts(schedule, outcome)
    assert parts["compute"] + parts["optimizer"] == pytest.approx(outcome.step_time_s, rel=1e-12)
