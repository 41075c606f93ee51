"""Which layers each chunk of each pipeline stage holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count, takewhile

from cluster_sim.workload.model import Model
from cluster_sim.workload.parallel import Parallelism
from cluster_sim.workload.schedules import PipelineSchedule


@dataclass(frozen=True, slots=True)
class Layout:
    """The part of the model that each (stage, chunk) holds.

    Attributes:
        ranges: layers, counted from 0, of every (stage, chunk); those of a two-way schedule appear twice.
        inputs: who looks tokens up in the input embedding.
        outputs: who has the output layer, and with it the layers for further tokens (``Model.mtp_layers``).
    """

    ranges: Mapping[tuple[int, int], range]
    inputs: frozenset[tuple[int, int]]
    outputs: frozenset[tuple[int, int]]

    def layers(self, stage: int, chunk: int) -> range:
        """Layers of a chunk; empty where it holds nothing but embedding or output layer."""
        return self.ranges[stage, chunk]

    def first_layers(self, stage: int, chunk: int, most: int) -> range:
        """Layers of a chunk that are among the first ``most`` of its stage, chunk after chunk; 0: all of the chunk."""
        earlier = sum(len(self.ranges[stage, before]) for before in range(chunk))
        layers = self.ranges[stage, chunk]
        return layers[: max(most - earlier, 0)] if most else layers

    def has_input(self, stage: int, chunk: int) -> bool:
        """Whether a chunk begins with the input embedding."""
        return (stage, chunk) in self.inputs

    def has_output(self, stage: int, chunk: int) -> bool:
        """Whether a chunk ends with the output layer."""
        return (stage, chunk) in self.outputs

    def chunks(self, stage: int) -> tuple[int, ...]:
        """Chunks of a stage."""
        return tuple(takewhile(lambda chunk: (stage, chunk) in self.ranges, count()))


def layers_of(model: Model, parallel: Parallelism, schedule: PipelineSchedule) -> Layout:
    """Deal the layers to the chunks of each way through the model, in the order of the forward pass.

    They are dealt evenly. With ``edges_are_layers`` the input embedding, the output layer and each layer for further
    tokens count as a layer, and the first and the last chunk get so many layers less [Megatron-LM,
    account_for_embedding_in_pipeline_split and account_for_loss_in_pipeline_split]; what is left over when that does
    not divide goes to the second chunk and those behind it, one each.

    Raises:
        ValueError: the layers cannot be dealt; ``why_not_dealt`` says why.
    """
    if problem := why_not_dealt(model, parallel, schedule):
        raise ValueError(problem)
    ways = schedule.ways(parallel.pipeline, parallel.virtual_stages)
    ranges: dict[tuple[int, int], range] = {}
    for way in ways:
        begin = 0
        for place, size in zip(way, _sizes(model, parallel, len(way)), strict=True):
            ranges[place] = range(begin, begin + size)
            begin += size
    return Layout(ranges, frozenset(way[0] for way in ways), frozenset(way[-1] for way in ways))


def why_not_dealt(model: Model, parallel: Parallelism, schedule: PipelineSchedule) -> str:
    """Why the layers cannot be dealt to the chunks, and what to do; empty where they can."""
    num_chunks, sizes = parallel.pipeline, f"pipeline {parallel.pipeline}"
    if not schedule.is_two_way:
        num_chunks *= parallel.virtual_stages
        sizes += f" x virtual_stages {parallel.virtual_stages}"
    if not parallel.edges_are_layers:
        uneven = model.layers % num_chunks
        why = f"layers {model.layers} is not a multiple of {sizes}; change one, or set edges_are_layers: true"
        return why if uneven else ""
    dealt = model.layers + 2 + model.mtp_layers
    first, last = dealt // num_chunks, dealt // num_chunks + (dealt % num_chunks == num_chunks - 1)
    if num_chunks == 1 or (first >= 1 and last >= 1 + model.mtp_layers):
        return ""
    return (
        f"layers {model.layers} with embedding, output layer and mtp_layers {model.mtp_layers} are {dealt}, too few "
        f"for {sizes}: the last chunk has to hold at least {1 + model.mtp_layers} of them; lower pipeline or "
        "virtual_stages"
    )


def _sizes(model: Model, parallel: Parallelism, num_chunks: int) -> list[int]:
    """Layers of each chunk of a way."""
    if not parallel.edges_are_layers:
        return [model.layers // num_chunks] * num_chunks
    each, left = divmod(model.layers + 2 + model.mtp_layers, num_chunks)
    sizes = [each + (1 <= place <= left) for place in range(num_chunks)]
    sizes[0] -= 1
    sizes[-1] -= 1 + model.mtp_layers
    return sizes
