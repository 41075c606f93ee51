from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster_sim.tables import (
    Array,
    Flows,
    Lanes,
    Schedule,
    Traffic,
    check_columns,
    grouped,
    ragged_arange,
    same_length,
    starts_of,
)

counts_of_groups = st.lists(st.integers(0, 5), max_size=8).map(lambda counts: np.array(counts, np.int64))


@dataclass(frozen=True)
class Pairs:
    """A table for these tests."""

    key: Array
    value: Array

    def __post_init__(self) -> None:
        check_columns(self, key="int32", value="float64")
        same_length(self, "key", "value")


def flows() -> Flows:
    """Two flows over one row each."""
    return Flows(
        size_bytes=np.ones(2), latency_s=np.zeros(2), round=np.zeros(2, np.int32), hop_row=np.zeros(2, np.int32),
        hop_weight=np.ones(2), hop_starts=np.arange(3, dtype=np.int64),
    )  # fmt: skip


def schedule() -> Schedule:
    """Two tasks that need nothing."""
    ints, times, starts = np.zeros(2, np.int32), np.zeros(2), np.zeros(3, np.int64)
    return Schedule(
        kind=ints, lane=ints, microbatch=ints, chunk=ints, pass_kind=ints, compute_s=times,
        fused_s=times, collective=ints, unlocks=np.zeros(0, np.int32), unlocks_starts=starts, num_needs=ints,
        collectives=(), lanes=Lanes.of_one_job(1), phases=("step",),
    )  # fmt: skip


# Tables


def test_columns_of_the_right_type_and_length_are_accepted():
    pairs = Pairs(np.zeros(3, np.int32), np.zeros(3))
    assert len(pairs.key) == 3


@pytest.mark.parametrize("dtype", ["int64", "uint32", "float32", "bool", ">i4"])
def test_a_column_of_another_type_fails_and_names_it(dtype):
    """A kernel would read its bytes as something else."""
    with pytest.raises(AssertionError, match=r"Pairs\.key is .*, not int32"):
        Pairs(np.zeros(3, dtype), np.zeros(3))


def test_a_list_is_not_a_column():
    with pytest.raises(AssertionError, match=r"Pairs\.value is not an array"):
        Pairs(np.zeros(2, np.int32), [0.0, 0.0])


def test_a_column_of_another_length_fails_and_names_the_lengths():
    with pytest.raises(AssertionError, match=r"Pairs: columns differ in length: .*'key': 3, 'value': 2"):
        Pairs(np.zeros(3, np.int32), np.zeros(2))


def test_a_column_has_one_dimension():
    with pytest.raises(AssertionError, match=r"Pairs\.value"):
        Pairs(np.zeros(3, np.int32), np.zeros((3, 2)))


def test_columns_cannot_be_written_to():
    pairs = Pairs(np.zeros(3, np.int32), np.zeros(3))
    for column in (pairs.key, pairs.value):
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 1


def test_a_column_cannot_be_replaced():
    with pytest.raises(AttributeError):
        flows().size_bytes = np.ones(2)


@pytest.mark.parametrize("column", ["size_bytes", "latency_s", "round", "hop_row", "hop_weight"])
def test_flows_need_columns_of_equal_length(column):
    one_more = np.zeros(3, getattr(flows(), column).dtype)
    with pytest.raises(AssertionError, match="columns differ in length"):
        replace(flows(), **{column: one_more})


@pytest.mark.parametrize(
    "column",
    [
        pytest.param("fused_s"),
        "kind", "lane", "microbatch", "chunk", "pass_kind", "compute_s", "collective", "num_needs",
    ],
)  # fmt: skip
def test_schedules_need_columns_of_equal_length(column):
    one_more = np.zeros(3, getattr(schedule(), column).dtype)
    with pytest.raises(AssertionError, match="columns differ in length"):
        replace(schedule(), **{column: one_more})


@pytest.mark.parametrize("starts", [[0, 2], [0, 1, 2, 2], [0, 1, 1]], ids=["too few", "too many", "too short"])
def test_starts_must_fit_their_table_and_their_items(starts):
    """Two flows with two hops need three starts, the last of them 2."""
    with pytest.raises(AssertionError, match="hop_starts"):
        replace(flows(), hop_starts=np.array(starts, np.int64))


# Groups


@given(counts_of_groups)
def test_starts_are_one_more_than_the_groups_and_differ_by_the_counts(counts):
    starts = starts_of(counts)
    assert starts.dtype == np.int64
    assert starts[0] == 0
    assert np.diff(starts).tolist() == counts.tolist()


