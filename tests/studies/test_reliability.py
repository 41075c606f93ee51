from math import inf

import numpy as np
import pytest

from cluster_sim.backend import choose_backend
from cluster_sim.config import load_config
from cluster_sim.core import ConfigError, InputError
from cluster_sim.reliability import CheckpointPlan, Degraded, Reliability, young_daly_steps
from cluster_sim.results import table_of_rows
from cluster_sim.run import evaluate
from cluster_sim.studies import assess, compare, reliability
from cluster_sim.studies.reliability import _degraded_steps_s, checkpoints_of, whole_network, without_cables
from cluster_sim.topology import Equipment
from tests.small import small_comparison, small_run, write_small

FEW = "reliability={span: 20 days, histories: 6, checkpoint: {cost: 1 s}}"
#: So often that something happens in a cluster of 64 accelerators.
OFTEN = "catalogue={h100-sxm: {annual_failure: 20 /year}, 800g-dsp-dr8: {annual_failure: 30 /year}}"
CHECKPOINT = "job.checkpoint={every: 50, front_end: 100 Gbps, storage: 1 GB/s"


def assessed(tmp_path, *settings):
    scenario = small_run(tmp_path, "backend=numpy", *settings).scenario
    return assess(scenario, "numpy", evaluate(scenario, choose_backend("numpy")))


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    return assessed(tmp_path_factory.mktemp("often"), FEW, OFTEN)


def test_the_summary_says_what_is_left(tables):
    row = tables["summary"].to_pylist()[0]
    assert row["status"] == "ok"
    assert 0 < row["goodput_low_ratio"] <= row["goodput_ratio"] <= row["goodput_high_ratio"] < 1
    assert row["goodput_ratio"] < row["availability_ratio"] < 1
    assert row["time_to_train_s"] is None
    assert "software failures" in row["unverified"]


def test_the_parts_sum_to_the_wall_time(tables):
    parts = tables["goodput"].to_pylist()
    assert sum(part["mean_s"] for part in parts) == pytest.approx(20 * 86400)
    assert sum(part["share_ratio"] for part in parts) == pytest.approx(1)
    assert parts[0]["part"] == "useful"
    assert parts[0]["share_ratio"] == pytest.approx(tables["summary"]["goodput_ratio"][0].as_py())


def test_a_useful_token_pays_for_time_that_is_not(tmp_path, tables):
    """Everything that is for a token is over goodput; what is for a step, or a year, is as without failures."""
    scenario = small_run(tmp_path, "backend=numpy", FEW, OFTEN).scenario
    healthy = evaluate(scenario, choose_backend("numpy"))["summary"].to_pylist()[0]
    row = tables["summary"].to_pylist()[0]
    for name in (
        "energy_per_token_j",
        "network_energy_per_token_j",
        "network_usd_per_mtoken",
        "cluster_usd_per_mtoken",
    ):
        assert row[name] == pytest.approx(healthy[name] / row["goodput_ratio"])
    assert (row["capex_usd"], row["network_energy_j"]) == (healthy["capex_usd"], healthy["network_energy_j"])
    assert row["energy_usd_per_year"] == healthy["energy_usd_per_year"]


def test_interruptions_by_cause(tables):
    rows = {row["cause"]: row for row in tables["interruptions"].to_pylist()}
    row = tables["summary"].to_pylist()[0]
    assert sum(one["interruptions_mean"] for one in rows.values()) == pytest.approx(20 * row["interruptions_per_day"])
    assert sum(one["share_ratio"] for one in rows.values()) == pytest.approx(1)
    assert rows["accelerator"]["failures_per_year"] == pytest.approx(20)
    assert rows["accelerator"]["failures_mean"] == pytest.approx(64 * 20 * 20 / 365, rel=0.3)
    assert rows["leaf_spine leaf module"]["effect"] == "degrades"
    assert rows["host_leaf flaps"]["effect"] == "stalls"
    for one in rows.values():
        assert one["interruptions_low"] <= one["interruptions_mean"] <= one["interruptions_high"] or (
            one["interruptions_mean"] < 1
        )


