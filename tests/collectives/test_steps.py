"""Every algorithm run on symbols, step by step: what is checked here is what is sent.

A buffer is cut into chunks. ``held[p, c, r]`` counts how often the copy of chunk c at position p (accelerators, then
switches) contains what rank r began with. Chunk c belongs to position c mod n.
"""

from collections import Counter, defaultdict
from math import ceil, log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster_sim.collectives import COLLECTIVES, Groups, sent_by_edge
from cluster_sim.core import InputError


@st.composite
def worlds(draw):
    """1 to 2 groups of h domains with g ranks each, the domains in pods of k; n is their product."""
    num, pods, k, g = draw(st.integers(1, 2)), draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 4))
    n = pods * k * g
    ranks = np.arange(num * n).reshape(num, pods * k, g)[:, draw(st.permutations(range(pods * k)))]
    if draw(st.booleans()):  # pods stay together
        ranks = np.arange(num * n).reshape(num, pods * k, g)
    domain = np.repeat(np.arange(num * pods * k), g).astype(np.int32)
    pod = np.repeat(np.arange(num * pods), k * g).astype(np.int32)
    return Groups(ranks.reshape(num, n).astype(np.int32), domain, pod, (pods, k, g))


def can_run(algorithm, groups):
    """Whether the algorithm is for such groups; others are tested below to be errors."""
    num_domains = len(np.unique(groups.domain[groups.ranks[0]]))
    needs = {
        "point_to_point": groups.size == 2,
        "nvls": num_domains == 1,
        "sharp": num_domains == groups.size,
        "halving_doubling_reduce_scatter": groups.size & (groups.size - 1) == 0,
        "halving_doubling_all_gather": groups.size & (groups.size - 1) == 0,
    }
    return groups.size > 1 and all(is_met for name, is_met in needs.items() if algorithm.name.startswith(name))


def number_of_chunks(plan, operation, n):
    return n * n if operation == "all_to_all" else plan.parts


def begin(plan, operation, n):
    """What positions hold before."""
    num = number_of_chunks(plan, operation, n)
    held = np.zeros((n + plan.num_switches(n), num, n), np.int64)
    rank, chunk = np.arange(n)[:, None], np.arange(num)[None]
    has = {
        "all_gather": chunk % n == rank, "all_to_all": chunk // n == rank, "broadcast": rank == 0,
        "point_to_point": rank == 0,
    }  # fmt: skip
    own = np.broadcast_to(has.get(operation, True), (n, num))
    held[rank, chunk, rank] = own
    return held


def run(plan, held):
    """What positions hold afterwards."""
    for step in plan.steps:
        before, changes = held.copy(), []
        for sends in step:
            chunks = np.asarray(sends.chunks())
            assert chunks.shape == (len(sends.src), sends.num_chunks)
            assert (sends.src != sends.dst).all()
            for src, dst, carried in zip(sends.src.tolist(), sends.dst.tolist(), chunks, strict=True):
                assert len(set(carried.tolist())) == len(carried), "a chunk goes once in a message"
                assert before[src, carried].any(axis=-1).all(), "nobody sends what it does not have"
                changes.append((dst, carried, before[src, carried], sends.reduces))
        for dst, carried, what, reduces in changes:
            held[dst, carried] = held[dst, carried] + what if reduces else what
    return held


