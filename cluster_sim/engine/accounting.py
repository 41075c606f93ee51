"""Where the step's time went, seen from the lane (a pipeline stage of a class of replicas) that computes longest.

That lane is either working or waiting. While it waits, the chain of tasks that released it says for what: work of
another lane is bubble, whatever it consists of; a transfer, or a collective of its own, is exposed communication; a
collective that has no circuits is switching. The parts sum to the step time.
"""

from dataclasses import replace

import numpy as np

from cluster_sim.engine.simulation import Outcome
from cluster_sim.tables import COMPUTE, CP, EP, NONE, TASK_KINDS, TP, Array, Schedule

#: Share of the time that has passed within which things happen at once.
_AT_ONCE = 1e-12
#: What an instant of a step can be spent on.
PARTS = ("compute", "tp", "cp", "ep", "pp", "dp", "bubble", "switching", "optimizer")


def step_parts(schedule: Schedule, outcome: Outcome) -> dict[str, float]:
    """Seconds by part of PARTS; their sum is the step time."""
    parts = dict.fromkeys(PARTS, 0.0)
    lane = busiest_lane(schedule)
    outcome = _seen_from(lane, schedule, outcome)
    is_own = (schedule.lane == lane) & schedule.is_lane
    last_own = _attribute_end(parts, schedule, outcome, lane, is_own)
    clock_s = 0.0
    for task in np.flatnonzero(is_own).tolist():
        if task > last_own:
            break
        released_by, start_s = int(outcome.released_by[task]), float(outcome.start_s[task])
        _attribute_wait(parts, schedule, outcome, released_by, lane, clock_s, start_s)
        _attribute_work(parts, schedule, outcome, task)
        clock_s = float(outcome.end_s[task])
    return parts


def hidden_switching_s(schedule: Schedule, outcome: Outcome, collective_setting: Array) -> Array:
    """float64[switchings]: how much of each passed while no collective stood still that needs the new circuits.

    Args:
        schedule: what was done.
        outcome: when.
        collective_setting: int32[C], setting that each collective runs under.
    """
    start_s, end_s, setting = (
        np.array([getattr(switching, name) for switching in outcome.switchings])
        for name in ("start_s", "end_s", "setting")
    )
    hidden_s = end_s - start_s
    stalled = np.flatnonzero((schedule.collective != NONE) & (outcome.stalled_s > 0))
    needed = collective_setting[schedule.collective[stalled]]
    for number in np.unique(needed).tolist():
        tasks, mine = stalled[needed == number], setting == number
        from_s, to_s = _joined(outcome.start_s[tasks], outcome.start_s[tasks] + outcome.stalled_s[tasks])
        hidden_s[mine] -= _covered_s(from_s, to_s, end_s[mine]) - _covered_s(from_s, to_s, start_s[mine])
    return np.asarray(np.maximum(hidden_s, 0.0))


def _joined(from_s: Array, to_s: Array) -> tuple[Array, Array]:
    """Intervals that overlap or touch as one, ascending."""
    order = np.argsort(from_s, kind="stable")
    from_s, reached_s = from_s[order], np.maximum.accumulate(to_s[order])
    is_first = np.append(True, from_s[1:] > reached_s[:-1])
    return from_s[is_first], reached_s[np.append(is_first[1:], True)]


def _covered_s(from_s: Array, to_s: Array, until_s: Array) -> Array:
    """float64[n]: how much of the time before each ``until_s`` lies in the intervals, which do not overlap."""
    before = np.searchsorted(from_s, until_s, side="right")
    whole_s = np.append(0.0, np.cumsum(to_s - from_s))
    last = np.maximum(before - 1, 0)
    return np.asarray(whole_s[before] - np.where(before > 0, np.maximum(to_s[last] - until_s, 0.0), 0.0))


