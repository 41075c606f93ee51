"""How long the pieces of a layer take on one accelerator: a roofline with efficiencies that depend on size.

A kernel takes its arithmetic and its memory time, the knee between them rounded, and a fixed overhead. The arithmetic
of a product grows with the tiles and waves of tiles that it leaves part-filled, that of attention where keys are few.
Where the host needs longer to launch the kernels of a layer than they run, the layer takes as long as the host. All
times are per microbatch and rank, without communication: what a rank waits for comes on top.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, hypot
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
    mtp_work,
    optimizer_work,
)
from cluster_sim.workload.parallel import Parallelism
from cluster_sim.workload.schedules import BACKWARD, FORWARD, INPUT, WEIGHT

Launches = Literal["fused", "eager", "graph"]


@dataclass(frozen=True, slots=True)
class _Habits:
    """How software runs kernels: launches and gaps over those counted, share of the step's overhead, fused or not."""

    launches: float
    overhead: float
    step: float
    is_fused: bool = True


#: Chosen beside the catalogue's figures, for plain PyTorch (MPT, nanotron) and submissions that replay CUDA graphs.
_HABITS = {
    "fused": _Habits(launches=1.0, overhead=1.0, step=0.4),
    "eager": _Habits(launches=1.5, overhead=1.0, step=1.0, is_fused=False),
    "graph": _Habits(launches=0.0, overhead=0.4, step=0.2),
}
#: Rows and columns of the result that a streaming multiprocessor works on at once, and its time over that of the
#: largest for each number of the result: small tiles load more. Libraries take the best.
_TILES = ((128, 256, 1.0), (256, 128, 1.0), (128, 128, 1.1), (64, 128, 1.3), (128, 64, 1.3), (64, 64, 1.6))
#: Inner width whose time filling and draining the pipeline of a tile takes.
_FILL = 100
#: Keys whose time masked halves of blocks, and filling and draining, take of each query's [Dao 2023, fig. 5].
_BLOCK_KEYS = 200
#: Width of a head at which exponentials take as long as products; efficiencies hold for heads of ``_HEAD``.
_NARROW_HEAD, _HEAD = 40, 128
#: Time for each FLOP of attention's backward pass over that of the forward one [Dao 2023, fig. 5 and 6].
_BACKWARD = 1.2
#: Tensors of a layer, with biases and norms, that ZeRO-3 gathers one by one, and the time to copy one out of a rank's
#: part: what the host needs to start so small a copy. Fitted to DeepSpeed on 384 to 1536 A100 [Narayanan et al. 2021].
_LAYER_TENSORS, _COPY_S = 12, 9.5e-6


def step_ratio(launches: Launches) -> float:
    """Share of a generation's step overhead that a step has."""
    return _HABITS[launches].step


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

    def seconds(self, kind: int) -> float:
        """Of a pass of some kind, as in ``schedules``."""
        return {FORWARD: self.forward_s, BACKWARD: self.backward_s, INPUT: self.input_s, WEIGHT: self.weight_s}[kind]