def check_promise(operation, held, n):
    """All-reduce and reduce: every contribution just once. Others: what each rank is to have."""
    held, chunk, rank = held[:n], np.arange(held.shape[1]), np.arange(n)
    if operation == "barrier":
        assert (held > 0).all(), "everybody has heard of everybody"
    elif operation in ("all_reduce", "reduce"):
        assert (held[: 1 if operation == "reduce" else n] == 1).all()
    elif operation == "reduce_scatter":
        assert (held[chunk % n, chunk] == 1).all()
    elif operation in ("broadcast", "point_to_point"):
        assert (held == (rank == 0)).all()
    elif operation == "all_gather":
        assert (held == (chunk[:, None] % n == rank)).all()
    else:
        assert (held[chunk % n, chunk] == (chunk[:, None] // n == rank)).all()


@pytest.mark.parametrize("name", COLLECTIVES.names)
@given(groups=worlds())
@settings(deadline=None, max_examples=25)
def test_every_rank_ends_with_what_the_collective_promises(name, groups):
    """Nobody sends what it does not have, and every contribution is in every sum just once."""
    algorithm, n = COLLECTIVES[name], groups.size
    if not can_run(algorithm, groups):
        return
    plan = algorithm.plan(groups)
    held = run(plan, begin(plan, algorithm.operation, n))
    check_promise(algorithm.operation, held, n)


@pytest.mark.parametrize("name", COLLECTIVES.names)
@given(groups=worlds())
@settings(deadline=None, max_examples=25)
def test_what_is_sent_in_lockstep_is_what_the_steps_send(name, groups):
    """Bytes over every edge of the first group, all rounds together; with switches, up and down of every rank."""
    algorithm, n = COLLECTIVES[name], groups.size
    if not can_run(algorithm, groups):
        return
    expected = sent_by_edge(algorithm.plan(groups), 1e6)
    traffic = algorithm(groups, 1e6).written_out()
    position = {rank: place for place, rank in enumerate(groups.ranks[0].tolist())}
    sent = defaultdict(float)
    sizes = traffic.size_bytes[traffic.edge_transfer].tolist()
    for src, dst, size in zip(traffic.edge_src.tolist(), traffic.edge_dst.tolist(), sizes, strict=True):
        if src in position:
            sent[position[src], position[dst]] += size
    if not algorithm.reducing:
        assert dict(sent) == pytest.approx(expected, rel=1e-9)
        return
    for end in (0, 1):
        in_lockstep, by_steps = by_rank(sent, end, n), by_rank(expected, end, n)
        if name in ("nvls_all_reduce", "sharp_all_reduce", "hierarchical_sharp_all_reduce"):
            assert in_lockstep == pytest.approx(by_steps, rel=1e-9)
        else:  # a reduce-scatter or all-gather is heavier on one side, and counted twice, see nvls.py
            assert (np.array(in_lockstep) >= np.array(by_steps) * (1 - 1e-9)).all()


def by_rank(sent, end, n):
    """Bytes that each of n positions sends (end 0) or receives (end 1)."""
    totals = Counter()
    for edge, size in sent.items():
        totals[edge[end]] += size
    return [totals[rank] for rank in range(n)]


#: Steps of n ranks, each alone in its domain.
STEPS = {
    "ring_all_reduce": lambda n: 2 * (n - 1),
    "ring_reduce_scatter": lambda n: n - 1,
    "ring_all_gather": lambda n: n - 1,
    "bidirectional_ring_all_reduce": lambda n: 2 * (n // 2),
    "bidirectional_ring_reduce_scatter": lambda n: n // 2,
    "bidirectional_ring_all_gather": lambda n: n // 2,
    "halving_doubling_all_reduce": lambda n: 2 * int(log2(n)) + (2 if n & (n - 1) else 0),
    "bruck_all_gather": lambda n: ceil(log2(n)),
    "bruck_all_to_all": lambda n: ceil(log2(n)),
    "pairwise_all_to_all": lambda n: n - 1,
    "all_to_all": lambda n: 1,
    "direct_all_reduce": lambda n: 2,
    "direct_reduce_scatter": lambda n: 1,
    "direct_all_gather": lambda n: 1,
    "binomial_broadcast": lambda n: ceil(log2(n)),
    "binomial_reduce": lambda n: ceil(log2(n)),
    "dissemination_barrier": lambda n: ceil(log2(n)),
}


def alone(n, shape=()):
    """n ranks with a domain each."""
    ends = np.arange(n, dtype=np.int32)
    return Groups(ends[None], ends, shape=shape)


@pytest.mark.parametrize("name", sorted(STEPS))
@pytest.mark.parametrize("n", [2, 3, 4, 5, 7, 8, 12, 16, 33])
def test_an_algorithm_has_the_steps_of_its_closed_form(name, n):
    """And in lockstep as many latencies, in as many rounds as it has where nothing goes in lockstep."""
    algorithm = COLLECTIVES[name]
    assert len(algorithm.plan(alone(n)).steps) == STEPS[name](n)
    traffic = algorithm(alone(n), 1.0)
    latencies = Counter()
    for number, steps in zip(traffic.round.tolist(), traffic.steps.tolist(), strict=True):
        latencies[number] = max(latencies[number], steps)
    assert sum(latencies.values()) == STEPS[name](n)


@pytest.mark.parametrize("n", [2, 4, 8, 16, 64])
def test_halving_and_doubling_send_as_much_as_a_ring_in_fewer_steps(n):
    for name, passes in (("all_reduce", 2), ("reduce_scatter", 1), ("all_gather", 1)):
        algorithm = COLLECTIVES[f"halving_doubling_{name}"]
        plan = algorithm.plan(alone(n))
        assert len(plan.steps) == passes * log2(n)
        sent = by_rank(sent_by_edge(plan, 1.0), 0, n)
        assert sent == pytest.approx([passes * (n - 1) / n] * n)


@pytest.mark.parametrize("n", [3, 6, 7, 100])
def test_ranks_beyond_a_power_of_two_hand_their_buffer_to_others(n):
    """p = 2**k: p ranks send 2(p-1)/p, those with a partner once more when they give back; the others send once."""
    power = 1 << (n.bit_length() - 1)
    sent = by_rank(sent_by_edge(COLLECTIVES["halving_doubling_all_reduce"].plan(alone(n)), 1.0), 0, n)
    both = 2 * (power - 1) / power
    assert sent == pytest.approx([both + (rank < n - power) if rank < power else 1.0 for rank in range(n)])


@pytest.mark.parametrize("n", range(2, 40))
def test_double_trees_send_at_most_as_much_as_a_ring_and_are_log_n_deep(n):
    """
    2(n-1) edges in each of two trees with half the buffer; who has children in one tree has at most one in the other,
    so nobody sends, or receives, more than 2 S. 2 ceil(log2 n) latencies.
    """
    traffic = COLLECTIVES["double_tree_all_reduce"](alone(n), 1.0)
    sent = sent_by_edge(COLLECTIVES["double_tree_all_reduce"].plan(alone(n)), 1.0)
    assert sum(sent.values()) == pytest.approx(2 * (n - 1))
    assert max(by_rank(sent, 0, n)) <= 2 + 1e-9
    assert max(by_rank(sent, 1, n)) <= 2 + 1e-9
    assert traffic.steps.tolist() == [2 * ceil(log2(n))] * 2
    for operation in ("broadcast", "reduce"):
        sent = sent_by_edge(COLLECTIVES[f"double_tree_{operation}"].plan(alone(n)), 1.0)
        assert max(by_rank(sent, 0, n)) <= 1 + 1e-9
        assert max(by_rank(sent, 1, n)) <= 1 + 1e-9


@pytest.mark.parametrize(("h", "g"), [(2, 2), (4, 2), (5, 4), (8, 8)])
def test_trees_over_domains_use_every_nic_alike(h, g):
    """What leaves and enters domains by local rank: the same; inside, a chain of g-1 edges each way for each tree."""
    domain = np.repeat(np.arange(h), g).astype(np.int32)
    groups = Groups(np.arange(h * g, dtype=np.int32)[None], domain)
    sent = sent_by_edge(COLLECTIVES["double_tree_all_reduce"].plan(groups), 1.0)
    for end in (0, 1):
        crossing = {edge: size for edge, size in sent.items() if domain[edge[0]] != domain[edge[1]]}
        by_place = np.array(by_rank(crossing, end, h * g)).reshape(h, g)
        assert by_place == pytest.approx(np.broadcast_to(by_place[:, :1], (h, g)))
        assert by_place.max() <= 2 / g + 1e-9
    traffic = COLLECTIVES["double_tree_all_reduce"](groups, 1.0)
    assert set(traffic.steps.tolist()) == {2 * (ceil(log2(h)) + g - 1)}


@pytest.mark.parametrize("n", [2, 3, 8, 13])
def test_bruck_sends_little_more_or_nothing_more(n):
    """All-gather (n-1)/n; all-to-all a part for each step in which it has to go on: the ones in binary numbers."""
    sent = by_rank(sent_by_edge(COLLECTIVES["bruck_all_gather"].plan(alone(n)), 1.0), 0, n)
    assert sent == pytest.approx([(n - 1) / n] * n)
    sent = by_rank(sent_by_edge(COLLECTIVES["bruck_all_to_all"].plan(alone(n)), 1.0), 0, n)
    assert sent == pytest.approx([sum(way.bit_count() for way in range(n)) / n] * n)


@pytest.mark.parametrize("shape", [(4,), (4, 4), (4, 4, 4), (2, 3, 4), (4, 1, 2), (1, 5)])
def test_buckets_load_a_torus_evenly_where_its_sides_are_equal(shape):
    """(n-1)/n of the buffer per pass from every rank, over edges to neighbours in one dimension only."""
    n = int(np.prod(shape))
    sent = sent_by_edge(COLLECTIVES["bucket_all_reduce"].plan(alone(n, shape)), 1.0)
    assert by_rank(sent, 0, n) == pytest.approx([2 * (n - 1) / n] * n)
    ends = np.array([np.unravel_index(edge, shape) for edge in sent])  # edge, dimension, end
    apart = (ends[:, :, 1] - ends[:, :, 0]) % np.array(shape)
    apart = np.minimum(apart, np.array(shape) - apart)
    assert (apart.sum(axis=1) == 1).all()
    if len(set(shape)) == 1 and shape[0] > 2:
        assert set(np.round(list(sent.values()), 12)) == {round(2 * (n - 1) / n / (2 * len(shape)), 12)}


@pytest.mark.parametrize("g", [2, 8])
def test_switches_that_reduce_take_the_buffer_up_and_down_once(g):
    """All-reduce (n+1)/n each way; a reduce-scatter S up and S/n down, an all-gather the other way round."""
    groups = Groups(np.arange(g, dtype=np.int32)[None], np.zeros(g, np.int32))
    expected = {"all_reduce": (1 + 1 / g, 1 + 1 / g), "reduce_scatter": (1, 1 / g), "all_gather": (1 / g, 1)}
    for operation, (up, down) in expected.items():
        sent = sent_by_edge(COLLECTIVES[f"nvls_{operation}"].plan(groups), 1.0)
        assert by_rank(sent, 0, g) == pytest.approx([up] * g)
        assert by_rank(sent, 1, g) == pytest.approx([down] * g)
        assert COLLECTIVES[f"nvls_{operation}"](groups, 1.0).size_bytes == pytest.approx([max(up, down)])


@pytest.mark.parametrize("name", COLLECTIVES.names)
def test_one_rank_and_an_empty_buffer_send_nothing(name):
    for detail in (COLLECTIVES[name], COLLECTIVES[name].step_by_step):
        assert len(detail(alone(1), 1e6)) == 0
        assert len(detail(alone(2), 0.0)) == 0


@pytest.mark.parametrize("name", COLLECTIVES.names)
@pytest.mark.parametrize(
    ("ranks", "size_bytes", "says"),
    [
        ([[0, 1], [2, 2]], 1.0, "rank 2 takes part twice in group 1"),
        ([[0, 4]], 1.0, "endpoints 0 to 3"),
        ([[-1, 0]], 1.0, "endpoints 0 to 3"),
        ([[0, 1]], -1.0, "size of -1.0 bytes"),
        ([[0, 1]], float("nan"), "size of nan bytes"),
        ([[0, 1]], float("inf"), "size of inf bytes"),
    ],
)
def test_groups_and_sizes_that_cannot_be_are_errors(name, ranks, size_bytes, says):
    groups = Groups(np.array(ranks, np.int32), np.arange(4, dtype=np.int32))
    for detail in (COLLECTIVES[name], COLLECTIVES[name].step_by_step):
        with pytest.raises(InputError, match=says) as error:
            detail(groups, size_bytes)
        assert name in str(error.value)


@pytest.mark.parametrize(
    ("name", "groups", "says"),
    [
        ("halving_doubling_reduce_scatter", alone(6), "power of two of ranks, not 6; use a ring"),
        ("halving_doubling_all_gather", alone(3), "power of two"),
        ("nvls_all_reduce", alone(2), "several scale-up domains; use hierarchical_nvls_all_reduce"),
        ("bucket_all_reduce", alone(4), "the shape is not given"),
        ("bucket_all_gather", alone(4, (2, 3)), "the shape is 2 x 3, the group has 4 ranks"),
        ("sharp_all_reduce", Groups(np.arange(4, dtype=np.int32)[None], np.zeros(4, np.int32)), "hierarchical_sharp"),
        (
            "three_level_all_reduce",
            Groups(np.arange(8, dtype=np.int32)[None], np.arange(8, dtype=np.int32) // 2),
            "need to know the pods",
        ),
    ],
)
def test_an_algorithm_says_what_it_needs(name, groups, says):
    with pytest.raises(InputError, match=says):
        COLLECTIVES[name](groups, 1.0)


def test_steps_that_cannot_be_written_out_are_errors():
    with pytest.raises(InputError, match="switches take part; use detail: lockstep"):
        COLLECTIVES["sharp_all_reduce"].step_by_step(alone(4), 1.0)
    with pytest.raises(InputError, match="use another algorithm, or detail: lockstep"):
        COLLECTIVES["ring_all_reduce"].step_by_step(alone(8192), 1.0)
