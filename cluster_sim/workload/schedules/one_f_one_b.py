"""1F1B: one forward, one backward [Narayanan et al. 2019, PipeDream-Flush]."""

import numpy as np

from cluster_sim.core import InputError
from cluster_sim.tables import Array
from cluster_sim.workload.schedules.base import BACKWARD, FORWARD, passes, pipeline_schedule


@pipeline_schedule("1f1b")
def one_f_one_b(stage: int, num_stages: int, num_microbatches: int, num_chunks: int) -> Array:
    """Stage s runs p-1-s forwards ahead; with free communication a step takes (m+p-1)(tf+tb)."""
    if num_chunks != 1:
        raise InputError(f"1f1b has one chunk of layers a stage, not {num_chunks}; use 'interleaved'")
    return in_steady_state(min(num_stages - 1 - stage, num_microbatches), *_passes(num_microbatches))


def _passes(num_microbatches: int) -> tuple[Array, Array]:
    microbatch = np.arange(num_microbatches)
    zeros = np.zeros_like(microbatch)
    return passes(FORWARD, zeros, microbatch), passes(BACKWARD, zeros, microbatch)


def in_steady_state(warm_up: int, forward: Array, backward: Array) -> Array:
    """``warm_up`` forwards, then one forward and one backward in turn, then the backwards that are left."""
    steady = len(forward) - warm_up
    pairs = np.stack([forward[warm_up:], backward[:steady]], axis=1).reshape(-1, forward.shape[1])
    return np.concatenate([forward[:warm_up], pairs, backward[steady:]])
