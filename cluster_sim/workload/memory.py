"""What the accelerators of each pipeline stage have to hold, by kind, and whether it fits.

Weights have 16 bit. Layers whose products have 8 bit keep theirs in 8 bit alone, once as they lie and once transposed,
as NVIDIA's recipes do (Megatron-Core: fp8_param_gather); with 4 bit, for which those keep 16, both casts besides. The
optimiser holds a master weight and two moments in 32 bit [Rajbhandari et al. 2020, sec. 3.1]. The context of the
driver, buffers inside NCCL, workspaces of kernels and fragmentation are not counted.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from cluster_sim.tables import Array
from cluster_sim.workload.activations import Activations
from cluster_sim.workload.operations import PRECISION_BYTES
from cluster_sim.workload.schedules import BACKWARD, FORWARD, INPUT, SCHEDULES, WEIGHT

if TYPE_CHECKING:  # a job checks itself with this
    from cluster_sim.workload.job import Job
    from cluster_sim.workload.layout import Layout

_GB = 1e9
_HALF, _OPTIMIZER = 2, 12
#: Of a weight of a layer: of a shard that is gathered to be used, and of one that is there.
_SHARD_BYTES = {name: 2 * size if 1 <= size < _HALF else _HALF for name, size in PRECISION_BYTES.items()}
_WEIGHT_BYTES = {name: _HALF + 2 * size if size < 1 else _SHARD_BYTES[name] for name, size in PRECISION_BYTES.items()}
#: Dense parameters and parameters of routed experts.
Pair = tuple[float, float]


def stages_memory_bytes(job: Job) -> tuple[dict[str, float], ...]:
    """Bytes on an accelerator of every pipeline stage, by kind.

    Kinds are ``weights``, ``gradients``, ``optimizer``, ``activations`` (at the moment of the step when they are
    most) and ``buffers``: what is gathered, sent or computed again while a layer is computed.
    """
    layout, activations = job.layout, Activations(job)
    return tuple(
        StageMemory(job, layout, activations, stage).memory_bytes() for stage in range(job.parallelism.pipeline)
    )


def fullest_stage(stages: tuple[dict[str, float], ...]) -> int:
    """The stage that holds the most; the first of several."""
    return max(range(len(stages)), key=lambda stage: (sum(stages[stage].values()), -stage))


def why_not_fitting(job: Job) -> str:
    """Empty where all stages fit; otherwise what the fullest needs, by kind, what there is and what helps."""
    stages, accelerator = stages_memory_bytes(job), job.accelerator_entry
    stage, memory = fullest_stage(stages), accelerator.memory.typical
    needed = stages[stage]
    if sum(needed.values()) <= memory:
        return ""
    parts = ", ".join(f"{kind} {amount / _GB:.1f} GB" for kind, amount in needed.items())
    where = f" on stage {stage} of {len(stages)}" if len(stages) > 1 else ""
    largest = max(needed, key=lambda kind: needed[kind])
    return (
        f"{sum(needed.values()) / _GB:.1f} GB do not fit into the {memory / _GB:.1f} GB of {accelerator.title}{where} "
        f"({parts}); largest: {largest}. {_advice(job, largest)}, or go on although memory is short with force: true"
    )


def _advice(job: Job, largest: str) -> str:
    """What makes the largest kind smaller."""
    p = job.parallelism
    if largest in ("activations", "buffers"):
        steps = {
            "none": "set recompute: full, or selective with recompute_parts, ",
            "selective": "set recompute: full, ",
            "full": "",
        }
        smaller = "lower micro_batch, " if job.micro_batch > 1 else ""
        sequence = "set sequence: true, " if p.tensor > 1 and not p.sequence else ""
        text = f"{steps[job.recompute]}{smaller}{sequence}raise tensor or context"
        return text[0].upper() + text[1:]
    degrees = "tensor, pipeline or expert" if job.model.experts else "tensor or pipeline"
    shards = {"none": "zero1", "zero1": "zero2 or fsdp", "zero2": "fsdp"}.get(p.sharding, "")
    return f"Raise {degrees}" + (f", set sharding: {shards}" if shards and p.num_replicas > 1 else "")


class StageMemory:
    """Memory of an accelerator of one pipeline stage.

    Args:
        job, layout: what is trained, and which layers each stage holds.
        activations: of the job; those of another job with equal tensor, context, micro-batch and recomputation will do.
        stage: which.
    """

    def __init__(self, job: Job, layout: Layout, activations: Activations, stage: int) -> None:
        self.job, self.stage = job, stage
        self.model, self.parallel = job.model, job.parallelism
        self.layout, self.activations = layout, activations
        self.chunks = self.layout.chunks(stage)
        self._counts: dict[int, tuple[tuple[bool, int], ...]] = {}
        self.has_input = any(self.layout.has_input(stage, chunk) for chunk in self.chunks)
        self.has_output = any(self.layout.has_output(stage, chunk) for chunk in self.chunks)

    def memory_bytes(self) -> dict[str, float]:
        """Bytes by kind."""
        return self.state_bytes() | {
            "activations": self._activation_bytes(),
            "buffers": self._gathered_bytes() + self._sent_bytes() + self._passing_bytes(),
        }

    def state_bytes(self) -> dict[str, float]:
        """Bytes that are there all the time, by kind: ``weights``, ``gradients`` and ``optimizer``."""
        p, gradient = self.parallel, self.job.gradient_bytes
        layers, edges = self._layer_parameters(), self._edge_parameters()
        held = (layers[0] + edges, layers[1])
        whole: Pair = (1, 1)
        shards, of_weight = (p.num_shards, _SHARD_BYTES) if p.shards_parameters else (whole, _WEIGHT_BYTES)
        return {
            "weights": of_weight[self.job.precision] * _shared(layers, shards) + _HALF * edges / shards[0],
            "gradients": gradient * _shared(held, p.num_shards if p.shards_gradients else whole),
            "optimizer": _OPTIMIZER * _shared(held, p.num_shards),
        }

    # --- parameters

    def _layer_parameters(self) -> Pair:
        """Of the layers of a stage, those for further tokens included."""
        dense = experts = 0.0
        for mixed in (False, True):
            count = sum(dict(self._kinds(chunk))[mixed] for chunk in self.chunks)
            of_layer = self._parameters(mixed) if count else (0.0, 0.0)
            dense, experts = dense + count * of_layer[0], experts + count * of_layer[1]
        return dense + self._num_further * 2 * self.model.hidden**2 / self.parallel.tensor, experts

    def _edge_parameters(self) -> float:
        """Of embedding and output layer; each is there once. Layers for further tokens look tokens up, too."""
        model = self.model
        looks_up = self.has_input or (self.has_output and (model.tied_embeddings or model.mtp_layers > 0))
        tables = looks_up + (self.has_output and not model.tied_embeddings)
        return tables * model.embedding_parameters / self.parallel.tensor

    def _parameters(self, mixed: bool) -> Pair:
        """Of a layer on one rank; routers and products down to a latent width are not split over tensor ranks."""
        model, p = self.model, self.parallel
        whole = model.router_parameters if mixed else 0
        if model.latent:
            whole += model.hidden * (model.latent.query_rank + model.latent.kv_rank + model.latent.rope_head)
        rest = model.shared_parameters if mixed else model.mlp_parameters
        split = model.attention_parameters + (model.router_parameters if mixed else 0) + rest - whole
        experts = model.expert_parameters if mixed else 0
        return whole + split / p.tensor, experts / (p.expert * p.expert_tensor)

    @property
    def _num_further(self) -> int:
        """Layers for further tokens of a stage."""
        return self.model.mtp_layers * sum(self.layout.has_output(self.stage, chunk) for chunk in self.chunks)

    def _kinds(self, chunk: int) -> tuple[tuple[bool, int], ...]:
        """(has experts, number of layers) of a chunk, layers for further tokens included."""
        if chunk not in self._counts:
            self._counts[chunk] = self._counted_kinds(chunk)
        return self._counts[chunk]

    def _counted_kinds(self, chunk: int) -> tuple[tuple[bool, int], ...]:
        layers = self.layout.layers(self.stage, chunk)
        mixed = self._num_mixed(layers)
        further = self.model.mtp_layers * self.layout.has_output(self.stage, chunk)
        last = self.model.has_experts(self.model.layers - 1)
        return (False, len(layers) - mixed + further * (not last)), (True, mixed + further * last)

    def _num_mixed(self, layers: range) -> int:
        """Layers with experts."""
        experts = self.model.experts
        if not experts:
            return 0
        before = [max(end - experts.first_dense, 0) // experts.every for end in (layers.start, layers.stop)]
        return before[1] - before[0]

    # --- activations

    def _activation_bytes(self) -> float:
        """At the moment of a step when they are most."""
        p = self.parallel
        held = _held_in(self.job.schedule, self.stage, p.pipeline, self.job.num_microbatches, p.virtual_stages)
        kept = [self._kept_bytes(chunk) for chunk in self.chunks]
        for_weights = [self._weight_bytes(chunk) for chunk in self.chunks]
        return float(np.max(held @ np.array(kept + for_weights)))

    def _kept_bytes(self, chunk: int) -> float:
        """Of a microbatch in a chunk, from its forward pass on."""
        repeated = self._num_repeated(chunk)
        total = 0.0
        for mixed, count in self._kinds(chunk):
            again = min(repeated[mixed], count)
            if count:
                total += again * self.activations.layer_bytes(mixed, True)
                total += (count - again) * self.activations.layer_bytes(mixed, False)
        if self.layout.has_input(self.stage, chunk):
            total += self.activations.input_bytes()
        if self.layout.has_output(self.stage, chunk):
            total += (1 + self.model.mtp_layers) * self.activations.output_bytes()
            total += self.model.mtp_layers * self.activations.join_bytes()
        return total

    def _weight_bytes(self, chunk: int) -> float:
        """Of a microbatch in a chunk, between gradients of inputs and gradients of weights."""
        total = sum(count * self.activations.weight_bytes(mixed) for mixed, count in self._kinds(chunk) if count)
        if self.layout.has_output(self.stage, chunk):
            total += (1 + self.model.mtp_layers) * self.activations.output_weight_bytes()
            total += self.model.mtp_layers * self.activations.join_weight_bytes()
        return total

    def _num_repeated(self, chunk: int) -> tuple[int, int]:
        """Layers without and with experts that are computed again: a stage's first ones, chunk after chunk."""
        kinds = dict(self._kinds(chunk))
        if self.job.recompute == "none":
            return 0, 0
        if not self.job.recompute_layers:
            return kinds[False], kinds[True]
        chosen = self.layout.first_layers(self.stage, chunk, self.job.recompute_layers)
        mixed = self._num_mixed(chosen)
        return len(chosen) - mixed, mixed

    # --- buffers

    def _gathered_bytes(self) -> float:
        """With sharding: the two largest layers whole, one computed and one gathered ahead; a layer's gradients."""
        p = self.parallel
        if not p.shards_gradients:
            return 0.0
        units = sorted(self._units(), reverse=True)
        gathered = sum(units[:2]) * _WEIGHT_BYTES[self.job.precision] if p.shards_parameters else 0.0
        return gathered + units[0] * self.job.gradient_bytes

    def _units(self) -> list[float]:
        """Parameters of what is gathered together, as far as it is shared: the two largest layers of a kind, edges."""
        counts = {mixed: sum(dict(self._kinds(chunk))[mixed] for chunk in self.chunks) for mixed in (False, True)}
        dense, experts = (shards > 1 for shards in self.parallel.num_shards)
        units = [0.0]
        for mixed, count in counts.items():
            of_layer = self._parameters(mixed)
            units += [of_layer[0] * dense + of_layer[1] * experts] * min(count, 2)
        edge = self.model.embedding_parameters / self.parallel.tensor * dense
        return units + [edge] * (self.has_input + self.has_output)

    def _sent_bytes(self) -> float:
        """Of what is sent: hidden states to and from neighbours, gathered ones of tensor ranks, keys, experts' rows."""
        p, acts = self.parallel, self.activations
        whole = acts.tokens * self.model.hidden
        total = 2 * 2 * acts.values * (p.pipeline > 1) + 2 * whole * (p.tensor > 1)
        if p.context > 1:
            total += acts.key_values * (p.context if p.context_exchange == "all_gather" else 2)
        if p.expert * p.expert_tensor > 1 and any(dict(self._kinds(chunk))[True] for chunk in self.chunks):
            total += 2 * acts.rows * self.model.hidden
        return _HALF * total

    def _passing_bytes(self) -> float:
        """The larger of a layer computed again and the logits in 16 bit: they are never there together."""
        repeated = [
            self.activations.repeated_bytes(bool(mixed))
            for chunk in self.chunks
            for mixed, count in enumerate(self._num_repeated(chunk))
            if count
        ]
        return max([*repeated, _HALF * self.activations.logits * self.has_output])


