"""Several jobs in one cluster: apart they take what they take alone; over a shared spine they share it."""

from importlib import import_module

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster_sim.backend import choose_backend
from cluster_sim.config import RunConfig, load_config
from cluster_sim.core import ConfigError, PlanError
from cluster_sim.run import evaluate
from cluster_sim.studies import compare
from cluster_sim.topology import Clos, OcsSpine
from cluster_sim.workload import PLACEMENTS, Algorithms, Stragglers
from tests.engine.worlds import INTERCONNECT, moe_job, small_job
from tests.small import small_comparison, small_run, write_small

#: Payload of a port of 100 GB/s.
PORT = 0.96 * 100e9
#: Four pods of one leaf of 64; each has 4 ports up to the cores.
NARROW = Clos(pod_accelerators=64, spine_oversubscription=16)


def evaluated(job, topology=NARROW, **fields):
    """Tables of a run in a cluster of 256."""
    config = RunConfig(
        job=job, interconnect=INTERCONNECT, topology=topology, **({"cluster_accelerators": 256} | fields)
    )
    return evaluate(config.scenario, choose_backend("numba"))


def step_s(tables):
    return tables["summary"]["step_time_s"][0].as_py()


def neighbour_steps(tables):
    """(name and number, seconds) of every step of the neighbours."""
    rows = [row for row in tables["events"].to_pylist() if row["event"] == "neighbour_step"]
    return [(row["detail"], row["end_s"] - row["time_s"]) for row in rows]


def pair_job(**changes):
    """Two servers that add up gradients: 8 rings of 2, nothing overlapped, software takes no time."""
    fields = {
        "accelerators": 16, "tensor": 8, "pipeline": 1, "data": 2, "global_batch": 8, "overlap_gradients": False,
        "algorithms": Algorithms(library="none"), "slowdown_ratio": 0.0,
    }  # fmt: skip
    return small_job(**(fields | changes))


@pytest.mark.parametrize(
    "job", [small_job(), moe_job(), small_job(sharding="fsdp"), pair_job()], ids=["dense", "moe", "fsdp", "pair"]
)
def test_jobs_that_share_no_link_take_what_they_take_alone(job):
    """Packed, 64 accelerators are a pod. The neighbour's steps do not depend on what the main job is, either."""
    other = {"job": small_job(layers=4), "steps": 2}
    alone = evaluated(small_job(), neighbours={})
    beside = evaluated(small_job(), neighbours={"one": {"job": job, "steps": 2}, "two": other})
    beside_less = evaluated(small_job(layers=2), neighbours={"one": {"job": job, "steps": 2}, "two": other})
    assert step_s(beside) == pytest.approx(step_s(alone), rel=1e-9)
    assert step_s(beside_less) < step_s(alone)
    assert dict(neighbour_steps(beside)) == pytest.approx(dict(neighbour_steps(beside_less)), rel=1e-9)
    parts = [name for name in alone["summary"].column_names if name.startswith("exposed") or name == "bubble_s"]
    for part in parts:
        assert beside["summary"][part][0].as_py() == pytest.approx(
            alone["summary"][part][0].as_py(), rel=1e-6, abs=1e-9
        )


def test_every_step_of_a_neighbour_follows_on_the_one_before():
    """One stage, nobody else: all steps take as long as one alone, and begin where the one before ends."""
    tables = evaluated(pair_job(), neighbours={"b": {"job": pair_job(), "steps": 4}})
    steps = neighbour_steps(tables)
    assert [name for name, _ in steps] == [f"b, step {n} of 4" for n in (1, 2, 3, 4)]
    assert [seconds for _, seconds in steps] == pytest.approx([step_s(tables)] * 4, rel=1e-9)


def test_two_jobs_over_one_spine_share_it_by_the_closed_form():
    """
    Both jobs have a server in pod 0 and one in pod 1, with 4 ports up from each pod. A ring of 2 sends half the buffer
    each way, 8 rings at a time: 8 x S/2 over 4 ports alone, 16 x S/2 with the neighbour, which does the same at the
    same time. A step is longer by S / port for each collective.
    """
    fields = {"placement": "scattered"}
    alone = evaluated(pair_job(), **fields)
    both = evaluated(pair_job(), neighbours={"b": {"job": pair_job(), **fields}}, **fields)
    sizes = [row["size_bytes"] for row in alone["collectives"].to_pylist() if row["kind"] == "dp"]
    assert len(sizes) == 2
    more_s = sum(8 * size / 2 / (4 * PORT) for size in sizes)
    assert step_s(both) == pytest.approx(step_s(alone) + more_s, rel=1e-9)
    assert neighbour_steps(both) == [("b, step 1 of 1", pytest.approx(step_s(both), rel=1e-9))]
    assert both["summary"]["exposed_dp_s"][0].as_py() == pytest.approx(
        alone["summary"]["exposed_dp_s"][0].as_py() + more_s, rel=1e-9
    )


