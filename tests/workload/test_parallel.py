"""Every accelerator belongs to exactly one group of each kind."""

from itertools import permutations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cluster_sim.workload import Parallelism

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
