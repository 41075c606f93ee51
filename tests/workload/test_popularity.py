"""Uneven experts: shares that sum up, matrices that every rank sends, layers that differ."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cluster_sim.config import load_config
from cluster_sim.core import ConfigError
from cluster_sim.tables import EP, NONE
from cluster_sim.workload import Experts, plan
from cluster_sim.workload.popularity import expert_shares, token_matrix
from tests.engine.worlds import moe_job, small_job


def experts(**changes):
    return Experts(**({"count": 32, "per_token": 2, "width": 512, "popularity": 1.0} | changes))


@given(st.integers(1, 64), st.data(), st.floats(0, 10))
@settings(deadline=None, max_examples=60)
def test_shares_sum_to_one_and_no_token_goes_twice_to_one_expert(count, data, popularity):
    """
    Sorted, experts with less than every token stand as r ** -popularity to each other; those with every token would
    have more.
    """
    per_token = data.draw(st.integers(1, count))
    shares = expert_shares(experts(count=count, per_token=per_token, popularity=popularity), 7, 3)
    tokens = np.sort(shares * per_token)[::-1]
    assert tokens.sum() == pytest.approx(per_token, rel=1e-12)
    assert tokens.max() <= 1 + 1e-12
    rank = np.arange(1, count + 1) ** -popularity
    partial = np.flatnonzero(tokens < 1 - 1e-9)
    if len(partial):
        factor = tokens[partial[0]] / rank[partial[0]]
        np.testing.assert_allclose(tokens, np.minimum(1.0, factor * rank), rtol=1e-9)


def test_zipf_in_numbers():
    """4 experts, 1 a token, exponent 1: 12, 6, 4 and 3 of 25 parts. Two a token: 50/25 = 24, 12, 8, 6 of 25."""
    one = np.sort(expert_shares(experts(count=4, per_token=1), 1, 0))[::-1]
    assert one == pytest.approx(np.array([12, 6, 4, 3]) / 25)
    two = np.sort(expert_shares(experts(count=4, per_token=2), 1, 0))[::-1] * 2
    assert two == pytest.approx(np.array([24, 12, 8, 6]) / 25)


def test_an_expert_that_would_get_more_than_every_token_gets_every_token():
    """Exponent 2, 2 of 3 experts a token: 1, 1/4, 1/9 would be 72, 18 and 8 of 49; 1 and 9/13 and 4/13 are possible."""
    tokens = np.sort(expert_shares(experts(count=3, per_token=2, popularity=2), 1, 0))[::-1] * 2
    assert tokens == pytest.approx([1, 9 / 13, 4 / 13])


def test_layers_and_seeds_have_favourites_of_their_own():
    orders = {tuple(np.argsort(expert_shares(experts(), seed, layer))) for seed in (1, 2) for layer in range(4)}
    assert len(orders) == 8
    assert expert_shares(experts(), 1, 2).tolist() == expert_shares(experts(), 1, 2).tolist()


def test_every_rank_sends_the_same_to_who_holds_popular_experts():
    """8 ranks hold 4 experts each, in order."""
    matrix = token_matrix(experts(), 8, 5, 1)
    assert (matrix == matrix[0]).all()
    assert matrix[0] == pytest.approx(expert_shares(experts(), 5, 1).reshape(8, 4).sum(axis=1))
    assert token_matrix(experts(popularity=0.0), 8, 5, 1) == pytest.approx(np.full((8, 8), 1 / 8))


def moe_collectives(popularity, seed=0):
    job = small_job(experts=experts(popularity=popularity), expert=16)
    program = plan(job, np.arange(64) // 8, seed)
    return job, program, [row for row in program.collectives if row.kind == EP]


def test_a_layer_sends_back_what_it_got():
    """8 layers over 2 stages, there and back: 16 all-to-alls; the way back is the transpose of the way there."""
    _, program, found = moe_collectives(1.0)
    assert [row.layer for row in found] == [layer for layer in range(8) for _ in range(2)]
    for there, back in zip(found[::2], found[1::2], strict=True):
        size = np.zeros((2, 16, 16))
        for way, traffic in enumerate((there.traffic, back.traffic)):
            size[way, traffic.edge_src, traffic.edge_dst] = traffic.size_bytes[traffic.edge_transfer]
        np.testing.assert_array_equal(size[0], size[1].T)
        own = token_matrix(program.job.model.experts, 16, 0, there.layer)
        np.fill_diagonal(own, 0.0)
        np.testing.assert_allclose(size[0], own)


def test_each_pass_goes_through_its_layers_in_order():
    """Forward to the experts of layers 0 to 3 of stage 0 and back, backward from 3 to 0."""
    _, program, _ = moe_collectives(1.0)
    for backward, order in ((0, [0, 1, 2, 3]), (1, [3, 2, 1, 0])):
        used = [program.collectives[s.collective] for s in program.passes[0, 0, backward, 0] if s.collective != NONE]
        used = [row for row in used if row.kind == EP]
        assert [row.layer for row in used] == [layer for layer in order for _ in range(2)]
        assert all(row.name.startswith(("ep dispatch", "ep combine")[k % 2]) for k, row in enumerate(used))


def test_equally_popular_experts_share_one_all_to_all():
    _, _, found = moe_collectives(0.0)
    assert len(found) == 2
    assert all(row.layer == NONE for row in found)


def test_even_popularity_written_as_matrices_takes_as_long():
    """A popularity of almost 0 sends almost what an even all-to-all sends."""
    from tests.engine.worlds import run_job

    _, even, _ = run_job(moe_job())
    _, nearly, _ = run_job(small_job(experts=experts(popularity=1e-9), expert=16))
    assert nearly.step_time_s == pytest.approx(even.step_time_s, rel=1e-6)
    _, skewed, _ = run_job(small_job(experts=experts(popularity=1.5), expert=16))
    assert skewed.step_time_s > even.step_time_s


def test_popularity_is_a_number_from_0():
    with pytest.raises(ValidationError, match=r"(?s)popularity.*greater than or equal to 0"):
        experts(popularity=-1.0)


def test_only_an_all_to_all_with_a_size_for_every_pair_carries_uneven_popularity():
    """The others send equal parts."""
    changes = ("job.model.experts.popularity=1", "job.algorithms.all_to_all=bruck_all_to_all")
    with pytest.raises(ConfigError, match="bruck_all_to_all sends equal parts"):
        load_config("configs/moe-1t-on-circuits.yaml", changes)
    load_config("configs/moe-1t-on-circuits.yaml", changes[:1])