def test_events_of_the_first_history(tables):
    events = tables["events"].to_pylist()
    first = [event for event in events if event["event"] == "interruption"]
    assert first
    assert all(event["detail"].startswith("history 0: ") for event in first)
    assert all(0 <= event["time_s"] <= event["end_s"] <= 20 * 86400 for event in events)
    assert {"interruption", "degraded", "outage"} <= {event["event"] for event in events}


def test_a_degraded_network_makes_longer_steps(tables):
    """Modules that fail thirty times a year are nearly always out somewhere; but all that is sent is little."""
    degraded = {part["part"]: part["share_ratio"] for part in tables["goodput"].to_pylist()}["degraded"]
    assert 1e-8 < degraded < 1e-3


def test_all_tokens_take_as_long_as_goodput_says(tmp_path):
    row = assessed(tmp_path, FEW, "economics.tokens=1e12")["summary"].to_pylist()[0]
    steps = 1e12 / (64 * 256)
    assert row["time_to_train_s"] == pytest.approx(steps * row["step_time_s"] / row["goodput_ratio"])


def test_histories_do_not_depend_on_the_number_of_workers(tmp_path):
    settings = "reliability={span: 5 days, histories: 60, checkpoint: {cost: 1 s}}"
    config = small_run(tmp_path, "backend=numpy", settings, OFTEN, "record=summary")
    one, two = (reliability(config, tmp_path / str(num), workers=num) for num in (1, 2))
    assert one.tables.keys() == two.tables.keys() == {"summary", "bom", "power", "supply", "events", "interruptions",
                                                      "goodput"}  # fmt: skip
    assert all(one.tables[name].equals(two.tables[name]) for name in one.tables)


def test_links_that_only_fused_collectives_cross_are_the_jobs(tmp_path):
    """One tensor-parallel group of all 64: nothing runs beside its collectives, and so they are part of compute."""
    split = "job.parallelism={tensor: 64, pipeline: 1, data: 1}"
    scenario = small_run(tmp_path, "backend=numpy", FEW, split, "job.model.heads=64").scenario
    tables = evaluate(scenario, choose_backend("numpy"))
    assert not tables["links"]["carried_bytes"].to_numpy().any()
    assert whole_network(scenario, "numpy")[1].all()


@pytest.mark.parametrize("topology", ["{kind: clos, planes: 2}", "{kind: ocs_spine, pod_accelerators: 32}",
                                      "{kind: torus, shape: [4, 4, 4]}", "{kind: dragonfly}"])  # fmt: skip
@pytest.mark.parametrize("routing", ["spray", "ecmp"])
def test_used_are_the_links_that_carry_anything(tmp_path, topology, routing):
    scenario = small_run(tmp_path, "backend=numpy", f"routing={routing}", f"topology={topology}").scenario
    carried = evaluate(scenario, choose_backend("numpy"))["links"]["carried_bytes"].to_numpy() > 0
    assert np.array_equal(whole_network(scenario, "numpy")[1], carried)


def test_another_seed_is_another_history(tmp_path, tables):
    other = assessed(tmp_path, FEW, OFTEN, "seed=2")
    assert not other["interruptions"].equals(tables["interruptions"])


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        # Every 16 s, and a restart takes 390 s.
        (
            "constants: {software_failure: 30000 /year}",
            ("no progress: 1000 interruptions in a row", "6 of 6 histories"),
        ),
        # Every 16 s a server of eight is gone for a day.
        (
            "h100-sxm: {annual_failure: 30000 /year}",
            ("no progress: ", "of the wall time is useful", "waiting for servers"),
        ),
    ],
)
def test_no_progress_is_a_result_with_a_reason(tmp_path, figures, words):
    tables = assessed(tmp_path, FEW, f"catalogue={{{figures}}}")
    row = tables["summary"].to_pylist()[0]
    assert row["status"] == "failed"
    for word in words:
        assert word in row["reason"]
    assert row["goodput_ratio"] < 0.01
    assert sum(part["share_ratio"] for part in tables["goodput"].to_pylist()) == pytest.approx(1)
    assert tables["interruptions"]["interruptions_mean"].to_numpy().sum() >= 1


