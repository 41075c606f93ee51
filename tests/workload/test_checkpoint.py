"""How long training waits for checkpoints."""

import pytest

from cluster_sim.workload.checkpoint import Checkpoint
from tests.engine.worlds import small_job

#: 64 accelerators in 8 servers; 14 bytes for each parameter.
JOB = small_job()
BYTES = 14 * JOB.model.parameters
SLOW = {"every": 100, "front_end_bytes_per_s": 1e9, "storage_bytes_per_s": 1e12}


def waits(job=JOB, step_s=1.0, **fields):
    return small_job(checkpoint=Checkpoint(**SLOW | fields), sharding=job.parallelism.sharding).checkpoint_s(step_s)


def test_all_servers_write_side_by_side_where_the_state_is_sharded():
    assert waits() == pytest.approx(BYTES / 8e9 / 100)


def test_one_replica_writes_where_all_hold_the_same():
    """Of 4 data ranks one writes: 16 accelerators, 2 servers."""
    assert waits(small_job(sharding="none")) == pytest.approx(BYTES / 2e9 / 100)


def test_the_storage_is_shared_by_all():
    assert waits(storage_bytes_per_s=5e8) == pytest.approx(BYTES / 5e8 / 100)


def test_in_the_background_only_the_copy_is_waited_for():
    assert waits(asynchronous=True, host_copy_bytes_per_s=2e9) == pytest.approx(BYTES / 64 / 2e9 / 100)


def test_what_is_still_being_written_is_waited_for():
    """Writing takes 2 steps more than there are between two checkpoints."""
    write_s = BYTES / 8e9
    step_s = write_s / 102
    copy_s = BYTES / 64 / 25e9
    assert waits(step_s=step_s, asynchronous=True) == pytest.approx((copy_s + 2 * step_s) / 100)


def test_without_checkpoints_nothing_is_waited_for():
    assert JOB.checkpoint_s(1.0) == 0.0
