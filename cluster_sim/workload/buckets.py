"""Parameters of the parts of a model on one rank."""

from dataclasses import dataclass

from cluster_sim.workload.model import Model
from cluster_sim.workload.parallel import Parallelism


@dataclass(frozen=True, slots=True)
class Bucket:
    """Parameters of one rank: dense ones and those of experts, which other ranks hold copies of."""

    dense: float = 0.0
    experts: float = 0.0

    def __add__(self, other: "Bucket") -> "Bucket":
        """Both together."""
        return Bucket(self.dense + other.dense, self.experts + other.experts)

    def shard(self, shards: tuple[int, int]) -> "Bucket":
        """One of so many equal parts of either kind."""
        return Bucket(self.dense / shards[0], self.experts / shards[1])

    @property
    def total(self) -> float:
        """Of both kinds."""
        return self.dense + self.experts


def layer_bucket(model: Model, parallel: Parallelism, layer: int) -> Bucket:
    """Of a layer, counted from 0."""
    experts = model.expert_parameters_of(layer) / (parallel.expert * parallel.expert_tensor)
    return Bucket(model.dense_parameters_of(layer) / parallel.tensor, experts)


def input_bucket(model: Model, parallel: Parallelism) -> Bucket:
    """Of the input embedding."""
    return Bucket(model.embedding_parameters / parallel.tensor)


def output_bucket(model: Model, parallel: Parallelism, has_input: bool) -> Bucket:
    """Of the output layer, with the layers for further tokens and what joins them to it.

    Args:
        model: the transformer.
        parallel: how it is split.
        has_input: whether the input embedding is there, too: tied ones are there once.
    """
    bucket = Bucket() if model.tied_embeddings and has_input else input_bucket(model, parallel)
    further = layer_bucket(model, parallel, model.layers - 1) + Bucket(2 * model.hidden**2 / parallel.tensor)
    for _ in range(model.mtp_layers):
        bucket += further
    return bucket
