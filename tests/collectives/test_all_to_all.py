"""All-to-alls with a size for every pair."""

import numpy as np
import pytest

from cluster_sim.collectives import Groups, all_to_all_of
from cluster_sim.core import InputError

GROUPS = Groups(np.array([[0, 2, 4], [1, 3, 5]], np.int32), np.zeros(6, np.int32))


def test_every_pair_gets_its_size_in_every_group():
    """The diagonal stays, and what is nothing is not sent."""
    matrix = np.array([[9.0, 1.0, 2.0], [0.0, 9.0, 3.0], [4.0, 5.0, 9.0]])
    traffic = all_to_all_of(GROUPS, matrix).written_out()
    sent = dict(
        zip(zip(traffic.edge_src.tolist(), traffic.edge_dst.tolist(), strict=True), traffic.size_bytes, strict=True)
    )
    assert sent == {
        (0, 2): 1, (0, 4): 2, (2, 4): 3, (4, 0): 4, (4, 2): 5, (1, 3): 1, (1, 5): 2, (3, 5): 3, (5, 1): 4, (5, 3): 5,
    }  # fmt: skip


def test_nothing_to_send_is_no_transfer():
    assert len(all_to_all_of(GROUPS, np.eye(3))) == 0


@pytest.mark.parametrize(("matrix", "message"), [
    (np.ones((2, 3)), "a matrix of 2 x 3; expected 3 x 3"),
    (np.ones((4, 4)), "a matrix of 4 x 4; expected 3 x 3"),
    (np.array([[0.0, 1.0, -2.0]] * 3), "-2 bytes from rank 0 to rank 2; expected a finite number"),
    (np.full((3, 3), np.inf), "inf bytes from rank 0 to rank 0"),
])  # fmt: skip
def test_a_matrix_that_is_none_is_an_error(matrix, message):
    with pytest.raises(InputError, match=message):
        all_to_all_of(GROUPS, matrix)