def test_a_neighbour_that_computes_longer_is_met_only_where_both_send():
    """The neighbour reduces later than the main job: they share the spine only in the gathers at the start."""
    fields = {"placement": "scattered"}
    alone = evaluated(pair_job(), **fields)
    late = pair_job(stragglers=Stragglers(ratio=1.0, slowdown_ratio=2.0))
    both = evaluated(pair_job(), neighbours={"b": {"job": late, **fields}}, **fields)
    gather = next(
        row["size_bytes"] for row in alone["collectives"].to_pylist() if "all-gather of dense" in row["collective"]
    )
    assert step_s(both) == pytest.approx(step_s(alone) + 8 * gather / 2 / (4 * PORT), rel=1e-9)


@given(st.integers(1, 10**6))
@settings(deadline=None, max_examples=15)
def test_packed_is_never_slower_than_random_for_rings_over_a_narrow_spine(seed):
    """16 servers of 32: packed they fill two pods, and a ring leaves each once."""
    algorithms = Algorithms(library="none", all_reduce="ring_all_reduce")
    job = pair_job(accelerators=128, data=16, global_batch=16, sharding="none", algorithms=algorithms)
    packed, shuffled = (evaluated(job, placement=name, seed=seed) for name in ("packed", "random"))
    assert step_s(packed) <= step_s(shuffled) * (1 + 1e-9)


@pytest.mark.parametrize("placement", PLACEMENTS.names)
@pytest.mark.parametrize("job", [small_job(), moe_job(), small_job(tensor=1, data=32)], ids=["dense", "moe", "data"])
def test_every_job_runs_wherever_it_is_placed(placement, job):
    """And the parts of its step sum up; nothing of the neighbour's counts."""
    tables = evaluated(job, placement=placement, neighbours={"b": {"job": moe_job(), "placement": placement}})
    row = tables["summary"].to_pylist()[0]
    parts = [row[name] for name in row if name.startswith("exposed_")]
    parts += [row[f"{name}_s"] for name in ("compute", "bubble", "switching", "optimizer")]
    assert sum(parts) == pytest.approx(row["step_time_s"], rel=1e-9)


def test_replicas_apart_and_neighbours_go_together():
    """A straggler in each: both have two classes, and take what they take without the other."""
    slow = small_job(stragglers=Stragglers(ranks=(0,), slowdown_ratio=1.0))
    tables = evaluated(slow, neighbours={"b": {"job": slow}})
    tasks = tables["tasks"].to_pylist()
    assert {(row["neighbour"], row["replica"]) for row in tasks} == {("", 0), ("", 1), ("b", 0), ("b", 1)}
    assert step_s(tables) == pytest.approx(step_s(evaluated(slow)), rel=1e-9)
    assert neighbour_steps(tables)[0][1] == pytest.approx(step_s(tables), rel=1e-6)
    said = [row["detail"] for row in tables["events"].to_pylist() if row["event"] == "replica"]
    assert said == [
        "replica 0: data ranks 0; computes 2 times as long",
        "replica 1: data ranks 1 to 3; computes 1 times as long",
        "b, replica 0: data ranks 0; computes 2 times as long",
        "b, replica 1: data ranks 1 to 3; computes 1 times as long",
    ]


def test_results_name_whose_tasks_and_collectives_they_are():
    tables = evaluated(pair_job(), neighbours={"b": {"job": pair_job(), "steps": 2}})
    names = tables["tasks"]["neighbour"].to_pylist()
    assert names.count("b") == 2 * names.count("") > 0
    collectives = tables["collectives"]["collective"].to_pylist()
    assert sum(name.startswith("b: ") for name in collectives) == 2 * sum(
        not name.startswith("b: ") for name in collectives
    )
    assert "neighbour" not in evaluated(pair_job())["tasks"].column_names


def test_links_count_what_all_jobs_carry_until_the_last_has_ended():
    one, two = (evaluated(pair_job(), neighbours={"b": {"job": pair_job(), "steps": n}}) for n in (1, 2))
    carried = [np.array(tables["links"]["carried_bytes"]) for tables in (one, two)]
    assert carried[1].sum() == pytest.approx(1.5 * carried[0].sum(), rel=1e-9)
    ends = [tables["links"]["window_end_s"][0].as_py() for tables in (one, two)]
    assert ends == pytest.approx([step_s(one), 2 * step_s(one)], rel=1e-9)


def test_circuits_that_follow_phases_are_refused_beside_neighbours():
    topology = OcsSpine(pod_accelerators=64, reconfigure="per_phase")
    with pytest.raises(PlanError, match="per_job"):
        evaluated(small_job(), topology, neighbours={"b": {"job": small_job()}})


def test_circuits_of_a_whole_job_serve_all():
    topology = OcsSpine(pod_accelerators=64)
    tables = evaluated(small_job(), topology, placement="scattered", neighbours={"b": {"job": moe_job()}})
    assert step_s(tables) > 0


# Configurations


