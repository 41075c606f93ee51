"""What layers exchange: the same for a program and for an estimate, and closed forms of its bytes."""

import numpy as np
import pytest

from cluster_sim.tables import CP, EP, TP
from cluster_sim.workload import Experts, LayerTimes, plan
from cluster_sim.workload.exchanges import exchanges
from tests.engine.worlds import moe_job, small_job

DOMAIN = np.arange(64, dtype=np.int32) // 8
EXPERTS = Experts(count=32, per_token=2, width=512, shared=1)

JOBS = {
    "dense": small_job(),
    "hidden": small_job(overlap_tensor_ratio=0.25),
    "summed": small_job(sequence=False),
    "context": small_job(tensor=2, context=4),
    "gathered context": small_job(tensor=2, context=4, context_exchange="all_gather"),
    "experts": moe_job(),
    "once to each domain": moe_job(dispatch="each_domain"),
    "shared experts": small_job(tensor=4, data=8, experts=EXPERTS, expert=8, expert_tensor=2),
}


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_an_estimate_counts_the_bytes_of_the_program(job):
    """Collectives of a lane, by kind, and bytes in the place of seconds; two of equal size can be one in a program."""
    p, program = job.parallelism, plan(job, DOMAIN)
    num = {"tensor": p.tensor, "context": p.context, "expert": p.expert, "expert_tensor": p.expert_tensor}
    num_domains = len(np.unique(DOMAIN[p.expert_groups(0)[0]]))
    times = LayerTimes(job, lambda operation, of, size: size if num[of] > 1 else np.nan, num_domains)
    planned = {(c.kind, c.size_bytes) for c in program.collectives if c.lane == 0 and c.kind in (TP, CP, EP)}
    assert set(zip(times.kinds, times.seconds, strict=True)) == planned


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_every_collective_of_the_program_is_run(job):
    assert plan(job, DOMAIN).num_runs().min() > 0


@pytest.mark.parametrize(
    ("name", "collective", "each"),
    [
        ("context", "cp keys and values", 1), ("context", "cp keys, values and gradients", 1),
        ("gathered context", "cp keys and values", 2), ("gathered context", "cp gradients of keys and values", 1),
        ("shared experts", "ep all-gather", 2), ("shared experts", "ep reduce-scatter", 2),
        ("shared experts", "ep all-to-all", 4),
    ],
)  # fmt: skip
def test_each_layer_exchanges_so_often_for_a_microbatch(name, collective, each):
    """Forward and backward together, in the 4 layers of a stage."""
    job = JOBS[name]
    program = plan(job, DOMAIN)
    runs = dict(zip((c.name for c in program.collectives), program.num_runs().tolist(), strict=True))
    assert runs[f"{collective}, stage 0"] == each * 4 * job.num_microbatches


def test_a_stage_with_nothing_but_further_tokens_has_the_experts_of_the_last_layer():
    """5 layers over 4 stages are 1, 2, 2 and none: the last one holds the output layer and one for further tokens."""
    uneven = EXPERTS.model_copy(update={"popularity": 1.0})
    job = small_job(
        tensor=1, data=16, pipeline=4, layers=5, mtp_layers=1, edges_are_layers=True, experts=uneven, expert=16
    )
    program = plan(job, DOMAIN)
    runs = [
        n for c, n in zip(program.collectives, program.num_runs().tolist(), strict=True) if c.kind == EP and c.lane == 3
    ]
    assert runs == [2 * job.num_microbatches] * 2


def test_a_token_goes_once_to_each_domain_that_has_one_of_its_experts():
    """2 of the experts of 2 domains: a domain has none with 1/4, so 1.5 copies go out in the place of 2."""
    each, once = (exchanges(moe_job(dispatch=way), 2)["tokens"] for way in ("each_expert", "each_domain"))
    assert once.size_bytes == pytest.approx(0.75 * each.size_bytes)
    assert exchanges(moe_job(dispatch="each_domain"), 1)["tokens"] == exchanges(moe_job(), 1)["tokens"]


def test_shared_experts_are_entered_and_left_also_where_they_hide_the_way_to_the_others():
    """As much, beside or not, but for what is gathered again backward: in 4 layers of a stage for 4 microbatches."""
    job = JOBS["shared experts"]
    beside, after = (_tensor_bytes(job, overlaps) for overlaps in (True, False))
    assert beside == pytest.approx(after - 4 * 4 * exchanges(job, 1)["again"].size_bytes)


def _tensor_bytes(job, overlaps):
    """Of the first stage, all passes of a step."""
    p = job.parallelism.model_copy(update={"overlap_experts": overlaps})
    program = plan(job.model_copy(update={"parallelism": p}), DOMAIN)
    runs = program.num_runs()
    mine = [n for n, c in enumerate(program.collectives) if c.kind == TP and c.lane == 0]
    return sum(program.collectives[n].size_bytes * runs[n] for n in mine)


def test_what_nobody_sends_is_not_there():
    assert "enter_beside" not in exchanges(small_job(), 1)
    assert "enter" not in exchanges(small_job(sequence=False), 1)
    assert "enter" not in exchanges(small_job(overlap_tensor_ratio=1.0), 1)
    assert "tokens" not in exchanges(small_job(), 1)
