"""``cluster-sim topology``."""

import json

import pytest

from tests.small import SMALL, SMALL_COMPARISON


@pytest.fixture
def clos(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("kind: clos\npod_accelerators: 128\n")
    return path


def test_show_prints_and_draws(cli, clos, tmp_path):
    result = cli("topology", "show", clos, "--accelerators", 256)
    assert result.exit_code == 0, result.output
    assert "mine: 256 b300-sxm, 800G ports, tomahawk6, connectx8-800g" in result.stdout
    assert "bisection 768G per accelerator of a half, 100.0 % of what their ports carry" in result.stdout
    assert "results/mine-001/topology.png" in result.stdout
    assert sorted(path.name for path in (tmp_path / "results" / "mine-001").iterdir()) == [
        "topology.png", "topology.svg",
    ]  # fmt: skip


def test_show_without_a_picture_writes_nothing(cli, clos, tmp_path):
    assert cli("topology", "show", clos, "--no-picture").exit_code == 0
    assert list(tmp_path.iterdir()) == [clos]


def test_json_is_one_line_with_all_figures(cli, clos):
    result = cli("topology", "show", clos, "--accelerators", 256, "--json", "--output", "out")
    assert result.stdout.count("\n") == 1
    told = json.loads(result.stdout)
    assert told["config"]["accelerators"] == told["num_accelerators"] == 256
    assert told["bisection"]["ratio"] == pytest.approx(1.0)
    assert told["diameter"]["num_links"] == 6
    assert [tier["name"] for tier in told["tiers"]] == ["scale_up", "host_leaf", "leaf_spine", "spine_core"]
    assert told["pictures"] == ["out/topology.png", "out/topology.svg"]
    assert sum(part["count"] for part in told["parts"] if part["kind"] == "module") > 0


def test_a_picture_can_be_replaced(cli, clos):
    assert cli("topology", "show", clos, "--accelerators", 256, "--output", "out").exit_code == 0
    again = cli("topology", "show", clos, "--accelerators", 256, "--output", "out")
    assert again.exit_code == 2
    assert "add --overwrite" in again.stderr
    assert cli("topology", "show", clos, "--accelerators", 256, "--output", "out", "--overwrite").exit_code == 0


def test_check_of_a_good_fabric_is_ok(cli, clos):
    result = cli("topology", "check", clos, "--accelerators", 256, "--set", "planes=2")
    assert result.exit_code == 0, result.output
    assert [line.split()[1] for line in result.stdout.splitlines()[1:]] == ["ok"] * 5


def test_check_says_everything_that_is_wrong_and_leaves_with_1(cli, tmp_path):
    """Passive copper in racks of 8 accelerators: every tier is too long for it."""
    (tmp_path / "versus.yaml").write_text(SMALL_COMPARISON)
    racks = ("--set", "compare.topologies.clos.floor.accelerators_per_rack=8")
    result = cli("topology", "check", "versus.yaml", "--interconnect", "dac", "--accelerators", 2048, *racks)
    assert result.exit_code == 1
    for tier in ("host_leaf", "spine_core"):
        assert f"{tier}: dac-800g reaches 2 m" in result.stdout
    result = cli("topology", "check", "versus.yaml", "--interconnect", "dac", *racks, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["findings"][0]["what"] == "buildable"


def test_runs_and_comparisons_can_be_shown(cli, tmp_path):
    (tmp_path / "run.yaml").write_text(SMALL)
    (tmp_path / "versus.yaml").write_text(SMALL_COMPARISON)
    assert "run: 64 h100-sxm" in cli("topology", "show", "run.yaml", "--no-picture").stdout
    shown = cli("topology", "show", "versus.yaml", "--topology", "ocs", "--interconnect", "dsp", "--no-picture").stdout
    assert "spine_ocs" in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "none.yaml"), "none.yaml: cannot be read"),
        (("show", "mine.yaml", "--set", "pods=1"), "--set pods: topology.pods: unknown key"),
        (("check", "mine.yaml", "--accelerator", "b3000"), "unknown accelerator 'b3000'; did you mean"),
        (("show", "mine.yaml", "--interconnect", "x"), "expected FILE.yaml or COMPARISON.yaml:NAME"),
        (("show", "mine.yaml", "--set", "pod_accelerators=65"), "mine.yaml:1: topology: not buildable: a pod of 65"),
        (("check", "mine.yaml", "--accelerators", "0"), "0 is not in the range"),
    ],
)
def test_bad_input_is_refused(cli, clos, tmp_path, arguments, words):
    result = cli("topology", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == [clos]
