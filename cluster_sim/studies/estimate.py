"""The step time of a split in closed form: a roofline, an alpha-beta model of collectives, and a schedule's bubble.

For choosing what to simulate, not in place of it: stages other than the busiest one count by their sum, transfers of
different kinds never meet, and no link is shared beyond the ranks' own. Collectives of each kind take what
``algorithms: auto`` expects of them.
"""

from dataclasses import dataclass
from functools import cached_property
from math import ceil

import numpy as np

from cluster_sim.studies.estimate_costs import CollectiveCosts, TypicalRanks
from cluster_sim.tables import Array, Fabric
from cluster_sim.workload import (
    BACKWARD,
    FORWARD,
    INPUT,
    PASS_PARTS,
    SCHEDULES,
    WEIGHT,
    Job,
    LayerTimes,
    Roofline,
    Split,
    activation_bytes,
    beside,
    input_bucket,
    layer_bucket,
    output_bucket,
    unchecked_job_with,
)

#: What an estimate consists of, as in ``engine.step_parts``.
ESTIMATE_PARTS = ("compute", "tp", "cp", "ep", "pp", "dp", "bubble", "optimizer")
_HALF = 2
_HALVED = ("zb-h1", "dualpipe")


@dataclass(frozen=True, slots=True)
class _Passes:
    """Times of the passes of all stages for one microbatch: float64[stages, 4], by PASS_PARTS, all chunks together.

    ``input`` and ``weight`` are the halves of ``backward`` where the schedule tells them apart, otherwise empty.
    """

    forward: Array
    backward: Array
    input: Array
    weight: Array

    @property
    def both_s(self) -> Array:
        """float64[stages]: forward and backward."""
        return np.asarray((self.forward + self.backward).sum(axis=1))


@dataclass(frozen=True, slots=True)
class _Content:
    """What the stages of a pipeline hold.

    Attributes:
        counts: float64[stages, kinds]: layers of each kind of which a microbatch goes through, chunks together.
        first, last: stages with the input embedding, with the output layer.
        share: of what a stage holds that a microbatch goes through: 1/2 where two ways have a copy each.
        chunks: of a stage.
    """

    counts: Array
    first: tuple[int, ...]
    last: tuple[int, ...]
    share: float
    chunks: int


class Estimator:
    """Estimates splits of one job on one fabric; what splits have in common is worked out once.

    Args:
        job: its own split does not count.
        fabric: one group of ranks of each kind stands for all.
    """

    def __init__(self, job: Job, fabric: Fabric) -> None:
        self.job, self.model, self.fabric = job, job.model, fabric
        self.costs, self.slowdown = CollectiveCosts(job, fabric), job.compute_slowdown_ratio
        kinds = [(self.model.has_experts(layer), self.model.attended(layer)) for layer in range(self.model.layers)]
        self.kinds = {kind: kinds.index(kind) for kind in dict.fromkeys(kinds)}  # with a layer that is of it
        self.kind_of = np.eye(len(self.kinds))[[list(self.kinds).index(kind) for kind in kinds]]
        self._ranks: dict[tuple[int, ...], TypicalRanks] = {}
        self._contents: dict[tuple[object, ...], _Content] = {}
        self._layers: dict[tuple[object, ...], dict[int, Array]] = {}

    def parts(self, split: Split) -> dict[str, float]:
        """Seconds of a step, by ESTIMATE_PARTS.

        Raises:
            InputError: a collective cannot run as the job asks.
        """
        return _One(self, split).parts()

    # --- what is shared

    def content(self, job: Job, split: Split) -> _Content:
        """Which layers the stages hold."""
        schedule = SCHEDULES[split.schedule]
        key = (split.pipeline, split.virtual_stages, schedule.is_two_way)
        if key not in self._contents:
            layout, counts = job.layout, np.zeros((split.pipeline, len(self.kinds)))
            share = 0.5 if schedule.is_two_way else 1.0
            for (stage, _), layers in layout.ranges.items():
                counts[stage] += share * self.kind_of[layers.start : layers.stop].sum(axis=0)
            first, last = (tuple(sorted(stage for stage, _ in ends)) for ends in (layout.inputs, layout.outputs))
            self._contents[key] = _Content(counts, first, last, share, split.virtual_stages)
        return self._contents[key]

    def layers(self, job: Job, split: Split) -> dict[int, Array]:
        """float64[kinds + 2, 4] for each kind of pass: layers of each kind, output layer, input embedding."""
        halved = split.schedule in _HALVED
        key: tuple[object, ...] = (
            split.tensor,
            split.context,
            split.expert,
            split.expert_tensor,
            split.micro_batch,
            split.recompute,
            halved,
        )
        if self._depends_on_strides:
            key = (*key, split.pipeline, split.data)
        if key not in self._layers:
            ranks = self.ranks(job)
            num_domains = self.num_domains(ranks["expert"])
            times = LayerTimes(
                job, lambda operation, of, size: self.costs.seconds(operation, ranks[of], size), num_domains
            )
            every = (FORWARD, BACKWARD, *((INPUT, WEIGHT) if halved else ()))
            self._layers[key] = {kind: self._table(job, times, kind) for kind in every}
        return self._layers[key]

    def _table(self, job: Job, times: LayerTimes, kind: int) -> Array:
        rows = [times.layer(layer, kind) for layer in self.kinds.values()]
        if job.recompute == "full" and kind in (BACKWARD, INPUT):
            rows = [row + times.layer(layer, FORWARD) for row, layer in zip(rows, self.kinds.values(), strict=True)]
        return np.stack([*rows, times.output(kind), times.input(kind)])

    @cached_property
    def _depends_on_strides(self) -> bool:
        """Whether ranks of a layer's collectives lie elsewhere when only pipeline or data degrees change."""
        return self.job.parallelism.order != ("tensor", "context", "data", "pipeline")

    def num_domains(self, ranks: Array) -> int:
        """Scale-up domains over which int32[n] ranks lie."""
        return len(np.unique(self.fabric.endpoint_domain[ranks]))

    def optimizer_s(self, parameters: float) -> float:
        """The optimiser's step on the parameters of a rank, and what a step takes besides."""
        return self._roofline.optimizer_s(parameters) + self._roofline.step_s

    @cached_property
    def _roofline(self) -> Roofline:
        return self.job.roofline()

    def ranks(self, job: Job) -> dict[str, Array]:
        """int32[n] each: ranks that exchange something, by what."""
        p = job.parallelism
        key = (p.tensor, p.context, p.data, p.pipeline)
        if key not in self._ranks:
            self._ranks[key] = TypicalRanks(job, self.fabric.endpoint_domain)
        first, split = self._ranks[key], (p.expert, p.expert_tensor)
        return {
            "tensor": first.tensor, "context": first.context, "data": first.data, "next stage": first.next_stage,
            "last stage": first.last_stage, "expert_tensor": first.expert_tensor(p.expert_tensor),
            "expert": first.expert(*split), "expert_data": first.expert_data(*split),
        }  # fmt: skip


