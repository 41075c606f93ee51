"""What the stages of a job do: passes as templates of segments, and the collectives they run."""

from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from cluster_sim.collectives import (
    AUTO,
    COLLECTIVES,
    Estimate,
    Groups,
    Library,
    LinkCosts,
    all_to_all_of,
    choose,
    estimates,
    shape_on,
)
from cluster_sim.tables import DP, EP, NONE, PP, TP, Array, Collective, Traffic
from cluster_sim.workload.job import Job
from cluster_sim.workload.layout import Layout
from cluster_sim.workload.replicas import Replicas
from cluster_sim.workload.schedules import BACKWARD, FORWARD, SCHEDULES, WEIGHT, PipelineSchedule
from cluster_sim.workload.segments import Pass

#: Settings of the OCS that a step goes through, in order.
PHASES = ("gather", "pipeline", "reduce")
GATHER_PHASE, PIPELINE_PHASE, REDUCE_PHASE = range(3)

#: (lane, chunk, kind of pass, 1 for the step's first forward pass or its last one with gradients of weights).
PassKey = tuple[int, int, int, int]


@dataclass(slots=True)
class Program:
    """All that a job's schedule is made of.

    Attributes:
        job: the job.
        pod: int32[endpoints], pod of each; None where nobody asks.
        costs: what messages cost, for algorithms that are chosen by size; None where none is.
        seed: of what is drawn for it.
        torus: sides of the torus of endpoints; () for none.
        slowdown_ratio: how much longer accelerators compute beside a collective.
        endpoints: int32[ranks], where each rank is; None for endpoint = rank.
        replicas: classes of data ranks; the lane of a stage of a class is class x pipeline + stage.
        collectives: every communication pattern.
        passes: segments by PassKey.
        sends: point-to-point pattern by (lane, next lane, 1 for backward).
        gathers: parameter all-gathers before the first pass, by stage, in order.
        reduces: gradient reductions after the last pass, by stage, in order.
        ties: reductions of what two stages share, embeddings or copies of layers, with those stages.
        optimizer_s: by lane.
        orders: of the passes of each stage, as in ``schedules``.
        traffics: what has been laid out already; collectives that differ only in size share theirs.
        expected: what the cost model says of the algorithms for an operation in some groups.
        joins_passes: whether passes run together, so that what one communicates can meet what the other does.
    """

    job: Job
    pod: Array | None = None
    costs: LinkCosts | None = None
    seed: int = 0
    torus: tuple[int, ...] = ()
    slowdown_ratio: float = 0.0
    endpoints: Array | None = None
    replicas: Replicas = field(default_factory=lambda: Replicas((), np.zeros((0, 0))))
    collectives: list[Collective] = field(default_factory=list)
    passes: dict[PassKey, Pass] = field(default_factory=dict)
    sends: dict[tuple[int, int, int], int] = field(default_factory=dict)
    gathers: dict[int, list[int]] = field(default_factory=dict)
    reduces: dict[int, list[int]] = field(default_factory=dict)
    ties: list[tuple[int, tuple[int, int]]] = field(default_factory=list)
    optimizer_s: dict[int, float] = field(default_factory=dict)
    orders: tuple[Array, ...] = ()
    traffics: dict[tuple[str, tuple[int, ...], bytes], Traffic] = field(default_factory=dict)
    expected: dict[tuple[str, tuple[int, ...], bytes], tuple[Estimate, ...]] = field(default_factory=dict)
    layout: Layout = field(init=False)
    library: Library | None = field(init=False)
    joins_passes: bool = field(init=False)

    def __post_init__(self) -> None:
        p = self.job.parallelism
        self.replicas = self.replicas if len(self.replicas) else Replicas.together(p)
        self.layout, self.library = self.job.layout, self.job.library
        self.orders = tuple(
            self.schedule.order(stage, p.pipeline, self.job.num_microbatches, p.virtual_stages)
            for stage in range(p.pipeline)
        )
        self.joins_passes = any(bool(order[:, 3].any()) for order in self.orders)

    @property
    def schedule(self) -> PipelineSchedule:
        """Of the pipeline."""
        return SCHEDULES[self.job.schedule]

    @property
    def num_lanes(self) -> int:
        """Stages of all classes of replicas."""
        return len(self.replicas) * len(self.orders)

    def lanes_of(self, stage: int) -> range:
        """The lanes of a stage; the first of them is where all classes run what they share."""
        return range(stage, self.num_lanes, len(self.orders))

    def stage_of(self, lane: int) -> int:
        """Pipeline stage of a lane."""
        return lane % len(self.orders)

    def data_of(self, lane: int) -> Array | None:
        """int64[...]: data ranks of a lane; None for all."""
        return self.replicas.data[lane // len(self.orders)] if len(self.replicas) > 1 else None

    @property
    def microbatches_by_way(self) -> tuple[Array, ...]:
        """int64[...]: numbers of the microbatches that go each way through the pipeline."""
        ways = self.schedule.ways(self.job.parallelism.pipeline, self.job.parallelism.virtual_stages)
        return tuple(np.array_split(np.arange(self.job.num_microbatches), len(ways)))

    def keys(self, stage: int) -> Array:
        """int64[passes, 3]: (chunk, kind, special) of the passes of a stage in their order; see PassKey."""
        kind, chunk = self.orders[stage][:, 0].astype(np.int64), self.orders[stage][:, 1].astype(np.int64)
        special = np.zeros(len(kind), np.int64)
        for one in np.unique(chunk).tolist():
            special[np.flatnonzero((chunk == one) & (kind == FORWARD))[:1]] = 1
            special[np.flatnonzero((chunk == one) & np.isin(kind, (BACKWARD, WEIGHT)))[-1:]] = 1
        return np.stack([chunk, kind, special], axis=1)

    def add(
        self, name: str, kind: int, operation: str, lane: int, groups: Groups, size_bytes: float, phase: int,
        is_beside: bool | None = None,
    ) -> int:  # fmt: skip
        """The row of a new collective; NONE where there is nobody to talk to.

        ``is_beside`` says whether it can run while its lane runs others; None for what is usual for its kind and for
        the schedule.
        """
        if groups.size == 1:
            return NONE
        groups = self._placed(groups)
        groups = replace(groups, pod=self.pod, shape=shape_on(self.torus, groups.ranks))
        ranks = groups.ranks.tobytes()
        algorithm = self._algorithm(operation, groups, ranks, size_bytes)
        key = (algorithm, groups.ranks.shape, ranks)
        if key not in self.traffics:
            chosen = COLLECTIVES[algorithm]
            in_steps = self.job.algorithms.detail == "steps"
            self.traffics[key] = chosen.step_by_step(groups, 1.0) if in_steps else chosen(groups, 1.0)
        beside = kind in (PP, DP) or self.joins_passes if is_beside is None else is_beside
        return self._append(
            operation, groups, name=f"{name}, {self._where(lane, kind)}", kind=kind, algorithm=algorithm, lane=lane,
            phase=phase, traffic=self.traffics[key], size_bytes=size_bytes, is_beside=beside,
        )  # fmt: skip

    def add_tokens(self, name: str, lane: int, groups: Groups, matrix: Array, size_bytes: float, layer: int) -> int:
        """The row of a new all-to-all with float64[n, n] of ``size_bytes`` from rank to rank."""
        groups = self._placed(groups)
        return self._append(
            "all_to_all", groups, name=f"{name} of layer {layer}, {self._where(lane, EP)}", kind=EP,
            algorithm="all_to_all", lane=lane, phase=PIPELINE_PHASE, traffic=all_to_all_of(groups, matrix),
            size_bytes=size_bytes, layer=layer, is_beside=self.joins_passes,
        )  # fmt: skip

    def num_runs(self) -> Array:
        """int64[collectives]: how often a step runs each."""
        runs = np.zeros(len(self.collectives), np.int64)
        for lane in range(self.num_lanes):
            keys, counts = np.unique(self.keys(self.stage_of(lane)), axis=0, return_counts=True)
            for (chunk, kind, special), count in zip(keys.tolist(), counts.tolist(), strict=True):
                for segment in self.passes[lane, chunk, kind, special]:
                    used = [row for row in (segment.collective, *segment.beside) if row != NONE]
                    mine = [row for row in used if self.collectives[row].lane == lane]  # all run what they share
                    np.add.at(runs, mine, count)
        for hop, send in self.sends.items():
            runs[send] = self._num_crossings(hop)
        for rows in (*self.gathers.values(), *self.reduces.values(), [row for row, _ in self.ties]):
            runs[rows] = 1
        return runs

    def _num_crossings(self, hop: tuple[int, int, int]) -> int:
        """How many messages go from one lane to another in a step, forward or backward."""
        num, src, dst, is_backward = 0, *map(self.stage_of, hop[:2]), hop[2]
        p = self.job.parallelism
        ways = self.schedule.ways(p.pipeline, p.virtual_stages)
        for way, microbatches in zip(ways, self.microbatches_by_way, strict=True):
            stages = [stage for stage, _ in (reversed(way) if is_backward else way)]
            num += len(microbatches) * list(pairwise(stages)).count((src, dst))
        return num

    def _placed(self, groups: Groups) -> Groups:
        """Groups of ranks as groups of endpoints."""
        return groups if self.endpoints is None else replace(groups, ranks=self.endpoints[groups.ranks])

    def _where(self, lane: int, kind: int) -> str:
        of_some = f" of replica {lane // len(self.orders)}" if len(self.replicas) > 1 and kind != DP else ""
        return f"stage {self.stage_of(lane)}{of_some}"

    def _append(self, operation: str, groups: Groups, **columns: object) -> int:
        overhead_s = self.library.overhead_s(operation, groups) if self.library else 0.0
        kind = columns["kind"]
        may_be_alone = kind == TP and self.job.algorithms.fuse == "tensor"
        self.collectives.append(
            Collective(
                **columns, num_ranks=groups.size, overhead_s=overhead_s,  # type: ignore[arg-type]
                slowdown_ratio=0.0 if kind == PP else self.slowdown_ratio,
                is_alone=may_be_alone and groups.num_domains == 1,
            )
        )  # fmt: skip
        return len(self.collectives) - 1

    def _algorithm(self, operation: str, groups: Groups, ranks: bytes, size_bytes: float) -> str:
        """Name of the algorithm that the job has chosen, or left to the cost model; point-to-point is just that."""
        name = self.job.algorithms.chosen.get(operation, operation)
        if name != AUTO:
            return name
        assert self.costs is not None, "auto needs to know what messages cost"
        key = (operation, groups.ranks.shape, ranks)
        if key not in self.expected:
            self.expected[key] = estimates(operation, groups, self.costs)
        return choose(self.expected[key], size_bytes)
