"""DualPipe: microbatches from both ends of the pipeline [DeepSeek-AI 2024, DeepSeek-V3 Technical Report, sec. 3.2.1].

The eight phases are those of the authors' published schedule (github.com/deepseek-ai/DualPipe).
"""

import numpy as np

from cluster_sim.core import InputError
from cluster_sim.tables import Array
from cluster_sim.workload.schedules.base import BACKWARD, FORWARD, INPUT, WEIGHT, pipeline_schedule

#: Microbatches that entered at the end of the pipeline nearer to the stage, and at the other one.
_NEAR, _FAR = range(2)


@pipeline_schedule("dualpipe", is_two_way=True)
def dualpipe(stage: int, num_stages: int, num_microbatches: int, num_chunks: int) -> Array:
    """Microbatches 0 to m/2-1 go down over chunk 0, m/2 to m-1 go up over chunk 1; both ends behave alike.

    A forward and a whole backward of opposite ways run joined, in t_fb. Every stage holds p+1 microbatches at most.
    With free communication the published bubble is (p/2-1)(t_fb + tb - 3 tw), with tb a whole backward and tw its
    weight part. It is that of the two middle stages if a forward takes as long as the input part of a backward and tw
    no longer; stages further out have fewer joined passes, and by what those save less bubble.
    """
    _check(num_stages, num_microbatches, num_chunks)
    half = num_stages // 2
    inner = min(stage, num_stages - 1 - stage)
    kind, origin, joined = np.array(_phases(inner, half - 1 - inner, num_microbatches // 2 - num_stages)).T
    chunk = origin ^ (stage >= half)
    return _numbered(kind, chunk, joined, num_microbatches // 2)


def _check(num_stages: int, num_microbatches: int, num_chunks: int) -> None:
    problems = []
    if num_chunks != 2:
        problems.append(f"two chunks of layers a stage, one for each way (virtual_stages: 2), got {num_chunks}")
    if num_stages % 2:
        problems.append(f"an even number of stages, got {num_stages}")
    if num_microbatches % 2 or num_microbatches < 2 * num_stages:
        problems.append(
            f"an even number of microbatches, at least twice the {num_stages} stages, got {num_microbatches}"
        )
    if problems:
        raise InputError(f"dualpipe needs {', and '.join(problems)}; change them, or use '1f1b' or 'zb-h1'")


def _phases(inner: int, outer: int, extra: int) -> list[tuple[int, int, int]]:
    """All passes of a stage: (kind, where the microbatch came from, joined); WEIGHT does what waits longest.

    Args:
        inner: stages between it and the nearer end.
        outer: stages between it and the middle.
        extra: microbatches from each end beyond one for each stage.
    """
    main = [(FORWARD, _NEAR, 0), (BACKWARD, _FAR, 1), (FORWARD, _FAR, 0), (BACKWARD, _NEAR, 1)]
    first_main = [(FORWARD, _NEAR, 0), (BACKWARD, _FAR, int(outer > 0)), *main[2:]]
    drain = [BACKWARD] * (inner + 1) + [INPUT] * (inner + 1)
    return [
        *[(FORWARD, _NEAR, 0)] * (2 * outer),
        *[(FORWARD, _NEAR, 0), (FORWARD, _FAR, 0)] * (inner + 1),
        *[(INPUT, _FAR, 0), (WEIGHT, _FAR, 0), (FORWARD, _FAR, 0)] * outer,
        *first_main,  # in the middle apart: the other middle stage waits for this forward
        *main * (extra + inner),
        *[(BACKWARD, _FAR, 0), (FORWARD, _FAR, 0), (BACKWARD, _NEAR, 1)] * outer,
        *[(kind, (_FAR, _NEAR)[number % 2], 0) for number, kind in enumerate(drain)],
        *[(WEIGHT, _NEAR, 0), (INPUT, _NEAR, 0)] * outer,
        *[(WEIGHT, _NEAR, 0)] * (inner + 1),
    ]


def _numbered(kind: Array, chunk: Array, joined: Array, each_way: int) -> Array:
    """int32[passes, 4]: microbatches of a way in their order; weights in the order in which inputs left them behind."""
    order = np.stack([kind, chunk, np.zeros_like(kind), joined], axis=1).astype(np.int32)
    for is_kind in (kind == FORWARD, (kind == BACKWARD) | (kind == INPUT)):
        for way in (0, 1):
            order[is_kind & (chunk == way), 2] = way * each_way + np.arange(each_way)
    order[kind == WEIGHT, 1:3] = order[kind == INPUT, 1:3]
    return order
