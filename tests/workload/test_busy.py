"""What the busiest stage computes, without a simulation."""

import numpy as np
import pytest

from cluster_sim.engine import busiest_lane
from cluster_sim.workload import Algorithms, Load
from tests.engine.worlds import moe_job, run_job, small_job

JOBS = {
    "dense": {}, "full recomputation": {"recompute": "full"},
    "some layers": {"recompute": "full", "recompute_layers": 2},
    "some layers of chunks": {"recompute": "full", "recompute_layers": 1, "schedule": "interleaved",
                              "virtual_stages": 2},
    "selective": {"recompute": "selective", "recompute_parts": ("norm", "activation")},
    "interleaved": {"schedule": "interleaved", "virtual_stages": 2},
    "two ways": {"schedule": "dualpipe", "virtual_stages": 2}, "halves": {"schedule": "zb-h1"},
    "uneven": {"pipeline": 4, "data": 2, "layers": 10, "edges_are_layers": True}, "further tokens": {"mtp_layers": 1},
    "each tensor gathered": {"sharding": "zero3"},
    "each tensor gathered, full recomputation": {"sharding": "zero3", "recompute": "full", "recompute_layers": 2},
}  # fmt: skip


@pytest.mark.parametrize("fields", JOBS.values(), ids=JOBS)
def test_it_is_what_the_simulation_computes(fields):
    """Compute tasks of the busiest stage add up to it; nothing slows compute here, and nothing is fused."""
    job = small_job(**fields, slowdown_ratio=0.0, algorithms=Algorithms(library="none"))
    schedule, _, _ = run_job(job, fuse=False)
    mine = (schedule.stage == busiest_lane(schedule)) & (schedule.kind == 0)
    assert Load.of(job).busiest_s() == pytest.approx(float(schedule.compute_s[mine].sum()), rel=1e-9)


def test_layers_computed_again_are_the_first_ones_of_a_stage_whatever_its_chunks():
    """Of 4 layers in 2 chunks each one more takes a forward pass longer, and costs as many FLOPs of the hardware."""
    jobs = [
        small_job(schedule="interleaved", virtual_stages=2, recompute=how, recompute_layers=num)
        for how, num in (("none", 0), ("full", 1), ("full", 2), ("full", 3), ("full", 4), ("full", 0))
    ]
    longer_s = np.diff([Load.of(job).busiest_s() for job in jobs])
    more_flop = np.diff([job.hardware_flop for job in jobs])
    assert longer_s == pytest.approx([longer_s[0]] * 4 + [0], abs=1e-9 * longer_s[0])
    assert more_flop == pytest.approx([more_flop[0]] * 4 + [0], abs=1e-9 * more_flop[0])
    job = jobs[3]
    schedule, _, _ = run_job(job.model_copy(update={"slowdown_ratio": 0.0}), fuse=False)
    mine = (schedule.stage == busiest_lane(schedule)) & (schedule.kind == 0)
    assert Load.of(job).busiest_s() == pytest.approx(float(schedule.compute_s[mine].sum()), rel=1e-9)


def test_experts_count_like_all_layers():
    job = moe_job(slowdown_ratio=0.0)
    schedule, _, _ = run_job(job, fuse=False)
    mine = (schedule.stage == busiest_lane(schedule)) & (schedule.kind == 0)
    assert Load.of(job).busiest_s() == pytest.approx(float(schedule.compute_s[mine].sum()), rel=1e-9)
