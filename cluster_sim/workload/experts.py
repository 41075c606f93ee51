"""A mixture of experts."""

from collections.abc import Sequence
from typing import Any

from pydantic import Field, model_validator

from cluster_sim.core import Problem, Spec, raise_problems, whole_numbers


class Experts(Spec):
    """A mixture of experts in the place of MLPs.

    Attributes:
        count: routed experts of a layer.
        per_token: routed experts a token is sent to.
        width: inner width of one (gated) expert.
        shared: experts of ``width`` that every token goes to besides.
        first_dense: leading layers with a dense MLP.
        every: of the layers behind those, the every-th have experts, beginning with number ``every``; 1: all.
        activation_passes: arrays of the inner width that the activation reads and writes forward: 3 in one kernel, more
            where it is written operation by operation.
        popularity: exponent of Zipf's law by which tokens choose experts, drawn anew for each layer; 0: all alike. It
            skews what is sent; ranks compute as long as with even loads, as with copies of popular experts.
    """

    count: int = Field(ge=1)
    per_token: int = Field(ge=1)
    width: int = Field(ge=1)
    shared: int = Field(0, ge=0)
    first_dense: int = Field(0, ge=0)
    every: int = Field(1, ge=1)
    activation_passes: int = Field(3, ge=3)
    popularity: float = Field(0.0, ge=0, le=10)

    @model_validator(mode="after")
    def _enough(self) -> "Experts":
        raise_problems("Experts", _too_few_experts(self))
        return self

    @classmethod
    def problems_besides(cls, data: Any, context: Any) -> Sequence[Problem]:
        """Too few experts, where both numbers can be read."""
        readable = whole_numbers(cls, data)
        if not {"count", "per_token"} <= readable.keys():
            return ()
        return _too_few_experts(cls.model_construct(**readable))


def _too_few_experts(experts: Experts) -> list[Problem]:
    if experts.per_token <= experts.count:
        return []
    what = f"a token cannot go to {experts.per_token} of {experts.count} experts; lower it or raise count"
    return [(("per_token",), what)]
