"""Transformers, dense and mixture-of-experts: their parameters and what they compute."""

from typing import Literal

from pydantic import Field, model_validator

from cluster_sim.core import Spec, raise_problems


class Experts(Spec):
    """A mixture of experts in the place of every MLP.

    Attributes:
        count: experts of a layer.
        per_token: experts a token is sent to.
        width: inner width of one (gated) expert.
        popularity: exponent of Zipf's law by which tokens choose experts, drawn anew for each layer; 0: all alike. It
            skews what is sent; ranks compute as long as with even loads, as with copies of popular experts.
    """

    count: int = Field(ge=1)
    per_token: int = Field(ge=1)
    width: int = Field(ge=1)
    popularity: float = Field(0.0, ge=0, le=10)

    @model_validator(mode="after")
    def _enough(self) -> "Experts":
        if self.per_token > self.count:
            raise ValueError(f"a token cannot go to {self.per_token} of {self.count} experts")
        return self


class Model(Spec):
    """A decoder-only transformer of equal layers.

    Attributes:
        layers: number of layers.
        hidden: model width.
        heads: attention heads.
        kv_heads: key and value heads (grouped-query attention); 0: as many as heads.
        ffn_hidden: inner width of a dense MLP; 0: four times hidden.
        gated_mlp: three matrices (SwiGLU) instead of two.
        vocabulary: tokens known.
        sequence: tokens of a training sequence.
        experts: mixture of experts; None for a dense model.
        tied_embeddings: the output layer shares the input embedding.
        attention: ``flash`` keeps no score matrix; ``unfused`` writes it to memory, as software before 2022 did.
        counted_attention: ``causal`` counts half the score matrix in model FLOPs, ``full`` all of it.
    """

    layers: int = Field(ge=1)
    hidden: int = Field(ge=1)
    heads: int = Field(ge=1)
    kv_heads: int = Field(0, ge=0)
    ffn_hidden: int = Field(0, ge=0)
    gated_mlp: bool = False
    vocabulary: int = Field(ge=1)
    sequence: int = Field(ge=1)
    experts: Experts | None = None
    tied_embeddings: bool = False
    attention: Literal["flash", "unfused"] = "flash"
    counted_attention: Literal["causal", "full"] = "causal"

    @model_validator(mode="after")
    def _divides(self) -> "Model":
        checks = [
            (self.hidden % self.heads, "heads", f"hidden {self.hidden} is not a multiple of heads {self.heads}"),
            (self.heads % self.num_kv_heads, "kv_heads",
             f"heads {self.heads} is not a multiple of kv_heads {self.kv_heads}"),
        ]  # fmt: skip
        raise_problems("Model", [((field,), message) for rest, field, message in checks if rest])
        return self

    @property
    def num_kv_heads(self) -> int:
        """Key and value heads."""
        return self.kv_heads or self.heads

    @property
    def kv_width(self) -> int:
        """Width of keys (and of values)."""
        return self.hidden // self.heads * self.num_kv_heads

    @property
    def mlp_width(self) -> int:
        """Inner width of the dense MLP."""
        return self.ffn_hidden or 4 * self.hidden

    @property
    def attention_parameters(self) -> int:
        """Of one layer."""
        return 2 * self.hidden * self.hidden + 2 * self.hidden * self.kv_width

    @property
    def dense_parameters(self) -> int:
        """Of one layer, experts not counted: attention, dense MLP or router."""
        if self.experts:
            return self.attention_parameters + self.hidden * self.experts.count
        return self.attention_parameters + (3 if self.gated_mlp else 2) * self.hidden * self.mlp_width

    @property
    def expert_parameters(self) -> int:
        """Of all experts of one layer."""
        return self.experts.count * 3 * self.hidden * self.experts.width if self.experts else 0

    @property
    def embedding_parameters(self) -> int:
        """Input embedding; the output layer is as large."""
        return self.vocabulary * self.hidden

    @property
    def parameters(self) -> int:
        """Of the whole model, norms and biases not counted."""
        embeddings = self.embedding_parameters * (1 if self.tied_embeddings else 2)
        return self.layers * (self.dense_parameters + self.expert_parameters) + embeddings

    @property
    def active_parameters(self) -> int:
        """Parameters a token meets, both embeddings counted as in ``parameters``."""
        inactive = 0
        if self.experts:
            inactive = self.expert_parameters * (self.experts.count - self.experts.per_token) // self.experts.count
        return self.parameters - self.layers * inactive

    @property
    def layer_flop_per_token(self) -> float:
        """Forward pass of one layer: 2 FLOP per active parameter, and attention as ``counted_attention`` says."""
        per_layer = self.active_parameters - self.embedding_parameters * (1 if self.tied_embeddings else 2)
        scores = 4 * self.sequence * self.hidden * (0.5 if self.counted_attention == "causal" else 1.0)
        return 2 * per_layer / self.layers + scores

    @property
    def flop_per_token(self) -> float:
        """Forward and backward of the whole model without recomputation [Narayanan et al. 2021, app.]."""
        return 3 * (self.layers * self.layer_flop_per_token + 2 * self.embedding_parameters)
