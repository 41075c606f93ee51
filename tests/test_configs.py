"""Every file that users copy works."""

from pathlib import Path

import pytest

from cluster_sim import load_config
from cluster_sim.config import CompareConfig, read_fabric
from cluster_sim.core import read_document, read_spec
from cluster_sim.run import simulate
from cluster_sim.workload import Job
from tests.small import small_run

ROOT = Path(__file__).parents[1]
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
JOBS = sorted((ROOT / "configs" / "models").glob("*.yaml"))
FABRICS = sorted((ROOT / "topologies").glob("*.yaml"))
GRAPHS = sorted((ROOT / "topologies").glob("*.graphml"))
#: Pods of fabrics whose circuits join other things than 1024 accelerators.
PODS = {"ocs-hybrid": 256, "ocs-rails": 32}


def of_name(path):
    return path.stem


def test_there_are_files_and_no_others():
    assert CONFIGS
    assert JOBS
    assert FABRICS
    known = {*CONFIGS, *JOBS, *FABRICS, *GRAPHS}
    found = {path for folder in ("configs", "topologies") for path in (ROOT / folder).rglob("*") if path.is_file()}
    assert found == known


@pytest.mark.parametrize("path", CONFIGS, ids=of_name)
def test_every_configuration_loads(path):
    config = load_config(path)
    assert type(config).model_validate(config.model_dump(mode="json")) == config


@pytest.mark.parametrize("path", JOBS, ids=of_name)
def test_every_job_loads(path):
    job = read_spec(Job, read_document(path))
    assert sum(job.memory_bytes.values()) <= job.accelerator_entry.memory.typical


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