MODEL = "{layers: 2, hidden: 256, heads: 8, vocabulary: 512, sequence: 128}"
TINY = (
    "neighbours={other: {job: {accelerators: %d, accelerator: %s, global_batch: 16, "
    f"model: {MODEL}, parallelism: {{data: %d}}}}%s}}}}"
)


def test_a_comparison_with_neighbours_has_its_rows_and_no_others(tmp_path):
    config = small_comparison(tmp_path, TINY % (16, "h100-sxm", 16, ""), "placement=scattered", "record=tasks")
    run = compare(config, output=tmp_path / "out", workers=1)
    assert len(run.summary) == 6
    assert {row["event"] for row in run.tables["events"].to_pylist()} == {"neighbour_step"}
    assert set(run.summary["num_accelerators"].to_pylist()) == {64}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (("cluster_accelerators=48",), ("cluster_accelerators", "the jobs need 64, more than 48")),
        (
            (TINY % (16, "h100-sxm", 16, ""), "cluster_accelerators=72"),
            ("cluster_accelerators", "the jobs need 64 + 16 (other) = 80, more than 72"),
        ),
        (("placement=nearby",), ("placement", "unknown placement 'nearby'")),
        ((TINY % (16, "b300-sxm", 16, ""),), ("neighbours.other.job.accelerator", "a cluster has one kind")),
        ((TINY % (16, "h100-sxm", 8, ""),), ("neighbours.other.job.accelerators", "is 8, not 16")),
        ((TINY % (16, "h100-sxm", 16, ", steps: 0"),), ("neighbours.other.steps", "greater than or equal to 1")),
        ((TINY % (16, "h100-sxm", 16, ", placement: scatered"),), ("neighbours.other.placement", "'scattered'")),
    ],
)
def test_bad_neighbours_are_told_where_they_stand(tmp_path, settings, said):
    with pytest.raises(ConfigError) as error:
        small_run(tmp_path, *settings)
    place, words = said
    assert any(f"{place}: " in problem and words in problem for problem in error.value.problems), error.value.problems


def test_mistakes_in_a_file_are_told_at_their_lines(tmp_path):
    """A neighbour in a file of its own, too."""
    job = f"accelerators: 16\naccelerator: h100-sxm\nglobal_batch: 16\nmodel: {MODEL}\nparallelism: {{data: 8}}\n"
    (tmp_path / "other.yaml").write_text(job)
    edit = ("record: tasks\n", "record: tasks\nneighbours:\n  a:\n    job: other.yaml\n    step: 2\nplacement: near\n")
    with pytest.raises(ConfigError) as error:
        load_config(write_small(tmp_path, edit))
    found = sorted(problem.removeprefix(f"{tmp_path}/").split(": ")[:2] for problem in error.value.problems)
    assert found == [
        ["other.yaml:1", "neighbours.a.job.accelerators"],
        ["small.yaml:10", "placement"],
        ["small.yaml:9", "neighbours.a.step"],
    ]


def test_all_mistakes_about_neighbours_are_told_at_once(tmp_path):
    with pytest.raises(ConfigError) as error:
        small_run(tmp_path, TINY % (16, "b300-sxm", 16, ""), "cluster_accelerators=7")
    assert len(error.value.problems) == 2


@pytest.mark.parametrize("sharding", ["zero1", "fsdp", "none"])
def test_a_stage_begins_its_next_step_when_its_parameters_are_updated_in_all_replicas(sharding):
    """Two pipeline stages, a straggler in a replica: nobody computes or gathers for step 2 ahead of that."""
    slow = small_job(sharding=sharding, stragglers=Stragglers(ranks=(0,), slowdown_ratio=1.0))
    tables = evaluated(pair_job(), neighbours={"b": {"job": slow, "steps": 2}})
    rows = [row for row in tables["tasks"].to_pylist() if row["neighbour"] == "b"]
    first, second = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    for stage in (0, 1):
        done = {row["replica"]: row["end_s"] for row in first if row["stage"] == stage and row["kind"] == "optimizer"}
        assert set(done) == {0, 1}
        gathers = [row["start_s"] for row in second if row["stage"] == stage and row["kind"] == "dp"]
        assert min(gathers) >= max(done.values())
        for replica, done_s in done.items():
            own = (row for row in second if (row["stage"], row["replica"]) == (stage, replica))
            assert min(row["start_s"] for row in own if row["kind"] == "compute") >= done_s


def test_more_tasks_than_anybody_waits_for_are_refused(monkeypatch):
    monkeypatch.setattr("cluster_sim.workload.jobs.MOST_TASKS", 100)
    with pytest.raises(PlanError, match=r"50 steps of a neighbour are .* give it fewer"):
        evaluated(pair_job(), neighbours={"b": {"job": pair_job(), "steps": 50}})
    monkeypatch.setattr(import_module("cluster_sim.workload.assemble"), "MOST_TASKS", 100)
    with pytest.raises(PlanError, match=r"tasks, since replicas differ.*replicas: together"):
        evaluated(small_job(replicas="apart"))
