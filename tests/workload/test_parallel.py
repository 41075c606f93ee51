"""Every accelerator belongs to exactly one group of each kind."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster_sim.core import InputError
from cluster_sim.workload import SCHEDULES, Parallelism

ORDERS = list(permutations(("tensor", "context", "data", "pipeline")))


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.sampled_from(ORDERS), st.sampled_from([1, 2, 4]))
def test_groups_partition_the_accelerators(tensor, pipeline, data, order, expert):
    if tensor * data % expert:
        expert = 1
    plan = Parallelism(tensor=tensor, pipeline=pipeline, data=data, expert=expert, order=order)
    for groups_of in (
        plan.stage_ranks,
        plan.tensor_groups,
        plan.data_groups,
        plan.expert_groups,
        plan.expert_data_groups,
    ):
        ranks = np.concatenate([groups_of(stage).ravel() for stage in range(pipeline)])
        assert sorted(ranks.tolist()) == list(range(plan.num_ranks))


def test_neighbours_are_tensor_ranks_then_data_then_pipeline():
    plan = Parallelism(tensor=2, pipeline=2, data=3, expert=2)
    assert plan.stage_ranks(1).tolist() == [[[6, 7]], [[8, 9]], [[10, 11]]]
    assert plan.data_groups(0).tolist() == [[0, 2, 4], [1, 3, 5]]
    assert plan.expert_groups(0).tolist() == [[0, 1], [2, 3], [4, 5]]
    assert plan.expert_data_groups(0).tolist() == [[0, 2, 4], [1, 3, 5]]
    assert plan.pairs(0, 1)[:2].tolist() == [[0, 6], [1, 7]]


@given(st.integers(1, 6), st.integers(1, 4), st.integers(1, 3))
def test_every_schedule_runs_every_pass_once_and_forward_first(stages, groups, chunks):
    microbatches = stages * groups
    name = "1f1b" if chunks == 1 or stages == 1 else "interleaved"
    chunks = 1 if name == "1f1b" else chunks
    for stage in range(stages):
        order = SCHEDULES[name].order(stage, stages, microbatches, chunks).tolist()
        assert len({tuple(row) for row in order}) == len(order) == 2 * microbatches * chunks
        done = set()
        for backward, chunk, microbatch, _ in order:
            assert not backward or (chunk, microbatch) in done
            done.add((chunk, microbatch))


def test_schedules_refuse_what_they_cannot_do():
    with pytest.raises(InputError, match="multiples of the 4 stages"):
        SCHEDULES["interleaved"].order(0, 4, 6, 2)
    with pytest.raises(InputError, match="use 'interleaved'"):
        SCHEDULES["1f1b"].order(0, 4, 8, 2)
