"""Every accelerator belongs to exactly one group of each kind."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cluster_sim.workload import Job, Parallelism

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


# --- order: auto


@pytest.mark.parametrize(
    ("degrees", "domain", "order", "why"),
    [
        ({"tensor": 8, "data": 4, "pipeline": 9}, 72, "tcdp", "whole in domains of 72"),
        ({"tensor": 8, "context": 9, "data": 4, "pipeline": 9}, 72, "tcdp", "whole in domains of 72"),
        ({"tensor": 8, "context": 18, "data": 4, "pipeline": 9}, 72, "tcdp", "whole in domains of 72"),
        ({"tensor": 4, "context": 4, "data": 8, "pipeline": 9}, 72, "tcpd", "only in the same few stages"),
        ({"tensor": 4, "context": 4, "data": 9, "pipeline": 8}, 72, "tcdp", "straddles domains of 72 in any order"),
        ({"tensor": 4, "context": 4, "data": 9, "pipeline": 8}, 0, "tcdp", ""),
    ],
)
def test_the_order_is_proposed_with_a_reason(degrees, domain, order, why):
    """16 ranks do not divide a domain of 72; nine stages of them, 144, fill two domains."""
    placed, reason = Parallelism(**degrees, order="auto", domain=domain).placement
    assert "".join(dimension[0] for dimension in placed) == order
    assert why in reason


def test_a_proposed_order_is_laid_out_like_the_one_written_down():
    degrees = {"tensor": 4, "context": 4, "data": 8, "pipeline": 9}
    auto = Parallelism(**degrees, order="auto", domain=72)
    written = Parallelism(**degrees, order=("tensor", "context", "pipeline", "data"))
    assert all((auto.stage_ranks(stage) == written.stage_ranks(stage)).all() for stage in range(9))
    assert written.placement == (written.order, "as given")


def test_auto_stands_alone():
    with pytest.raises(ValidationError, match="once each, or auto"):
        Parallelism(order=("tensor", "auto"))


def test_a_job_knows_the_domain_of_its_accelerator():
    model = {"layers": 9, "hidden": 256, "heads": 16, "vocabulary": 512, "sequence": 256}
    split = {"tensor": 4, "context": 4, "data": 8, "pipeline": 9, "order": "auto"}
    job = Job(
        accelerators=1152, accelerator="gb200-nvl72", model=model, parallelism=split, global_batch=72,
    )  # fmt: skip
    assert job.parallelism.domain == 72
    assert job.parallelism.placement[0] == ("tensor", "context", "pipeline", "data")
    assert Job.model_validate(job.model_dump(mode="json")) == job


def test_shards_divide_the_replicas_of_experts_too():
    """12 data ranks of 2 tensor ranks hold 8 experts in 3 copies, which two ranks cannot share evenly."""
    with pytest.raises(ValidationError, match="2 is no way to share the 3 replicas of each expert"):
        Parallelism(tensor=2, data=12, expert=8, sharding="hsdp", shard=2)
    assert Parallelism(tensor=2, data=12, expert=8, sharding="hsdp", shard=6).num_shards == (6, 3)
    with pytest.raises(ValidationError, match="does not divide the 2 x 1 x 12"):
        Parallelism(tensor=2, data=12, expert=48, sharding="hsdp", shard=2)
