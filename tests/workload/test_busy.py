"""What the busiest stage computes, without a simulation."""

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
}  # fmt: skip


@pytest.mark.parametrize("fields", JOBS.values(), ids=JOBS)
def test_it_is_what_the_simulation_computes(fields):
    """Compute tasks of the busiest stage add up to it; nothing slows compute here, and nothing is fused."""
    job = small_job(**fields, slowdown_ratio=0.0, algorithms=Algorithms(library="none"))
    schedule, _, _ = run_job(job, fuse=False)
    mine = (schedule.stage == busiest_lane(schedule)) & (schedule.kind == 0)
    assert Load.of(job).busiest_s() == pytest.approx(float(schedule.compute_s[mine].sum()), rel=1e-9)


def test_experts_count_like_all_layers():
    job = moe_job(slowdown_ratio=0.0)
    schedule, _, _ = run_job(job, fuse=False)
    mine = (schedule.stage == busiest_lane(schedule)) & (schedule.kind == 0)
    assert Load.of(job).busiest_s() == pytest.approx(float(schedule.compute_s[mine].sum()), rel=1e-9)
