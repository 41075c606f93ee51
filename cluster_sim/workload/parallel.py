"""How a model is split over accelerators, and which accelerator gets which part."""

from math import lcm
from typing import Any, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from cluster_sim.core import Problem, Ratio, Spec, raise_problems
from cluster_sim.tables import Array

Dimension = Literal["tensor", "context", "data", "pipeline"]
Placed = Literal["tensor", "context", "data", "pipeline", "auto"]
Sharding = Literal["none", "zero1", "zero2", "zero3", "fsdp", "hsdp"]
#: From neighbours to the farthest, as Megatron-Core places them.
DIMENSIONS: tuple[Dimension, ...] = ("tensor", "context", "data", "pipeline")
_AUTO: tuple[Placed, ...] = ("auto",)


class Parallelism(Spec):
    """Degrees of parallelism. Expert parallelism divides all ranks of a stage, as Megatron-Core does.

    Attributes:
        tensor, context, pipeline, data, expert, expert_tensor: degrees. ``expert`` x ``expert_tensor`` divides
            tensor x context x data; an expert is split over ``expert_tensor`` ranks.
        virtual_stages: chunks of layers that each pipeline stage holds; more than 1 interleaves.
        edges_are_layers: embedding and output layer count as a layer each when layers are dealt to stages.
        sequence: sequence parallelism (norms and dropout split over the tensor ranks) [Korthikanti et al. 2022].
        context_exchange: how context ranks see each other's keys and values: passed on around a ``ring`` behind the
            attention of what came before, or by ``all_gather`` ahead of it.
        sharding: of what data ranks hold alike (context ranks count as data ranks there): ``none``; ``zero1`` the
            optimiser; ``zero2`` also gradients; ``zero3`` and ``fsdp`` also parameters; ``hsdp`` as ``fsdp`` over
            ``shard`` ranks, with replicas of these.
        shard: ranks over which ``hsdp`` shards.
        overlap_gradients: reduce gradients layer by layer behind the backward pass.
        overlap_parameters: gather parameters layer by layer ahead of where they are needed, not all before the first
            pass, or right before the layer where they are sharded; None: only where they are sharded.
        bucket_parameters: parameters of a rank that are reduced, and gathered, together at least; 0: layer by layer.
        overlap_tensor_ratio: share of the tensor-parallel communication around products that is hidden behind them.
        overlap_tensor_gradients: gradients of inputs are summed over tensor ranks beside the gradients of weights.
        dispatch: a token is sent to ``each_expert`` of its own, or ``each_domain`` once, and passed on inside.
        overlap_experts: dispatch and combine run behind what does not need them: weight gradients and shared experts.
        order: dimensions from the one whose neighbours are next to each other to the one that strides farthest;
            ``auto`` for what ``placement`` proposes.
        domain: accelerators of a scale-up domain, for ``auto``; 0: those of the job's accelerator in the catalogue.
    """

    tensor: int = Field(1, ge=1)
    context: int = Field(1, ge=1)
    pipeline: int = Field(1, ge=1)
    data: int = Field(1, ge=1)
    expert: int = Field(1, ge=1)
    expert_tensor: int = Field(1, ge=1)
    virtual_stages: int = Field(1, ge=1)
    edges_are_layers: bool = False
    sequence: bool = True
    context_exchange: Literal["ring", "all_gather"] = "ring"
    sharding: Sharding = "zero1"
    shard: int = Field(1, ge=1)
    overlap_gradients: bool = True
    overlap_parameters: bool | None = None
    bucket_parameters: int = Field(40_000_000, ge=0)
    overlap_tensor_ratio: Ratio = Field(0.0, ge=0, le=1)
    overlap_tensor_gradients: bool = True
    dispatch: Literal["each_expert", "each_domain"] = "each_expert"
    overlap_experts: bool = False
    order: tuple[Placed, ...] = DIMENSIONS
    domain: int = Field(0, ge=0)

    @field_validator("order", mode="before")
    @classmethod
    def _auto_is_a_word(cls, order: Any) -> Any:
        return _AUTO if order == "auto" else order

    @model_validator(mode="after")
    def _divides(self) -> "Parallelism":
        wanted, stage = ", ".join(DIMENSIONS), f"{self.tensor} x {self.context} x {self.data}"
        problems: list[Problem] = []
        if self.order != _AUTO and sorted(self.order) != sorted(DIMENSIONS):
            problems.append((("order",), f"expected {wanted} once each, or auto, got {', '.join(self.order)}"))
        is_even = self.num_stage_ranks % (self.expert * self.expert_tensor) == 0
        if not is_even:
            what = f"{self.expert} x expert_tensor {self.expert_tensor}" if self.expert_tensor > 1 else f"{self.expert}"
            problems.append((("expert",), f"{what} does not divide the {stage} tensor, context and data ranks of a "
                             "stage; change a degree"))  # fmt: skip
        if self.sharding == "hsdp" and (self.shard == 1 or self.num_replicas % self.shard):
            problems.append((("shard",), f"{self.shard} is no way to share {self.num_replicas} data and context ranks; "
                             "give a divisor above 1"))  # fmt: skip
        elif self.sharding == "hsdp" and is_even and self.expert_data % self.num_shards[1]:
            problems.append((("shard",), f"{self.shard} is no way to share the {self.expert_data} replicas of each "
                             "expert; give a divisor of both numbers of replicas, or change expert"))  # fmt: skip
        if self.domain and self.order != _AUTO:
            problems.append((("domain",), "is given, but order is not auto; change one of them"))
        if self.sharding != "hsdp" and self.shard > 1:
            problems.append((("shard",), "is given, but sharding is not hsdp; change one of them"))
        raise_problems("Parallelism", problems)
        return self

    # --- numbers

    @property
    def num_stage_ranks(self) -> int:
        """Accelerators of a pipeline stage."""
        return self.tensor * self.context * self.data

    @property
    def num_ranks(self) -> int:
        """Accelerators."""
        return self.num_stage_ranks * self.pipeline

    @property
    def num_replicas(self) -> int:
        """Ranks that hold the same dense parameters: data and context ranks."""
        return self.data * self.context

    @property
    def expert_data(self) -> int:
        """Replicas of each expert."""
        return self.num_stage_ranks // (self.expert * self.expert_tensor)

    @property
    def shards_parameters(self) -> bool:
        """Whether ranks hold only a shard of the parameters and gather them for each pass."""
        return self.sharding in ("zero3", "fsdp", "hsdp")

    @property
    def shards_gradients(self) -> bool:
        """Whether gradients are reduced to shards after every microbatch."""
        return self.sharding == "zero2" or self.shards_parameters

    @property
    def gathers_ahead(self) -> bool:
        """Whether parameters are gathered ahead of where they are needed."""
        return self.shards_parameters if self.overlap_parameters is None else self.overlap_parameters

    @property
    def num_shards(self) -> tuple[int, int]:
        """Ranks that share one copy of the optimiser's state: of dense parameters, of experts."""
        if self.sharding == "none":
            return 1, 1
        if self.sharding == "hsdp":
            return self.shard, min(self.shard, self.expert_data)
        return self.num_replicas, self.expert_data

    @property
    def unit(self) -> int:
        """Neighbouring data ranks, as few as share no experts with others."""
        one = self.tensor * self.context
        return lcm(one, self.expert * self.expert_tensor) // one

    @property
    def is_placed_by_size(self) -> bool:
        """Whether the order is left to ``placement``."""
        return self.order == _AUTO

    @property
    def placement(self) -> tuple[tuple[Dimension, ...], str]:
        """(the order of the dimensions, why): as given, or from the degrees and the size of a domain.

        Tensor ranks talk in every product and context ranks in every attention, so they sit closest; what pipeline
        stages send is least, so they are farthest apart. But where groups of tensor and context ranks do not fill
        domains evenly, some straddle two. With data ranks next to each other every stage has such a group, and all
        wait for it; with stages next to each other, as many as fill domains evenly, the same few stages have them all.
        """
        if not self.is_placed_by_size:
            return tuple(dimension for dimension in self.order if dimension != "auto"), "as given"
        inside, domain = self.tensor * self.context, self.domain
        near = f"tensor {self.tensor} x context {self.context} closest"
        if not domain or domain % inside == 0 or inside % domain == 0:
            return DIMENSIONS, f"{near}, whole in domains of {domain}; then data; pipeline, which sends least, farthest"
        if inside * self.pipeline % domain == 0:
            why = (
                f"{near} straddles domains of {domain}; with pipeline {self.pipeline} next, only in the same few stages"
            )
            return ("tensor", "context", "pipeline", "data"), why
        return DIMENSIONS, f"{near} straddles domains of {domain} in any order; then data; pipeline farthest"

    # --- groups; those of some data ranks only, where ``data``, int64[...], is given: whole units

    def stage_ranks(self, stage: int, data: Array | None = None) -> Array:
        """int32[data, context, tensor]: the accelerators of a pipeline stage."""
        sizes = {name: getattr(self, name) for name in DIMENSIONS}
        stride, strides = 1, {}
        for dimension in self.placement[0]:
            strides[dimension] = stride
            stride *= sizes[dimension]
        places = [np.arange(self.data) if data is None else data, np.arange(self.context), np.arange(self.tensor)]
        names: tuple[Dimension, ...] = ("data", "context", "tensor")
        grids = np.ix_(*(place * strides[name] for place, name in zip(places, names, strict=True)))
        return np.asarray(grids[0] + grids[1] + grids[2] + stage * strides["pipeline"], dtype=np.int32)

    def tensor_groups(self, stage: int, data: Array | None = None) -> Array:
        """int32[data * context, tensor]."""
        return self.stage_ranks(stage, data).reshape(-1, self.tensor)

    def context_groups(self, stage: int, data: Array | None = None) -> Array:
        """int32[data * tensor, context]."""
        return np.ascontiguousarray(self.stage_ranks(stage, data).transpose(0, 2, 1)).reshape(-1, self.context)

    def data_groups(self, stage: int) -> Array:
        """int32[tensor, data * context]: who holds the same dense parameters; context ranks are neighbours."""
        return np.ascontiguousarray(self.tensor_groups(stage).T)

    def expert_tensor_groups(self, stage: int, data: Array | None = None) -> Array:
        """int32[expert_data * expert, expert_tensor]: who shares each expert; runs of tensor, context, data ranks."""
        return self.stage_ranks(stage, data).reshape(-1, self.expert_tensor)

    def expert_groups(self, stage: int, data: Array | None = None) -> Array:
        """int32[expert_data * expert_tensor, expert]."""
        ranks = self.stage_ranks(stage, data).reshape(-1, self.expert, self.expert_tensor)
        return np.ascontiguousarray(ranks.transpose(0, 2, 1)).reshape(-1, self.expert)

    def expert_data_groups(self, stage: int) -> Array:
        """int32[expert * expert_tensor, expert_data]: who holds the same part of the same experts."""
        ranks = self.stage_ranks(stage).reshape(self.expert_data, self.expert * self.expert_tensor)
        return np.ascontiguousarray(ranks.T)

    def pairs(self, src_stage: int, dst_stage: int, data: Array | None = None) -> Array:
        """int32[data * context * tensor, 2]: who sends activations to whom."""
        return np.stack([self.stage_ranks(stage, data).ravel() for stage in (src_stage, dst_stage)], axis=1)