def test_a_scenario_that_could_not_be_simulated_stays_as_it_is(tmp_path):
    scenario = small_run(tmp_path, FEW).scenario
    tables = evaluate(scenario, choose_backend("numpy"))
    row = tables["summary"].to_pylist()[0] | {"status": "failed"}
    failed = {"summary": table_of_rows("summary", [row])}
    assert assess(scenario, "numpy", failed) is failed


def test_a_comparison_ranks_under_failures_where_they_are_asked_for(tmp_path):
    config = small_comparison(tmp_path, FEW)
    done = compare(config, "x", tmp_path / "out", workers=1)
    rows = [row for row in done.summary.to_pylist() if row["status"] == "ok"]
    assert rows
    assert all(0 < row["goodput_ratio"] < 1 for row in rows)
    assert len(set(done.tables["interruptions"]["scenario"].to_pylist())) == len(rows)


# --- checkpoints ----------------------------------------------------------------------------------------------------


@pytest.fixture
def job(tmp_path):
    return small_run(tmp_path, CHECKPOINT + "}").job


def test_the_job_says_how_often_it_saves_its_state(job):
    """All waits for storage: 14 bytes a parameter at 1 GB/s."""
    found = checkpoints_of(job, Reliability(), 0.5, 1e-4)
    assert (found.every, found.lag_s) == (50, 0.0)
    assert found.cost_s == pytest.approx(14 * job.model.parameters / 1e9)


def test_the_best_interval_for_what_a_checkpoint_costs(job):
    found = checkpoints_of(job, Reliability(checkpoint=CheckpointPlan()), 0.5, 1e-4)
    assert found.every == young_daly_steps(0.5, found.cost_s, 1e-4) == round((2 * found.cost_s / 1e-4) ** 0.5 / 0.5)


def test_a_cost_that_is_given_needs_no_checkpoints_of_the_job(job):
    plan = Reliability(checkpoint=CheckpointPlan(every=9, cost_s=4.0))
    found = checkpoints_of(job.model_copy(update={"checkpoint": None}), plan, 0.5, 1e-4)
    assert (found.every, found.cost_s, found.lag_s) == (9, 4.0, 0.0)


def test_nothing_says_what_a_checkpoint_costs(job):
    with pytest.raises(InputError, match="nothing says what a checkpoint costs"):
        checkpoints_of(job.model_copy(update={"checkpoint": None}), Reliability(), 0.5, 1e-4)


def test_an_asynchronous_checkpoint_costs_a_copy_and_is_whole_later(tmp_path):
    """Where it is written longer than until the next one, training waits for the rest."""
    job = small_run(tmp_path, CHECKPOINT + ", asynchronous: true, host_copy: 10 GB/s}").job
    write_s = 14 * job.model.parameters / 1e9
    found = checkpoints_of(job, Reliability(), 10.0, 1e-4)
    assert found.lag_s == pytest.approx(write_s)
    assert found.cost_s < write_s / 10
    often = checkpoints_of(job, Reliability(checkpoint=CheckpointPlan(every=1)), 1e-3, 1e-4)
    assert often.cost_s + 1e-3 == pytest.approx(write_s)
    assert often.lag_s <= often.cost_s + often.every * often.step_s + 1e-12


@pytest.mark.parametrize("key", ["reliability: {histories: 5}", "reliability: {checkpoint: {every: 5}}"])
def test_a_file_without_the_cost_is_refused_with_its_line(tmp_path, key):
    path = write_small(tmp_path, ("seed: 1", f"seed: 1\n{key}"))
    with pytest.raises(
        ConfigError, match=r"small.yaml:3: reliability.checkpoint: nothing says what a checkpoint costs"
    ):
        load_config(path)


# --- degraded networks ----------------------------------------------------------------------------------------------


def fabric_of(scenario):
    return scenario.topology.fabric(Equipment(64, scenario.job.accelerator_entry, scenario.interconnect))


def first_of(fabric, tier):
    return np.flatnonzero(np.array(fabric.tiers)[fabric.links.tier] == tier)[:1]


