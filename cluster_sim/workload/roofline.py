"""How long the pieces of a layer take on one accelerator: a roofline with efficiencies that depend on size.

A kernel takes the larger of its arithmetic and its memory time, plus a fixed overhead. The arithmetic of a product
grows with the tiles and waves of tiles that it leaves part-filled. Where the host needs longer to launch the kernels of
a layer than they run, the layer takes as long as the host. All times are per microbatch and rank.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
from typing import Literal

from cluster_sim.catalogue import Accelerator, Compute
from cluster_sim.catalogue import compute as compute_of
from cluster_sim.workload.model import Model
from cluster_sim.workload.operations import (
    Attention,
    Matmul,
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

Launches = Literal["fused", "eager", "graph"]
#: Kernels over those that ``operations`` counts.
_KERNELS = {"fused": 1.0, "eager": 1.5, "graph": 0.0}
#: Rows and columns of the result that a streaming multiprocessor works on at once, as cuBLAS mostly chooses.
_TILE = (128, 256)


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
    """Times of the parts of one model on one accelerator under one plan.

    Args:
        accelerator: catalogue entry with its efficiencies.
        model, parallel, micro_batch, precision: what a rank computes, as in ``operations``.
        launches: ``fused`` kernels as Megatron-LM's; ``eager``, half as many again, as plain PyTorch; ``graph``: CUDA
            graphs, whose launches cost the host nothing.
        clock_ratio: clock over the one the figures were measured at, for capped power.
        compute: what kernels reach; None for the catalogue's figures of the accelerator's generation.
    """

    def __init__(
        self,
        accelerator: Accelerator,
        model: Model,
        parallel: Parallelism,
        micro_batch: int,
        precision: Precision,
        launches: Launches = "fused",
        clock_ratio: float = 1.0,
        compute: Compute | None = None,
        recomputed: frozenset[str] = frozenset(),
    ) -> None:
        self.recomputed, self.pass_s = recomputed, 0.0
        self.model, self.parallel, self.micro_batch, self.precision = model, parallel, micro_batch, precision
        compute = compute or compute_of(accelerator.compute)
        self.kernels = Kernels(accelerator, compute, clock_ratio)
        self.launch_s = compute.launch_time.typical * _KERNELS[launches]
        self._layers: dict[tuple[bool, float], dict[str, PieceTimes]] = {}

    def pieces(self, layer: int) -> dict[str, PieceTimes]:
        """Times of a layer's pieces, by name in the order of the forward pass."""
        key = (self.model.has_experts(layer), self.model.attended(layer))
        if key not in self._layers:
            work = layer_work(self.model, self.parallel, self.micro_batch, layer, self.precision)
            self._layers[key] = self._times(work)
        return self._layers[key]

    def head(self) -> PieceTimes:
        """Output layer and loss."""
        return self._times({"head": head_work(self.model, self.parallel, self.micro_batch)})["head"]

    def embedding(self) -> PieceTimes:
        """Input embedding."""
        return self._times({"embedding": embedding_work(self.model, self.parallel, self.micro_batch)})["embedding"]

    def mtp(self) -> PieceTimes:
        """To be replaced."""
        return PieceTimes(0.0, 0.0, 0.0)

    def optimizer_s(self, parameters: float) -> float:
        """The optimiser's step on the parameters of one rank."""
        return self.kernels.seconds(optimizer_work(parameters).forward)

    def _times(self, work: dict[str, Work]) -> dict[str, PieceTimes]:
        """Where the host launches more slowly than the kernels run, all pieces stretch alike: launches run ahead."""
        late_forward = self._lateness(piece.forward for piece in work.values())
        late_backward = self._lateness(piece.inputs + piece.weights for piece in work.values())
        seconds = self.kernels.seconds
        return {
            name: PieceTimes(
                late_forward * seconds(piece.forward),
                late_backward * seconds(piece.inputs),
                late_backward * seconds(piece.weights),
            )
            for name, piece in work.items()
        }

    def _lateness(self, parts: Iterable[tuple[Operation, ...]]) -> float:
        operations = [operation for part in parts for operation in part]
        host_s = self.launch_s * sum(operation.launches for operation in operations)
        return max(1.0, host_s / self.kernels.seconds(operations)) if operations else 1.0


class Kernels:
    """How long kernels take on one accelerator, one after the other."""

    def __init__(self, chip: Accelerator, compute: Compute, clock_ratio: float = 1.0) -> None:
        self.processors = chip.processors.typical
        self.overhead_s, self.wave_share = compute.kernel_overhead.typical, compute.wave_share.typical
        self.bytes_per_s = chip.memory_bandwidth.typical * compute.memory_efficiency.typical
        bf16 = chip.peak_bf16.typical * clock_ratio
        fp8, fp4 = (figure.typical * clock_ratio if figure else bf16 for figure in (chip.peak_fp8, chip.peak_fp4))
        self.matmul_flop_per_s = {
            "bf16": bf16 * compute.gemm_efficiency.typical,
            "fp16": bf16 * compute.gemm_efficiency.typical,
            "fp8": fp8 * compute.fp8_efficiency.typical,
            "mxfp8": fp8 * compute.fp8_efficiency.typical,
            "nvfp4": fp4 * compute.fp4_efficiency.typical,
        }
        self.attention_flop_per_s = {
            "fused": bf16 * compute.attention_efficiency.typical,
            "flash": bf16 * compute.flash_efficiency.typical,
        }

    def seconds(self, operations: Iterable[Operation]) -> float:
        """Of operations one after the other."""
        return sum(self._kernel_s(operation) for operation in operations)

    def _kernel_s(self, operation: Operation) -> float:
        memory_s = operation.moved_bytes / self.bytes_per_s
        return max(self._arithmetic_s(operation), memory_s) + operation.launches * self.overhead_s

    def _arithmetic_s(self, operation: Operation) -> float:
        if isinstance(operation, Stream):
            return 0.0
        if isinstance(operation, Attention):
            return operation.flop / self.attention_flop_per_s[operation.kernel]
        return operation.flop / self.matmul_flop_per_s[operation.precision] * self._waves(operation)

    def _waves(self, product: Matmul) -> float:
        """What part-filled tiles and waves of tiles add; libraries avoid all but ``wave_share`` of it."""
        tiles = product.count * ceil(product.rows / _TILE[0]) * ceil(product.columns / _TILE[1])
        waves = tiles / self.processors
        filled = product.count * product.rows * product.columns / (tiles * _TILE[0] * _TILE[1])
        return 1 + self.wave_share * (ceil(waves) / waves / filled - 1)
