"""What the job does: tasks, what they need, and the collectives they run."""

from dataclasses import dataclass

import numpy as np

from cluster_sim.tables.columns import NONE, Array, check_columns, check_groups, same_length
from cluster_sim.tables.traffic import Traffic

#: What a task can be; ``Schedule.kind`` indexes this.
TASK_KINDS = ("compute", "optimizer", "tp", "cp", "ep", "pp", "dp")
COMPUTE, OPTIMIZER, TP, CP, EP, PP, DP = range(7)
#: What a pass can compute; ``Schedule.pass_kind`` indexes this: ``backward`` is ``input`` and ``weight`` in one.
PASS_KINDS = ("forward", "backward", "input", "weight")


@dataclass(frozen=True, slots=True, eq=False)
class Collective:
    """One communication pattern, run by many tasks with the same ranks and sizes.

    Attributes:
        name: e.g. ``"ep all-to-all, stage 3"``.
        kind: index into TASK_KINDS.
        algorithm: name in the registry of collectives.
        lane: whose tasks run it, NONE if nobody's; of what all replicas of a stage run together the first of theirs.
        phase: which setting of the OCS it runs under, an index into the job's phases.
        traffic: what is sent for a buffer of one byte; collectives that differ only in size share it.
        size_bytes: the buffer.
        num_ranks: ranks of one group.
        layer: whose experts it serves, where layers send differently; NONE for all others.
        overhead_s: time that software takes before anything is sent.
        slowdown_ratio: how much longer its lane computes while it runs, as a share; all replicas of its stage if the
            kind is DP.
        is_beside: whether it can run while its lane runs other collectives.
        is_alone: whether it is taken as if nothing else were on its links.
    """

    name: str
    kind: int
    algorithm: str
    lane: int
    phase: int
    traffic: Traffic
    size_bytes: float
    num_ranks: int
    layer: int = NONE
    overhead_s: float = 0.0
    slowdown_ratio: float = 0.0
    is_beside: bool = True
    is_alone: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Lanes:
    """N lanes: a lane is a pipeline stage of a class of replicas of a job, and computes one thing at a time.

    Attributes:
        stage: int32[N], pipeline stage.
        replica: int32[N], class of replicas; replicas that nothing can tell apart are one class.
        job: int32[N], 0 for the main job.
    """

    stage: Array
    replica: Array
    job: Array

    def __post_init__(self) -> None:
        check_columns(self, stage="int32", replica="int32", job="int32")
        same_length(self, "stage", "replica", "job")

    def __len__(self) -> int:
        return len(self.stage)

    @classmethod
    def of_one_job(cls, num_stages: int, num_replicas: int = 1) -> "Lanes":
        """Stage after stage, replica after replica."""
        number = np.arange(num_stages * num_replicas, dtype=np.int32)
        return cls(number % num_stages, number // num_stages, np.zeros(len(number), np.int32))

    def beside(self, lane: int) -> list[int]:
        """Lanes of the same stage of the same job."""
        is_same = (self.job == self.job[lane]) & (self.stage == self.stage[lane])
        return [int(number) for number in np.flatnonzero(is_same)]


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """T tasks. Compute tasks of a lane run in the order of their rows, one at a time.

    Attributes:
        kind: int32[T], index into TASK_KINDS.
        lane: int32[T], row of ``lanes`` it belongs to.
        microbatch: int32[T], NONE where it has none.
        chunk: int32[T], virtual stage on its stage, NONE where it has none.
        pass_kind: int32[T], index into PASS_KINDS; NONE outside passes.
        compute_s: float64[T], time the accelerators compute; 0 for collectives.
        fused_s: float64[T], time of communication that is fused into a compute task (kind TP); 0 elsewhere.
        collective: int32[T], row of ``collectives``; NONE for compute.
        unlocks: int32[D], tasks that need this one, grouped by task.
        unlocks_starts: int64[T+1], where each task's group starts.
        num_needs: int32[T], how many tasks must end before it can start, lane order not counted.
        collectives: the patterns.
        lanes: who does the tasks.
        phases: names of the OCS settings in the order in which a step goes through them.
    """

    kind: Array
    lane: Array
    microbatch: Array
    chunk: Array
    pass_kind: Array
    compute_s: Array
    fused_s: Array
    collective: Array
    unlocks: Array
    unlocks_starts: Array
    num_needs: Array
    collectives: tuple[Collective, ...]
    lanes: Lanes
    phases: tuple[str, ...]

    def __post_init__(self) -> None:
        check_columns(
            self, kind="int32", lane="int32", microbatch="int32", chunk="int32", pass_kind="int32",
            compute_s="float64", fused_s="float64", collective="int32", unlocks="int32", unlocks_starts="int64",
            num_needs="int32",
        )  # fmt: skip
        same_length(
            self, "kind", "lane", "microbatch", "chunk", "pass_kind", "compute_s", "fused_s", "collective",
            "num_needs",
        )  # fmt: skip
        check_groups(self, "unlocks_starts", len(self), len(self.unlocks))

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def stage(self) -> Array:
        """int32[T]: pipeline stage each task belongs to."""
        return np.asarray(self.lanes.stage[self.lane])

    @property
    def is_main(self) -> Array:
        """bool[T]: tasks of the main job."""
        return np.asarray(self.lanes.job[self.lane] == 0)

    @property
    def is_lane(self) -> Array:
        """bool[T]: tasks that keep their lane's accelerators busy; a lane does them one at a time."""
        return np.isin(self.kind, (COMPUTE, OPTIMIZER))