@lru_cache(maxsize=4096)
def _held_in(schedule: str, stage: int, num_stages: int, num_microbatches: int, num_chunks: int) -> Array:
    """As ``_held``, of a stage of a schedule; a search of plans asks again and again."""
    return _held(SCHEDULES[schedule].order(stage, num_stages, num_microbatches, num_chunks), num_chunks)


def _shared(parameters: Pair, shards: Pair) -> float:
    return parameters[0] / shards[0] + parameters[1] / shards[1]


def most_held(order: Array, kept: Array, for_weights: Array) -> float:
    """The most that a stage holds at a time, over the passes of a step.

    A chunk's part is held from its FORWARD until its BACKWARD or INPUT is done, then what WEIGHT needs until that is
    done. Passes that run together hold together.

    Args:
        order: int32[passes, 4], as a schedule gives it.
        kept: float64[chunks], held of a microbatch from FORWARD on.
        for_weights: float64[chunks], held between INPUT and WEIGHT.

    Returns:
        In the unit of the amounts.
    """
    return float(np.max(_held(order, len(kept)) @ np.concatenate([kept, for_weights])))


def _held(order: Array, num_chunks: int) -> Array:
    """int64[M, 2 * chunks]: microbatches that a stage holds of each chunk from FORWARD on, and from INPUT on.

    One row for each moment of a step that is like no other.
    """
    kind, chunk = order[:, 0], order[:, 1].astype(np.int64)
    moment = np.cumsum(order[:, 3] == 0) - (order[0, 3] == 0)
    taken = _counted(moment, chunk, kind == FORWARD, 2 * num_chunks)
    freed = _counted(moment, chunk, (kind == BACKWARD) | (kind == INPUT), 2 * num_chunks)
    for_weights = num_chunks + chunk
    freed -= _counted(moment, for_weights, kind == INPUT, 2 * num_chunks)
    freed += _counted(moment, for_weights, kind == WEIGHT, 2 * num_chunks)
    return np.asarray(np.unique(np.cumsum(taken - freed, axis=0) + freed, axis=0))


def _counted(moment: Array, column: Array, are_counted: Array, num_columns: int) -> Array:
    """int64[M, columns]: how many at each moment."""
    num_moments = int(moment[-1]) + 1
    place = moment[are_counted] * num_columns + column[are_counted]
    return np.bincount(place, minlength=num_moments * num_columns).reshape(num_moments, num_columns)
