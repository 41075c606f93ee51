"""What a rank keeps of the forward pass of a microbatch until its backward pass, tensor by tensor.

After Korthikanti et al. [2022, sec. 4], for all kinds of layers. Inputs of products are kept in the format of the
product, as Transformer Engine keeps them; everything else has 16 bit, statistics and logits 32. Dropout masks are
counted where attention is ``unfused``: software of that time trained with dropout, later software does not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cluster_sim.workload.operations import PRECISION_BYTES

if TYPE_CHECKING:  # a job checks itself with this
    from cluster_sim.workload.experts import Experts
    from cluster_sim.workload.job import Job

_HALF, _FLOAT = 2, 4


@dataclass(slots=True)
class Kept:
    """Bytes that a rank keeps of one layer and microbatch.

    Attributes:
        always: whatever is computed again, but ``full`` recomputation.
        unless: what recomputation of one of these parts makes again instead.
        for_weights: inputs of products and gradients of their results, all that is kept when the gradients of inputs
            are computed and those of weights are not [Qi et al. 2023, sec. 2].
    """

    always: float = 0.0
    unless: dict[tuple[str, ...], float] = field(default_factory=dict)
    for_weights: float = 0.0

    def add(self, size_bytes: float, *parts: str) -> None:
        """Keep a tensor, unless one of the parts is computed again."""
        if parts:
            self.unless[parts] = self.unless.get(parts, 0.0) + size_bytes
        else:
            self.always += size_bytes

    def add_product(self, inner: float, result: float, number_bytes: float, *parts: str) -> None:
        """Keep the input of a product, given the numbers of its input and its result."""
        self.add(number_bytes * inner, *parts)
        self.for_weights += number_bytes * (inner + result)

    def left(self, recomputed: tuple[str, ...]) -> float:
        """Bytes where those parts are computed again."""
        return self.always + sum(size for parts, size in self.unless.items() if not set(parts) & set(recomputed))


class Activations:
    """What a rank of a job keeps of a microbatch."""

    def __init__(self, job: Job) -> None:
        self.model, self.parallel = job.model, job.parallelism
        self.tensor = job.parallelism.tensor
        self.tokens = job.micro_batch * job.model.sequence / job.parallelism.context
        self.own_tokens = self.tokens / (self.tensor if job.parallelism.sequence else 1)
        self.factor_bytes = PRECISION_BYTES[job.precision]
        self.has_dropout = job.model.attention == "unfused"
        self.recompute = job.recompute
        self.parts: tuple[str, ...] = job.recompute_parts if job.recompute == "selective" else ()
        self._left: dict[tuple[bool, bool], float] = {}
        self._layers = {mixed: self._layer(mixed) for mixed in (False, True) if job.model.experts or not mixed}

    @property
    def values(self) -> float:
        """Numbers of a hidden state."""
        return self.own_tokens * self.model.hidden

    @property
    def rows(self) -> float:
        """Rows that a rank's experts compute with: every rank gets as many as it sends."""
        experts, sent = self.model.experts, self.tokens / self.tensor
        return sent * experts.per_token * self.parallel.expert_tensor if experts else 0.0

    @property
    def key_values(self) -> float:
        """Numbers of the keys and values of a rank's heads and tokens."""
        model = self.model
        width = model.query_width + model.context_width if model.latent else model.key_width + model.value_width
        return self.tokens * width / self.tensor

    def layer_bytes(self, mixed: bool, is_repeated: bool) -> float:
        """Kept of a layer, with experts (``mixed``) or without, from its forward pass on."""
        if is_repeated and self.recompute == "full":
            return _HALF * self.values
        key = mixed, is_repeated
        if key not in self._left:
            self._left[key] = self._layers[mixed].left(self.parts if is_repeated else ())
        return self._left[key]

    def weight_bytes(self, mixed: bool) -> float:
        """Kept of a layer between the gradients of its inputs and those of its weights."""
        return self._layers[mixed].for_weights

    def repeated_bytes(self, mixed: bool) -> float:
        """What recomputation makes again of a layer, and has to be there while its backward pass runs."""
        return self.layer_bytes(mixed, False) - self.layer_bytes(mixed, True)

    def input_bytes(self) -> float:
        """Kept by the input embedding."""
        return self.values * self.has_dropout

    def output_bytes(self) -> float:
        """Kept by norm, output layer and loss; logits in 32 bit [Korthikanti et al. 2022, sec. 4.3]."""
        return 2 * _HALF * self.values + _FLOAT * self.logits

    def output_weight_bytes(self) -> float:
        """Kept of the output layer between the gradients of its inputs and those of its weights."""
        return _HALF * (self.values + self.logits)

    def join_bytes(self) -> float:
        """Kept by two norms and the product ahead of a layer for further tokens."""
        return _HALF * 2 * self.values + self.factor_bytes * 2 * self.values

    def join_weight_bytes(self) -> float:
        """Kept of that product between the gradients of its inputs and those of its weights."""
        return self.factor_bytes * 3 * self.values

    @property
    def logits(self) -> float:
        """Logits of a rank."""
        return self.tokens * self.model.vocabulary / self.tensor

    def _layer(self, mixed: bool) -> Kept:
        kept = Kept()
        if self.model.latent:
            self._latent_projections(kept)
        else:
            self._projections(kept)
        self._core(kept)
        if mixed and self.model.experts:
            self._mixture(kept, self.model.experts)
        else:
            self._mlp(kept)
        kept.add(2 * self.values * self.has_dropout)
        return kept

    def _projections(self, kept: Kept) -> None:
        """Norm, and the product to queries, keys and values."""
        joined = self.tokens * self.model.query_width / self.tensor + self.key_values
        kept.add(_HALF * self.values)
        kept.add_product(self.values, joined, self.factor_bytes, "norm")
        kept.add(_HALF * joined)

    def _latent_projections(self, kept: Kept) -> None:
        """Norm, products down, norms of what they give, products up; the products down are not split."""
        latent, model = self.model.latent, self.model
        assert latent is not None, "the model has latent attention"
        narrow = self.own_tokens * (latent.query_rank + latent.kv_rank)
        wide = self.tokens * model.query_width / self.tensor
        pairs = self.tokens * model.heads * (latent.nope_head + latent.value_head) / self.tensor
        down = narrow + self.own_tokens * latent.rope_head
        kept.add(_HALF * self.values)
        kept.add_product(self.values, down + (0 if latent.query_rank else wide), self.factor_bytes, "norm")
        kept.add(_HALF * down)
        kept.add_product(narrow, pairs + (wide if latent.query_rank else 0), self.factor_bytes, "norm")
        kept.add(_HALF * (wide + self.key_values), "latent")

    def _core(self, kept: Kept) -> None:
        """Scores, mask and weights after dropout, or a statistic of each row; the product behind the heads."""
        heads = self.tokens * self.model.heads / self.tensor
        context = self.tokens * self.model.context_width / self.tensor
        if self.model.attention == "unfused":
            kept.add((2 * _HALF + 1) * heads * self.model.sequence, "core")
        else:
            kept.add(_FLOAT * heads, "core")
            if self.factor_bytes < _HALF:  # the core's backward pass reads its result in 16 bit
                kept.add(_HALF * context)
        kept.add_product(context, self.values, self.factor_bytes)

    def _mlp(self, kept: Kept) -> None:
        width = self.tokens * self.model.mlp_width / self.tensor
        into = (2 if self.model.gated_mlp else 1) * width
        kept.add(_HALF * self.values)
        kept.add_product(self.values, into, self.factor_bytes, "norm")
        kept.add(_HALF * into, "mlp")
        kept.add_product(width, self.values, self.factor_bytes, "activation", "mlp")

    def _mixture(self, kept: Kept, experts: Experts) -> None:
        """Router in 16 bit with scores in 32; rows weighted ahead of the second product, as Megatron-Core has it."""
        shared = self.tokens * experts.shared * experts.width / self.tensor
        width = self.rows * experts.width / self.parallel.expert_tensor
        scores = self.own_tokens * experts.count
        kept.add(_HALF * self.values)
        kept.add_product(self.values, scores + 2 * shared, _HALF, "norm")
        kept.add(2 * _FLOAT * scores)
        kept.add(_HALF * 2 * shared, "experts")
        kept.add_product(shared, self.values * (experts.shared > 0), self.factor_bytes, "activation", "experts")
        kept.add_product(self.rows * self.model.hidden, 2 * width, self.factor_bytes, "experts")
        kept.add(_HALF * 2 * width, "experts")
        kept.add_product(width, self.rows * self.model.hidden, self.factor_bytes, "activation", "experts")
