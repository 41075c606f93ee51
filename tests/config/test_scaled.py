"""Jobs at several sizes."""

import pytest

from cluster_sim.config import job_at, name_and_size, scaled
from cluster_sim.core import ConfigError, InputError
from tests.small import small_comparison


@pytest.fixture
def job(tmp_path):
    """64 accelerators: tensor 2, pipeline 2, data 16; 64 sequences in a step."""
    return small_comparison(tmp_path).compare.jobs["tiny"]


def test_more_accelerators_are_more_replicas_and_nothing_else(job):
    for batch, sequences in (("proportional", 128), ("fixed", 64)):
        larger = scaled(job, 128, batch)
        assert (larger.accelerators, larger.parallelism.data, larger.global_batch) == (128, 32, sequences)
        back = larger.model_copy(update={
            "accelerators": 64, "global_batch": 64, "parallelism": larger.parallelism.model_copy(update={"data": 16}),
        })  # fmt: skip
        assert back == job


def test_a_job_at_its_own_size_is_itself(job):
    assert scaled(job, 64, "fixed") == scaled(job, 64, "proportional") == job


@pytest.mark.parametrize(
    ("size", "batch", "reason"),
    [
        (66, "fixed", "is not a multiple of tensor x context x pipeline = 4"),
        (512, "fixed", "global_batch: 64 is not a multiple of micro_batch 1 x data 128"),
        (66, "proportional", "is not a multiple of tensor x context x pipeline = 4"),
        (2**24 + 4, "proportional", "accelerators: Input should be less than or equal to 16777216"),
    ],
)
def test_sizes_that_do_not_divide_are_refused(job, size, batch, reason):
    with pytest.raises(InputError) as caught:
        scaled(job, size, batch)
    assert reason in str(caught.value)


def test_a_batch_that_has_no_such_part_is_refused(tmp_path):
    job = small_comparison(tmp_path, "compare.jobs.tiny.global_batch=16").compare.jobs["tiny"]
    with pytest.raises(InputError, match="6 of 64 have no whole part of global_batch 16"):
        scaled(job, 6, "proportional")


def test_a_comparison_has_every_job_at_every_size_with_its_size_in_its_name(tmp_path):
    config = small_comparison(tmp_path, "compare.accelerators=[32, 128]")
    assert list(config.compare.all_jobs) == ["tiny@32", "tiny@128"]
    sizes = {(scenario.job_name, scenario.job.accelerators) for scenario in config.scenarios}
    assert sizes == {("tiny@32", 32), ("tiny@128", 128)}
    assert len(config.scenarios) == 12
    assert name_and_size(job_at("a b-1.x", 32)) == ("a b-1.x", 32)
    assert name_and_size("tiny") == ("tiny", None)


@pytest.mark.parametrize("sizes", ["[128, 32]", "[32, 32]", "[0, 32]"])
def test_sizes_ascend(tmp_path, sizes):
    with pytest.raises(ConfigError, match=r"accelerators: expected numbers from 1 up, ascending, each once; got"):
        small_comparison(tmp_path, f"compare.accelerators={sizes}")


def test_every_size_that_does_not_divide_is_told(tmp_path):
    with pytest.raises(ConfigError) as caught:
        small_comparison(tmp_path, "compare.accelerators=[30, 32, 33]")
    assert [problem.partition("tiny cannot have ")[2][:2] for problem in caught.value.problems] == ["30", "33"]


@pytest.mark.parametrize("setting", ["compare.batch=fixed", "compare.most_exposed=20 %"])
def test_what_is_of_sizes_is_refused_without_sizes(tmp_path, setting):
    with pytest.raises(ConfigError, match="'accelerators' gives none; leave it out"):
        small_comparison(tmp_path, setting)


def test_a_comparison_of_sizes_survives_the_manifest(tmp_path):
    for config in (small_comparison(tmp_path), small_comparison(tmp_path, "compare.accelerators=[32, 128]")):
        assert type(config).model_validate(config.model_dump(mode="json")) == config


def test_one_size_may_stand_alone(tmp_path):
    assert list(small_comparison(tmp_path, "compare.accelerators=128").compare.all_jobs) == ["tiny@128"]
    for wrong in ("true", "1k", "[true]"):
        with pytest.raises(ConfigError, match="accelerators"):
            small_comparison(tmp_path, f"compare.accelerators={wrong}")
