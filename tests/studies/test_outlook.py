"""Goodput with other figures, against histories with them."""

import math

import numpy as np
import pytest

from cluster_sim.config import load_config
from cluster_sim.studies import Sampling
from cluster_sim.studies.compare import compare
from cluster_sim.studies.draws import draws
from cluster_sim.studies.outlook import Outlook, shortage
from cluster_sim.studies.redone import Redoing, simulated
from cluster_sim.studies.response import Response
from cluster_sim.studies.sampled import options_of
from tests.small import write_comparison

#: Failures come every few hours, so that a tenth of the time is lost; nobody waits for servers.
_OFTEN = (
    "compare.topologies={clos: {kind: clos, pod_accelerators: 32}}",
    "catalogue={h100-sxm: {annual_failure: 30 /year}}",
    "economics={tokens: 1e12}",
    "reliability={span: 60 days, histories: 60, spare_servers: 1000, checkpoint: {every: 20000, cost: 20 s}}",
)


def _often(folder, settings=_OFTEN):
    """A comparison of one option, the modules."""
    config = load_config(write_comparison(folder), settings)
    only = {"dsp": config.compare.interconnects["dsp"]}
    return config.model_copy(update={"compare": config.compare.model_copy(update={"interconnects": only})})


@pytest.fixture(scope="module")
def dsp(tmp_path_factory):
    folder = tmp_path_factory.mktemp("often")
    config = _often(folder)
    return options_of(config.scenarios, compare(config, "x", folder / "out", workers=1).tables)[0]


@pytest.fixture(scope="module")
def redoing(dsp):
    return Redoing.of(dsp, Response({}))


def test_with_typical_figures_it_is_what_the_histories_have(dsp, redoing):
    row = redoing.row({})
    assert row["goodput_ratio"] == dsp.row["goodput_ratio"]
    assert row["time_to_train_s"] == pytest.approx(dsp.row["time_to_train_s"], rel=1e-12)


@pytest.mark.parametrize(
    "values",
    [
        {("h100-sxm", "host_annual_failure"): 100.0},
        {("connectx8-800g", "annual_failure"): 10.0},
        {("constants", "restart_time"): 2000.0},
        {("constants", "detection_time"): 1000.0, ("h100-sxm", "host_annual_failure"): 10.0},
    ],
)
def test_worse_parts_cost_as_much_as_histories_with_them_say(dsp, redoing, values):
    """Goodput falls by 1 to 10 points; the rest is within 0.4 points, which is chance and what is not linear."""
    redone, truth = redoing.row(values), simulated(dsp, values, "numpy", with_histories=True)
    assert truth["goodput_ratio"] < dsp.row["goodput_ratio"] - 0.01
    assert redone["goodput_ratio"] == pytest.approx(truth["goodput_ratio"], abs=0.004)
    assert redone["time_to_train_s"] == pytest.approx(truth["time_to_train_s"], rel=0.006)


def test_what_is_not_about_failures_leaves_it(dsp, redoing):
    assert redoing.row({("800g-dsp-dr8", "price"): 1.0})["goodput_ratio"] == dsp.row["goodput_ratio"]


def test_repairs_that_nobody_waits_for_take_no_time(dsp, redoing):
    assert redoing.row({("h100-sxm", "repair_time"): 1e6})["goodput_ratio"] == dsp.row["goodput_ratio"]


def test_options_without_histories_have_no_outlook(dsp, redoing):
    option = type(dsp)(dsp.scenario, dsp.row, dsp.figures, dsp.utilisation)
    assert Outlook.of(option, redoing.built) is None
    assert "goodput_ratio" not in Redoing.of(option, Response({})).row({})


def test_draws_spread_the_goodput(redoing, dsp):
    found = [redoing.row(values)["goodput_ratio"] for values in draws(dsp.figures, 20, 1)]
    assert max(found) - min(found) > 0.01
    assert all(0 < one < 1 for one in found)


def test_an_interval_of_the_goodput_is_in_the_tables(tmp_path):
    done = compare(_often(tmp_path), "x", tmp_path / "out", workers=1, sampling=Sampling(num=3))
    rows = [row for row in done.tables["uncertainty"].to_pylist() if row["quantity"] == "goodput_ratio"]
    assert len(rows) == 1
    assert all(0 < row["low"] <= row["median"] <= row["high"] < 1 for row in rows)
    assert done.manifest["uncertainty"]["largest_goodput_error_ratio"] < 0.02


def test_how_often_servers_are_short():
    """
    Two servers, one spare, a mean of 3 out: weights 1, 3, 3 x 3 / 2 = 4.5, and with one of two in use 4.5 x 3 / 3 / 2
    = 2.25; short in the last two: 6.75 to 4.
    """
    assert shortage(2, 1, 3.0) == pytest.approx(6.75 / 4)
    assert shortage(1, 0, 1.0) == 1.0
    assert shortage(8, 1000, 3.0) == 0.0
    assert shortage(8, 1, 0.0) == 0.0


@pytest.mark.parametrize("mean_out", [600.0, 900.0, 1e60])
def test_a_job_that_is_nearly_always_short_of_servers_is_short_by_a_number(mean_out):
    """
    350 spares, many more out: e**600 is within what a float holds, e**900 is not, and neither share differs from 1.
    Against the sums of the chain's weights by their logarithms.
    """
    out = np.arange(1, 12_851)
    steps = np.log(mean_out / out) + np.log1p(-np.maximum(out - 351, 0) / 12_500)
    weights = np.concatenate([[0.0], np.cumsum(steps)])
    ratio = np.logaddexp.reduce(weights[351:]) - np.logaddexp.reduce(weights[:351])
    found = shortage(12_500, 350, mean_out)
    assert math.log(found) == pytest.approx(ratio, rel=1e-9) if ratio < 200 else found > 1e80
    assert shortage(8, 0, 1e6) == pytest.approx((1 + 1e6 / 8) ** 8 - 1, rel=1e-3)


def test_figures_that_leave_no_progress_make_an_option_fail_as_histories_do(dsp, redoing):
    """A server that breaks every three hours or so, and a restart of a day: no draw of that has a place."""
    values = {("h100-sxm", "host_annual_failure"): 3000.0, ("constants", "restart_time"): 86_400.0}
    redone, truth = redoing.row(values), simulated(dsp, values, "numpy", with_histories=True)
    assert (redone["status"], redone["time_to_train_s"]) == (truth["status"], truth["time_to_train_s"])
    assert redone["status"] == "failed"
    assert 0 < redone["goodput_ratio"] < 0.01


@pytest.mark.parametrize("repair_s", [10_000.0, 100_000.0])
def test_waiting_for_servers_follows_how_many_are_out(tmp_path, repair_s):
    """Four servers stand by and some five failures come a day: repairs that take longer are what stops the job."""
    few = [text.replace("spare_servers: 1000", "spare_servers: 4") for text in _OFTEN]
    config = _often(tmp_path, few)
    option = options_of(config.scenarios, compare(config, "x", tmp_path / "out", workers=1).tables)[0]
    values = {("h100-sxm", "repair_time"): repair_s}
    redone, truth = (
        Redoing.of(option, Response({})).row(values),
        simulated(option, values, "numpy", with_histories=True),
    )
    assert abs(truth["goodput_ratio"] / option.row["goodput_ratio"] - 1) > 0.2
    assert redone["goodput_ratio"] == pytest.approx(truth["goodput_ratio"], rel=0.06)
