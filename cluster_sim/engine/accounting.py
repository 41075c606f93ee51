"""Where the step's time went, seen from the stage that computes longest.

That stage is either working or waiting. While it waits, the chain of tasks that released it says for what: work of
another stage is bubble, whatever it consists of; a transfer, or a collective of its own, is exposed communication; a
collective that has no circuits is switching. The parts sum to the step time.
"""

import numpy as np

from cluster_sim.engine.simulation import Outcome
from cluster_sim.tables import COMPUTE, CP, EP, NONE, TASK_KINDS, TP, Array, Schedule

#: What an instant of a step can be spent on.
PARTS = ("compute", "tp", "cp", "ep", "pp", "dp", "bubble", "switching", "optimizer")


def step_parts(schedule: Schedule, outcome: Outcome) -> dict[str, float]:
    """Seconds by part of PARTS; their sum is the step time."""
    parts = dict.fromkeys(PARTS, 0.0)
    stage = busiest_stage(schedule)
    is_own = (schedule.stage == stage) & schedule.is_lane
    last_own = _attribute_end(parts, schedule, outcome, stage, is_own)
    clock_s = 0.0
    for task in np.flatnonzero(is_own).tolist():
        if task > last_own:
            break
        released_by, start_s = int(outcome.released_by[task]), float(outcome.start_s[task])
        _attribute_wait(parts, schedule, outcome, released_by, stage, clock_s, start_s)
        _attribute_work(parts, schedule, outcome, task)
        clock_s = float(outcome.end_s[task])
    return parts


def _attribute_end(parts: dict[str, float], schedule: Schedule, outcome: Outcome, stage: int, is_own: Array) -> int:
    """Walk back from the end of the step to the stage's last task on the way; that task, NONE if there is none."""
    task, chain = int(np.argmax(outcome.end_s)), []
    while task != NONE and not is_own[task]:
        chain.append(task)
        task = int(outcome.released_by[task])
    from_s = float(outcome.end_s[task]) if task != NONE else 0.0
    if chain:
        _attribute_wait(parts, schedule, outcome, chain[0], stage, from_s, outcome.step_time_s)
    return task


def busiest_stage(schedule: Schedule) -> int:
    """The stage with most compute, the lowest of equals."""
    busy_s = np.bincount(schedule.stage, weights=schedule.compute_s + schedule.fused_s, minlength=schedule.num_stages)
    return int(np.flatnonzero(busy_s >= busy_s.max() * (1 - 1e-9))[0])


def _attribute_wait(
    parts: dict[str, float], schedule: Schedule, outcome: Outcome, task: int, stage: int, from_s: float, to_s: float
) -> None:
    """Walk back from ``task``, which ended the wait of ``stage``, through whatever released it."""
    while to_s > from_s and task != NONE:
        began_s = max(float(outcome.start_s[task]), from_s)
        if to_s > began_s:
            light_s = float(outcome.start_s[task] + outcome.stalled_s[task])  # it stood still at its start
            stalled_s = max(min(light_s, to_s) - began_s, 0.0)
            parts["switching"] += stalled_s
            parts[_waited_for(schedule, task, stage)] += to_s - began_s - stalled_s
            to_s = began_s
        task = int(outcome.released_by[task])
    parts["bubble"] += max(to_s - from_s, 0.0)


def _waited_for(schedule: Schedule, task: int, stage: int) -> str:
    kind = int(schedule.kind[task])
    is_work_of_another = schedule.stage[task] != stage and kind in (COMPUTE, TP, CP, EP)
    return "bubble" if is_work_of_another else TASK_KINDS[kind]


def _attribute_work(parts: dict[str, float], schedule: Schedule, outcome: Outcome, task: int) -> None:
    """A compute task of the stage: the communication fused into it, the rest compute or optimiser."""
    span_s = float(outcome.end_s[task] - outcome.start_s[task])
    total_s = float(schedule.compute_s[task] + schedule.fused_s[task])
    fused_s = span_s * float(schedule.fused_s[task]) / total_s if total_s else 0.0
    parts["tp"] += fused_s
    parts[TASK_KINDS[schedule.kind[task]]] += span_s - fused_s
