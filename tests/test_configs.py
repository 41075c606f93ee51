"""Every file that users copy works."""

import re
from pathlib import Path

import pytest

from cluster_sim import load_config
from cluster_sim.config import CompareConfig, read_fabric
from cluster_sim.config.load import read_whole
from cluster_sim.core import read_document, read_spec
from cluster_sim.run import simulate
from cluster_sim.workload import Job, Model
from tests.small import small_run

ROOT = Path(__file__).parents[1]
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
JOBS = sorted((ROOT / "configs" / "jobs").glob("*.yaml"))
MODELS = sorted((ROOT / "configs" / "models").glob("*.yaml"))
FABRICS = sorted((ROOT / "topologies").glob("*.yaml"))
GRAPHS = sorted((ROOT / "topologies").glob("*.graphml"))
#: Pods of fabrics whose circuits join other things than 1024 accelerators.
PODS = {"ocs-hybrid": 256, "ocs-rails": 32}


def of_name(path):
    return path.stem


def test_there_are_files_and_no_others():
    assert CONFIGS
    assert JOBS
    assert MODELS
    assert FABRICS
    known = {*CONFIGS, *JOBS, *MODELS, *FABRICS, *GRAPHS}
    found = {path for folder in ("configs", "topologies") for path in (ROOT / folder).rglob("*") if path.is_file()}
    assert found == known


@pytest.mark.parametrize("path", CONFIGS, ids=of_name)
def test_every_configuration_loads(path):
    config = load_config(path)
    assert type(config).model_validate(config.model_dump(mode="json")) == config


@pytest.mark.parametrize("path", JOBS, ids=of_name)
def test_every_job_loads_with_the_model_that_it_names(path, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(f"job: {path}\n")
    job = read_spec(Job, read_whole(config), at=("job",))
    assert sum(job.memory_bytes.values()) <= job.accelerator_entry.memory.typical
    named = path.parent / read_document(path).data["model"]
    assert job.model == read_spec(Model, read_document(named))


@pytest.mark.parametrize("path", MODELS, ids=of_name)
def test_every_model_loads_and_says_where_it_is_from(path):
    """A comment at the top has the year of a source in brackets, or says that the model is designed here."""
    model = read_spec(Model, read_document(path))
    assert Model.model_validate(model.model_dump(mode="json")) == model
    above = path.read_text(encoding="utf-8").partition("layers:")[0]
    assert re.search(r"\[[^]]* 20\d\d[^]]*\]", above) or "Designed for this project" in above


@pytest.mark.parametrize("path", MODELS, ids=of_name)
def test_every_model_stands_in_for_the_one_of_a_job(path):
    """``--set job.model=configs/models/...``: each fits into 128 B300 for each of its layers."""
    model = read_spec(Model, read_document(path))
    split = {"tensor": 4, "pipeline": model.layers, "data": 32, "expert": 8 if model.experts else 1}
    changes = [f"job.model={path}", f"job.parallelism={split}", f"job.accelerators={128 * model.layers}"]
    changes += ["job.accelerator=b300-sxm", "job.global_batch=4096", "job.schedule=1f1b"]
    config = load_config(ROOT / "configs" / "megatron-sc21-gpt-1t.yaml", changes)
    assert config.scenario.job.model == model


@pytest.mark.parametrize("path", FABRICS, ids=of_name)
def test_every_fabric_is_built_from_an_interconnect(path, tmp_path):
    option = ROOT / "configs" / "compare-trillion.yaml"
    config, _ = read_fabric(path, interconnect=f"{option}:dsp-1.6t-twin")
    fabric = config.topology.fabric(config.equipment)
    assert fabric.num_endpoints == config.accelerators
    assert fabric.num_pods == PODS.get(path.stem, fabric.num_pods)
    assert fabric.num_pods in (1, 2) or path.stem in PODS


def test_every_option_of_the_comparison_is_used_in_a_name_of_its_own():
    config = load_config(ROOT / "configs" / "compare-trillion.yaml")
    assert isinstance(config, CompareConfig)
    names = [scenario.name for scenario in config.scenarios]
    assert len(set(names)) == len(names)
    options = [option.model_dump_json() for option in config.compare.interconnects.values()]
    assert len(set(options)) == len(options)


def test_the_small_configuration_of_these_tests_is_quick(tmp_path):
    run = simulate(small_run(tmp_path, "backend=numpy"), tmp_path / "out")
    assert run.manifest["wall_s"] < 5
    assert {"host_leaf", "leaf_spine", "spine_core", "scale_up"} == set(run.tables["links"]["tier"].to_pylist())
