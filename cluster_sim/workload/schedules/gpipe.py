"""GPipe: all forwards, then all backwards [Huang et al. 2019]."""

import numpy as np

from cluster_sim.core import InputError
from cluster_sim.tables import Array
from cluster_sim.workload.schedules.base import BACKWARD, FORWARD, passes, pipeline_schedule


@pipeline_schedule("gpipe")
def gpipe(stage: int, num_stages: int, num_microbatches: int, num_chunks: int) -> Array:
    """Every stage holds all m microbatches; with free communication (p-1)/(m+p-1) of a step is bubble, as in 1F1B.

    Backwards come in the order of the forwards, so that the last microbatch completes the gradients; the paper draws
    them in reverse, which takes as long.
    """
    if num_chunks != 1:
        raise InputError(f"gpipe has one chunk of layers a stage, not {num_chunks}; use 'interleaved'")
    microbatch = np.arange(num_microbatches)
    chunk = np.zeros_like(microbatch)
    return np.concatenate([passes(FORWARD, chunk, microbatch), passes(BACKWARD, chunk, microbatch)])
