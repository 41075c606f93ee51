"""The collectives of a stage: what it waits for in its layers, what it sends on, and how it shares parameters."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from cluster_sim.collectives import Groups
from cluster_sim.tables import DP, NONE, PP, Array
from cluster_sim.workload.buckets import Bucket
from cluster_sim.workload.exchanges import Exchange, LayerCollectives, activation_bytes, exchanges
from cluster_sim.workload.popularity import token_matrix
from cluster_sim.workload.program import GATHER_PHASE, PIPELINE_PHASE, REDUCE_PHASE, Program

_HALF = 2


def layer_collectives(program: Program, lane: int, domain: Array) -> LayerCollectives:
    """Those of all layers of a lane.

    Args:
        program: gets them.
        lane: which.
        domain: int32[endpoints], scale-up domain of each.
    """
    p, place = program.job.parallelism, (program.stage_of(lane), program.data_of(lane))
    ranks = {
        "tensor": p.tensor_groups(*place), "context": p.context_groups(*place), "expert": p.expert_groups(*place),
        "expert_tensor": p.expert_tensor_groups(*place),
    }  # fmt: skip
    groups = {name: Groups(of, domain) for name, of in ranks.items()}
    found = exchanges(program.job, groups["expert"].num_domains)

    def add(one: Exchange) -> int:
        among, amount = groups[one.among], one.size_bytes
        return program.add(one.name, one.kind, one.operation, lane, among, amount, PIPELINE_PHASE, one.is_beside)

    rows = {name: add(one) for name, one in found.items() if name != "tokens"}
    rows.setdefault("context_back", rows["context"])
    layers, experts = _layers_with_experts(program, lane), program.job.model.experts
    if experts and experts.popularity and p.expert > 1:
        there, back = _uneven(program, lane, groups["expert"], found["tokens"].size_bytes, layers)
    else:
        there = back = dict.fromkeys(layers, add(found["tokens"]) if experts else NONE)
    return LayerCollectives(there, back, **rows)


def _layers_with_experts(program: Program, lane: int) -> list[int]:
    """Of a lane, each once; layers for further tokens are like the last one."""
    model, layout, stage = program.job.model, program.layout, program.stage_of(lane)
    chunks = layout.chunks(stage)
    layers = [layer for chunk in chunks for layer in layout.layers(stage, chunk)]
    if model.mtp_layers and any(layout.has_output(stage, chunk) for chunk in chunks):
        layers.append(model.layers - 1)
    return [layer for layer in dict.fromkeys(layers) if model.has_experts(layer)]


def _uneven(
    program: Program, lane: int, groups: Groups, sent_bytes: float, layers: Iterable[int]
) -> tuple[dict[int, int], dict[int, int]]:
    """(to the experts, back from them) by layer, where some experts are more popular than others."""
    experts, there, back = program.job.model.experts, dict[int, int](), dict[int, int]()
    assert experts is not None, "the caller has looked"
    for layer in layers:
        matrix = token_matrix(experts, program.job.parallelism.expert, program.seed, layer)
        there[layer] = program.add_tokens("ep dispatch", lane, groups, matrix, sent_bytes, layer)
        back[layer] = program.add_tokens("ep combine", lane, groups, matrix.T, sent_bytes, layer)
    return there, back


def send_activations(program: Program, domain: Array) -> None:
    """From each virtual stage to the next one, and gradients to the one before."""
    p, size_bytes = program.job.parallelism, activation_bytes(program.job)
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
            part = bucket.shard(self.parallel.num_shards)
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
