"""The collectives of a stage: what it waits for in its layers, what it sends on, and how it shares parameters."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cluster_sim.collectives import Groups
from cluster_sim.tables import CP, DP, EP, NONE, PP, TP, Array
from cluster_sim.workload.popularity import token_matrix
from cluster_sim.workload.program import GATHER_PHASE, PIPELINE_PHASE, REDUCE_PHASE, Program

_HALF = 2


@dataclass(frozen=True, slots=True)
class LayerCollectives:
    """What the layers of a stage exchange, as rows of the program; NONE for none.

    Attributes:
        enter, leave: into and out of tensor-parallel parts, the part that the stage waits for.
        enter_beside, leave_beside: the part that hides behind the product next to it.
        again: inputs, gathered once more for the gradients of weights.
        summed: gradients of inputs.
        context, context_back: keys and values of other context ranks, forward and backward.
        context_sum: gradients of keys and values, where they are gathered.
        to_experts, from_experts: by layer.
        expert_enter, expert_leave: among the ranks that share an expert.
    """

    enter: int
    enter_beside: int
    leave: int
    leave_beside: int
    again: int
    summed: int
    context: int
    context_back: int
    context_sum: int
    to_experts: dict[int, int]
    from_experts: dict[int, int]
    expert_enter: int
    expert_leave: int


def layer_collectives(program: Program, lane: int, domain: Array) -> LayerCollectives:
    """Those of all layers of a lane.

    Args:
        program: gets them.
        lane: which.
        domain: int32[endpoints], scale-up domain of each.
    """
    job, p = program.job, program.job.parallelism
    size_bytes = float(job.micro_batch * job.model.sequence / p.context * job.model.hidden * _HALF)
    groups = Groups(p.tensor_groups(program.stage_of(lane), program.data_of(lane)), domain)

    def add(name: str, operation: str, share: float) -> int:
        if not share:
            return NONE
        return program.add(f"tp {name}", TP, operation, lane, groups, size_bytes * share, PIPELINE_PHASE)

    enter, leave = ("all-gather", "all_gather"), ("reduce-scatter", "reduce_scatter")
    if not p.sequence:
        leave = ("all-reduce", "all_reduce")
    hidden, gathers = p.overlap_tensor_ratio, float(p.sequence)
    context, context_back, context_sum = _context(program, lane, domain)
    to_experts, from_experts, expert_enter, expert_leave = _experts(program, lane, domain, size_bytes / p.tensor)
    return LayerCollectives(
        enter=add(*enter, gathers * (1 - hidden)), enter_beside=add(*enter, gathers * hidden),
        leave=add(*leave, 1 - hidden), leave_beside=add(*leave, hidden), again=add(*enter, gathers),
        summed=add(*leave, 1.0), context=context, context_back=context_back, context_sum=context_sum,
        to_experts=to_experts, from_experts=from_experts, expert_enter=expert_enter, expert_leave=expert_leave,
    )  # fmt: skip


def _context(program: Program, lane: int, domain: Array) -> tuple[int, int, int]:
    """Keys and values once forward; backward again, and their gradients on the way back."""
    job, p, m = program.job, program.job.parallelism, program.job.model
    groups = Groups(p.context_groups(program.stage_of(lane), program.data_of(lane)), domain)
    size_bytes = job.micro_batch * m.sequence * (m.key_width + m.value_width) / p.tensor * _HALF
    is_ring = p.context_exchange == "ring"

    def add(name: str, operation: str, times: float) -> int:
        return program.add(f"cp {name}", CP, operation, lane, groups, size_bytes * times, PIPELINE_PHASE)

    forward = add("keys and values", "all_gather", 1.0)
    if is_ring:
        return forward, add("keys, values and gradients", "all_gather", 2.0), NONE
    return forward, forward, add("gradients of keys and values", "reduce_scatter", 1.0)


def _experts(
    program: Program, lane: int, domain: Array, tokens_bytes: float
) -> tuple[dict[int, int], dict[int, int], int, int]:
    """(to the experts, back from them) by layer, one for all where experts are equally popular; and inside experts."""
    job, p, experts = program.job, program.job.parallelism, program.job.model.experts
    if not experts:
        return {}, {}, NONE, NONE
    chunks, stage, data = range(p.virtual_stages), program.stage_of(lane), program.data_of(lane)
    layers = [n for chunk in chunks for n in program.layout.layers(stage, chunk)]
    if job.model.mtp_layers and any(program.layout.has_output(stage, chunk) for chunk in chunks):
        layers.append(job.model.layers - 1)  # layers for further tokens are like the last one
    layers = [layer for layer in dict.fromkeys(layers) if job.model.has_experts(layer)]
    groups = Groups(p.expert_groups(stage, data), domain)
    sharing = Groups(p.expert_tensor_groups(stage, data), domain)
    sent_bytes = tokens_bytes * _num_copies(program, groups)
    whole_bytes = sent_bytes * p.expert_tensor
    inside = (
        program.add("ep all-gather", EP, "all_gather", lane, sharing, whole_bytes, PIPELINE_PHASE),
        program.add("ep reduce-scatter", EP, "reduce_scatter", lane, sharing, whole_bytes, PIPELINE_PHASE),
    )
    if p.expert == 1 or not experts.popularity:
        both = program.add("ep all-to-all", EP, "all_to_all", lane, groups, sent_bytes, PIPELINE_PHASE)
        return dict.fromkeys(layers, both), dict.fromkeys(layers, both), *inside
    there, back = {}, {}
    for layer in layers:
        matrix = token_matrix(experts, p.expert, program.seed, layer)
        there[layer] = program.add_tokens("ep dispatch", lane, groups, matrix, sent_bytes, layer)
        back[layer] = program.add_tokens("ep combine", lane, groups, matrix.T, sent_bytes, layer)
    return there, back, *inside


def _num_copies(program: Program, groups: Groups) -> float:
    """Copies of a token that are sent, on average.

    To each domain once, where tokens are passed on inside: with k experts drawn from d domains, a domain gets none with
    (1 - 1/d)**k.
    """
    experts = program.job.model.experts
    assert experts is not None, "the caller has looked"
    domains = groups.num_domains
    if program.job.parallelism.dispatch == "each_expert" or domains == 1:
        return float(experts.per_token)
    return domains * (1 - (1 - 1 / domains) ** experts.per_token)


def send_activations(program: Program, domain: Array) -> None:
    """From each virtual stage to the next one, and gradients to the one before.

    Every tensor rank sends its share, whether or not the layers are split along the sequence [Narayanan et al. 2021,
    sec. 4.1, scatter/gather].
    """
    job, p = program.job, program.job.parallelism
    size_bytes = job.micro_batch * job.model.sequence * job.model.hidden * _HALF / (p.tensor * p.context)
    hops = [
        hop
        for way in program.schedule.ways(p.pipeline, p.virtual_stages)
        for (stage, _), (after, _) in pairwise(way)
        for hop in ((stage, after, 0), (after, stage, 1))
    ]
    for first in range(0, program.num_lanes, p.pipeline):
        for src, dst, is_backward in dict.fromkeys(hops):
            name = f"pp {'backward' if is_backward else 'forward'} to {dst}"
            groups = Groups(p.pairs(src, dst, program.data_of(first)), domain)
            program.sends[first + src, first + dst, is_backward] = program.add(
                name, PP, "point_to_point", first + src, groups, size_bytes, PIPELINE_PHASE
            )


@dataclass(frozen=True, slots=True)
class Bucket:
    """Parameters that are shared among replicas together, of one rank: dense ones and those of experts."""

    dense: float
    experts: float


class Replication:
    """How the replicas of a stage share parameters and gradients.

    Args:
        program: gets the collectives.
        stage: which.
        domain: int32[endpoints], scale-up domain of each.
    """

    def __init__(self, program: Program, stage: int, domain: Array) -> None:
        self.program, self.stage, self.domain = program, stage, domain
        p = program.job.parallelism
        self.parallel, self.num = p, 0
        dense, experts = p.data_groups(stage), p.expert_data_groups(stage)
        shards = p.num_shards if p.sharding == "hsdp" else (dense.shape[1], experts.shape[1])
        self._shards = [_blocks(ranks, shard) for ranks, shard in zip((dense, experts), shards, strict=True)]
        self._replicas = [_across(ranks, shard) for ranks, shard in zip((dense, experts), shards, strict=True)]

    def reduce(self, label: str, bucket: Bucket) -> list[int]:
        """Rows that make gradients complete where the optimiser needs them."""
        phase = PIPELINE_PHASE if self.parallel.shards_gradients else REDUCE_PHASE
        scatters = self.parallel.sharding != "none"
        operation, what = ("reduce_scatter", "reduce-scatter") if scatters else ("all_reduce", "all-reduce")
        size = self.program.job.gradient_bytes
        beside = self.parallel.overlap_gradients
        rows = self._rows(f"dp {what}", operation, label, bucket, size, self._shards, phase, beside)
        if self.parallel.sharding == "hsdp":
            shards = self.parallel.num_shards
            part = Bucket(bucket.dense / shards[0], bucket.experts / shards[1])
            rows += self._rows("dp all-reduce", "all_reduce", label, part, size, self._replicas, phase, beside)
        return rows

    def gather(self, label: str, bucket: Bucket) -> list[int]:
        """Rows that give every rank the parameters of a bucket, in 16 bit; none where all have them."""
        if self.parallel.sharding == "none":
            return []
        phase = PIPELINE_PHASE if self.parallel.shards_parameters else GATHER_PHASE
        beside = self.parallel.gathers_ahead
        return self._rows("dp all-gather", "all_gather", label, bucket, _HALF, self._shards, phase, beside)

    def _rows(
        self, name: str, operation: str, label: str, bucket: Bucket, bytes_each: float, ranks: Iterable[Array],
        phase: int, is_beside: bool,
    ) -> list[int]:  # fmt: skip
        rows = []
        for of, parameters, groups in zip(("dense", "expert"), (bucket.dense, bucket.experts), ranks, strict=True):
            if parameters:
                full, among = f"{name} of {of} {label}", Groups(groups, self.domain)
                size_bytes = parameters * bytes_each
                rows.append(self.program.add(full, DP, operation, self.stage, among, size_bytes, phase, is_beside))
        return [row for row in rows if row != NONE]


def _blocks(ranks: Array, size: int) -> Array:
    """int32[G * n / size, size]: each group in runs of ``size`` neighbours."""
    return np.ascontiguousarray(ranks).reshape(-1, size)


def _across(ranks: Array, size: int) -> Array:
    """int32[G * size, n / size]: who has the same place in its run."""
    runs = ranks.reshape(len(ranks), -1, size)
    return np.ascontiguousarray(runs.transpose(0, 2, 1)).reshape(-1, runs.shape[1])