class _One:
    """The estimate of one split."""

    def __init__(self, shared: Estimator, split: Split) -> None:
        self.shared, self.split = shared, split
        self.job = unchecked_job_with(shared.job, split)
        self.model, self.p = self.job.model, self.job.parallelism
        self.num, self.content = self.job.num_microbatches, shared.content(self.job, split)
        self.ranks, self.passes = shared.ranks(self.job), self._passes()

    def parts(self) -> dict[str, float]:
        """Seconds by ESTIMATE_PARTS."""
        both_s = self.passes.both_s
        busiest = int(np.argmax(both_s))
        work = self.num * (self.passes.forward + self.passes.backward)[busiest]
        found = dict(zip(PASS_PARTS, work.tolist(), strict=True))
        if SCHEDULES[self.split.schedule].is_two_way:
            self._hide(found)
        found["bubble"] = self._bubble_s(busiest)
        found["pp"] = self._send_s(busiest)
        found["dp"] = self._gather_s() + self._reduce_s() + self._unsharded_s(busiest) + self._tie_s()
        found["optimizer"] = self._optimizer_s()
        return {name: found[name] for name in ESTIMATE_PARTS}

    # --- passes

    def _passes(self) -> _Passes:
        tables = self.shared.layers(self.job, self.split)
        found = {kind: self._of_stages(table) for kind, table in tables.items()}
        nothing = np.zeros((0, len(PASS_PARTS)))
        return _Passes(found[FORWARD], found[BACKWARD], found.get(INPUT, nothing), found.get(WEIGHT, nothing))

    def _of_stages(self, table: Array) -> Array:
        """float64[stages, 4] from a table of layers, output layer and input embedding."""
        content, edge = self.content, self.content.share
        found = content.counts @ table[:-2]
        for stage in content.last:
            found[stage] += edge * table[-2]
        for stage in content.first:
            found[stage] += edge * table[-1]
        return np.asarray(found)

    def _hide(self, found: dict[str, float]) -> None:
        """Passes that run together: each computes while the other communicates, but for what is part of the compute.

        In the middle of the pipeline so are all but those of p+1 microbatches.
        """
        hidden = ["tp", "cp", "ep"]
        if self.job.algorithms.fuse == "tensor" and self.shared.num_domains(self.ranks["tensor"]) == 1:
            hidden.remove("tp")
        sent_s = sum(found[name] for name in hidden)
        joined = max(0.0, 1 - (self.split.pipeline + 1) / self.num)
        left = 1 - joined * min(found["compute"] / sent_s, 1.0) if sent_s else 0.0
        for name in hidden:
            found[name] *= left

    # --- pipeline

    def _bubble_s(self, busiest: int) -> float:
        """What the others take for the first microbatch and the last one, less what a schedule fills."""
        both_s = self.passes.both_s
        others_s = float(both_s.sum() - both_s[busiest])
        if self.split.schedule == "zb-h1":
            f, i, w = (part.sum(axis=1) for part in (self.passes.forward, self.passes.input, self.passes.weight))
            longest_s = np.maximum(np.maximum(f, i), f + i - w)
            return float(longest_s.sum() - longest_s[busiest])
        if self.split.schedule == "dualpipe":
            w = self.passes.weight.sum(axis=1)
            back = self.passes.backward.sum(axis=1)
            return max(0.0, (self.split.pipeline / 2 - 1) * float((both_s + back - 3 * w).mean()))
        return others_s / self.split.virtual_stages

    def _send_s(self, busiest: int) -> float:
        """Filling and draining; in between 1F1B waits for each round trip of as many microbatches as it has ahead.

        With several chunks a round trip ends each of them while it fills and drains, and later there is time enough.
        """
        stages, both_s = self.split.pipeline, self.passes.both_s
        if stages == 1:
            return 0.0
        hop_s = self.shared.costs.seconds("point_to_point", self.ranks["next stage"], activation_bytes(self.job))
        ends_s = 2 * (stages - 1 + stages * (self.content.chunks - 1) * (self.content.share == 1.0)) * hop_s
        if self.split.schedule not in ("1f1b", "zb-h1"):
            return ends_s
        trip_s = both_s if self.split.schedule == "1f1b" else (self.passes.forward + self.passes.input).sum(axis=1)
        ahead = np.arange(stages, 0, -1)
        round_s = (np.cumsum(trip_s[::-1])[::-1] + 2 * (ahead - 1) * hop_s) / ahead
        late_s = max(0.0, float(round_s.max()) - float(both_s[busiest]))
        return ends_s + max(self.num - stages, 0) * late_s

    # --- replicas

    @cached_property
    def _held(self) -> tuple[Array, Array]:
        """float64[stages] each: dense parameters and parameters of experts of a rank."""
        model, p, content = self.model, self.p, self.content
        dense, experts = (content.counts @ of_kinds / content.share for of_kinds in self._of_kinds)
        edges = [(stage, input_bucket(model, p)) for stage in content.first]
        edges += [(stage, output_bucket(model, p, stage in content.first)) for stage in content.last]
        for stage, bucket in edges:
            dense[stage] += bucket.dense
            experts[stage] += bucket.experts
        return dense, experts

    @cached_property
    def _of_kinds(self) -> tuple[Array, Array]:
        """float64[kinds] each: dense parameters and parameters of experts of a layer on a rank."""
        buckets = [layer_bucket(self.model, self.p, layer) for layer in self.shared.kinds.values()]
        return np.array([each.dense for each in buckets]), np.array([each.experts for each in buckets])

    @cached_property
    def _num_buckets(self) -> int:
        """Of a stage, about: layers are put together until they have enough parameters."""
        dense, experts = self._held
        layers = max(float(self.content.counts.sum(axis=1).max()) / self.content.share, 1.0)
        each = float((dense + experts).max()) / layers
        per_bucket = max(1.0, ceil(self.p.bucket_parameters / each))
        return max(self.content.chunks, ceil(layers / per_bucket))

    def _shared_s(self, operation: str, bytes_each: float, dense: Array, experts: Array, num: int) -> Array:
        """float64[...]: ``num`` collectives of the replicas of dense parameters, and as many of those of experts."""
        shards = self.p.num_shards if self.p.sharding == "hsdp" else (0, 0)
        found = np.zeros_like(dense)
        for of, parameters, shard in zip(("data", "expert_data"), (dense, experts), shards, strict=True):
            ranks = self.ranks[of]
            within = ranks[:shard] if shard else ranks
            found = found + self._collective_s(operation, within, parameters * bytes_each, num)
            if shard and operation == "reduce_scatter":
                across = np.ascontiguousarray(ranks[::shard])
                found = found + self._collective_s("all_reduce", across, parameters * bytes_each / shard, num)
        return found

    def _collective_s(self, operation: str, ranks: Array, size_bytes: Array, num: int) -> Array:
        if len(ranks) == 1:
            return np.zeros_like(size_bytes)
        cost = self.shared.costs.cost(operation, ranks, float(size_bytes.max()) / max(num, 1))
        return np.where(size_bytes > 0, num * cost.latency_s + cost.s_per_byte * size_bytes, 0.0)

    def _gather_s(self) -> float:
        """Parameters that the optimiser's shards send to all before the first pass."""
        if self.p.sharding == "none" or self.p.shards_parameters:
            return 0.0
        gather_s = self._shared_s("all_gather", _HALF, *self._held, self._num_buckets)
        forward_s = self.passes.forward.sum(axis=1) / self.content.chunks
        if self.p.gathers_ahead:
            gather_s = np.maximum(gather_s / self._num_buckets, gather_s - forward_s)
        return float(np.maximum(gather_s - _before(forward_s), 0.0).max())

    def _reduce_s(self) -> float:
        """Gradients that are not there yet when the last backward pass ends."""
        if self.p.shards_gradients:
            return 0.0
        operation = "all_reduce" if self.p.sharding == "none" else "reduce_scatter"
        buckets = self._num_buckets
        reduce_s = self._shared_s(operation, self.job.gradient_bytes, *self._held, buckets)
        last_s = self.passes.backward.sum(axis=1) / self.content.chunks
        if self.p.overlap_gradients:
            chunks, in_chunk = self.content.chunks, max(buckets / self.content.chunks, 1.0)
            early_s = (chunks - 1) * self.split.pipeline * self.passes.both_s / chunks if chunks > 1 else 0.0
            hidden_s = last_s * (1 - 1 / in_chunk) + early_s
            reduce_s = np.maximum(reduce_s / max(buckets, 1), reduce_s - hidden_s)
        is_two_way = SCHEDULES[self.split.schedule].is_two_way
        ahead_s = 0.0 if is_two_way else _before(last_s)
        return float(np.maximum(reduce_s - ahead_s, 0.0).max())

    def _unsharded_s(self, busiest: int) -> float:
        """What gathering parameters for each pass, and reducing gradients after it, takes longer than the layers.

        Gathers follow one another, each ahead of its layer; so do reductions behind theirs, beside the gathers; all
        share the links.
        """
        if not self.p.shards_gradients:
            return 0.0
        counts, tables = self.content.counts[busiest], self.shared.layers(self.job, self.split)
        (gather_s, gather_wire_s), (reduce_s, reduce_wire_s) = self._shared_by_kind()
        total_s = 0.0
        for kind, beside_s in ((FORWARD, 0 * reduce_s), (BACKWARD, reduce_s)):
            work_s = tables[kind][:-2].sum(axis=1)
            for number, alone_s in enumerate(work_s.tolist()):
                slowed_s = alone_s * (1 + self.shared.slowdown)
                longest_s = max(float(gather_s[number]), min(float(beside_s[number]), slowed_s))
                total_s += float(counts[number]) * (sum(beside(alone_s, longest_s, self.shared.slowdown)) - alone_s)
        own_s = float(self.passes.both_s[busiest])
        least_s = max(float(counts @ reduce_s), float(counts @ (2 * gather_wire_s + reduce_wire_s)))
        return self.num * max(total_s, least_s - own_s) + float(gather_s.max() + reduce_s.max())

    def _shared_by_kind(self) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """(gather, reduction) of a layer of each kind: float64[kinds] seconds, and those of its bytes alone."""
        of_kinds, size = self._of_kinds, self.job.gradient_bytes
        reduce_s, wire_s = (self._shared_s("reduce_scatter", size, *of_kinds, num) for num in (1, 0))
        if not self.p.shards_parameters:
            return (0 * reduce_s, 0 * wire_s), (reduce_s, wire_s)
        gather = tuple(self._shared_s("all_gather", _HALF, *of_kinds, num) for num in (1, 0))
        return (gather[0], gather[1]), (reduce_s, wire_s)

    def _tie_s(self) -> float:
        """Gradients that two stages share: of a tied embedding; of layers that a stage and its mirror hold both."""
        if self.split.pipeline == 1:
            return 0.0
        embedding = self.model.embedding_parameters / self.p.tensor if self.model.tied_embeddings else 0.0
        copies = self._updated if SCHEDULES[self.split.schedule].is_two_way else 0.0
        sizes = (parameters * self.job.gradient_bytes for parameters in (embedding, copies) if parameters)
        return sum(self.shared.costs.seconds("all_reduce", self.ranks["last stage"], size) for size in sizes)

    def _optimizer_s(self) -> float:
        return self.shared.optimizer_s(self._updated)

    @property
    def _updated(self) -> float:
        """Parameters that a rank of the fullest stage updates."""
        dense, experts = self._held
        shards = self.p.num_shards
        return float((dense / shards[0] + experts / shards[1]).max())


def _before(seconds: Array) -> Array:
    """float64[stages]: what the stages before each one take together."""
    return np.cumsum(seconds) - seconds