class Roofline:
    """Times of the parts of one model on one accelerator under one plan.

    Args:
        accelerator: catalogue entry with its efficiencies.
        model, parallel, micro_batch, precision: what a rank computes, as in ``operations``.
        launches: ``fused`` kernels as Megatron-LM's; ``eager``, half as many again and unfused, as plain PyTorch;
            ``graph``: CUDA graphs, whose launches cost the host nothing and leave smaller gaps.
        clock_ratio: clock over the one the figures were measured at, for capped power.
        compute: what kernels reach; None for the catalogue's figures of the accelerator's generation.
        recomputed: parts of a layer whose forward work is repeated in the backward pass, as in ``operations``.
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
        self.model, self.parallel, self.micro_batch, self.precision = model, parallel, micro_batch, precision
        self.recomputed = recomputed
        compute, habits = compute or compute_of(accelerator.compute), _HABITS[launches]
        self.kernels = Kernels(accelerator, compute, clock_ratio, habits)
        self.launch_s = compute.launch_time.typical * habits.launches
        self.step_s = compute.step_overhead.typical * habits.step
        self._layers: dict[tuple[bool, float], dict[str, PieceTimes]] = {}

    def pieces(self, layer: int) -> dict[str, PieceTimes]:
        """Times of a layer's pieces, by name in the order of the forward pass."""
        key = (self.model.has_experts(layer), self.model.attended(layer))
        if key not in self._layers:
            plan = (self.model, self.parallel, self.micro_batch)
            self._layers[key] = self._times(layer_work(*plan, layer, self.precision, self.recomputed))
        return self._layers[key]

    def head(self) -> PieceTimes:
        """Output layer and loss."""
        return self._time(head_work(self.model, self.parallel, self.micro_batch))

    def embedding(self) -> PieceTimes:
        """Input embedding."""
        return self._time(embedding_work(self.model, self.parallel, self.micro_batch))

    def mtp(self) -> PieceTimes:
        """What joins hidden state and next embedding, before each of ``Model.mtp_layers``.

        The layer itself takes as long as the model's last one, and the head comes once more.
        """
        return self._time(mtp_work(self.model, self.parallel, self.micro_batch))

    def optimizer_s(self, parameters: float) -> float:
        """The optimiser's step on the parameters of one rank; ``step_s`` is what a step takes besides."""
        return self.kernels.seconds(optimizer_work(parameters).forward)

    def unpack_s(self, ranks: int) -> float:
        """Copying a layer's parameters out of what ``ranks`` ranks sent, where each tensor is gathered by itself.

        As ZeRO-3 of 2021 did: one copy after the other, for each tensor and rank.
        """
        return _LAYER_TENSORS * ranks * _COPY_S

    def _time(self, work: Work) -> PieceTimes:
        seconds = self.kernels.seconds
        return PieceTimes(seconds(work.forward), seconds(work.inputs), seconds(work.weights))

    def _times(self, work: dict[str, Work]) -> dict[str, PieceTimes]:
        """Where the host launches more slowly than the kernels run, all pieces stretch alike: launches run ahead."""
        times = {name: self._time(piece) for name, piece in work.items()}
        forward = self._lateness(
            (piece.forward for piece in work.values()), sum(time.forward_s for time in times.values())
        )
        backward = self._lateness(
            (piece.inputs + piece.weights for piece in work.values()), sum(time.backward_s for time in times.values())
        )
        return {
            name: PieceTimes(forward * time.forward_s, backward * time.input_s, backward * time.weight_s)
            for name, time in times.items()
        }

    def _lateness(self, parts: Iterable[tuple[Operation, ...]], kernels_s: float) -> float:
        """The host's time over the kernels', where it is more."""
        return max(1.0, self.launch_s * sum(operation.launches for part in parts for operation in part) / kernels_s)


class Kernels:
    """How long kernels take on one accelerator, one after the other."""

    def __init__(
        self, chip: Accelerator, compute: Compute, clock_ratio: float = 1.0, habits: _Habits = _HABITS["fused"]
    ) -> None:
        self.processors = chip.processors.typical
        self.is_fused, self.wave_share = habits.is_fused, compute.wave_share.typical
        self.overhead_s = compute.kernel_overhead.typical * habits.overhead
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
        overhead_s = operation.launches * self.overhead_s
        if isinstance(operation, Stream):
            return memory_s * (1.0 if self.is_fused else operation.unfused) + overhead_s
        return hypot(self._arithmetic_s(operation), memory_s) + overhead_s

    def _arithmetic_s(self, operation: Matmul | Attention) -> float:
        if isinstance(operation, Matmul):
            return operation.flop / self.matmul_flop_per_s[operation.precision] * self._unfilled(operation)
        short = 1 + _BLOCK_KEYS / operation.keys
        narrow = (1 + _NARROW_HEAD / operation.head) / (1 + _NARROW_HEAD / _HEAD)
        slow = _BACKWARD if operation.is_backward else 1.0
        return operation.flop / self.attention_flop_per_s[operation.kernel] * short * narrow * slow

    def _unfilled(self, product: Matmul) -> float:
        """What part-filled tiles and waves of tiles add, of which libraries avoid all but ``wave_share``."""
        waves = min(self._waves(product, *tile) for tile in _TILES)
        return (1 + self.wave_share * (waves - 1)) * (1 + _FILL / product.inner)

    def _waves(self, product: Matmul, rows: int, columns: int, cost: float) -> float:
        """Time of the whole waves of tiles of a size, over what the result would take if it filled large ones."""
        tiles = product.count * ceil(product.rows / rows) * ceil(product.columns / columns)
        whole = ceil(tiles / self.processors) * self.processors
        return cost * whole * rows * columns / (product.count * product.rows * product.columns)
