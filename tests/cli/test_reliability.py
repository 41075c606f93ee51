import json

import pytest

from cluster_sim.results import Run
from tests.small import write_comparison, write_small

FEW = ("--set", "reliability={span: 20 days, checkpoint: {cost: 1 s}}", "--histories", "4", "--workers", "1")


@pytest.fixture
def done(cli, tmp_path):
    return cli("reliability", write_small(tmp_path).name, "--backend", "numpy", *FEW)


def test_it_prints_causes_and_where_the_time_goes(done):
    assert done.exit_code == 0
    for words in ("accelerator", "host_leaf flaps", "useful steps", "detection and restart", "goodput", "a checkpoint"):
        assert words in done.stdout
    assert "results: results/small-001/" in done.stdout


def test_it_writes_a_run_and_a_figure(done, tmp_path):
    folder = tmp_path / "results" / "small-001"
    run = Run.open(folder)
    assert {"summary", "interruptions", "goodput", "events", "tasks", "links"} <= run.tables.keys()
    assert run.manifest["config"]["reliability"]["histories"] == 4
    assert (folder / "reliability.png").stat().st_size > 10_000
    assert (folder / "reliability.svg").exists()


def test_an_earlier_run_is_replaced_with_its_figure(cli, done, tmp_path):
    path = tmp_path / "small.yaml"
    again = cli("reliability", path.name, "--backend", "numpy", *FEW, "--output", "results/small-001", "--overwrite")
    assert again.exit_code == 0


def test_one_json_line(cli, tmp_path):
    told = cli("reliability", write_small(tmp_path).name, "--backend", "numpy", *FEW, "--json")
    row = json.loads(told.stdout)["summary"][0]
    assert 0 < row["goodput_ratio"] <= 1


def test_a_job_without_progress_is_told_and_written(cli, tmp_path):
    hopeless = ("--set", "catalogue={constants: {software_failure: 30000 /year}}")
    told = cli("reliability", write_small(tmp_path).name, "--backend", "numpy", *FEW, *hopeless)
    assert told.exit_code == 0
    assert "failed: no progress" in told.stdout
    assert Run.open(tmp_path / "results" / "small-001").summary["status"].to_pylist() == ["failed"]


def test_a_comparison_is_refused(refused, tmp_path):
    lines = refused("reliability", write_comparison(tmp_path).name)
    assert len(lines) == 1
    assert "versus.yaml:3: compare: holds a comparison" in lines[0]


def test_without_the_cost_of_a_checkpoint_nothing_is_simulated(refused, tmp_path):
    lines = refused("reliability", write_small(tmp_path).name)
    assert "nothing says what a checkpoint costs" in lines[0]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("{span: -3 days}", "reliability.span"), ("{laser_temperature: 900 degC}", "reliability.laser_temperature"),
        ("{histories: 0}", "reliability.histories"), ("{spares: 3}", "unknown key"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(refused, tmp_path, value, words):
    lines = refused("reliability", write_small(tmp_path).name, "--set", f"reliability={value}")
    assert any(words in line for line in lines)


@pytest.mark.parametrize("rate", ["-1 /year", "1e9 /year"])
def test_absurd_rates_are_refused(refused, tmp_path, rate):
    given = f"catalogue={{h100-sxm: {{annual_failure: {rate}}}}}"
    lines = refused("reliability", write_small(tmp_path).name, *FEW, "--set", given)
    assert "out of the question" in lines[0]
