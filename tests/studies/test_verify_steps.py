"""Rows of measured training steps, simulated."""

import pytest

from cluster_sim.catalogue import Compute, compute, entries
from cluster_sim.core import read_document, read_spec
from cluster_sim.studies.calibrate_steps import calibrate_steps, fit_steps
from cluster_sim.studies.measured_steps import read_steps
from cluster_sim.studies.step_scenario import scenario_of
from cluster_sim.studies.verify_steps import sampled, simulated, step_error_summary, verify_steps
from tests.studies.steps import table

#: Four layers on a server.
SMALL = {
    "num_accelerators": 8, "layers": 4, "tp": 2, "pp": 1, "dp": 4, "global_batch_sequences": 8, "seq_len": 2048,
}  # fmt: skip
#: The pipeline has more stages than there are layers.
IMPOSSIBLE = SMALL | {"tp": 1, "pp": 8, "dp": 1, "layers": 2, "row_id": "z"}


def steps_of(path):
    return [scenario_of(row) for row in read_steps(path)]


def test_every_row_is_there_in_order_with_a_time_or_a_reason(tmp_path):
    path = table(tmp_path, SMALL | {"row_id": "a"}, IMPOSSIBLE, SMALL | {"row_id": "b", "sharding": ""})
    run = verify_steps(path, tmp_path / "out", workers=1)
    rows = run.tables["verify"].to_pylist()
    assert [row["row_id"] for row in rows] == ["a", "z", "b"]
    assert [row["predicted_s"] is None for row in rows] == [False, True, False]
    assert "too few for pipeline 8" in rows[1]["note"]
    assert "sharding zero1" in rows[2]["note"]
    for row in (rows[0], rows[2]):
        assert row["error_ratio"] == pytest.approx(row["predicted_s"] / row["measured_s"] - 1)
        parts = [row[name] for name in row if name.endswith("_s") and name not in ("measured_s", "predicted_s")]
        assert sum(parts) == pytest.approx(row["predicted_s"], rel=1e-9)


def test_results_do_not_depend_on_the_number_of_workers(tmp_path):
    path = table(tmp_path, *(SMALL | {"row_id": str(n), "tp": 2**n, "dp": 8 // 2**n} for n in range(4)))
    steps = steps_of(path)
    assert list(simulated(steps, "numpy", 1)) == list(simulated(steps, "numpy", 2))


def test_more_work_and_a_slower_network_take_longer(tmp_path):
    """Twice the batch; full recomputation; a tenth of the network where gradients cross it."""
    wide = SMALL | {"num_accelerators": 32, "dp": 16, "global_batch_sequences": 32}
    rows = (
        wide, wide | {"global_batch_sequences": 64}, wide | {"recompute": "full"},
        wide | {"nic_gbps_per_accelerator": 50},
    )  # fmt: skip
    path = table(tmp_path, *(row | {"row_id": str(n)} for n, row in enumerate(rows)))
    rows = list(simulated(steps_of(path), "numba", 1))
    times = [row["predicted_s"] - row["optimizer_s"] for row in rows]
    assert times[1] > 1.5 * times[0]
    assert times[2] > 1.1 * times[0]
    assert times[3] > times[0]


def test_a_sample_takes_rows_from_all_families_in_turn(tmp_path):
    families = ["nemo"] * 10 + ["mosaic"] * 3 + ["dgxc"]
    rows = read_steps(table(
        tmp_path, *(SMALL | {"row_id": str(n), "source_family": name} for n, name in enumerate(families))
    ))  # fmt: skip
    found = [row.source_family for row in sampled(rows, 6, 1)]
    assert [found.count(name) for name in ("nemo", "mosaic", "dgxc")] == [2, 3, 1]
    assert sampled(rows, 6, 1) == sampled(rows, 6, 1)
    assert sampled(rows, 99, 1) == rows
    numbers = [int(row.row_id) for row in sampled(rows, 6, 2)]
    assert numbers == sorted(numbers)


def test_errors_are_summed_up_by_split_and_what_is_asked_for():
    rows = [
        {"row_id": "a", "split": "test", "source_family": "x", "error_ratio": 0.1},
        {"row_id": "b", "split": "test", "source_family": "x", "error_ratio": -0.3},
        {"row_id": "c", "split": "test", "source_family": "y", "error_ratio": None},
        {"row_id": "d", "split": "calibrate", "source_family": "x", "error_ratio": 0.2},
    ]
    first, second = step_error_summary(rows, "source_family")
    assert (first["split"], first["num"], first["mean_ratio"]) == ("calibrate", 1, pytest.approx(0.2))
    assert (second["num"], second["mean_ratio"], second["worst_row"]) == (2, pytest.approx(0.2), "b")


def test_a_fit_finds_the_figures_that_rows_were_made_with(tmp_path):
    """Rows whose measured times are simulated with a GEMM efficiency of 0.5 are fitted best by about that."""
    rows = [
        SMALL | {"row_id": f"{hidden}-{tokens}", "split": "calibrate", "seq_len": tokens, "hidden": hidden,
                 "ffn_hidden": 4 * hidden, "layers": 8}
        for hidden in (2048, 4096, 8192) for tokens in (2048, 8192)
    ]  # fmt: skip
    steps = steps_of(table(tmp_path, *rows))
    reached = compute("hopper")
    slower = reached.model_copy(update={"gemm_efficiency": reached.gemm_efficiency.model_copy(update={"typical": 0.5})})
    made = []
    for step in steps:
        job = step.scenario.job.model_copy(update={"kernels": slower})
        made.append(step.scenario.model_copy(update={"job": job}))
    from cluster_sim.backend import choose_backend
    from cluster_sim.run import evaluate

    times = [evaluate(scenario, choose_backend("numba"))["summary"]["step_time_s"][0].as_py() for scenario in made]
    measured = [row | {"step_time_s": time_s} for row, time_s in zip(rows, times, strict=True)]
    (fit,) = fit_steps(steps_of(table(tmp_path, *measured)), "numba", 1)
    before, after = (
        sum(abs(row["error_ratio"]) for row in rows) / len(rows) for rows in (fit.before, fit.rows)
    )  # fmt: skip
    assert after < before / 3
    assert fit.figures["gemm_efficiency"] == pytest.approx(0.5, rel=0.1)


def test_what_calibrate_writes_is_a_catalogue_and_an_entry_for_a_job(tmp_path):
    path = table(tmp_path, *(SMALL | {"row_id": str(n), "split": "calibrate", "step_time_s": 0.2} for n in range(2)))
    folder, told = calibrate_steps(path, tmp_path / "fit", workers=1)
    catalogue = read_document(folder / "compute.yaml")
    assert list(catalogue.data) == list(entries("compute"))
    entry = read_spec(Compute, read_document(folder / "compute-hopper.yaml"))
    assert entry == read_spec(Compute, catalogue, ("hopper",))
    assert "2 measured training steps: nemo" in entry.gemm_efficiency.source
    assert read_spec(Compute, catalogue, ("ampere",)).gemm_efficiency.typical == pytest.approx(
        compute("ampere").gemm_efficiency.typical, rel=1e-3
    )
    assert any("nemo: 2 rows" in line for line in told)
