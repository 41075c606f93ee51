"""Same configuration, seed and backend: the same bytes. And the parts of a step are the whole step."""

import json

import pytest

from cluster_sim.run import simulate
from cluster_sim.studies import compare
from tests.small import small_comparison, small_run

PARTS = [
    "compute_s",
    "bubble_s",
    "switching_s",
    "optimizer_s",
    *(f"exposed_{x}_s" for x in ("tp", "cp", "ep", "pp", "dp")),
]


def arrow_files(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.arrow"))}


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_run_repeated_gives_the_same_bytes(tmp_path, backend):
    config = small_run(tmp_path, f"backend={backend}", "routing=ecmp")
    first, second = (arrow_files(simulate(config, tmp_path / name).folder) for name in "ab")
    assert set(first) == {
        f"{t}.arrow" for t in ("summary", "tasks", "collectives", "links", "events", "bom", "power", "supply")
    }
    assert first == second


def test_a_comparison_does_not_depend_on_its_workers(tmp_path):
    config = small_comparison(tmp_path)
    runs = {name: compare(config, "x", tmp_path / name, workers=workers) for name, workers in
            (("one", 1), ("again", 1), ("two", 2))}  # fmt: skip
    files = {name: arrow_files(run.folder) for name, run in runs.items()}
    assert files["one"] == files["again"] == files["two"]
    assert set(files["one"]) == {"summary.arrow", "events.arrow", "bom.arrow", "power.arrow", "supply.arrow"}


def test_another_seed_may_give_other_paths_but_the_same_summary_of_parts(tmp_path):
    runs = [
        simulate(small_run(tmp_path, f"seed={s}", "routing=ecmp", "backend=numpy"), tmp_path / str(s)) for s in (1, 2)
    ]
    names = [run.summary.to_pylist()[0]["num_modules"] for run in runs]
    assert names[0] == names[1]
    assert [run.manifest["seed"] for run in runs] == [1, 2]


@pytest.mark.parametrize(
    "settings",
    [
        (),
        ("routing=ecmp",),
        ("job.parallelism.pipeline=1", "job.parallelism.data=32"),
        ("job.parallelism.tensor=1", "job.parallelism.data=32"),
        ("job.parallelism.virtual_stages=2", "job.schedule=interleaved"),
        ("job.recompute=full", "job.parallelism.overlap_gradients=false"),
        ("job.model.experts={count: 8, per_token: 2, width: 512}", "job.parallelism.expert=8"),
        ("topology={kind: ocs_spine, pod_accelerators: 32, reconfigure: per_phase}",),
    ],
    ids=str,
)
def test_the_parts_sum_to_the_step_time(tmp_path, settings):
    run = simulate(small_run(tmp_path, "backend=numpy", *settings), tmp_path / "out")
    row = run.summary.to_pylist()[0]
    assert sum(row[part] for part in PARTS) == pytest.approx(row["step_time_s"], rel=1e-9)
    assert all(row[part] >= 0 for part in PARTS)
    assert 0 < row["mfu_ratio"] <= row["hfu_ratio"] <= 1
    idle_w = sum(item["count"] * item["unit_idle_w"] for item in run.tables["bom"].to_pylist())
    assert idle_w < row["network_energy_j"] / row["step_time_s"] < row["network_power_w"]
    assert row["step_time_s"] == pytest.approx(max(run.tables["tasks"]["end_s"].to_pylist()), rel=1e-12)


def test_the_manifest_says_how_it_came_about(tmp_path):
    config = small_run(tmp_path, "backend=numpy", "seed=9")
    run = simulate(config, tmp_path / "out")
    manifest = json.loads((run.folder / "manifest.json").read_text())
    assert (manifest["seed"], manifest["backend"]) == (9, "numpy")
    assert type(config).model_validate(manifest["config"]) == config
    assert manifest["num_rows"] == {name: table.num_rows for name, table in run.tables.items()}
    assert {"python", "numpy", "cluster-sim"} <= set(manifest["versions"])
    assert manifest["wall_s"] >= 0


def test_every_table_names_its_scenario(tmp_path):
    run = simulate(small_run(tmp_path, "backend=numpy"), tmp_path / "out")
    for table in run.tables.values():
        assert set(table["scenario"].to_pylist()) <= {"small / interconnect / clos"}


def test_power_by_part_adds_up(tmp_path):
    run = simulate(small_run(tmp_path, "backend=numpy"), tmp_path / "out")
    burners, row = run.tables["power"].to_pylist(), run.summary.to_pylist()[0]
    by_kind = {one["kind"]: one for one in burners}
    assert list(by_kind) == ["module", "switch", "nic", "server", "cooling"]
    for name, left_out in (("network", ("server", "cooling")), ("cluster", ("cooling",)), ("facility", ())):
        energy_j = sum(one["energy_j"] for one in burners if one["kind"] not in left_out)
        assert energy_j == pytest.approx(row[f"{name}_energy_j"], rel=1e-12)
    power_w = sum(one["power_w"] for one in burners if one["kind"] not in ("server", "cooling"))
    assert power_w == pytest.approx(row["network_power_w"], rel=1e-12)
    assert sum(one["share_ratio"] for one in burners) == pytest.approx(1, rel=1e-12)
    assert by_kind["cooling"]["power_w"] == pytest.approx(0.15 * (power_w + by_kind["server"]["power_w"]))


def test_the_summary_says_what_a_token_costs_and_whether_parts_can_be_had(tmp_path):
    """A year of energy is a year of steps; a token pays what was bought and burnt over four years."""
    settings = ("backend=numpy", "economics.electricity=0.1 USD/kWh", "economics.pue=1.5")
    run = simulate(small_run(tmp_path, *settings), tmp_path / "out")
    row = run.summary.to_pylist()[0]
    tokens, years = 64 * 256, 4
    steps = years * 365 * 86400 / row["step_time_s"]
    kwh = 1.5 * row["cluster_energy_j"] * steps / 3.6e6
    assert row["energy_usd_per_year"] == pytest.approx(kwh * 0.1 / years)
    paid_usd = row["capex_usd"] + row["server_capex_usd"] + kwh * 0.1
    assert row["cluster_usd_per_mtoken"] == pytest.approx(paid_usd / (steps * tokens) * 1e6)
    assert row["energy_per_token_j"] == pytest.approx(1.5 * row["cluster_energy_j"] / tokens)
    assert (row["cooling"], row["earliest_year"] >= 2026, row["supply_months"] > 0) == ("liquid", True, True)
    needed = {need["part"]: need["count"] for need in run.tables["supply"].to_pylist()}
    assert needed["800g-dsp-dr8"] == row["num_modules"]


def test_the_bill_adds_up(tmp_path):
    run = simulate(small_run(tmp_path, "backend=numpy"), tmp_path / "out")
    bill, row = run.tables["bom"].to_pylist(), run.summary.to_pylist()[0]
    assert sum(item["price_usd"] for item in bill) == pytest.approx(row["capex_usd"], rel=1e-12)
    assert sum(item["power_w"] for item in bill) == pytest.approx(row["network_power_w"], rel=1e-12)
    for item in bill:
        assert item["price_usd"] == pytest.approx(item["count"] * item["unit_price_usd"], rel=1e-12)
