"""``verify`` and ``calibrate``."""

import json

import pytest

from cluster_sim.results import Run
from tests.studies.steps import table as step_table

TABLE = """\
row_id,accelerator,nodes,accelerators_per_node,nic_gbps_per_accelerator,scale_up,fabric,op,size_bytes,time_us,split
a,h100-sxm,1,8,,NVLink4 8-GPU,,all_gather,1073741824,2700,test
b,h100-sxm,2,8,400,NVLink4 8-GPU,InfiniBand,alltoall,1024,60,calibrate
c,mi300x,1,8,,xGMI,,all_reduce,1024,60,test
"""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "measured.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def test_verify_prints_errors_and_what_is_missing(cli, table, tmp_path):
    result = cli("verify", table.name)
    assert result.exit_code == 0
    for expected in ("calibrate rows", "test rows", "16 MiB and more", "h100-sxm, scale-up", "all_gather",
                     "not simulated: 1 rows: mi300x", "results: results/verify-measured-001/"):  # fmt: skip
        assert expected in result.stdout
    done = Run.open(tmp_path / "results" / "verify-measured-001")
    assert done.tables["verify"]["row_id"].to_pylist() == ["a", "b", "c"]


def test_verify_as_json(cli, table):
    told = json.loads(cli("verify", table.name, "--json", "--output", "out").stdout)
    assert told["folder"] == "out"
    assert told["num_rows"] == 3
    assert {group["accelerator"] for group in told["errors"]} == {"h100-sxm"}


def test_quiet_prints_nothing(cli, table):
    assert cli("verify", table.name, "--quiet").output == ""
    assert cli("calibrate", table.name, "--quiet").output == ""


def test_verify_refuses_a_bad_table_with_file_and_line(refused, table):
    table.write_text(TABLE.replace("mi300x,1", "mi300,zero"), encoding="utf-8")
    problems = refused("verify", table.name)
    assert [problem.split(": ")[:2] for problem in problems] == [
        ["measured.csv:4", "accelerator"], ["measured.csv:4", "nodes"],
    ]  # fmt: skip
    assert "did you mean 'mi300x'?" in problems[0]


def test_verify_refuses_an_unknown_backend(refused, table):
    assert "backend" in refused("verify", table.name, "--backend", "abacus")[0]


@pytest.fixture
def steps(tmp_path):
    """A table of three training steps of a small model on one server."""
    small = {"num_accelerators": 8, "layers": 4, "pp": 1, "dp": 4, "global_batch_sequences": 8, "seq_len": 2048}
    rows = (
        {"row_id": "a"},
        {"row_id": "b", "split": "calibrate", "tp": 4, "dp": 2},
        {"row_id": "c", "split": "calibrate"},
    )
    return step_table(tmp_path, *(small | row for row in rows))


def test_verify_tells_training_steps_from_collectives(cli, steps):
    result = cli("verify", steps.name, "--output", "v", "--workers", "1")
    assert result.exit_code == 0, result.stderr
    for words in ("test rows: absolute error of the step time", "nemo, h100-sxm", "farthest off", "results: v/"):
        assert words in result.stdout


def test_verify_gives_errors_of_steps_as_json(cli, steps):
    answer = json.loads(cli("verify", steps.name, "--json", "--sample", "2", "--workers", "1").stdout)
    assert answer["num_rows"] == 2
    assert sum(group["num"] for group in answer["errors"]) == 2


def test_a_sample_of_collectives_is_refused(cli, table):
    result = cli("verify", table.name, "--sample", "2")
    assert result.exit_code == 2
    assert "--sample" in result.stderr


def test_verify_refuses_a_bad_table_of_steps_with_file_and_line(refused, steps):
    steps.write_text(steps.read_text(encoding="utf-8").replace("h100-sxm", "h100-smx", 1), encoding="utf-8")
    (problem,) = refused("verify", steps.name)
    assert problem.startswith("steps.csv:2: accelerator")
    assert "h100-sxm" in problem


def test_calibrate_fits_kernels_to_training_steps(cli, steps, tmp_path):
    result = cli("calibrate", steps.name, "--output", "fit", "--workers", "1")
    assert result.exit_code == 0, result.stderr
    assert "nemo: 2 rows, mean absolute error" in result.stdout
    assert {path.name for path in (tmp_path / "fit").iterdir()} == {"compute.yaml", "compute-hopper.yaml"}


def test_calibrate_writes_the_catalogues_files(cli, table, tmp_path):
    result = cli("calibrate", table.name, "--output", "fit")
    assert result.exit_code == 0
    assert "figures fitted" in result.stdout
    assert {path.name for path in (tmp_path / "fit").iterdir()} == {
        "nccl_networks.yaml", "nccl_rates.yaml", "nccl_scale_up.yaml",
    }  # fmt: skip


def test_calibrate_refuses_a_table_without_rows_for_it(refused, table):
    table.write_text(TABLE.replace("calibrate", "test"), encoding="utf-8")
    assert "nothing to fit to" in refused("calibrate", table.name)[0]


@pytest.mark.parametrize(("sign", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_other_separators_than_commas_are_told_at_once(refused, steps, sign, name):
    steps.write_text(steps.read_text(encoding="utf-8").replace(",", sign), encoding="utf-8")
    (problem,) = refused("verify", steps.name)
    assert problem == f"steps.csv:1: cells are separated by {name}; expected commas, save it with these"


def test_another_encoding_is_told_with_its_line(refused, steps):
    steps.write_bytes(steps.read_bytes().replace(b"\nb,", b"\n\xe9,"))
    (problem,) = refused("calibrate", steps.name)
    assert problem.startswith("steps.csv:3: is not UTF-8")


def test_a_table_of_steps_with_a_mistyped_time_is_still_one_of_steps(refused, steps):
    steps.write_text(steps.read_text(encoding="utf-8").replace("step_time_s", "step_time_ms"), encoding="utf-8")
    problems = refused("verify", steps.name)
    assert any("column 'step_time_s' is missing; did you mean 'step_time_ms'?" in problem for problem in problems)
    assert not any("collectives" in problem for problem in problems)


def test_a_very_slow_network_overflows_nothing(cli, tmp_path):
    """A module of 400 Gb/s could be cut into more such ports than an integer counts."""
    slow = {"num_accelerators": 16, "layers": 4, "pp": 1, "tp": 8, "dp": 2, "global_batch_sequences": 2}
    table = step_table(tmp_path, slow | {"seq_len": 2048, "nic_gbps_per_accelerator": 1e-30})
    result = cli("verify", table.name, "--output", "v", "--workers", "1")
    assert result.exit_code == 0, result.stderr
