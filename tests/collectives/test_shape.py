"""Groups that are a grid of a torus, and what a job sends on them."""

from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster_sim.backend import choose_backend
from cluster_sim.collectives import shape_on
from cluster_sim.run import evaluate
from tests.small import small_run


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3)), min_size=1, max_size=3))
def test_boxes_of_a_torus_have_its_shape(sides):
    """Every side is cut into ``parts`` of ``size``: each box is a group, and all have one shape."""
    torus, sizes = tuple(size * parts for size, parts in sides), tuple(size for size, _ in sides)
    cut = np.arange(prod(torus)).reshape([number for size, parts in sides for number in (parts, size)])
    axes = [*range(0, 2 * len(sides), 2), *range(1, 2 * len(sides), 2)]
    ranks = cut.transpose(axes).reshape(-1, prod(sizes))
    assert shape_on(torus, ranks) == sizes
    assert shape_on((), ranks) == ()


@pytest.mark.parametrize("ranks", [[[0, 1, 5]], [[0, 1, 4, 6]], [[0, 4, 1, 5]], [[0, 1, 4, 5], [0, 1, 6, 5]]])
def test_what_is_no_grid_has_no_shape(ranks):
    """On 4 x 4: three corners, two rows of different columns, columns first, a second group that is none."""
    assert shape_on((4, 4), np.array(ranks)) == ()


def test_rows_that_lie_apart_are_a_grid_too():
    """Columns 0 and 2 of rows 1 and 3."""
    assert shape_on((4, 4), np.array([[4, 6, 12, 14]])) == (2, 2)


def test_buckets_use_all_links_of_a_torus_and_rings_do_not(tmp_path):
    """64 accelerators of 4 x 4 x 4 in two stages: gradients of 16 replicas that are 2 x 4 x 2 go faster in buckets."""
    operations = ("reduce_scatter", "all_gather", "all_reduce")
    torus = "topology={kind: torus, shape: [4, 4, 4], scale_up: {size: 1}}"
    exposed_s = {}
    for kind in ("bucket", "ring"):
        settings = (f"job.algorithms.{operation}={kind}_{operation}" for operation in operations)
        run = small_run(tmp_path, torus, "routing=ecmp", *settings)
        tables = evaluate(run.scenario, choose_backend("numpy"))
        used = tables["collectives"].to_pylist()
        assert {row["algorithm"].split("_")[0] for row in used if "dp" in row["collective"]} == {kind}
        exposed_s[kind] = tables["summary"]["exposed_dp_s"][0].as_py()
    assert exposed_s["bucket"] < exposed_s["ring"]
