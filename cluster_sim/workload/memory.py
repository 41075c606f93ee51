"""What an accelerator has to hold, by kind, and whether it fits."""

from cluster_sim.catalogue import Accelerator
from cluster_sim.workload.model import Model
from cluster_sim.workload.parallel import Parallelism

_GB = 1e9


def memory_bytes(
    model: Model,
    parallel: Parallelism,
    microbatch: int,
    num_microbatches: int,
    recompute: str,
    gradient_bytes: int,
) -> dict[str, float]:
    """Bytes on an accelerator of the first pipeline stage, which holds the most activations, by kind.

    Weights in 16 bit; master weights and two moments in 32 bit; activations after Korthikanti et al. [2022, eqs. 2-6]
    with the MLP's width in the place of 4 times hidden. Communication buffers and fragmentation are not counted.
    """
    layers = model.layers / parallel.pipeline
    embeddings = 2 if parallel.pipeline == 1 and not model.tied_embeddings else 1
    dense = (layers * model.dense_parameters + embeddings * model.embedding_parameters) / parallel.tensor
    experts = layers * model.expert_parameters / parallel.expert
    replicas = (parallel.data, parallel.expert_data) if parallel.sharding == "zero1" else (1, 1)
    return {
        "weights": 2 * (dense + experts),
        "gradients": gradient_bytes * (dense + experts),
        "optimizer": 12 * (dense / replicas[0] + experts / replicas[1]),
        "activations": _activations(model, parallel, microbatch, recompute) * _in_flight(parallel, num_microbatches),
    }


def why_not_fitting(needed: dict[str, float], accelerator: Accelerator) -> str:
    """Empty where it fits; otherwise what is needed, by kind, and what there is."""
    total, memory = sum(needed.values()), accelerator.memory.typical
    if total <= memory:
        return ""
    parts = ", ".join(f"{kind} {amount / _GB:.1f} GB" for kind, amount in needed.items())
    return (
        f"{total / _GB:.1f} GB do not fit into the {memory / _GB:.1f} GB of {accelerator.title} ({parts}); "
        f"largest: {max(needed, key=lambda kind: needed[kind])}. Raise tensor or pipeline, or "
        "set recompute: full"
    )


def _in_flight(parallel: Parallelism, num_microbatches: int) -> float:
    """Layers' worth of microbatches whose activations the first stage holds, times the layers of a stage."""
    stages, chunks = parallel.pipeline, parallel.virtual_stages
    if chunks == 1:
        return float(min(stages, num_microbatches))
    return min(stages * (1 + (stages - 1) / (stages * chunks)), num_microbatches)


def _activations(model: Model, parallel: Parallelism, microbatch: int, recompute: str) -> float:
    """Bytes kept per microbatch by the layers of one stage."""
    tokens, tensor = microbatch * model.sequence, parallel.tensor
    layers = model.layers / parallel.pipeline
    unsplit = tensor if parallel.sequence else 1
    if recompute == "full":
        return layers * 2 * tokens * model.hidden / unsplit
    attention = tokens * model.hidden * (8 / tensor + 3 / unsplit)
    scores = 5 * tokens * model.sequence * model.heads / tensor
    keeps_scores = model.attention == "unfused" and recompute == "none"
    norms = 4 * tokens * model.hidden / unsplit
    return layers * (attention + scores * keeps_scores + norms + _mlp_activations(model, parallel, tokens, unsplit))


def _mlp_activations(model: Model, parallel: Parallelism, tokens: int, unsplit: int) -> float:
    if model.experts:
        rows = tokens * model.experts.per_token / parallel.tensor
        return rows * (4 * model.hidden + 6 * model.experts.width)
    inner = (6 if model.gated_mlp else 4) * model.mlp_width
    return tokens * (inner / parallel.tensor + 3 * model.hidden / unsplit)
