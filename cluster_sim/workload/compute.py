"""How long the parts of a layer take on one accelerator: a roofline with the catalogue's efficiencies.

A kernel takes the larger of its arithmetic and its memory time, plus a fixed overhead. All times are per microbatch and
tensor rank.
"""

from dataclasses import dataclass

from cluster_sim.catalogue import Accelerator, compute
from cluster_sim.workload.model import Model
from cluster_sim.workload.parallel import Parallelism

_BF16 = 2


@dataclass(frozen=True, slots=True)
class Parts:
    """Seconds of the parts of a layer, forward or backward.

    Attributes:
        attention_s: norm, projections, attention core, residual.
        core_s: the attention core alone, which selective recomputation repeats.
        mlp_s: norm, dense MLP and residual; of an MoE layer norm and residual only.
        router_s: choosing experts and sorting tokens, an MoE layer's work before and after its experts.
        experts_s: the experts.
    """

    attention_s: float
    core_s: float
    mlp_s: float
    router_s: float
    experts_s: float


class Roofline:
    """Times of the parts of one model on one accelerator under one plan."""

    def __init__(self, accelerator: Accelerator, model: Model, parallel: Parallelism, microbatch: int) -> None:
        self.model, self.parallel = model, parallel
        self.tokens = microbatch * model.sequence
        self.split_tokens = self.tokens / (parallel.tensor if parallel.sequence else 1)
        reached = compute(accelerator.compute)
        self._flop_per_s = accelerator.peak_bf16.typical * reached.gemm_efficiency.typical
        self._bytes_per_s = accelerator.memory_bandwidth.typical * reached.memory_efficiency.typical
        self._overhead_s = reached.kernel_overhead.typical

    def forward(self) -> Parts:
        """One layer forward."""
        core_s = self._core_s(backward=False)
        return Parts(
            attention_s=self._projections_s(1) + core_s + self._around_s(1),
            core_s=core_s,
            mlp_s=self._mlp_s(1) + self._around_s(1),
            router_s=self._router_s(1),
            experts_s=self._experts_s(1),
        )

    def backward(self) -> Parts:
        """One layer backward: gradients of inputs and of weights, two products for each one forward."""
        core_s = self._core_s(backward=True)
        return Parts(
            attention_s=self._projections_s(2) + core_s + self._around_s(2),
            core_s=core_s,
            mlp_s=self._mlp_s(2) + self._around_s(2),
            router_s=self._router_s(2),
            experts_s=self._experts_s(2),
        )

    def head_s(self, backward: bool) -> float:
        """Output layer and loss."""
        width = self.model.vocabulary / self.parallel.tensor
        times = 2 if backward else 1
        product_s = times * self._gemm_s(self.tokens, self.model.hidden, width)
        return product_s + self._memory_s(self.tokens * width * 4 * 2, kernels=2)

    def embedding_s(self) -> float:
        """Looking up (or adding up the gradients of) the input embedding."""
        return self._memory_s(self.tokens * self.model.hidden * _BF16 * 2, kernels=1)

    def optimizer_s(self, parameters: float) -> float:
        """Adam on the parameters of one rank: gradient, two moments and master weight in 32 bit, weight in 16."""
        return self._memory_s(parameters * (4 + 2 * 12 + _BF16), kernels=1)

    def _projections_s(self, times: int) -> float:
        model, tensor = self.model, self.parallel.tensor
        qkv = (model.hidden + 2 * model.kv_width) / tensor
        return times * (
            self._gemm_s(self.tokens, model.hidden, qkv)
            + self._gemm_s(self.tokens, model.hidden / tensor, model.hidden)
        )

    def _core_s(self, backward: bool) -> float:
        """Scores, softmax and weighted values. Flash attention skips the masked half and repeats scores backward."""
        model, tensor = self.model, self.parallel.tensor
        scores = self.tokens * model.sequence * model.heads / tensor
        flop = 2 * 2 * self.tokens * model.sequence * model.hidden / tensor
        if model.attention != "unfused":
            touched = self.tokens * (2 * model.hidden + 2 * model.kv_width) / tensor * _BF16
            return self._kernel_s(flop * 0.5 * (2.5 if backward else 1.0), touched * (2 if backward else 1), kernels=1)
        times = 2 if backward else 1
        products_s = self._kernel_s(times * flop, times * 2 * scores * _BF16, kernels=2 * times)
        return products_s + self._memory_s(times * scores * (2 * _BF16 + 2 * _BF16 + 1), kernels=2)

    def _mlp_s(self, times: int) -> float:
        model = self.model
        if model.experts:
            return 0.0
        width = model.mlp_width / self.parallel.tensor
        into = 2 if model.gated_mlp else 1
        products_s = self._gemm_s(self.tokens, model.hidden, into * width) + self._gemm_s(
            self.tokens, width, model.hidden
        )
        return times * (products_s + self._memory_s(self.tokens * width * (into + 1) * _BF16, kernels=1))

    def _experts_s(self, times: int) -> float:
        """Every rank gets as many tokens as it sends: routing is balanced."""
        experts = self.model.experts
        if not experts:
            return 0.0
        local = max(experts.count // self.parallel.expert, 1)
        rows = self.tokens * experts.per_token / self.parallel.tensor / local
        one_s = (
            self._kernel_s(*self._gemm(rows, self.model.hidden, 2 * experts.width), kernels=0)
            + self._kernel_s(*self._gemm(rows, experts.width, self.model.hidden), kernels=0)
            + self._memory_s(rows * experts.width * 3 * _BF16, kernels=0)
        )
        return times * (local * one_s + 3 * self._overhead_s)

    def _router_s(self, times: int) -> float:
        """Scores of the experts, and putting tokens in the order of theirs, there and back."""
        experts = self.model.experts
        if not experts:
            return 0.0
        tokens = self.tokens / self.parallel.tensor
        moved = tokens * experts.per_token * self.model.hidden * _BF16 * 2
        return times * (self._gemm_s(tokens, self.model.hidden, experts.count) + self._memory_s(2 * moved, kernels=2))

    def _around_s(self, times: int) -> float:
        """A norm (read, write) and a residual with dropout (read twice, write), on the tokens of this rank."""
        return times * self._memory_s(self.split_tokens * self.model.hidden * _BF16 * 5, kernels=2)

    def _gemm_s(self, rows: float, inner: float, columns: float) -> float:
        return self._kernel_s(*self._gemm(rows, inner, columns), kernels=1)

    def _gemm(self, rows: float, inner: float, columns: float) -> tuple[float, float]:
        """(FLOP, bytes) of a matrix product."""
        return 2 * rows * inner * columns, (rows * inner + inner * columns + rows * columns) * _BF16

    def _memory_s(self, moved_bytes: float, kernels: int) -> float:
        return self._kernel_s(0.0, moved_bytes, kernels)

    def _kernel_s(self, flop: float, moved_bytes: float, kernels: int) -> float:
        return max(flop / self._flop_per_s, moved_bytes / self._bytes_per_s) + kernels * self._overhead_s
