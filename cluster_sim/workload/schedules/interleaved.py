"""Interleaved 1F1B: each stage holds several chunks of layers [Narayanan et al. 2021]."""

import numpy as np

from cluster_sim.core import InputError
from cluster_sim.tables import Array
from cluster_sim.workload.schedules.base import BACKWARD, FORWARD, passes, pipeline_schedule
from cluster_sim.workload.schedules.one_f_one_b import in_steady_state


@pipeline_schedule("interleaved")
def interleaved(stage: int, num_stages: int, num_microbatches: int, num_chunks: int) -> Array:
    """As Megatron-LM orders it; with free communication and v chunks the bubble is 1/v of that of 1F1B."""
    if num_chunks < 2 or num_stages < 2:
        raise InputError("interleaved needs at least two stages with two virtual stages each; use '1f1b'")
    if num_microbatches % num_stages:
        raise InputError(
            f"interleaved needs microbatches in multiples of the {num_stages} stages, got {num_microbatches}; "
            "change the batch, or use '1f1b'"
        )
    number = np.arange(num_microbatches * num_chunks)
    group = num_stages * num_chunks
    chunk = number % group // num_stages
    microbatch = number // group * num_stages + number % num_stages
    forward = passes(FORWARD, chunk, microbatch)
    backward = passes(BACKWARD, num_chunks - 1 - chunk, microbatch)
    warm_up = 2 * (num_stages - 1 - stage) + (num_chunks - 1) * num_stages
    if num_microbatches == num_stages:
        warm_up = len(number)
    return in_steady_state(min(warm_up, len(number)), forward, backward)
