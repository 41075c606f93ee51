import importlib
import os
import signal

import pytest

from cluster_sim.core import BackendError, OutputError, SimulationError
from cluster_sim.studies import compare
from tests.small import small_comparison


@pytest.fixture
def config(tmp_path):
    return small_comparison(tmp_path)


@pytest.fixture
def done(config, tmp_path):
    return compare(config, "x", tmp_path / "out", workers=1)


def test_every_scenario_is_a_row_in_its_order(config, done):
    assert done.summary["scenario"].to_pylist() == [scenario.name for scenario in config.scenarios]


def test_what_cannot_be_built_is_a_row_that_says_why(done):
    rows = {row["scenario"]: row for row in done.summary.to_pylist()}
    bad = rows["tiny / dac / ocs"]
    assert bad["status"] == "not_buildable"
    assert "copper; an OCS switches light" in bad["reason"]
    assert {bad[name] for name in ("step_time_s", "rank", "is_tie", "capex_usd")} == {None}


def test_the_rows_are_ranked(done):
    rows = [row for row in done.summary.to_pylist() if row["status"] == "ok"]
    assert sorted(row["rank"] for row in rows) == list(range(1, len(rows) + 1))
    best = min(row["step_time_s"] for row in rows)
    first = next(row for row in rows if row["rank"] == 1)
    assert first["step_time_s"] <= best * 1.001
    assert first["is_tie"] is False


def test_the_manifest_has_the_time_of_every_scenario(config, done):
    assert list(done.manifest["scenario_wall_s"]) == sorted(scenario.name for scenario in config.scenarios)
    assert done.manifest["config"]["tie_ratio"] == 0.001


def test_progress_is_told_after_each(config, tmp_path):
    told = []
    compare(config, "x", tmp_path / "out", workers=1, progress=lambda *news: told.append(news))
    assert told == [(number + 1, 6, scenario.name) for number, scenario in enumerate(config.scenarios)]


def test_a_simulation_that_fails_is_a_row_and_the_others_go_on(config, tmp_path, monkeypatch):
    module = importlib.import_module("cluster_sim.studies.compare")
    evaluate = module.evaluate

    def sometimes(scenario, backend):
        if scenario.interconnect_name == "dsp":
            raise SimulationError("it stalled")
        return evaluate(scenario, backend)

    monkeypatch.setattr(module, "evaluate", sometimes)
    rows = compare(config, "x", tmp_path / "out", workers=1).summary.to_pylist()
    assert [row["reason"] for row in rows if row["status"] == "failed"] == ["it stalled"] * 2
    assert sum(row["status"] == "ok" for row in rows) == 3


def test_a_scenario_that_memory_does_not_hold_is_a_row_and_the_others_go_on(config, tmp_path, monkeypatch):
    module = importlib.import_module("cluster_sim.studies.compare")
    evaluate = module.evaluate

    def sometimes(scenario, backend):
        if scenario.interconnect_name == "npo":
            raise MemoryError("Unable to allocate 8 EiB")
        return evaluate(scenario, backend)

    monkeypatch.setattr(module, "evaluate", sometimes)
    rows = compare(config, "x", tmp_path / "out", workers=1).summary.to_pylist()
    assert {row["reason"] for row in rows if row["interconnect"] == "npo"} == {
        "not enough memory: Unable to allocate 8 EiB"
    }
    assert any(row["status"] == "ok" for row in rows)


def _killed(scenario, backend):
    os.kill(os.getpid(), signal.SIGKILL)


def test_workers_that_are_killed_are_told_without_a_traceback(config, tmp_path, monkeypatch):
    module = importlib.import_module("cluster_sim.studies.compare")
    monkeypatch.setattr(module, "simulate_one", _killed)
    with pytest.raises(SimulationError, match="a worker process ended early"):
        compare(config, "x", tmp_path / "out", workers=2)
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_crash_leaves_no_run_that_looks_whole(config, tmp_path, monkeypatch):
    def crash(scenario, backend):
        raise ZeroDivisionError

    monkeypatch.setattr(importlib.import_module("cluster_sim.studies.compare"), "evaluate", crash)
    with pytest.raises(ZeroDivisionError):
        compare(config, "x", tmp_path / "out", workers=1)
    assert list((tmp_path / "out").iterdir()) == []


def test_an_output_that_is_not_empty_is_refused_before_anything_is_simulated(config, tmp_path):
    def told(*news):
        raise AssertionError("it has simulated")

    with pytest.raises(OutputError, match="not empty"):
        compare(config, "x", tmp_path, workers=1, progress=told)


def test_a_missing_backend_is_refused_before_a_folder_is_made(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cupy", None)
    with pytest.raises(BackendError):
        compare(small_comparison(tmp_path, "backend=cupy"), "x", tmp_path / "out", workers=1)
    assert not (tmp_path / "out").exists()


def test_nothing_buildable_is_still_a_result(tmp_path):
    wrong = [f"compare.topologies.{name}.pod_accelerators=48" for name in ("clos", "ocs")]
    config = small_comparison(tmp_path, *wrong)
    done = compare(config, "x", tmp_path / "out", workers=1)
    assert set(done.summary["status"].to_pylist()) == {"not_buildable"}
    assert set(done.summary["rank"].to_pylist()) == {None}