def test_starts_do_not_overflow_with_small_counts():
    """Two groups of 2**31 - 1: the end is beyond int32."""
    assert starts_of(np.array([2**31 - 1, 2**31 - 1], np.int32)).tolist() == [0, 2**31 - 1, 2**32 - 2]


@given(counts_of_groups)
def test_each_group_is_numbered_from_zero(counts):
    numbers = ragged_arange(counts)
    assert numbers.dtype == np.int64
    assert numbers.tolist() == [number for count in counts for number in range(count)]


@given(st.lists(st.integers(0, 4), max_size=12), st.integers(5, 7))
def test_grouping_keeps_every_item_in_its_group_and_in_order(group, num_groups):
    """Groups above 4 stay empty."""
    items, starts = grouped(np.array(group, np.int32), np.arange(len(group)) * 10, num_groups)
    expected = [[i * 10 for i, name in enumerate(group) if name == wanted] for wanted in range(num_groups)]
    assert [items[first:last].tolist() for first, last in pairwise(starts)] == expected


# Traffic


def test_traffic_around_rings_sends_to_the_next_and_from_the_last_to_the_first():
    """Rings 0 1 2 and 5 4 3: six edges, three for each transfer."""
    traffic = Traffic.around(np.array([[0, 1, 2], [5, 4, 3]]), 8.0, steps=4)
    edges = list(zip(traffic.edge_src.tolist(), traffic.edge_dst.tolist(), strict=True))
    assert edges == [(0, 1), (1, 2), (2, 0), (5, 4), (4, 3), (3, 5)]
    assert traffic.edge_transfer.tolist() == [0, 0, 0, 1, 1, 1]
    assert traffic.size_bytes.tolist() == [8.0, 8.0]
    assert traffic.steps.tolist() == [4, 4]


def test_traffic_in_rounds_comes_one_after_the_other():
    """A pair, nothing, then two rings: rounds 0 and 1; the nothing takes no round."""
    pair = Traffic.between(np.array([0]), np.array([1]), 2.0)
    rings = Traffic.around(np.array([[0, 1], [2, 3]]), 4.0, steps=2)
    both = Traffic.in_rounds(pair, Traffic.none(), rings, pair)
    assert both.round.tolist() == [0, 1, 1, 2]
    assert both.size_bytes.tolist() == [2.0, 4.0, 4.0, 2.0]
    assert both.edge_starts.tolist() == [0, 1, 3, 5, 6]
    assert both.edge_src.tolist() == [0, 0, 1, 2, 3, 0]


def test_latencies_add_up_around_a_ring_and_step_by_step_in_a_tree():
    """
    Ring 0 1 2 with latencies 1, 5, 2: four consecutive edges are 8 + 5. Tree: 1 and 2 to 0 in step 0 with 3 and 4,
    0 to 3 in step 1 with 6: the slower of the first two, then the third. A pair: its own.
    """
    ring = Traffic.around(np.array([[0, 1, 2]]), 1.0, steps=4)
    tree = Traffic(
        size_bytes=np.ones(1), steps=np.full(1, 2, np.int32), round=np.zeros(1, np.int32),
        edge_src=np.array([1, 2, 0], np.int32), edge_dst=np.array([0, 0, 3], np.int32),
        edge_starts=np.array([0, 3]), edge_step=np.array([0, 0, 1], np.int32),
    )  # fmt: skip
    pair = Traffic.between(np.array([0]), np.array([1]), 1.0)
    together = Traffic.at_once(ring, tree, pair)
    assert together.round.tolist() == [0, 0, 0]
    assert together.latency_s(np.array([1.0, 5, 2, 3, 4, 6, 9])).tolist() == [13, 10, 9]
    assert ring.latency_s(np.array([1.0, 5, 2])).tolist() == [13]


def test_no_traffic_is_empty():
    assert len(Traffic.none()) == 0
    assert Traffic.none().edge_starts.tolist() == [0]


def test_lanes_are_stage_after_stage_of_replica_after_replica():
    lanes = Lanes.of_one_job(3, 2)
    assert lanes.stage.tolist() == [0, 1, 2, 0, 1, 2]
    assert lanes.replica.tolist() == [0, 0, 0, 1, 1, 1]
    assert lanes.job.tolist() == [0] * 6
    assert lanes.beside(4) == [1, 4]


def test_lanes_of_other_jobs_are_not_beside():
    twice = Lanes(np.zeros(2, np.int32), np.zeros(2, np.int32), np.arange(2, dtype=np.int32))
    assert twice.beside(0) == [0]
