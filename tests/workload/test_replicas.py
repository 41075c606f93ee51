"""Stragglers, and which replicas go together: units of data ranks, their classes, their lanes in the program."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster_sim import load_config
from cluster_sim.core import ConfigError, InputError
from cluster_sim.tables import DP, NONE
from cluster_sim.workload import Parallelism, Replicas, Stragglers, assemble, plan, runs_of, split
from cluster_sim.workload.replicas import MOST_LANES
from tests.engine.worlds import moe_job, small_job
from tests.small import write_small

#: Nothing is slow, and every accelerator gets into the network alike.
EVEN, ALIKE = np.ones(64), np.zeros(64, np.int64)


def slow(*ranks, factor=2.0, num=64):
    """Factors of ``num`` ranks, some of them slow."""
    found = np.ones(num)
    found[list(ranks)] = factor
    return found


def data_of(replicas):
    """Data ranks of each class, as lists."""
    return [ranks.tolist() for ranks in replicas.data]


def program_of(job, factor=EVEN, access=ALIKE):
    """Its program on servers of 8, without the algorithms that need pods."""
    domain = np.arange(job.accelerators, dtype=np.int32) // 8
    return plan(job, domain, replicas=split(job, factor, access))


# Units and classes


@pytest.mark.parametrize(
    ("degrees", "unit"),
    [
        ({"tensor": 8, "data": 8}, 1),
        ({"tensor": 8, "data": 8, "expert": 8}, 1),
        ({"tensor": 8, "data": 8, "expert": 4, "expert_tensor": 2}, 1),
        ({"tensor": 8, "data": 8, "expert": 16}, 2),
        ({"tensor": 4, "context": 2, "data": 8, "expert": 32}, 4),
        ({"tensor": 1, "data": 64, "expert": 16, "expert_tensor": 2}, 32),
        ({"tensor": 6, "data": 4, "expert": 4}, 2),
    ],
)
def test_a_unit_shares_no_experts_with_others(degrees, unit):
    """Its first ranks are whole expert groups; with one data rank less they are not."""
    p = Parallelism(**degrees)
    assert p.unit == unit
    groups, sizes = p.expert_groups(0), range(1, unit + 1)
    whole = [np.isin(groups, p.stage_ranks(0)[:size]).any(axis=1) for size in sizes]
    inside = [np.isin(groups, p.stage_ranks(0)[:size]).all(axis=1) for size in sizes]
    closed = [np.array_equal(a, b) for a, b in zip(whole, inside, strict=True)]
    assert closed == [False] * (unit - 1) + [True]


@given(st.permutations(("tensor", "context", "data", "pipeline")), st.sampled_from([1, 2, 4, 8, 16]))
def test_groups_of_some_data_ranks_are_those_of_all_that_they_have(order, expert):
    """Of every kind, in the same order: nothing that lies outside, nothing missing."""
    p = Parallelism(tensor=2, context=2, pipeline=2, data=8, expert=expert, order=tuple(order))
    data = np.arange(8).reshape(-1, p.unit)[::2].ravel()
    mine = p.stage_ranks(1, data)
    assert np.array_equal(mine, p.stage_ranks(1)[data])
    for name in ("tensor_groups", "context_groups", "expert_groups", "expert_tensor_groups"):
        every = getattr(p, name)(1)
        expected = every[np.isin(every, mine).all(axis=1)]
        assert np.array_equal(getattr(p, name)(1, data), expected), name
    assert np.array_equal(p.pairs(0, 1, data), np.stack([p.stage_ranks(0, data).ravel(), mine.ravel()], axis=1))


def test_replicas_that_nothing_tells_apart_are_one_class():
    replicas = split(small_job(), EVEN, ALIKE)
    assert data_of(replicas) == [[0, 1, 2, 3]]
    assert replicas.factor.tolist() == [[1.0, 1.0]]


def test_a_straggler_sets_the_pace_of_its_stage_and_makes_its_replica_another_class():
    """Ranks 0 to 31 are stage 0, eight of them a data rank: rank 17 is in data rank 2, rank 40 in 1 of stage 1."""
    replicas = split(small_job(), np.maximum(slow(17), slow(18, 40, factor=1.5)), ALIKE)
    assert data_of(replicas) == [[0, 3], [1], [2]]
    assert replicas.factor.tolist() == [[1.0, 1.0], [1.0, 1.5], [2.0, 1.0]]


def test_equal_stragglers_are_of_one_class():
    assert data_of(split(small_job(), slow(0, 12), ALIKE)) == [[0, 1], [2, 3]]
    assert data_of(split(small_job(), slow(0, 44), ALIKE)) == [[0], [1], [2, 3]]


def test_experts_over_two_servers_make_units_of_two():
    assert data_of(split(moe_job(), slow(9), ALIKE)) == [[0, 1], [2, 3]]


def test_together_is_as_slow_as_the_slowest_of_each_stage():
    replicas = split(small_job(replicas="together"), np.maximum(slow(17), slow(40, factor=1.5)), ALIKE)
    assert data_of(replicas) == [[0, 1, 2, 3]]
    assert replicas.factor.tolist() == [[2.0, 1.5]]


def test_apart_is_every_unit_on_its_own():
    assert data_of(split(small_job(replicas="apart"), EVEN, ALIKE)) == [[0], [1], [2], [3]]
    assert data_of(split(moe_job(replicas="apart"), EVEN, ALIKE)) == [[0, 1], [2, 3]]


def test_another_way_into_the_network_is_another_class():
    assert data_of(split(small_job(), EVEN, slow(41).astype(np.int64))) == [[0, 2, 3], [1]]


def test_too_many_lanes_are_refused_with_numbers_and_a_way_out():
    job = small_job(
        accelerators=16384, tensor=1, pipeline=2, data=8192, global_batch=8192, layers=2, replicas="apart", force=True
    )
    with pytest.raises(InputError, match=rf"16384 lanes .*{MOST_LANES} is the most.*replicas: together"):
        split(job, np.ones(16384), np.zeros(16384, np.int64))


def test_runs_of_ranks_are_said_in_words():
    assert runs_of(np.array([0, 3, 4, 5, 9])) == "0, 3 to 5, 9"
    assert runs_of(np.arange(4)) == "0 to 3"


# Programs


def test_lanes_have_their_own_collectives_and_share_those_of_data_parallelism():
    """Twice the tensor and pipeline collectives, half the groups in each; gradients are reduced over all, once."""
    one, two = program_of(small_job()), program_of(small_job(), slow(0))
    shared = [c.name for c in one.collectives if c.kind == DP]
    assert [c.name for c in two.collectives if c.kind == DP] == shared
    own = [c for c in two.collectives if c.kind != DP]
    assert len(own) == 2 * len([c for c in one.collectives if c.kind != DP])
    assert sorted({c.name.rpartition(", ")[2] for c in own}) == [
        f"stage {stage} of replica {replica}" for stage in (0, 1) for replica in (0, 1)
    ]
    assert sum(c.traffic.num_transfers for c in own) == sum(
        c.traffic.num_transfers for c in one.collectives if c.kind != DP
    )


@pytest.mark.parametrize("job", [small_job(), moe_job(), small_job(sharding="fsdp"), moe_job(sharding="zero2")])
def test_each_collective_runs_as_often_as_the_program_says(job):
    program = program_of(job, slow(0))
    schedule = assemble(program, {})
    runs = schedule.collective[schedule.collective != NONE]
    assert np.array_equal(np.bincount(runs, minlength=len(program.collectives)), program.num_runs())


@pytest.mark.parametrize("job", [small_job(), moe_job(), small_job(sharding="fsdp"), moe_job(sharding="zero2")])
def test_what_all_replicas_do_is_one_task_that_waits_for_all_and_releases_all(job):
    """Backwards from any task of data parallelism inside passes there are lanes of every class, and forwards too."""
    schedule = assemble(program_of(job, slow(0)), {})
    before = np.repeat(np.arange(len(schedule)), np.diff(schedule.unlocks_starts))
    lanes = schedule.lanes
    for task in np.flatnonzero(schedule.kind == DP).tolist():
        stage = lanes.stage[schedule.lane[task]]
        needs = reached(task, schedule.unlocks, before, schedule)
        gives = reached(task, before, schedule.unlocks, schedule)
        for found in (needs, gives):
            classes = set(lanes.replica[found[lanes.stage[found] == stage]].tolist())
            assert classes in ({0, 1}, set())  # none before the first gathers
        assert set(lanes.replica[gives]) == {0, 1}


def reached(task, here, there, schedule):
    """Lanes of the tasks that edges from ``here`` to ``there`` lead to, through others of data parallelism."""
    found, front = set(), {task}
    while front:
        front = {int(row) for row in there[np.isin(here, list(front))]} - found
        found |= front
        front = {row for row in front if schedule.kind[row] == DP}
    rows = np.array([row for row in found if schedule.kind[row] != DP], np.int64)
    return schedule.lane[rows]


def test_factors_multiply_compute_and_the_optimiser_and_nothing_else():
    even, uneven = (assemble(program_of(small_job(), factor), {}) for factor in (EVEN, slow(0, factor=3.0)))
    own = {lane: uneven.compute_s[(uneven.lane == lane)] for lane in range(4)}
    for lane, times in ((0, 3.0), (1, 1.0), (2, 1.0), (3, 1.0)):
        expected = even.compute_s[even.lane == lane % 2].sum() * times
        assert own[lane].sum() == pytest.approx(expected, rel=1e-12)
    assert even.fused_s.sum() == uneven.fused_s.sum() == 0.0


# What is drawn, and what is wrong


def test_draws_depend_on_the_seed_alone():
    job = small_job(stragglers=Stragglers(ratio=0.1, slowdown_ratio=0.5), jitter_ratio=0.02)
    first, again, other = job.compute_factors(1), job.compute_factors(1), job.compute_factors(2)
    assert first.tobytes() == again.tobytes()
    assert (first != other).all()
    assert (first > 1).all()
    assert np.count_nonzero(first >= 1.5) == 6


def test_jitter_is_drawn_beside_stragglers():
    """Naming stragglers does not draw the jitter of others anew: ranks 3 and 5 take half as long again."""
    plain = small_job(jitter_ratio=0.02).compute_factors(1)
    both = small_job(jitter_ratio=0.02, stragglers=Stragglers(ranks=(3, 5), slowdown_ratio=0.5)).compute_factors(1)
    assert np.flatnonzero(both != plain).tolist() == [3, 5]
    assert both[[3, 5]] == pytest.approx(1.5 * plain[[3, 5]], rel=1e-15)


def test_nothing_given_changes_nothing():
    assert np.array_equal(small_job().compute_factors(1), np.ones(64))
    assert len(Replicas.together(small_job().parallelism)) == 1


def problems(folder, *edits):
    """What is said of the small run with edits, without the name of the file."""
    path = write_small(folder, *edits)
    with pytest.raises(ConfigError) as error:
        load_config(path)
    return [problem.removeprefix(f"{path}:") for problem in error.value.problems]


def with_stragglers(text):
    return ("  schedule: 1f1b\n", f"  schedule: 1f1b\n  stragglers: {text}\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{ranks: [1, 64], slowdown_ratio: 1}", "rank 64 is not there; the job has ranks 0 to 63"),
        ("{ranks: [-1], slowdown_ratio: 1}", "greater than or equal to 0"),
        ("{ranks: [1, 1], slowdown_ratio: 1}", "rank 1 is named twice"),
        ("{ranks: [1], ratio: 0.1, slowdown_ratio: 1}", "give ranks or ratio"),
        ("{slowdown_ratio: 1}", "give ranks or ratio"),
        ("{ratio: 1.5, slowdown_ratio: 1}", "less than or equal to 1"),
        ("{ratio: 0.5, slowdown_ratio: 0}", "greater than 0"),
        ("{ratio: 0.5}", "missing"),
        ("{ratio: 0.5, slowdwn: 1}", "did you mean 'slowdown'"),
    ],
)
def test_bad_stragglers_are_told_at_their_line(tmp_path, text, said):
    found = problems(tmp_path, with_stragglers(text))
    assert any(said in problem and problem.startswith("22: job.stragglers") for problem in found), found


def test_all_mistakes_are_told_at_once(tmp_path):
    edits = [with_stragglers("{ranks: [99], slowdown_ratio: 200}\n  jitter_ratio: -1\n  replicas: appart")]
    found = problems(tmp_path, *edits)
    assert sorted(int(problem.split(":")[0]) for problem in found) == [22, 23, 24]
