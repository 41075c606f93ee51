"""What is computed again in the backward pass: what it costs, and choices that name nothing to compute again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster_sim.core import Problem
from cluster_sim.workload.model import Model

if TYPE_CHECKING:  # a job checks itself with this
    from cluster_sim.workload.job import Job


def recomputed_flop_per_token(job: Job) -> float:
    """FLOP of forward passes that the backward pass of the whole model repeats for a token.

    Norms and activations are no products, and count nothing, as in the model's own FLOPs.
    """
    if job.recompute == "none":
        return 0.0
    layout = job.layout
    again = [layer for place in layout.ranges for layer in layout.first_layers(*place, job.recompute_layers)]
    if job.recompute == "full":
        repeated = sum(job.model.layer_flop_per_token(layer) for layer in again)
    else:
        repeated = sum(_flop_of_parts(job.model, job.repeated_parts, layer) for layer in again)
    return repeated / len(layout.inputs)  # each way through the model takes its share of the tokens


def _flop_of_parts(model: Model, parts: frozenset[str], layer: int) -> float:
    """Forward pass of the products in parts of a layer."""
    has_experts = model.has_experts(layer)
    found = model.core_flop_per_token(layer) if "core" in parts else 0.0
    if "latent" in parts and model.latent:
        queries = (model.latent.query_rank or model.hidden) * model.query_width
        pairs = model.latent.kv_rank * model.heads * (model.latent.nope_head + model.latent.value_head)
        found += 2 * (queries + pairs)
    if "mlp" in parts and not has_experts:
        found += 2 * model.mlp_parameters
    if "experts" in parts and has_experts and model.experts:
        found += 2 * model.experts.per_token * 3 * model.hidden * model.experts.width
    return found


def recomputes_nothing(job: Job, is_open: bool) -> list[Problem]:
    """Choices of what to compute again that have no effect; with ``is_open`` a plan may yet choose ``recompute``."""
    problems: list[Problem] = []
    if job.recompute == "none" and job.recompute_layers and not is_open:
        problems.append((("recompute_layers",), "is given, but recompute is none; change one of them"))
    if job.recompute != "selective" and not is_open:
        return problems
    if not job.recompute_parts:
        problems.append((("recompute_parts",), "is empty; name parts, or set recompute: none"))
    twice = [part for number, part in enumerate(job.recompute_parts) if part in job.recompute_parts[:number]]
    if twice:
        problems.append((("recompute_parts",), f"{twice[0]} is there twice; keep one"))
    problems += [
        (("recompute_parts",), f"{part}: the model has {what}; leave it out")
        for part, what, is_there in _wanted(job.model)
        if part in job.recompute_parts and not is_there
    ]
    return problems


def _wanted(model: Model) -> tuple[tuple[str, str, bool], ...]:
    has_mlp = not all(model.has_experts(layer) for layer in range(model.layers))
    return (
        ("latent", "no latent attention", model.latent is not None),
        ("experts", "no experts", model.experts is not None),
        ("mlp", "experts in every layer in its place", has_mlp),
    )
