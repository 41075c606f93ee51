"""Raw flow problems on the command line."""

import json

import pytest

from cluster_sim.results import Run

PROBLEM = "2 3\n10 0.5\n20 0\n0 100 1 0\n5 50 2 0 1\n0 7 0\n"


@pytest.fixture
def problem(tmp_path):
    path = tmp_path / "some flows.txt"
    path.write_text(PROBLEM)
    return path


@pytest.mark.parametrize("backend", ["auto", "numba", "numpy"])
def test_one_json_line_and_an_arrow_file(cli, problem, tmp_path, backend):
    """
    Flow 0 sends 100 B at 10 B/s from 0.5 on; flow 1 shares the link from 5.5 on: by then 50 B are left, and both end at
    15.5. Flow 2 crosses nothing and ends at once.
    """
    result = cli("flows", problem, "--output", "out", "--backend", backend)
    assert result.exit_code == 0, result.output
    (line,) = result.stdout.splitlines()
    told = json.loads(line)
    assert {"read_s", "compile_s", "sim_s", "num_events", "num_solves", "backend"} <= set(told)
    assert told["makespan_s"] == pytest.approx(15.5)
    assert told["num_events"] == 4
    run = Run.open(tmp_path / "out")
    assert run.tables["flows"].column_names == ["flow", "start_s", "finish_s", "size_bytes"]
    columns = run.tables["flows"].to_pydict()
    assert columns["flow"] == [0, 1, 2]
    assert columns["start_s"] == [0.0, 5.0, 0.0]
    assert columns["finish_s"] == pytest.approx([15.5, 15.5, 0.0])
    assert columns["size_bytes"] == [100.0, 50.0, 7.0]
    assert run.manifest["backend"] == told["backend"]


def test_without_output_results_are_numbered(cli, problem):
    folders = [json.loads(cli("flows", problem).stdout)["folder"] for _ in range(2)]
    assert folders == ["results/some flows-001", "results/some flows-002"]


def test_a_tolerance_is_told(cli, tmp_path):
    path = tmp_path / "p.txt"
    path.write_text("2 2\n10 0\n10 0\n0 100 1 0\n0 101 1 1\n")
    told = json.loads(cli("flows", path, "--time-tolerance", "0.02").stdout)
    assert (told["makespan_s"], told["largest_shift_s"]) == (10.0, pytest.approx(0.1))
    assert cli("flows", path, "--time-tolerance", "1").exit_code == 2


def test_a_transport_is_added_when_asked_for(cli, tmp_path):
    """
    1 MB over a link of 1 GB/s, 1 ms away. HPCC: two round trips to settle and the way back of the acknowledgement are
    5 ms more, and 4064/4000 of the bytes pass at 0.95 of the rate.
    """
    path = tmp_path / "p.txt"
    path.write_text("1 1\n1e9 1e-3\n0 1e6 1 0\n")
    assert "transport" not in json.loads(cli("flows", path).stdout)
    told = json.loads(cli("flows", path, "--transport", "hpcc", "--output", "out").stdout)
    assert told["transport"] == "hpcc"
    assert told["makespan_s"] == pytest.approx(6e-3 + 1e-3 * 1.016 / 0.95)
    run = Run.open(tmp_path / "out")
    assert run.tables["flows"]["size_bytes"].to_pylist() == [1e6]
    assert run.manifest["transport"]["utilisation_ratio"] == 0.95


@pytest.mark.parametrize("name", ["", "hpc", "nowhere.yaml"])
def test_a_transport_that_is_not_there_is_refused(refused, problem, name):
    assert len(refused("flows", problem, "--transport", name)) == 1


def test_mistakes_are_refused_all_at_once(refused, tmp_path):
    path = tmp_path / "p.txt"
    path.write_text("1 2\n10 0\n0 7 1 5\n-1 7 1 0\n")
    assert [line.rpartition("/")[2].split(":")[:2] for line in refused("flows", path)] == [["p.txt", "4"]]
    path.write_text("1 2\n10 0\n0 7 1 5\n1 7 1 1\n")
    assert len(refused("flows", path)) == 2
    assert refused("flows", tmp_path / "nowhere.txt")[0].endswith(
        "nowhere.txt: cannot be read (No such file or directory)"
    )
    refused("flows", path, "--backend", "foo")


def test_flows_that_never_finish_end_the_run(cli, tmp_path):
    path = tmp_path / "p.txt"
    path.write_text("2 3\n0 0\n10 0\n0 7 2 0 1\n0 20 1 1\n1 7 1 0\n")
    result = cli("flows", path, "--output", "out")
    assert result.exit_code == 1
    assert "stalled at t=2 s: flow 0, flow 2 can never finish, because link 0 has no capacity" in result.stderr
    assert not (tmp_path / "out").exists()


def test_quiet_prints_nothing(cli, problem):
    assert cli("flows", problem, "--quiet").output == ""
