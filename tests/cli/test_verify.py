"""``verify`` and ``calibrate``."""

import json

import pytest

from cluster_sim.results import Run

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


def test_verify_refuses_training_steps_for_now(refused, table):
    table.write_text("row_id,step_time_s\na,1\n", encoding="utf-8")
    (problem,) = refused("verify", table.name)
    assert "not supported yet" in problem


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
