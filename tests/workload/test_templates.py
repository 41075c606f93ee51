"""Passes as rows: what runs together begins and ends as one."""

import numpy as np

from cluster_sim.tables import NONE
from cluster_sim.workload import plan
from cluster_sim.workload.segments import BEHIND
from cluster_sim.workload.templates import lane_of
from tests.engine.worlds import small_job


def test_passes_that_run_together_end_when_all_they_do_has_ended():
    """Edges and the order of compute lead from every row of a pair to its end, but for reductions behind it."""
    job = small_job(schedule="dualpipe", virtual_stages=2, overlap_tensor_gradients=False)
    lane = lane_of(plan(job, np.arange(64) // 8), 0, {})
    computes = np.flatnonzero(lane.collective == NONE)
    edges = np.concatenate([lane.edges, np.stack([computes[:-1], computes[1:]], axis=1)])
    pairs = np.flatnonzero((lane.passes[1:, 3:] == lane.passes[:-1, 3:]).all(axis=1))
    assert len(pairs)
    for entry, exit_ in lane.passes[pairs, 3:].tolist():
        mine = {row for row in range(entry, exit_ + 1) if lane.role[row] != BEHIND}
        assert _reaching(exit_, edges, mine) == mine
        assert _reaching(entry, edges[:, ::-1], mine) == mine


def _reaching(end, edges, rows):
    """Those of ``rows`` from which edges lead to ``end``, with itself."""
    found, left = {end}, [end]
    while left:
        row = left.pop()
        before = set(edges[edges[:, 1] == row, 0].tolist()) & rows - found
        found |= before
        left += before
    return found
