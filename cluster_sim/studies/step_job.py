"""The job of a measured training step: what its row says, and what notes, software and model add to it."""

from typing import Any

from pydantic import ValidationError

from cluster_sim.catalogue import ModelFacts, accelerator
from cluster_sim.studies.machines import CATALOGUED
from cluster_sim.studies.measured_steps import MeasuredStep
from cluster_sim.studies.software import Software, chunked_ratio
from cluster_sim.studies.step_notes import Hints
from cluster_sim.workload import Algorithms, Experts, Job, Latent, Model, Parallelism

#: Megatron pads vocabularies to multiples of this times the tensor ranks.
_VOCABULARY_UNIT = 128
#: What is recomputed first where memory is short: it has no products.
_CHEAP = ("norm", "activation")
#: Parameters that are reduced together: in parts, so that reductions can overlap; or all at once, where they do not.
_BUCKET, _WHOLE = 40_000_000, 2**40
#: Schedules in which each rank holds a chunk of layers for each of two ways.
_TWO_WAY = ("dualpipe",)


def job_of(
    row: MeasuredStep, hints: Hints, software: Software, facts: ModelFacts, network: str
) -> tuple[Job, tuple[str, ...]]:
    """(the job of a row on a kind of network, what is assumed about it); ValidationError where there can be none."""
    parallelism, split_told = _parallelism(row, hints, software)
    precision = row.precision or hints.precision
    told = [*split_told, *([] if precision else ["precision bf16"])]
    fields: dict[str, Any] = {
        "accelerators": row.num_accelerators, "accelerator": CATALOGUED[row.accelerator],
        "model": _model(row, software, facts), "parallelism": parallelism, "global_batch": row.global_batch,
        "micro_batch": row.micro_batch or 1, "schedule": _schedule(parallelism, hints),
        "precision": precision or "bf16", "launches": _launches(row, hints, software),
        "gradients": software.gradients, "algorithms": Algorithms(network=network or "infiniband", fuse="tensor"),
    }  # fmt: skip
    ways = _recomputed(row, hints)
    if row.micro_batch is None:
        fields["micro_batch"] = next(
            (size for size in _micro_batches(row) if not _checked({**fields, **ways[0][0], "micro_batch": size})[1]), 1
        )
        told.append(f"micro batch {fields['micro_batch']}")
    job, recompute_told = _recomputing(fields, ways)
    return job, (*told, *recompute_told)


def _micro_batches(row: MeasuredStep) -> list[int]:
    """Sizes to be tried where the row does not say, largest first.

    With a pipeline 1, for the bubble; without one nothing is gained by microbatches, so as much as memory holds.
    """
    if row.pipeline > 1:
        return [1]
    sequences = row.global_batch // row.data
    return [size for size in (8, 4, 2, 1) if sequences % size == 0]


def _recomputing(fields: dict[str, Any], ways: list[tuple[dict[str, Any], str]]) -> tuple[Job, tuple[str, ...]]:
    """The job with the first of the ways to recompute with which it fits; with the first where it fits with none."""
    tried = []
    for way, why in ways:
        job, too_large = _checked({**fields, **way})
        tried.append((job, (*filter(None, (why,)), *too_large)))
        if not too_large:
            return tried[-1]
    return tried[0]


def _checked(fields: dict[str, Any]) -> tuple[Job, tuple[str, ...]]:
    """The job, even where memory is expected not to be enough, as it has run."""
    try:
        return Job(**fields), ()
    except ValidationError as error:
        if not all(map(is_about_memory, error.errors(include_url=False))):
            raise
        return Job.model_construct(**fields), ("ran, though more memory is expected than there is",)


def is_about_memory(detail: Any) -> bool:
    """Whether one of pydantic's findings about a job is that memory is not enough."""
    return detail["loc"] == ("accelerator",) and "memory: " in detail["msg"]


