"""Zero bubble, ZB-H1: gradients of weights wait until there is nothing better to do [Qi et al. 2024]."""

import numpy as np

from cluster_sim.core import InputError
from cluster_sim.tables import Array
from cluster_sim.workload.schedules.base import FORWARD, INPUT, WEIGHT, passes, pipeline_schedule


@pipeline_schedule("zb-h1")
def zb_h1(stage: int, num_stages: int, num_microbatches: int, num_chunks: int) -> Array:
    """1F1B with halved backwards: stage s does the weights of a microbatch s microbatches after its inputs.

    A microbatch is held from its forward to the end of its backward, so every stage holds at most p, as the first one
    does in 1F1B; p-s of them still wait for the gradients of their inputs. With free communication, m >= p
    microbatches and passes of tf, ti and tw the bubble is (p-1) max(tf, ti, tf+ti-tw): the published (p-1)(tf+ti-tw)
    where tw is the shortest of the three.
    """
    if num_chunks != 1:
        raise InputError(f"zb-h1 has one chunk of layers a stage, not {num_chunks}; use 'interleaved'")
    microbatch = np.arange(num_microbatches)
    warm_up = min(num_stages - 1 - stage, num_microbatches)
    order = np.concatenate([passes(kind, np.zeros_like(microbatch), microbatch) for kind in (FORWARD, INPUT, WEIGHT)])
    turn = np.concatenate([microbatch - warm_up, microbatch, microbatch + stage])
    return order[np.lexsort((order[:, 0], turn))]
