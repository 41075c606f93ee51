"""Transformers, dense and mixture-of-experts: their shape, their parameters and what they compute.

Parameters count the weights of matrix products and the embeddings: norms and biases are left out. FLOPs are those of
the model, without recomputation: two for each multiplication and addition, and a backward pass of twice the forward.
"""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field, model_validator

from cluster_sim.core import Problem, Spec, raise_problems, whole_numbers
from cluster_sim.workload.contradictions import contradictions
from cluster_sim.workload.experts import Experts
from cluster_sim.workload.latent import Latent

#: More than any model has; each is looked at.
_MOST_LAYERS = 2**16
#: Of numbers side by side, and of tokens: far more than any model has; parameters stay below 2**63.
_MOST_WIDTH, _MOST_HEAD, _MOST_TOKENS = 2**20, 2**16, 2**32


class Model(Spec):
    """A decoder-only transformer.

    Attributes:
        layers: number of layers.
        hidden: model width.
        heads: attention heads.
        kv_heads: key and value heads (grouped-query attention); 0: as many as heads.
        head_dim: width of a head; 0: hidden / heads.
        latent: multi-head latent attention, which says the widths of heads itself; None for attention without.
        ffn_hidden: inner width of a dense MLP; 0: four times hidden.
        gated_mlp: three matrices (SwiGLU) instead of two.
        vocabulary: tokens known.
        sequence: tokens of a training sequence.
        experts: mixture of experts; None for a dense model.
        tied_embeddings: the output layer shares the input embedding.
        window: most tokens that a query attends to in layers with a window; 0: no layer has one.
        window_every: of so many layers the last has no window and all others have; 1: all layers have it.
        mtp_layers: layers that predict further tokens in training: each is one more layer like the last one, behind a
            product that takes the last hidden state and the next embedding to one, and before one more vocabulary
            projection [DeepSeek-V3 2024, sec. 2.2]. They compute; ``parameters`` leaves them out, as publications do.
        attention: ``fused`` keeps no score matrix, in kernels made for the accelerator (cuDNN, FlashAttention 3);
            ``flash`` keeps none in portable ones (FlashAttention 1 and 2, Triton); ``unfused`` writes it to memory, as
            software before 2022 did.
        counted_attention: ``causal`` counts half the score matrix in model FLOPs, ``full`` all of it.
    """

    layers: int = Field(ge=1, le=_MOST_LAYERS)
    hidden: int = Field(ge=1, le=_MOST_WIDTH)
    heads: int = Field(ge=1, le=_MOST_WIDTH)
    kv_heads: int = Field(0, ge=0)
    head_dim: int = Field(0, ge=0, le=_MOST_HEAD)
    latent: Latent | None = None
    ffn_hidden: int = Field(0, ge=0, le=_MOST_WIDTH)
    gated_mlp: bool = False
    vocabulary: int = Field(ge=1, le=_MOST_TOKENS)
    sequence: int = Field(ge=1, le=_MOST_TOKENS)
    experts: Experts | None = None
    tied_embeddings: bool = False
    window: int = Field(0, ge=0)
    window_every: int = Field(1, ge=1)
    mtp_layers: int = Field(0, ge=0, le=_MOST_LAYERS)
    attention: Literal["fused", "flash", "unfused"] = "fused"
    counted_attention: Literal["causal", "full"] = "causal"

    @model_validator(mode="after")
    def _fits_together(self) -> "Model":
        raise_problems("Model", contradictions(self, type(self).model_fields))
        return self

    @classmethod
    def problems_besides(cls, data: Any, context: Any) -> Sequence[Problem]:
        """Contradictions between the fields that can be read."""
        readable = whole_numbers(cls, data)
        for name, spec in (("latent", Latent), ("experts", Experts)):
            part = data.get(name) if isinstance(data, dict) else None
            if part is None or isinstance(part, dict):
                readable[name] = part and spec.model_construct(**whole_numbers(spec, part))
        return contradictions(cls.model_construct(**readable), readable)

    # --- shape

    def has_experts(self, layer: int) -> bool:
        """Whether a layer (counted from 0) has experts in the place of its MLP."""
        behind = layer - self.experts.first_dense if self.experts else -1
        return self.experts is not None and behind >= 0 and behind % self.experts.every == self.experts.every - 1

    def has_window(self, layer: int) -> bool:
        """Whether a query of a layer (counted from 0) attends to ``window`` tokens only."""
        every = self.window_every
        return self.window > 0 and (every == 1 or layer % every != every - 1)

    def attended(self, layer: int) -> float:
        """Keys that a query computes with, on average over a sequence: all before it, and half of itself.

        That is ``sequence / 2``; with a window of w tokens w - w**2 / (2 sequence).
        """
        width = min(self.window, self.sequence) if self.has_window(layer) else self.sequence
        return width - width * width / (2 * self.sequence)

    @property
    def num_kv_heads(self) -> int:
        """Key and value heads."""
        return self.kv_heads or self.heads

    @property
    def head_width(self) -> int:
        """Width of a head's queries and keys."""
        if self.latent:
            return self.latent.nope_head + self.latent.rope_head
        return self.head_dim or self.hidden // self.heads

    @property
    def value_head_width(self) -> int:
        """Width of a head's values."""
        return self.latent.value_head if self.latent else self.head_width

    @property
    def query_width(self) -> int:
        """Width of the queries of all heads."""
        return self.heads * self.head_width

    @property
    def key_width(self) -> int:
        """Width of the keys of all key heads."""
        return self.num_kv_heads * self.head_width

    @property
    def value_width(self) -> int:
        """Width of the values of all value heads."""
        return self.num_kv_heads * self.value_head_width

    @property
    def context_width(self) -> int:
        """Width of what attention puts out, all heads together."""
        return self.heads * self.value_head_width

    @property
    def mlp_width(self) -> int:
        """Inner width of the dense MLP."""
        return self.ffn_hidden or 4 * self.hidden

    @property
    def num_layers_computed(self) -> int:
        """Layers, with those for further tokens."""
        return self.layers + self.mtp_layers

    # --- parameters

    @property
    def qkv_parameters(self) -> int:
        """Of the products before the attention core, of one layer."""
        if not self.latent:
            return self.hidden * (self.query_width + self.key_width + self.value_width)
        rank, latent = self.latent.query_rank, self.latent
        queries = (self.hidden + self.query_width) * rank if rank else self.hidden * self.query_width
        into = self.hidden * (latent.kv_rank + latent.rope_head)
        return queries + into + latent.kv_rank * self.heads * (latent.nope_head + latent.value_head)

    @property
    def attention_parameters(self) -> int:
        """Of one layer."""
        return self.qkv_parameters + self.context_width * self.hidden

    @property
    def mlp_parameters(self) -> int:
        """Of the dense MLP of one layer."""
        return (3 if self.gated_mlp else 2) * self.hidden * self.mlp_width

    @property
    def router_parameters(self) -> int:
        """Of the choice among experts in one layer."""
        return self.hidden * self.experts.count if self.experts else 0

    @property
    def shared_parameters(self) -> int:
        """Of the shared experts of one layer."""
        return self.experts.shared * 3 * self.hidden * self.experts.width if self.experts else 0

    @property
    def expert_parameters(self) -> int:
        """Of all routed experts of one layer."""
        return self.experts.count * 3 * self.hidden * self.experts.width if self.experts else 0

    @property
    def embedding_parameters(self) -> int:
        """Input embedding; the output layer is as large."""
        return self.vocabulary * self.hidden

    @property
    def dense_parameters(self) -> int:
        """Of the last layer without its routed experts; of every layer where all are alike."""
        return self.dense_parameters_of(self.layers - 1)

    def dense_parameters_of(self, layer: int) -> int:
        """Of a layer without its routed experts: attention, and dense MLP or router and shared experts."""
        if self.has_experts(layer):
            return self.attention_parameters + self.router_parameters + self.shared_parameters
        return self.attention_parameters + self.mlp_parameters

    def expert_parameters_of(self, layer: int) -> int:
        """Of the routed experts of a layer; 0 where it has none."""
        return self.expert_parameters if self.has_experts(layer) else 0

    def active_parameters_of(self, layer: int) -> int:
        """Of a layer, what a token is multiplied with."""
        chosen = self.experts.per_token * 3 * self.hidden * self.experts.width if self.experts else 0
        return self.dense_parameters_of(layer) + (chosen if self.has_experts(layer) else 0)

    @property
    def parameters(self) -> int:
        """Of the whole model; an embedding for input and output counts once."""
        layers = sum(self.dense_parameters_of(i) + self.expert_parameters_of(i) for i in range(self.layers))
        return layers + self.embedding_parameters * (1 if self.tied_embeddings else 2)

    @property
    def active_parameters(self) -> int:
        """What a token is multiplied with: its layers and one vocabulary projection; looking a row up is no product."""
        return sum(self.active_parameters_of(i) for i in range(self.layers)) + self.embedding_parameters

    # --- FLOPs

    def core_flop_per_token(self, layer: int) -> float:
        """Forward pass of the attention core: scores and weighted values, as ``counted_attention`` says."""
        keys = self.attended(layer)
        if self.counted_attention == "full":
            keys = min(self.window, self.sequence) if self.has_window(layer) else self.sequence
        return 2 * keys * self.heads * (self.head_width + self.value_head_width)

    def layer_flop_per_token(self, layer: int) -> float:
        """Forward pass of a layer: 2 FLOP per active parameter, and the attention core."""
        return 2 * self.active_parameters_of(layer) + self.core_flop_per_token(layer)

    @property
    def mtp_flop_per_token(self) -> float:
        """Forward pass of the layers for further tokens."""
        joined = 2 * 2 * self.hidden * self.hidden
        return self.mtp_layers * (joined + self.layer_flop_per_token(self.layers - 1) + 2 * self.embedding_parameters)

    @property
    def flop_per_token(self) -> float:
        """Forward and backward of the whole model without recomputation [Narayanan et al. 2021, app.]."""
        layers = sum(self.layer_flop_per_token(i) for i in range(self.layers))
        return 3 * (layers + 2 * self.embedding_parameters + self.mtp_flop_per_token)