def _model(row: MeasuredStep, software: Software, facts: ModelFacts) -> Model:
    latent = None
    if row.attention == "mla" or (not row.attention and facts.kv_rank):
        latent = Latent(
            query_rank=facts.query_rank, kv_rank=facts.kv_rank, nope_head=facts.nope_head, rope_head=facts.rope_head,
            value_head=facts.value_head,
        )  # fmt: skip
    unit = _VOCABULARY_UNIT * row.tensor if software.pads_vocabulary else 1
    return Model(
        layers=row.layers, hidden=row.hidden, heads=row.heads, kv_heads=0 if latent else row.kv_heads,
        head_dim=0 if latent else row.head_dim or 0, latent=latent, ffn_hidden=row.ffn_hidden, gated_mlp=row.gated_mlp,
        vocabulary=-(-row.vocabulary // unit) * unit, sequence=row.sequence, experts=_experts(row, facts),
        tied_embeddings=facts.tied_embeddings, window=facts.window,
        window_every=facts.window_every if facts.window else 1, mtp_layers=facts.mtp_layers,
        attention=software.attention, counted_attention="full" if row.counts_full_attention else "causal",
    )  # fmt: skip


def _experts(row: MeasuredStep, facts: ModelFacts) -> Experts | None:
    """Dense layers lead, unless the model is known to have experts in every so manyth layer."""
    if not row.experts:
        return None
    every = facts.expert_every or 1
    return Experts(
        count=row.experts, per_token=row.experts_per_token, width=row.expert_ffn_hidden, shared=row.shared_experts,
        first_dense=row.dense_layers if every == 1 else 0, every=every,
        activation_passes=facts.activation_passes or 3,
    )  # fmt: skip


def _parallelism(row: MeasuredStep, hints: Hints, software: Software) -> tuple[Parallelism, tuple[str, ...]]:
    sharding, shard, told = _sharding(row, hints)
    chunks = row.virtual_stages or _most_chunks(row, software)
    if row.virtual_stages is None and row.pipeline > 1 and hints.schedule not in _TWO_WAY:
        told.append(f"vpp {chunks}")
    if hints.schedule in _TWO_WAY:
        chunks = 2
    elif chunks > 1 and row.pipeline == 1:
        chunks = 1
        told.append("vpp 1, as there is no pipeline")
    sequence = row.sequence_parallel
    if sequence is None and row.tensor > 1:
        told.append("sp 1")
    split = Parallelism(
        tensor=row.tensor, context=row.context, pipeline=row.pipeline, data=row.data, expert=row.expert,
        expert_tensor=hints.expert_tensor or 1, virtual_stages=chunks,
        edges_are_layers=row.pipeline > 1 and row.layers % (row.pipeline * chunks) > 0,
        sequence=row.tensor > 1 if sequence is None else sequence, sharding=sharding, shard=shard,
        bucket_parameters=_BUCKET if sharding in software.overlapped else _WHOLE,
        overlap_gradients=sharding in software.overlapped, overlap_parameters=software.gathers_ahead,
        overlap_tensor_ratio=_hidden_ratio(row, hints, software),
        dispatch="each_domain" if hints.has_deep_dispatch or software.sends_once else "each_expert",
        overlap_tensor_gradients=software.tensor_overlap != "none", overlap_experts=hints.hides_experts,
    )  # fmt: skip
    return split, tuple(told)


def _most_chunks(row: MeasuredStep, software: Software) -> int:
    """Chunks of a stage where the row does not say: as many as the software is known to use and layers divide into."""
    microbatches = row.global_batch // (row.data * (row.micro_batch or 1))
    if row.pipeline == 1 or microbatches % row.pipeline:
        return 1
    return max(n for n in range(1, software.most_chunks + 1) if n == 1 or row.layers % (row.pipeline * n) == 0)


def _hidden_ratio(row: MeasuredStep, hints: Hints, software: Software) -> float:
    """Said to be overlapped: in as many pieces as there are tensor ranks, all but one of them behind products."""
    return chunked_ratio(row.tensor) if hints.hides_tensor else software.hidden_ratio(row.tensor)


def _sharding(row: MeasuredStep, hints: Hints) -> tuple[Any, int, list[str]]:
    """(sharding, ranks that share a copy where those are not all, what is assumed)."""
    ranks = row.data * row.context
    sharding, told = (row.sharding, []) if row.sharding else ("zero1", ["sharding zero1"])
    if sharding not in ("fsdp", "hsdp"):
        return sharding, 1, told
    shard = hints.shard
    if not shard and sharding == "hsdp":
        shard = row.accelerators_per_node or int(accelerator(CATALOGUED[row.accelerator]).accelerators_per_host.typical)
        told.append(f"hsdp over the {shard} accelerators of a server")
    return ("hsdp", shard, told) if 1 < shard < ranks else ("fsdp", 1, told)


def _recomputed(row: MeasuredStep, hints: Hints) -> list[tuple[dict[str, Any], str]]:
    """(fields of the job, what is assumed) of what is recomputed; several where the row says nothing, least first."""
    if row.recompute == "selective":
        told = "" if hints.recompute_parts else "recompute of the attention core"
        return [({"recompute": "selective", "recompute_parts": hints.recompute_parts or ("core",)}, told)]
    if row.recompute:
        return [({"recompute": row.recompute}, "")]
    if hints.recomputed_ratio is not None:
        of_stage = -(-row.layers // row.pipeline)
        layers = round(hints.recomputed_ratio * of_stage)
        what = {"recompute": "full", "recompute_layers": layers % of_stage} if layers else {"recompute": "none"}
        return [(what, f"{layers} of {of_stage} layers of a stage are recomputed, from HFU / MFU")]
    full = ({"recompute": "full"}, "recompute full")
    if accelerator(CATALOGUED[row.accelerator]).compute == "ampere":
        return [full]
    return [
        ({"recompute": "none"}, "recompute none"),
        ({"recompute": "selective", "recompute_parts": _CHEAP}, "recompute of norms and activations, so that it fits"),
        (full[0], "recompute full, so that it fits"),
    ]


def _schedule(parallelism: Parallelism, hints: Hints) -> str:
    return hints.schedule or ("interleaved" if parallelism.virtual_stages > 1 else "1f1b")


def _launches(row: MeasuredStep, hints: Hints, software: Software) -> str:
    generation = accelerator(CATALOGUED[row.accelerator]).compute
    by_habit = software.graphs_from and generation.startswith(software.graphs_from) and row.pipeline == 1
    by_habit = by_habit and not row.experts  # how many tokens an expert gets changes from step to step
    return "graph" if hints.has_graphs or by_habit else software.launches
