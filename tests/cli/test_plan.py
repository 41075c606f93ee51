import json

import pytest

from cluster_sim.results import Run
from tests.small import write_comparison, write_small

MODEL = ("    layers: 4\n    hidden: 512\n    heads: 8\n", "    layers: 8\n    hidden: 2048\n    heads: 16\n")
SPLIT = "  parallelism:\n    tensor: 2\n    pipeline: 2\n    data: 16\n"
PLAN = ("name: small\n", "plan: {micro_batch: [1, 2], recompute: none, keep: 3}\n")
#: 24 GB of gradients alone on each of two stages of a tenth of the memory.
TOO_LARGE = ("    hidden: 512\n", "    hidden: 65536\n")


@pytest.fixture
def file(tmp_path):
    return write_small(tmp_path, MODEL, PLAN).name


def test_a_plan_prints_the_best_and_why_the_others_fell(cli, tmp_path, file):
    result = cli("plan", file, "--backend", "numba", "--workers", "1")
    assert result.exit_code == 0
    for told in ("MFU %", "Why the others fell: of", "What the best of other kinds lose:", "(as in the file)",
                 "more stages", "As keys of the job:", "results: results/small-001/"):  # fmt: skip
        assert told in result.stdout, told
    run = Run.open(tmp_path / "results" / "small-001")
    assert set(run.tables) == {"plans", "summary"}
    assert run.summary.to_pylist()[0]["scenario"] in result.stdout


def test_json_is_one_line_and_nothing_else(cli, tmp_path, file):
    result = cli("plan", file, "--json", "--output", "out", "--backend", "numba", "--workers", "1")
    assert result.stderr == ""
    told = json.loads(result.stdout)
    assert told["summary"] == Run.open(tmp_path / "out").summary.to_pylist()


def test_quiet_prints_nothing(cli, file):
    result = cli("plan", file, "--quiet", "--output", "out", "--backend", "numba", "--workers", "1")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


def test_keep_and_settings_narrow_the_search(cli, tmp_path, file):
    result = cli(
        "plan", file, "--quiet", "--output", "out", "--workers", "1", "--keep", "1", "--set", "plan.tensor=[2]",
        "--set", "plan.most=1", "--backend", "numba",
    )  # fmt: skip
    assert result.exit_code == 0
    plans = Run.open(tmp_path / "out").tables["plans"].to_pylist()
    assert {row["tensor"] for row in plans} == {2}


def test_the_job_need_not_be_split(cli, tmp_path):
    path = write_small(tmp_path, MODEL, PLAN, (SPLIT, ""))
    assert cli("plan", path.name, "--quiet", "--output", "out", "--workers", "1").exit_code == 0


def test_a_job_that_does_not_fit_as_it_is_split_can_be_planned(cli, tmp_path):
    """One accelerator would have to hold everything; of 64 each holds a part."""
    path = write_small(
        tmp_path, ("    layers: 4\n    hidden: 512\n", "    layers: 8\n    hidden: 16384\n"), PLAN,
        ("    tensor: 2\n    pipeline: 2\n    data: 16\n", "    data: 64\n"),
    )  # fmt: skip
    assert cli("run", path.name, "--quiet").exit_code == 2
    assert cli("plan", path.name, "--quiet", "--output", "out", "--workers", "1").exit_code == 0


def test_mistakes_are_told_with_their_lines(refused, tmp_path):
    path = write_small(tmp_path, ("name: small\n", "plan: {tensor: [], tensr: 2, micro_batch: [0], keep: none}\n"))
    lines = refused("plan", path.name)
    assert len(lines) == 4
    assert all(line.startswith("small.yaml:1: plan.") for line in lines)
    assert any("an empty list leaves nothing to search" in line for line in lines)
    assert any("unknown key; did you mean 'tensor'" in line for line in lines)


def test_a_comparison_cannot_be_planned(refused, tmp_path):
    (line,) = refused("plan", write_comparison(tmp_path).name)
    assert line.startswith("versus.yaml:3: compare: holds a comparison; plan takes one job")


def test_degrees_that_divide_nothing_are_refused_with_what_was_tried(refused, file):
    lines = refused("plan", file, "--set", "plan.tensor=[3]", "--workers", "1")
    assert lines[0].startswith("small.yaml:1: plan: no plan works: all ")
    assert "does not divide the accelerators" in lines[0]
    assert lines[1].startswith("Tried: tensor 3; ")
    assert lines[2].startswith("What would help: degrees whose product divides")


# --- force


def test_force_runs_what_does_not_fit(cli, refused, tmp_path):
    path = write_small(tmp_path, TOO_LARGE)
    assert "force: true" in refused("run", path.name)[0]
    assert cli("run", path.name, "--force", "--quiet", "--backend", "numba").exit_code == 0
    assert Run.open(tmp_path / "results" / "small-001").manifest["config"]["job"]["force"] is True


def test_force_is_for_every_job_of_a_comparison(cli, refused, tmp_path):
    path = write_comparison(tmp_path, ("hidden: 512", "hidden: 65536"), ("    tiny:\n", "    ti.ny:\n"))
    refused("compare", path.name)
    result = cli("compare", path.name, "--force", "--quiet", "--output", "out", "--workers", "1")
    assert result.exit_code == 0
    jobs = Run.open(tmp_path / "out").manifest["config"]["compare"]["jobs"]
    assert [job["force"] for job in jobs.values()] == [True]


def test_force_leaves_other_mistakes_to_be_told(refused, tmp_path):
    path = write_small(tmp_path, ("    data: 16\n", "    data: 15\n"))
    assert "is 60, not 64" in refused("run", path.name, "--force")[0]
    (tmp_path / "job.yaml").write_text("job: nothing\n")
    assert refused("run", "job.yaml", "--force")
    (tmp_path / "versus.yaml").write_text("compare: 3\n")
    assert refused("compare", "versus.yaml", "--force")
