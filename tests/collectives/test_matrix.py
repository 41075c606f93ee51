"""All-to-alls with a size for every pair."""

import numpy as np
import pytest

from cluster_sim.collectives import COLLECTIVES, Groups, all_to_all_of
from cluster_sim.core import InputError

TWO = Groups(np.array([[4, 1, 2], [0, 5, 3]], np.int32), np.arange(6, dtype=np.int32))


def sent(traffic):
    """Bytes by (src, dst)."""
    traffic = traffic.written_out()
    ends = zip(traffic.edge_src.tolist(), traffic.edge_dst.tolist(), strict=True)
    return dict(zip(ends, traffic.size_bytes.tolist(), strict=True))


def test_one_matrix_is_for_every_group():
    """Zeros and the diagonal send nothing."""
    matrix = np.array([[7.0, 1.0, 0.0], [2.0, 7.0, 3.0], [0.0, 0.0, 7.0]])
    assert sent(all_to_all_of(TWO, matrix)) == {(4, 1): 1, (1, 4): 2, (1, 2): 3, (0, 5): 1, (5, 0): 2, (5, 3): 3}


def test_every_group_may_have_a_matrix_of_its_own():
    matrices = np.zeros((2, 3, 3))
    matrices[0, 0, 2], matrices[1, 2, 1] = 5.0, 6.0
    assert sent(all_to_all_of(TWO, matrices)) == {(4, 2): 5, (3, 5): 6}


def test_equal_sizes_are_the_uniform_all_to_all():
    uniform = COLLECTIVES["all_to_all"](TWO, 3e6)
    assert sent(all_to_all_of(TWO, np.full((3, 3), 1e6))) == pytest.approx(sent(uniform), rel=1e-12)


def test_nothing_to_send_is_no_traffic():
    assert len(all_to_all_of(TWO, np.diag([1.0, 2.0, 3.0]))) == 0
    assert len(all_to_all_of(TWO, np.zeros((2, 3, 3)))) == 0
    one = Groups(np.array([[2]], np.int32), np.arange(3, dtype=np.int32))
    assert len(all_to_all_of(one, np.ones((1, 1)))) == 0


@pytest.mark.parametrize(
    ("matrix", "says"),
    [
        (np.ones((3, 2)), "3 x 2; expected 3 x 3"),
        (np.ones((2, 2)), "2 x 2; expected 3 x 3"),
        (np.ones(3), "a matrix of 3; expected"),
        (np.ones((3, 3, 3)), "3 x 3 x 3; expected"),
        (np.array([[0, 1, 1], [1, 0, -2], [1, 1, 0]]), "-2 bytes from rank 1 to rank 2"),
        (np.array([[0, 1, np.nan], [1, 0, 2], [1, 1, 0]]), "nan bytes from rank 0 to rank 2"),
        (np.full((2, 3, 3), np.inf), "inf bytes from rank 0 to rank 0"),
    ],
)
def test_a_matrix_that_cannot_be_is_an_error(matrix, says):
    with pytest.raises(InputError, match=says):
        all_to_all_of(TWO, matrix)


def test_a_rank_takes_part_once():
    with pytest.raises(InputError, match="rank 1 takes part twice"):
        all_to_all_of(Groups(np.array([[1, 1]], np.int32), np.arange(3, dtype=np.int32)), np.ones((2, 2)))
