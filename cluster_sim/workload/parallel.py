"""How a model is split over accelerators, and which accelerator gets which part."""

from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from cluster_sim.core import Spec
from cluster_sim.tables import Array

Dimension = Literal["tensor", "data", "pipeline"]


class Parallelism(Spec):
    """Degrees of parallelism. Expert parallelism divides the tensor and data ranks of a stage, as Megatron-Core does.

    Attributes:
        tensor, pipeline, data, expert: degrees.
        virtual_stages: chunks of layers that each pipeline stage holds; more than 1 interleaves.
        sequence: sequence parallelism (norms and dropout split over the tensor ranks) [Korthikanti et al. 2022].
        sharding: ``zero1`` shards the optimiser over data ranks, ``none`` replicates it.
        overlap_gradients: reduce gradients layer by layer behind the backward pass of the last microbatch.
        order: dimensions from the one whose neighbours are next to each other to the one that strides farthest.
    """

    tensor: int = Field(1, ge=1)
    pipeline: int = Field(1, ge=1)
    data: int = Field(1, ge=1)
    expert: int = Field(1, ge=1)
    virtual_stages: int = Field(1, ge=1)
    sequence: bool = True
    sharding: Literal["none", "zero1"] = "zero1"
    overlap_gradients: bool = True
    order: tuple[Dimension, Dimension, Dimension] = ("tensor", "data", "pipeline")

    @model_validator(mode="after")
    def _divides(self) -> "Parallelism":
        if sorted(self.order) != ["data", "pipeline", "tensor"]:
            raise ValueError(f"order: expected tensor, data and pipeline once each, got {', '.join(self.order)}")
        if self.tensor * self.data % self.expert:
            raise ValueError(
                f"expert {self.expert} does not divide the {self.tensor} x {self.data} tensor and data ranks of a stage"
            )
        return self

    @property
    def num_ranks(self) -> int:
        """Accelerators."""
        return self.tensor * self.pipeline * self.data

    @property
    def expert_data(self) -> int:
        """Replicas of each expert."""
        return self.tensor * self.data // self.expert

    def stage_ranks(self, stage: int) -> Array:
        """int32[data, tensor]: the accelerators of a pipeline stage."""
        sizes = {"tensor": self.tensor, "data": self.data, "pipeline": self.pipeline}
        stride, strides = 1, {}
        for dimension in self.order:
            strides[dimension] = stride
            stride *= sizes[dimension]
        data, tensor = np.meshgrid(np.arange(self.data), np.arange(self.tensor), indexing="ij")
        ranks = data * strides["data"] + tensor * strides["tensor"] + stage * strides["pipeline"]
        return np.asarray(ranks, dtype=np.int32)

    def tensor_groups(self, stage: int) -> Array:
        """int32[data, tensor]."""
        return self.stage_ranks(stage)

    def data_groups(self, stage: int) -> Array:
        """int32[tensor, data]."""
        return np.ascontiguousarray(self.stage_ranks(stage).T)

    def expert_groups(self, stage: int) -> Array:
        """int32[expert_data, expert]: runs of tensor, then data ranks."""
        return self.stage_ranks(stage).reshape(-1, self.expert)

    def expert_data_groups(self, stage: int) -> Array:
        """int32[expert, expert_data]: who holds the same experts."""
        return np.ascontiguousarray(self.expert_groups(stage).T)

    def pairs(self, src_stage: int, dst_stage: int) -> Array:
        """int32[data * tensor, 2]: who sends activations to whom."""
        return np.stack([self.stage_ranks(src_stage).ravel(), self.stage_ranks(dst_stage).ravel()], axis=1)
