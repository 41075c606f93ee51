from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cluster_sim.workload import Job, PlanSpace, Split, job_with, search, unchecked_job_with
from cluster_sim.workload.search import divisors_of

MODELS = (
    {"layers": 8, "hidden": 1024, "heads": 8, "vocabulary": 32000, "sequence": 4096},
    {"layers": 12, "hidden": 4096, "heads": 12, "kv_heads": 4, "head_dim": 128, "vocabulary": 100_000, "sequence": 2048,
     "experts": {"count": 24, "per_token": 4, "width": 2048, "shared": 1, "first_dense": 3}},
    {"layers": 9, "hidden": 8192, "heads": 64, "kv_heads": 8, "vocabulary": 128_000, "sequence": 8192, "mtp_layers": 1,
     "tied_embeddings": True, "experts": {"count": 16, "per_token": 2, "width": 8192, "every": 2}},
)  # fmt: skip
SCHEDULES = ("1f1b", "interleaved", "zb-h1", "dualpipe", "gpipe")
SHARDINGS = ("none", "zero1", "zero2", "fsdp", "hsdp")


def open_job(model, accelerators=32, batch=64, accelerator="a100-40gb", **parallelism):
    """A job whose split is left open."""
    data = {
        "accelerators": accelerators, "accelerator": accelerator, "model": model, "global_batch": batch,
        "parallelism": parallelism,
    }  # fmt: skip
    return Job.model_validate(data, context={"is_open": True})


@st.composite
def searches(draw):
    """A job, and a space of two or three values of everything, some of which are nonsense."""

    def some(values, most=2):
        return draw(st.lists(st.sampled_from(values), min_size=1, max_size=most, unique=True))

    model = draw(st.sampled_from(MODELS))
    degrees = (1, 2, 3, 4, 8)
    space = {
        "tensor": some(degrees), "context": some((1, 2)), "pipeline": some((1, 2, 3, 4, 5, 8), 3),
        "expert": some((1, 2, 3, 8)), "expert_tensor": some((1, 2)), "virtual_stages": some((1, 2, 3)),
        "micro_batch": some((1, 2, 3, 8)), "schedule": some(SCHEDULES), "sharding": some(SHARDINGS),
        "recompute": some(("none", "selective", "full")),
    }  # fmt: skip
    options = draw(st.fixed_dictionaries({
        "edges_are_layers": st.booleans(), "sequence": st.booleans(), "shard": st.sampled_from((1, 2)),
    }))  # fmt: skip
    sharding = "hsdp" if options["shard"] > 1 else "zero1"
    parallelism = options | {"data": 32 * options["shard"], "sharding": sharding}
    batch = draw(st.sampled_from((16, 48, 96, 512)))
    job = open_job(model, draw(st.sampled_from((16, 24, 32))), batch, **parallelism)
    return job, PlanSpace(**space)


def combinations(job, space):
    """Every split that the search is to look at."""
    for tensor, context, pipeline in product(space.tensor, space.context, space.pipeline):
        data = job.accelerators // (tensor * context * pipeline) or 1
        for schedule, expert, inside, batch, recompute, sharding in product(
            space.schedule, space.expert, space.expert_tensor, space.micro_batch, space.recompute, space.sharding
        ):
            chunks = {"dualpipe": (2,), "interleaved": [n for n in space.virtual_stages if n > 1]}.get(schedule, (1,))
            for virtual in chunks if pipeline > 1 else (1,):
                yield Split(
                    tensor, context, pipeline, data, expert, inside, virtual, batch, schedule, recompute, sharding
                )


def is_accepted(job, split):
    try:
        job_with(job, split)
    except ValidationError:
        return False
    return True


@settings(max_examples=40, deadline=None)
@given(searches())
def test_what_is_left_over_is_what_a_job_accepts(case):
    """The verdict on each split equals that of a Job read from a file with all its checks, memory included."""
    job, space = case
    found = search(job, space)
    everything = list(combinations(job, space))
    alone = {split for split in everything if split.pipeline == 1}
    plain = [name for name in space.schedule if name in ("1f1b", "zb-h1", "gpipe")]
    kept = [s for s in everything if s not in alone or s.schedule == (plain or space.schedule)[0] or not plain]
    assert found.num_tried == len(kept)
    assert sorted(found.splits) == sorted(split for split in kept if is_accepted(job, split))


@settings(max_examples=25, deadline=None)
@given(searches())
def test_the_memory_is_that_of_the_job(case):
    job, space = case
    found = search(job, space)
    for split, memory_bytes in list(zip(found.splits, found.memory_bytes, strict=True))[:60]:
        whole = job_with(job, split).memory_bytes
        assert sum(memory_bytes.values()) == pytest.approx(sum(whole.values()), rel=1e-12)
        assert set(memory_bytes) == set(whole)


def test_a_job_made_without_checks_is_the_one_made_with_them():
    job = open_job(MODELS[0])
    split = Split(2, 1, 4, 4, 1, 1, 2, 1, "interleaved", "full", "zero1")
    assert unchecked_job_with(job, split) == job_with(job, split)
    assert Split.of(job_with(job, split)) == split


