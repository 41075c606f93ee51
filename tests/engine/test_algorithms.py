"""Whole jobs with collectives of every kind: lockstep, in rounds, reduced in switches, chosen by a cost model."""

import numpy as np
import pytest

from cluster_sim.engine import step_parts
from cluster_sim.topology import Clos, OcsSpine
from cluster_sim.workload import Algorithms
from tests.engine.worlds import moe_job, run_job, small_job

AUTO = Algorithms(all_reduce="auto", reduce_scatter="auto", all_gather="auto", all_to_all="auto")
KINDS = {
    "auto": AUTO,
    "in switches": Algorithms(
        all_reduce="hierarchical_nvls_tree_all_reduce",
        reduce_scatter="hierarchical_nvls_reduce_scatter",
        all_gather="hierarchical_nvls_all_gather",
        all_to_all="hierarchical_all_to_all",
    ),
    "in rounds": Algorithms(
        all_reduce="halving_doubling_all_reduce",
        reduce_scatter="halving_doubling_reduce_scatter",
        all_gather="bruck_all_gather",
        all_to_all="pairwise_all_to_all",
    ),
    "trees and levels": Algorithms(
        all_reduce="double_tree_all_reduce",
        reduce_scatter="three_level_reduce_scatter",
        all_gather="three_level_all_gather",
        all_to_all="bruck_all_to_all",
    ),
    "step by step": Algorithms(
        all_reduce="ring_all_reduce",
        reduce_scatter="ring_reduce_scatter",
        all_gather="bidirectional_ring_all_gather",
        detail="steps",
    ),
}
JOBS = {"sharded": small_job, "replicated": lambda **c: small_job(sharding="none", **c), "experts": moe_job}
CASES = [
    pytest.param(make(algorithms=kind), id=f"{job}, {name}")
    for job, make in JOBS.items()
    for name, kind in KINDS.items()
]


@pytest.mark.parametrize("job", CASES)
def test_fused_or_not_on_numpy_or_numba_a_job_takes_as_long(job):
    """And the parts of its step time sum to it."""
    schedule, fused, _ = run_job(job)
    _, explicit, _ = run_job(job, fuse=False)
    _, numpy, _ = run_job(job, backend="numpy")
    assert fused.step_time_s == pytest.approx(explicit.step_time_s, rel=1e-9)
    assert np.allclose(fused.end_s, numpy.end_s, rtol=1e-9, atol=0)
    assert sum(step_parts(schedule, fused).values()) == pytest.approx(fused.step_time_s, rel=1e-9)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_kind_runs_over_circuits(kind):
    """Traffic between pods is counted for the circuits whatever form it has."""
    job = small_job(accelerators=128, data=8, global_batch=64, algorithms=kind)
    _, outcome, _ = run_job(job, OcsSpine(pod_accelerators=64, reconfigure="per_phase"))
    assert outcome.step_time_s > 0


def test_auto_names_what_it_has_chosen():
    """Gradients and activations differ in size and ranks; every collective names what it uses."""
    schedule, _, _ = run_job(small_job(algorithms=AUTO))
    names = {collective.algorithm for collective in schedule.collectives}
    assert "auto" not in names
    for collective in schedule.collectives:
        operation = collective.name.split(",")[0].split(" of ")[0].removeprefix("tp ").removeprefix("dp ")
        if not operation.startswith("pp"):
            assert collective.algorithm.endswith(operation.replace("-", "_"))


def test_auto_is_no_slower_than_what_is_used_by_default():
    """Where nothing but the endpoints' links is in the way, to within 1 %."""
    _, default, _ = run_job(small_job(), Clos())
    _, auto, _ = run_job(small_job(algorithms=AUTO), Clos())
    assert auto.step_time_s <= default.step_time_s * 1.01


def test_steps_take_as_long_as_lockstep_inside_servers():
    """Tensor parallelism on NVLink, all edges alike; nothing else is sent."""
    changes = {"accelerators": 8, "pipeline": 1, "data": 1, "global_batch": 4}
    rings = {"reduce_scatter": "ring_reduce_scatter", "all_gather": "ring_all_gather"}
    _, lockstep, _ = run_job(small_job(algorithms=Algorithms(**rings), **changes))
    _, steps, _ = run_job(small_job(algorithms=Algorithms(**rings, detail="steps"), **changes))
    assert steps.step_time_s == pytest.approx(lockstep.step_time_s, rel=1e-9)
