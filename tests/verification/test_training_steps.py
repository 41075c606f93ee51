"""Published training steps against simulated ones. Rows of the split "test" have set no figure.

By default all rows of the three smallest families and a sample of the others are simulated; CLUSTER_SIM_VERIFY=full
simulates the whole table, as ``make verify`` does. What is reached, and why not more, stands in the README, "How good
are the step times?".
"""

import os
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from cluster_sim.catalogue import accelerator
from cluster_sim.reports import step_errors
from cluster_sim.studies import step_error_summary, verify_steps
from cluster_sim.studies.machines import CATALOGUED

TABLE = Path(__file__).parents[3] / "shared" / "data" / "measured" / "training_steps.csv"
IS_FULL = os.environ.get("CLUSTER_SIM_VERIFY") == "full"
#: Rows of a sample.
SAMPLE = 60

pytestmark = pytest.mark.skipif(not TABLE.is_file(), reason="no table shared/data/measured/training_steps.csv")

#: Largest mean absolute error of the test rows, by group: what is reached, and a little.
REACHED = {
    "megatron_sc21": 0.040,
    "megatron_seqpar": 0.010,
    "vtrain, several servers": 0.090,
    "vtrain, one server": 0.090,
    "mosaic": 0.070,
    "dgxc, hopper": 0.065,
    "nemo, hopper": 0.085,
    "mlperf, hopper": 0.075,
    "megatron_h100": 0.080,
    "dgxc, blackwell": 0.300,
    "nemo, blackwell": 0.135,
    "mlperf, blackwell": 0.065,
    "nanotron": 0.160,
    "fms_fsdp": 0.120,
    "deepseek": 0.145,
}


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    done = verify_steps(TABLE, tmp_path_factory.mktemp("verify") / "out", sample=0 if IS_FULL else SAMPLE)
    return done.tables["verify"].to_pylist()


def group_of(row):
    """The families of one target: by generation, single servers of vTrain apart."""
    family = row["source_family"]
    if family == "vtrain":
        return "vtrain, several servers" if row["num_accelerators"] > 8 else "vtrain, one server"
    if family in ("dgxc", "nemo", "mlperf"):
        generation = accelerator(CATALOGUED[row["accelerator"]]).compute.partition("-")[0]
        return f"{family}, {generation}"
    return family


def test_all_rows_but_one_are_simulated(rows):
    """28 layers cannot be dealt to 32 stages."""
    missing = [row for row in rows if row["predicted_s"] is None]
    assert len(missing) <= 1
    assert all("too few for pipeline 32" in row["note"] for row in missing)


def test_the_parts_of_every_row_sum_to_its_time(rows):
    for row in rows:
        if row["predicted_s"] is not None:
            parts = [row[name] for name in row if name.endswith("_s") and name not in ("measured_s", "predicted_s")]
            assert sum(parts) <= row["predicted_s"] * (1 + 1e-9)
            assert sum(parts) >= row["predicted_s"] * (1 - 1e-6)


def test_half_of_the_rows_are_within_a_tenth(rows):
    errors = [abs(row["error_ratio"]) for row in rows if row["error_ratio"] is not None]
    assert np.median(errors) < 0.10


@pytest.mark.skipif(not IS_FULL, reason="the whole table takes minutes; make verify")
def test_every_family_is_as_good_as_it_was(rows):
    groups = [row | {"group": group_of(row)} for row in rows if row["split"] == "test"]
    found = {group["group"]: group["mean_ratio"] for group in step_error_summary(groups, "group")}
    with_groups = [row | {"group": group_of(row)} for row in rows]
    console = Console(width=180)
    console.print(step_errors([("target", step_error_summary(with_groups, "group"))], rows))
    assert {name: ratio for name, ratio in found.items() if ratio > REACHED[name]} == {}
