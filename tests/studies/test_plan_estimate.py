"""The closed form against the simulation, on 64 accelerators."""

import random

import numpy as np
import pytest

from cluster_sim.backend import choose_backend
from cluster_sim.core import InputError
from cluster_sim.run import evaluate
from cluster_sim.studies.estimate import ESTIMATE_PARTS, Estimator
from cluster_sim.studies.plan_reasons import SUMMARY_PARTS
from cluster_sim.topology import Equipment
from cluster_sim.workload import PlanSpace, job_with, search
from tests.small import small_run

DENSE = "{layers: 8, hidden: 2048, heads: 16, vocabulary: 32768, sequence: 4096}"
MIXED = DENSE.replace("}", ", experts: {count: 16, per_token: 2, width: 4096}}")
WINDOWED = DENSE.replace("}", ", window: 512, window_every: 2, mtp_layers: 1, tied_embeddings: true}")
PLAIN, OTHERS = ("1f1b", "gpipe"), ("interleaved", "zb-h1", "dualpipe")


def estimator_of(config):
    """Of the job of a run."""
    equipment = Equipment(config.job.accelerators, config.job.accelerator_entry, config.interconnect)
    return Estimator(config.job, config.topology.fabric(equipment))


def pairs(tmp_path, model, space, num, *settings):
    """(split, estimate by part, row of the summary) of ``num`` splits drawn from a space."""
    config = small_run(tmp_path, "record=summary", f"job.model={model}", "job.global_batch=128", *settings)
    splits = search(config.job, space).splits
    chosen = random.Random(1).sample(splits, min(num, len(splits)))
    estimator, backend = estimator_of(config), choose_backend("numba")
    for split in chosen:
        scenario = config.scenario.model_copy(update={"job": job_with(config.job, split)})
        yield split, estimator.parts(split), evaluate(scenario, backend)["summary"].to_pylist()[0]


def errors_of(found):
    """Estimates over step times, less one, and the correlation of their ranks."""
    estimated = np.array([sum(parts.values()) for _, parts, _ in found])
    simulated = np.array([row["step_time_s"] for _, _, row in found])
    ranks = [np.argsort(np.argsort(values)) for values in (estimated, simulated)]
    return estimated / simulated - 1, float(np.corrcoef(*ranks)[0, 1])


@pytest.mark.parametrize("model", [DENSE, MIXED, WINDOWED], ids=["dense", "experts", "window"])
def test_plain_schedules_are_a_few_percent_off(tmp_path, model):
    space = PlanSpace(schedule=PLAIN, sharding=["none", "zero1"])
    errors, correlation = errors_of(list(pairs(tmp_path, model, space, 40)))
    assert np.abs(errors).max() < 0.05
    assert np.median(np.abs(errors)) < 0.005
    assert correlation > 0.995


@pytest.mark.parametrize("model", [DENSE, MIXED], ids=["dense", "experts"])
def test_other_schedules_and_sharding_are_within_a_quarter(tmp_path, model):
    space = PlanSpace(schedule=OTHERS, sharding=["none", "zero1", "zero2", "fsdp"])
    errors, correlation = errors_of(list(pairs(tmp_path, model, space, 40)))
    assert np.abs(errors).max() < 0.25
    assert np.median(np.abs(errors)) < 0.03
    assert correlation > 0.97


@pytest.mark.parametrize("model", [DENSE, MIXED], ids=["dense", "experts"])
def test_two_ways_hide_what_passes_that_run_together_communicate(tmp_path, model):
    space = PlanSpace(schedule="dualpipe", sharding=["none", "zero1"])
    errors, _ = errors_of(list(pairs(tmp_path, model, space, 15)))
    assert np.abs(errors).max() < 0.12
    assert np.abs(errors).mean() < 0.04


def test_the_parts_are_those_of_the_simulation(tmp_path):
    """Each within a thirtieth of the step, for plain schedules."""
    space = PlanSpace(schedule=PLAIN, sharding="zero1")
    for split, parts, row in pairs(tmp_path, MIXED, space, 15):
        assert tuple(parts) == ESTIMATE_PARTS
        simulated = {name: row[column] for name, column in SUMMARY_PARTS.items() if name in parts}
        assert parts == pytest.approx(simulated, abs=row["step_time_s"] / 30), split


@pytest.mark.parametrize(
    "settings",
    [
        ["job.parallelism.overlap_gradients=false"],
        ["job.parallelism.overlap_parameters=true"],
        ["job.parallelism.bucket_parameters=0"],
        ["job.parallelism.overlap_tensor_ratio=0.7"],
        ["job.parallelism.context_exchange=all_gather"],
        ["job.parallelism.overlap_experts=true"],
        ["job.algorithms={all_gather: auto, reduce_scatter: auto, all_reduce: auto}"],
        ["job.algorithms={library: none}"],
        ["job.precision=fp8"],
        ["job.parallelism.order=[tensor, pipeline, context, data]"],
    ],
)
def test_other_choices_of_a_job_are_in_the_estimate(tmp_path, settings):
    space = PlanSpace(schedule="1f1b", sharding="zero1")
    errors, _ = errors_of(list(pairs(tmp_path, MIXED, space, 8, *settings)))
    assert np.abs(errors).max() < 0.08


def test_an_algorithm_that_cannot_run_is_told(tmp_path):
    """A double binary tree needs a power of two of ranks; there are none of six."""
    config = small_run(
        tmp_path, "job.algorithms.all_reduce=bucket_all_reduce", "job.parallelism.sharding=none", "job.global_batch=128"
    )
    split = search(config.job, PlanSpace(sharding="none", tensor=1, pipeline=1, context=1)).splits[0]
    with pytest.raises(InputError):
        estimator_of(config).parts(split)
