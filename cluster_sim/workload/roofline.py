"""How long the pieces of a layer take on one accelerator: a roofline with efficiencies that depend on size.

A kernel takes the larger of its arithmetic and its memory time, plus a fixed overhead. All times are per microbatch and
rank.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from cluster_sim.catalogue import Accelerator
from cluster_sim.workload.model import Model
from cluster_sim.workload.operations import (
    Operation,
    Precision,
    Stream,
    Work,
    embedding_work,
    head_work,
    layer_work,
    optimizer_work,
)
from cluster_sim.workload.parallel import Parallelism


@dataclass(frozen=True, slots=True)
class PieceTimes:
    """Seconds of a piece of a layer.

    Attributes:
        forward_s: forward.
        input_s: backward, gradients of its inputs.
        weight_s: backward, gradients of its weights.
    """

    forward_s: float
    input_s: float
    weight_s: float

    @property
    def backward_s(self) -> float:
        """Both gradients."""
        return self.input_s + self.weight_s


class Roofline:
    """Times of the parts of one model on one accelerator under one plan."""

    def __init__(
        self, accelerator: Accelerator, model: Model, parallel: Parallelism, micro_batch: int, precision: Precision
    ) -> None:
        self.accelerator, self.model, self.parallel = accelerator, model, parallel
        self.micro_batch, self.precision = micro_batch, precision
        self._layers: dict[tuple[bool, float], dict[str, PieceTimes]] = {}

    def pieces(self, layer: int) -> dict[str, PieceTimes]:
        """Times of a layer's pieces, by name in the order of the forward pass."""
        key = (self.model.has_experts(layer), self.model.attended(layer))
        if key not in self._layers:
            work = layer_work(self.model, self.parallel, self.micro_batch, layer, self.precision)
            self._layers[key] = {name: self._times(piece) for name, piece in work.items()}
        return self._layers[key]

    def head(self) -> PieceTimes:
        """Output layer and loss."""
        return self._times(head_work(self.model, self.parallel, self.micro_batch))

    def embedding(self) -> PieceTimes:
        """Input embedding."""
        return self._times(embedding_work(self.model, self.parallel, self.micro_batch))

    def optimizer_s(self, parameters: float) -> float:
        """The optimiser's step on the parameters of one rank."""
        return self._times(optimizer_work(parameters)).forward_s

    def _times(self, work: Work) -> PieceTimes:
        return PieceTimes(*(self._seconds(part) for part in (work.forward, work.inputs, work.weights)))

    def _seconds(self, operations: Iterable[Operation]) -> float:
        return sum(self._kernel_s(operation) for operation in operations)

    def _kernel_s(self, operation: Operation) -> float:
        chip = self.accelerator
        memory_s = operation.moved_bytes / (chip.memory_bandwidth.typical * chip.memory_efficiency.typical)
        flop = 0.0 if isinstance(operation, Stream) else operation.flop
        arithmetic_s = flop / (chip.peak_bf16.typical * chip.gemm_efficiency.typical)
        return max(arithmetic_s, memory_s) + operation.launches * chip.kernel_overhead.typical
