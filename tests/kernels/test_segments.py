import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster_sim.kernels import segment_min, segment_sum
from cluster_sim.tables import starts_of

numbers = st.floats(-1e6, 1e6)
groups = st.lists(st.lists(numbers, max_size=4), max_size=6)


def flat(items: list[list[float]], dtype: type = np.float64):
    """(values, starts) of groups of unequal size."""
    return np.array([value for group in items for value in group], dtype), starts_of(np.array([*map(len, items)], int))


@given(groups)
def test_segments_are_summed_one_by_one(items):
    """Empty groups, also the first and the last, sum to 0."""
    np.testing.assert_allclose(segment_sum(*flat(items)), [sum(group) for group in items], rtol=1e-12, atol=1e-9)


@given(groups)
def test_the_least_of_each_segment_is_found(items):
    """inf where there is none."""
    assert segment_min(*flat(items)).tolist() == [min(group, default=np.inf) for group in items]


@pytest.mark.parametrize("reduce", [segment_sum, segment_min])
def test_no_groups_give_no_results(reduce):
    assert reduce(np.zeros(0), np.zeros(1, np.int64)).tolist() == []


@pytest.mark.parametrize(("reduce", "empty"), [(segment_sum, 0.0), (segment_min, np.inf)])
def test_only_empty_groups(reduce, empty):
    assert reduce(np.zeros(0), np.zeros(4, np.int64)).tolist() == [empty] * 3


def test_an_empty_group_does_not_take_its_neighbours_element():
    """``numpy.add.reduceat`` gives [1, 2, 2] here, where the second group is empty."""
    assert segment_sum(np.array([1.0, 2.0]), np.array([0, 1, 1, 2])).tolist() == [1.0, 0.0, 2.0]


def test_unsigned_sums_keep_their_type_and_wrap_around():
    """2**64 - 1 + 3 = 2 modulo 2**64; hashes are added this way."""
    total = segment_sum(np.array([2**64 - 1, 3], np.uint64), np.array([0, 2, 2]))
    assert total.dtype == np.uint64
    assert total.tolist() == [2, 0]


@given(st.lists(st.lists(numbers, min_size=1, max_size=4), min_size=1, max_size=6))
def test_two_runs_agree_to_the_last_bit(items):
    """The order of a sum is fixed."""
    assert segment_sum(*flat(items)).tobytes() == segment_sum(*flat(items)).tobytes()