def test_sprayed_traffic_gives_a_failed_cable_nothing(tmp_path):
    """A leaf with one uplink of 32 less: what crosses them takes 32/31 as long at most."""
    scenario = small_run(tmp_path, "backend=numpy", "job.algorithms.library=none").scenario
    fabric = fabric_of(scenario)
    changed = without_cables(scenario, fabric, first_of(fabric, "leaf_spine"))
    assert changed.slow_links.links
    assert not changed.failed_links.links
    healthy, degraded = (
        evaluate(one, choose_backend("numpy"))["summary"]["step_time_s"][0].as_py() for one in (scenario, changed)
    )
    assert healthy < degraded < healthy * 32 / 31


def test_traffic_on_single_paths_avoids_a_failed_cable(tmp_path):
    scenario = small_run(tmp_path, "routing=ecmp", "failed_links={links: [300]}").scenario
    fabric = fabric_of(scenario)
    cables = first_of(fabric, "leaf_spine")
    changed = without_cables(scenario, fabric, cables)
    assert changed.failed_links.links == (300, int(cables[0]))
    assert not changed.slow_links.links


def test_a_cable_without_others_beside_it_has_failed_for_good(tmp_path):
    scenario = small_run(tmp_path).scenario
    fabric = fabric_of(scenario)
    assert without_cables(scenario, fabric, first_of(fabric, "host_leaf")).failed_links.links


def test_slow_links_of_the_user_stay(tmp_path):
    scenario = small_run(tmp_path, "slow_links={links: [300], capacity: 50 %}").scenario
    fabric = fabric_of(scenario)
    changed = without_cables(scenario, fabric, first_of(fabric, "leaf_spine"))
    assert changed.slow_links == scenario.slow_links
    assert changed.failed_links.links


def test_a_network_that_no_longer_joins_everybody_stops_the_steps(tmp_path):
    """Without a leaf, half the accelerators are joined to nobody."""
    scenario = small_run(tmp_path, "backend=numpy").scenario
    fabric = fabric_of(scenario)
    used = np.ones(len(fabric.links), bool)
    states = (Degraded("leaf_spine", "leaf_spine", 1, True), Degraded("gone", "leaf", 0, False))
    found = _degraded_steps_s(scenario, "numpy", fabric, used, states, lambda phase: None)
    assert found[0] < inf
    assert found[1] == inf


def test_what_fails_of_neighbours_does_not_stop_the_job(tmp_path, tables):
    """Twice the cluster, half of it a neighbour's: as many modules, links and switches as without one."""
    path = write_small(tmp_path)
    other = tmp_path / "other.yaml"
    lines = path.read_text().splitlines()
    first, last = lines.index("job:") + 1, lines.index("interconnect:")
    other.write_text("\n".join(line[2:] for line in lines[first:last]) + "\n")
    beside = assessed(tmp_path, FEW, OFTEN, f"neighbours={{other: {{job: {other}}}}}")
    pieces = [
        {row["cause"]: row["num_pieces"] for row in found["interruptions"].to_pylist()} for found in (tables, beside)
    ]
    for cause in ("host_leaf host module", "host_leaf flaps", "leaf_spine leaf module", "leaf switch"):
        assert pieces[0][cause] == pieces[1][cause], cause


def test_checkpoints_that_failures_never_let_finish_are_no_progress(tmp_path):
    """A checkpoint of 300 days where something stops the job every few: the end of a history is not what it gets."""
    row = assessed(
        tmp_path, "reliability={span: 400 days, histories: 6, checkpoint: {every: 100, cost: 300 days}}", OFTEN,
        "economics.tokens=1e12",
    )["summary"].to_pylist()[0]  # fmt: skip
    assert row["status"] == "failed"
    assert "interruptions, and no checkpoint was whole before; save more often" in row["reason"]
    assert row["time_to_train_s"] is None
    assert row["goodput_ratio"] < 0.1


def test_no_progress_names_where_the_time_goes(tmp_path):
    """Nothing fails that much; checkpoints of a day after every step leave nothing."""
    row = assessed(tmp_path, "reliability={span: 30 days, histories: 4, checkpoint: {every: 1, cost: 1 h}}")
    reason = row["summary"]["reason"][0].as_py()
    assert "% goes into checkpoints, " in reason
    assert "waiting for servers" not in reason
