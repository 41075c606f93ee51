"""Where a network stops being enough."""

import pytest

from cluster_sim.studies import compare
from cluster_sim.studies.scale import scale
from tests.small import small_comparison


def row(size, step_s=1.0, dp_s=0.0, job="j", interconnect="dsp", status="ok", **others):
    parts = dict.fromkeys((*(f"exposed_{kind}_s" for kind in ("tp", "cp", "ep", "pp")), "switching_s"), 0.0)
    return {
        "scenario": f"{job}@{size} / {interconnect} / clos", "job": f"{job}@{size}", "interconnect": interconnect,
        "topology": "clos", "line_rate_bytes_per_s": 1e11, "num_accelerators": size, "status": status, "reason": "",
        "step_time_s": step_s, "exposed_dp_s": dp_s, **parts, **others,
    }  # fmt: skip


@pytest.fixture
def compared(tmp_path):
    return small_comparison(tmp_path, "compare.accelerators=[32, 64, 128]").compare


def test_enough_up_to_the_largest_size_at_which_little_is_waited_for(compared):
    """At most 10 % by default, the tenth included."""
    found = scale([row(32, 1.0, 0.05), row(64, 1.0, 0.1), row(128, 1.0, 0.101)], compared)
    assert [each["is_enough"] for each in found] == [True, True, False]
    assert [each["enough_accelerators"] for each in found] == [64] * 3
    assert [each["exposed_ratio"] for each in found] == [0.05, 0.1, 0.101]


def test_the_share_that_is_enough_can_be_said(tmp_path):
    compared = small_comparison(tmp_path, "compare.accelerators=[32]", "compare.most_exposed=20 %").compare
    assert scale([row(32, 1.0, 0.15)], compared)[0]["is_enough"]


def test_all_kinds_of_waiting_count_and_circuits_too(compared):
    kinds = {f"exposed_{kind}_s": 0.01 * number for number, kind in enumerate(("tp", "cp", "ep", "pp", "dp"), start=1)}
    (found,) = scale([row(32) | kinds | {"switching_s": 0.06}], compared)
    assert found["exposed_s"] == pytest.approx(0.21)


def test_what_cannot_be_built_is_not_enough(compared):
    rows = [row(32, None, None, status="not_buildable"), row(64, 1.0, 0.05), row(128, None, None, status="failed")]
    found = scale(rows, compared)
    assert [each["is_enough"] for each in found] == [False, True, False]
    assert found[2]["enough_accelerators"] == 64
    assert "exposed_ratio" not in found[0]
    assert found[1]["efficiency_ratio"] == 1.0


def test_an_option_that_is_never_enough_says_so(compared):
    assert scale([row(32, 1.0, 0.5)], compared)[0]["enough_accelerators"] is None


def test_jobs_and_options_are_judged_apart(compared):
    rows = [row(32, 1.0, 0.0), row(64, 1.0, 0.5), row(64, 1.0, 0.0, job="k"), row(32, 1.0, 0.0, interconnect="lpo")]
    found = scale(rows, compared)
    assert [each["enough_accelerators"] for each in found] == [32, 32, 64, 32]
    assert [each["job"] for each in found] == ["j", "j", "k", "j"]


def test_efficiency_is_the_throughput_of_an_accelerator_over_that_at_the_smallest_size(tmp_path, compared):
    """Weak scaling: 1 s to 1.25 s is 80 %. Strong: 1 s to 0.5 s on four times as many: 50 %."""
    assert [each["efficiency_ratio"] for each in scale([row(32, 1.0), row(128, 1.25)], compared)] == [1.0, 0.8]
    strong = small_comparison(tmp_path, "compare.accelerators=[32, 64]", "compare.batch=fixed").compare
    assert [each["efficiency_ratio"] for each in scale([row(32, 1.0), row(128, 0.5)], strong)] == [1.0, 0.5]


def test_a_comparison_of_sizes_writes_a_row_for_each_of_the_summary(tmp_path):
    config = small_comparison(tmp_path, "compare.accelerators=[32, 64]")
    done = compare(config, "x", tmp_path / "out", workers=1)
    table = done.tables["scale"].to_pylist()
    assert [each["scenario"] for each in table] == done.summary["scenario"].to_pylist()
    assert {each["job"] for each in table} == {"tiny"}
    at_own_size = compare(small_comparison(tmp_path), "x", tmp_path / "own", workers=1)
    assert "scale" not in at_own_size.tables
    times = {each["scenario"].replace("@64", ""): each["step_time_s"] for each in table if "@64" in each["scenario"]}
    same = {each["scenario"]: each["step_time_s"] for each in at_own_size.summary.to_pylist()}
    assert {name: times[name] for name in same if same[name]} == pytest.approx(
        {name: value for name, value in same.items() if value}, rel=1e-9
    )