def _attribute_end(parts: dict[str, float], schedule: Schedule, outcome: Outcome, lane: int, is_own: Array) -> int:
    """Walk back from the end of the step to the lane's last task on the way; that task, NONE if there is none."""
    task, chain = _last_task(schedule, outcome, lane), []
    while task != NONE and not is_own[task]:
        chain.append(task)
        task = int(outcome.released_by[task])
    if task == NONE and len(schedule.lanes.beside(lane)) > 1:  # others set the pace all along: it waits for them
        task = int(np.flatnonzero(is_own)[-1])
    from_s = float(outcome.end_s[task]) if task != NONE else 0.0
    if chain:
        _attribute_wait(parts, schedule, outcome, chain[0], lane, from_s, outcome.step_time_s)
    return task


def _seen_from(lane: int, schedule: Schedule, outcome: Outcome) -> Outcome:
    """The same, where of several tasks that released another at once one of the lane's own replica did."""
    is_own = _is_of_replica(lane, schedule)
    if is_own.all():
        return outcome
    before, after = np.repeat(np.arange(len(schedule)), np.diff(schedule.unlocks_starts)), schedule.unlocks
    at_once = outcome.end_s[before] >= outcome.start_s[after] * (1 - _AT_ONCE)
    preferred = np.flatnonzero(is_own[before] & at_once & ~is_own[outcome.released_by[after]])
    released_by = outcome.released_by.copy()
    released_by[after[preferred]] = before[preferred]
    return replace(outcome, released_by=released_by)


def _last_task(schedule: Schedule, outcome: Outcome, lane: int) -> int:
    """The task that ends the step; of several the lane's own replica's."""
    is_last = schedule.is_main & (outcome.end_s >= outcome.step_time_s * (1 - _AT_ONCE))
    of_replica = is_last & _is_of_replica(lane, schedule)
    last = np.flatnonzero(of_replica if of_replica.any() else is_last)
    return int(last[np.argmax(outcome.end_s[last])])


def _is_of_replica(lane: int, schedule: Schedule) -> Array:
    """bool[T]: tasks of the lane's class of replicas."""
    lanes = schedule.lanes
    is_same = (lanes.replica == lanes.replica[lane]) & (lanes.job == lanes.job[lane])
    return np.asarray(is_same[schedule.lane])


def busiest_lane(schedule: Schedule) -> int:
    """The lane of the main job with most compute, the lowest of equals."""
    busy_s = np.bincount(
        schedule.lane, weights=(schedule.compute_s + schedule.fused_s) * schedule.is_main, minlength=len(schedule.lanes)
    )
    return int(np.flatnonzero(busy_s >= busy_s.max() * (1 - 1e-9))[0])


def _attribute_wait(
    parts: dict[str, float], schedule: Schedule, outcome: Outcome, task: int, lane: int, from_s: float, to_s: float
) -> None:
    """Walk back from ``task``, which ended the wait of ``lane``, through whatever released it."""
    while to_s > from_s and task != NONE:
        began_s = max(float(outcome.start_s[task]), from_s)
        if to_s > began_s:
            light_s = float(outcome.start_s[task] + outcome.stalled_s[task])  # it stood still at its start
            stalled_s = max(min(light_s, to_s) - began_s, 0.0)
            parts["switching"] += stalled_s
            parts[_waited_for(schedule, task, lane)] += to_s - began_s - stalled_s
            to_s = began_s
        task = int(outcome.released_by[task])
    parts["bubble"] += max(to_s - from_s, 0.0)


def _waited_for(schedule: Schedule, task: int, lane: int) -> str:
    kind = int(schedule.kind[task])
    is_work_of_another = schedule.lane[task] != lane and kind in (COMPUTE, TP, CP, EP)
    return "bubble" if is_work_of_another else TASK_KINDS[kind]


def _attribute_work(parts: dict[str, float], schedule: Schedule, outcome: Outcome, task: int) -> None:
    """A compute task of the lane: the communication fused into it, the rest compute or optimiser."""
    span_s = float(outcome.end_s[task] - outcome.start_s[task])
    total_s = float(schedule.compute_s[task] + schedule.fused_s[task])
    fused_s = span_s * float(schedule.fused_s[task]) / total_s if total_s else 0.0
    parts["tp"] += fused_s
    parts[TASK_KINDS[schedule.kind[task]]] += span_s - fused_s