def test_by_default_every_sensible_value_is_tried():
    """32 accelerators in domains of eight; 8 layers; 4096 tokens leave 1024 to each of four ranks."""
    found = search(open_job(MODELS[0]), PlanSpace())
    assert found.tried["tensor"] == (1, 2, 4, 8)
    assert found.tried["context"] == (1, 2, 4)
    assert found.tried["pipeline"] == (1, 2, 4, 8)
    assert found.tried["expert"] == (1,)
    assert found.tried["micro_batch"] == (1, 2, 4, 8, 16)
    assert {split.sharding for split in found.splits if split.pipeline > 1} == {"zero1"}
    assert {split.sharding for split in found.splits if split.pipeline == 1} == {"zero1", "fsdp"}
    interleaved = {(s.pipeline, s.virtual_stages) for s in found.splits if s.schedule == "interleaved"}
    assert interleaved == {(2, 2), (2, 4), (4, 2)}
    assert {split.schedule for split in found.splits if split.pipeline == 1} == {"1f1b"}


def test_memory_can_be_left_for_others():
    """Every split that is left over fits into the share, and those that need more are not there."""
    job = open_job(MODELS[2])
    whole, half = search(job, PlanSpace()), search(job, PlanSpace(memory_ratio=0.5))
    limit_bytes = 0.5 * job.accelerator_entry.memory.typical
    fitting = [
        s for s, kinds in zip(whole.splits, whole.memory_bytes, strict=True) if sum(kinds.values()) <= limit_bytes
    ]
    assert half.splits == fitting != whole.splits


def test_tensor_ranks_stay_in_a_scale_up_domain():
    assert search(open_job(MODELS[0]), PlanSpace(), domain=2).tried["tensor"] == (1, 2)


def test_a_choice_that_is_named_is_the_only_one():
    space = PlanSpace(tensor=4, pipeline=[2], micro_batch=2, recompute="none", schedule="1f1b")
    found = search(open_job(MODELS[0]), space)
    assert {(s.tensor, s.pipeline, s.micro_batch, s.recompute, s.schedule) for s in found.splits} == {
        (4, 2, 2, "none", "1f1b")
    }


def test_reasons_are_counted_once_each():
    """tensor 3 divides neither 32 accelerators; tensor 16 no 8 heads."""
    space = PlanSpace(
        tensor=[3, 16], context=1, pipeline=1, micro_batch=1, schedule="1f1b", recompute="none", sharding="zero1"
    )
    assert search(open_job(MODELS[0]), space).fallen == {
        "tensor x context x pipeline does not divide the accelerators": 1,
        "tensor does not divide the heads": 1,
    }


def test_what_takes_most_memory_is_the_reason():
    job = open_job(MODELS[2], accelerators=8)
    assert set(search(job, PlanSpace(pipeline=1, tensor=1, expert=1, sharding="zero1")).fallen) >= {
        "memory: mostly gradients"
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tensor": []}, "an empty list leaves nothing to search"),
        ({"tensor": [2, 2]}, "2 is there twice"),
        ({"tensor": [0]}, "greater than or equal to 1"),
        ({"tensor": ["4"]}, "valid integer"),
        ({"tensor": True}, "valid tuple"),
        ({"schedule": ["1f1c"]}, "unknown pipeline schedule '1f1c'"),
        ({"sharding": "zero9"}, "input should be 'none'"),
        ({"tensors": [2]}, "unknown key; did you mean 'tensor'"),
        ({"keep": 0}, "greater than or equal to 1"),
    ],
)
def test_a_space_that_makes_no_sense_is_refused(given, message):
    with pytest.raises(ValidationError, match=f"(?i){message}"):
        PlanSpace.model_validate(given)


@given(st.integers(1, 3000))
def test_divisors_are_all_that_divide(number):
    assert divisors_of(number) == tuple(n for n in range(1, number + 1) if number % n == 0)


def test_a_name_leaves_out_what_is_not_there():
    split = Split(8, 1, 8, 256, 32, 1, 1, 1, "1f1b", "none", "zero1")
    assert split.name == "tp8 pp8 dp256 ep32 mb1 1f1b zero1"
    assert Split(1, 2, 1, 8, 1, 1, 1, 4, "1f1b", "full", "fsdp").name == "cp2 dp8 mb4 re-full fsdp"


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("recompute", ["none", "full"])
def test_the_fullest_stage_may_be_any(schedule, recompute):
    """22 layers, embedding and output layer on six stages: the second stage has a layer more than the first."""
    model = {"layers": 22, "hidden": 2048, "heads": 16, "vocabulary": 1024, "sequence": 4096}
    job = open_job(model, accelerators=24, batch=96, accelerator="b300-sxm", edges_are_layers=True)
    space = PlanSpace(
        tensor=2, context=1, pipeline=[2, 6], schedule=schedule, micro_batch=1, recompute=recompute,
        sharding="zero1", virtual_stages=2,
    )  # fmt: skip
    found = search(job, space)
    assert {split.pipeline for split in found.splits} == {2, 6}
    for split, memory_bytes in zip(found.splits, found.memory_bytes, strict=True):
        whole = job_with(job, split).memory_bytes
        assert sum(memory_bytes.values()) == pytest.approx(sum(whole.values()), rel=1e-12)
