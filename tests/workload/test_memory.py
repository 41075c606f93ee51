"""Memory against closed forms and published figures."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cluster_sim.core import InputError
from cluster_sim.workload import SCHEDULES, Experts, Job, Latent, Model, Parallelism, fullest_stage, stages_memory_bytes
from cluster_sim.workload.activations import Activations
from cluster_sim.workload.memory import most_held
from cluster_sim.workload.schedules import BACKWARD, FORWARD, INPUT, WEIGHT

GIB = 2**30
GPT_22B = {"layers": 48, "hidden": 6144, "heads": 64, "vocabulary": 51200, "sequence": 2048, "attention": "unfused"}
LLAMA2_7B = {
    "layers": 32, "hidden": 4096, "heads": 32, "ffn_hidden": 11008, "gated_mlp": True, "vocabulary": 32000,
    "sequence": 2048, "attention": "flash",
}  # fmt: skip
#: [DeepSeek-V3 2024, sec. 4.2]
DEEPSEEK_V3 = {
    "layers": 61, "hidden": 7168, "heads": 128, "ffn_hidden": 18432, "gated_mlp": True, "vocabulary": 129280,
    "sequence": 4096, "mtp_layers": 1,
    "latent": Latent(query_rank=1536, kv_rank=512, nope_head=128, rope_head=64, value_head=128),
    "experts": Experts(count=256, per_token=8, width=2048, shared=1, first_dense=3),
}  # fmt: skip


def job_of(model=GPT_22B, **changes):
    """A job of one microbatch a rank that need not fit; changes go to Parallelism, Model or Job by name."""
    names = {"parallel": Parallelism.model_fields, "model": Model.model_fields}
    parallel = {name: changes.pop(name) for name in tuple(changes) if name in names["parallel"]}
    parts = {name: changes.pop(name) for name in tuple(changes) if name in names["model"]}
    plan = Parallelism(**parallel)
    chip = "a100-80gb" if changes.get("precision", "bf16") == "bf16" else "b200-sxm"
    job = {"accelerator": chip, "global_batch": plan.data * changes.get("micro_batch", 1), "force": True}
    return Job(accelerators=plan.num_ranks, model=Model(**{**model, **parts}), parallelism=plan, **{**job, **changes})


def total(job, stage=0):
    return sum(stages_memory_bytes(job)[stage].values())


# --- activations, closed forms


@pytest.mark.parametrize(
    ("tensor", "sequence", "recompute", "per_sbh"),
    [
        (1, False, "none", 34 + 5 * 64 * 2048 / 6144),  # eq. 1
        (8, False, "none", 10 + 24 / 8 + 5 * 64 * 2048 / 6144 / 8),  # eq. 2
        (8, True, "none", (34 + 5 * 64 * 2048 / 6144) / 8),  # eq. 4
        (8, True, "selective", 34 / 8),  # eq. 6 for a layer
        (8, False, "selective", 10 + 24 / 8),
        (1, False, "full", 2),
        (8, False, "full", 2),
        (8, True, "full", 2 / 8),
    ],
)
def test_a_layer_keeps_what_korthikanti_et_al_have(tensor, sequence, recompute, per_sbh):
    """Korthikanti et al. 2022, sec. 4 and 5, s b h bytes a layer; table 2 for tensor parallelism without sequence."""
    job = job_of(tensor=tensor, sequence=sequence, recompute=recompute, micro_batch=4)
    assert Activations(job).layer_bytes(False, True) == pytest.approx(2048 * 4 * 6144 * per_sbh, rel=1e-12)


@pytest.mark.parametrize(
    ("heads", "hidden", "layers", "saved"), [(96, 12288, 96, 0.70), (128, 20480, 105, 0.65)], ids=["gpt-3", "mt-nlg"]
)
def test_selective_recomputation_saves_the_published_share(heads, hidden, layers, saved):
    """70 % of the activations of GPT-3 and 65 % of those of MT-NLG 530B [Korthikanti et al. 2022, sec. 5]."""
    kept = [
        Activations(job_of(heads=heads, hidden=hidden, layers=layers, recompute=recompute)).layer_bytes(False, True)
        for recompute in ("none", "selective")
    ]
    assert 1 - kept[1] / kept[0] == pytest.approx(saved, abs=0.005)


def test_the_first_stage_holds_all_layers_worth_of_activations():
    """1F1B holds p microbatches of L/p layers [eq. 5], and p dropout masks of the embedding: s b h p / t."""
    job = job_of(tensor=8, pipeline=4, global_batch=16)
    acts, sbh = Activations(job), 2048 * 6144
    expected = 48 * acts.layer_bytes(False, False) + 4 * sbh / 8
    assert stages_memory_bytes(job)[0]["activations"] == pytest.approx(expected)


def test_interleaving_holds_more_by_the_published_factor():
    """L (1 + (p-1)/(p m)) layers with m chunks a stage [Korthikanti et al. 2022, sec. 4.2.3]."""
    shape = {"tensor": 8, "pipeline": 4, "virtual_stages": 3, "schedule": "interleaved", "global_batch": 16}
    job = job_of(**shape, attention="fused")
    expected = 48 * (1 + 3 / (4 * 3)) * Activations(job).layer_bytes(False, False)
    assert stages_memory_bytes(job)[0]["activations"] == pytest.approx(expected)


def test_norm_output_layer_and_loss_keep_what_is_published():
    """4 s b h / t (1 + v/h) with one stage: inputs of norm and output layer, logits in 32 bit [sec. 4.3]."""
    job = job_of(tensor=8)
    assert Activations(job).output_bytes() == pytest.approx(4 * 2048 * 6144 / 8 * (1 + 51200 / 6144))


def test_gradients_of_weights_need_32_sbh():
    """Inputs of the four products and gradients of their results [Qi et al. 2023, table 1]."""
    assert Activations(job_of(micro_batch=4)).weight_bytes(False) == pytest.approx(32 * 2048 * 4 * 6144)


def test_kernels_that_keep_no_scores_keep_one_number_a_row():
    """No scores, no dropout; 4 bytes a row and head. 32 s b h and, gated, three widths of the MLP twice and once."""
    job = job_of(LLAMA2_7B)
    assert Activations(job).layer_bytes(False, False) == 2048 * (16 * 4096 + 6 * 11008 + 4 * 32)


def test_fp8_keeps_inputs_of_products_in_8_bit():
    """Four inputs (h, h, h, w) a byte less, but attention's backward pass reads its own 16-bit result (2 h)."""
    wide, narrow = (Activations(job_of(LLAMA2_7B, precision=p)).layer_bytes(False, False) for p in ("bf16", "fp8"))
    assert wide - narrow == 2048 * (3 * 4096 + 11008 - 2 * 4096)


def test_context_ranks_share_the_tokens():
    whole, half = (Activations(job_of(LLAMA2_7B, context=c)).layer_bytes(False, False) for c in (1, 2))
    assert half == whole / 2


def test_a_layer_with_experts_keeps_the_rows_they_compute_with():
    """Two norms' inputs and results, attention, scores in 32 bit twice, and per row its input, 2 widths and 1 width."""
    experts = Experts(count=16, per_token=2, width=1024)
    job = job_of(LLAMA2_7B, experts=experts, expert=8, data=8)
    attention = 2048 * (2 * 4096 * 6 + 4 * 32)
    expected = attention + 2048 * (4 * 4096 + 8 * 16 + 2 * (2 * 4096 + 6 * 1024))
    assert Activations(job).layer_bytes(True, False) == expected


@pytest.mark.parametrize(
    ("parts", "saved"),
    [
        (("latent",), 2 * 128 * (192 + 192 + 128)),  # queries, keys, values of all heads
        (("norm",), 2 * (7168 + 7168 + 1536 + 512)),
        (("activation",), 2 * (2048 + 8 * 2048)),
        (("experts",), 2 * (3 * 2048 + 8 * (7168 + 3 * 2048))),
        (("mlp",), 0),
        (("activation", "experts"), 2 * (3 * 2048 + 8 * (7168 + 3 * 2048))),
    ],
)
def test_each_part_saves_its_tensors(parts, saved):
    """Bytes a token of a layer of DeepSeek-V3."""
    job = job_of(DEEPSEEK_V3, recompute="selective", recompute_parts=parts)
    acts = Activations(job)
    assert acts.layer_bytes(True, False) - acts.layer_bytes(True, True) == saved * 4096


# --- passes


def test_passes_that_run_together_hold_together():
    """Chunk 0 weighs 1, chunk 1 weighs 10. Joined, the forward of one is there before the other's backward is done."""
    rows = [(FORWARD, 0, 0, 0), (BACKWARD, 0, 0, 0), (FORWARD, 1, 1, 0), (BACKWARD, 1, 1, 0)]
    kept, none = np.array([1.0, 10.0]), np.zeros(2)
    assert most_held(np.array(rows, dtype=np.int32), kept, none) == 10
    rows[2] = (FORWARD, 1, 1, 1)
    assert most_held(np.array(rows, dtype=np.int32), kept, none) == 11


def test_what_weights_need_is_held_until_their_pass():
    """Each of three microbatches leaves 4 of 10 behind: 10, 14, 18 while inputs are computed."""
    rows = [(kind, 0, m, 0) for m in range(3) for kind in (FORWARD, INPUT)] + [(WEIGHT, 0, m, 0) for m in range(3)]
    assert most_held(np.array(rows, dtype=np.int32), np.array([10.0]), np.array([4.0])) == 18


@given(st.integers(1, 6), st.integers(1, 12))
def test_a_stage_of_1f1b_holds_as_many_microbatches_as_stages_follow(stages, microbatches):
    for stage in range(stages):
        order = SCHEDULES["1f1b"].order(stage, stages, microbatches, 1)
        assert most_held(order, np.ones(1), np.zeros(1)) == min(stages - stage, microbatches)


@given(st.sampled_from(sorted(SCHEDULES)), st.integers(1, 4), st.integers(1, 12), st.integers(1, 3), st.randoms())
def test_the_most_held_is_that_of_every_schedule_step_by_step(name, stages, microbatches, chunks, random):
    kept = [random.randint(5, 9) for _ in range(chunks)]
    for_weights = [random.randint(1, 12) for _ in range(chunks)]
    for stage in range(stages):
        try:
            order = SCHEDULES[name].order(stage, stages, microbatches, chunks)
        except InputError:
            return
        held, most, leaving = 0, 0, []
        for kind, chunk, _, joined in order.tolist():
            if not joined:
                held, leaving = held - sum(leaving), []
            amounts = {FORWARD: (kept[chunk], 0), BACKWARD: (0, kept[chunk]),
                       INPUT: (0, kept[chunk] - for_weights[chunk]), WEIGHT: (0, for_weights[chunk])}  # fmt: skip
            held, leaving = held + amounts[kind][0], [*leaving, amounts[kind][1]]
            most = max(most, held)
        assert held == sum(leaving)
        assert most_held(order, np.array(kept, dtype=float), np.array(for_weights, dtype=float)) == most


# --- parameters


@pytest.mark.parametrize("name", [name for name in sorted(SCHEDULES) if SCHEDULES[name].is_two_way])
@pytest.mark.parametrize("mtp_layers", [0, 1])
def test_two_way_schedules_hold_a_copy_for_each_way(name, mtp_layers):
    """Layers twice; the tables of the edges are shared between what a stage holds of both ways."""
    shape = {"pipeline": 16, "virtual_stages": 2, "schedule": name, "edges_are_layers": True, "global_batch": 32}
    job = job_of(DEEPSEEK_V3, layers=62 - mtp_layers, mtp_layers=mtp_layers, **shape)
    held = [stage["weights"] / 2 for stage in stages_memory_bytes(job)]
    layer = job.model.dense_parameters + job.model.expert_parameters
    further = mtp_layers * (layer + 2 * 7168**2)
    assert sum(held) == pytest.approx(2 * (job.model.parameters + further))
    assert held == held[::-1]


@pytest.mark.parametrize(
    ("sharding", "gigabytes"), [("none", 120), ("zero1", 31.4), ("zero2", 16.6), ("zero3", 1.9), ("fsdp", 1.9)]
)
def test_model_states_are_those_of_the_zero_paper(sharding, gigabytes):
    """7.5 billion parameters on 64 ranks, 2 + 2 + 12 bytes [Rajbhandari et al. 2020, fig. 1]."""
    model = {"layers": 36, "hidden": 4096, "heads": 32, "vocabulary": 61583, "sequence": 1024, "tied_embeddings": True}
    job = job_of(model, data=64, sharding=sharding, gradients="bf16")
    assert job.model.parameters == pytest.approx(7.5e9, rel=1e-6)
    held = stages_memory_bytes(job)[0]
    assert (held["weights"] + held["gradients"] + held["optimizer"]) / 1e9 == pytest.approx(gigabytes, abs=0.05)


@pytest.mark.parametrize(("sharding", "each"), [("none", 18), ("zero1", 6 + 12 / 8)])
def test_states_are_those_of_megatron(sharding, each):
    """18 bytes a parameter, 6 + 12/d with the distributed optimiser [Megatron-LM, theoretical_memory_usage.py]."""
    job = job_of(data=8, sharding=sharding)
    held = stages_memory_bytes(job)[0]
    states = held["weights"] + held["gradients"] + held["optimizer"]
    assert states == pytest.approx(each * job.model.parameters)


def test_a_stage_of_deepseek_v3_has_the_published_weights():
    """
    86 GiB in 16 bit a stage of four layers with experts; 11.64 GiB a rank with tensor 2 and expert 8 [Zhang and Su
    2025]. They count norms as well, and have the shared expert whole on both tensor ranks, where Megatron splits it.
    """
    whole = stages_memory_bytes(job_of(DEEPSEEK_V3, pipeline=16, edges_are_layers=True))
    assert whole[1]["weights"] / GIB == pytest.approx(86, abs=0.5)
    split = job_of(DEEPSEEK_V3, tensor=2, pipeline=16, data=32, expert=8, edges_are_layers=True)
    shared = 4 * split.model.shared_parameters / 2
    assert (stages_memory_bytes(split)[1]["weights"] + 2 * shared) / GIB == pytest.approx(11.64, rel=0.005)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("edges", [True, False])
def test_weights_of_all_stages_are_the_model(tied, edges):
    """The embedding is there twice where it is shared between the first stage and the last."""
    for stages in (1, 2, 4):
        job = job_of(LLAMA2_7B, layers=30 if edges else 32, pipeline=stages, tied_embeddings=tied,
                     edges_are_layers=edges)  # fmt: skip
        held = sum(stage["weights"] for stage in stages_memory_bytes(job)) / 2
        again = job.model.embedding_parameters * (tied and stages > 1)
        assert held == job.model.parameters + again


def test_weights_of_layers_for_further_tokens_are_on_the_last_stage():
    """One more layer like the last, a product of 2 h x h, and a copy of the embedding."""
    without, with_one = (
        sum(stage["weights"] for stage in stages_memory_bytes(job_of(DEEPSEEK_V3, mtp_layers=n, pipeline=61))) / 2
        for n in (0, 1)
    )
    model = Model(**DEEPSEEK_V3)
    layer = model.dense_parameters + model.expert_parameters
    assert with_one - without == layer + 2 * 7168**2 + model.embedding_parameters


@given(
    st.sampled_from([1, 2, 4]), st.sampled_from([1, 2]), st.sampled_from([1, 2, 4]), st.sampled_from([1, 2]),
    st.integers(0, 3), st.integers(1, 2),
)  # fmt: skip
def test_weights_of_all_ranks_are_replicas_of_the_model(tensor, context, expert, expert_tensor, first_dense, every):
    """Dense parts on each data and context rank, experts on each of expert_data; routers on all tensor ranks."""
    experts = Experts(count=8, per_token=2, width=512, first_dense=first_dense, every=every, shared=1)
    job = job_of(
        LLAMA2_7B, experts=experts, layers=8, tensor=tensor, context=context, data=8, pipeline=2, expert=expert,
        expert_tensor=expert_tensor,
    )  # fmt: skip
    model, p = job.model, job.parallelism
    mixed = sum(model.has_experts(layer) for layer in range(8))
    routers = mixed * model.router_parameters
    in_experts = mixed * model.expert_parameters
    dense = model.parameters - in_experts - routers
    ranks = p.num_stage_ranks * sum(stage["weights"] for stage in stages_memory_bytes(job)) / 2
    assert ranks == pytest.approx(dense * p.num_replicas + routers * p.num_stage_ranks + in_experts * p.expert_data)


@pytest.mark.parametrize(("precision", "each"), [("fp16", 2), ("fp8", 2), ("mxfp8", 2.0625), ("nvfp4", 3.125)])
def test_weights_of_layers_are_kept_in_the_formats_of_products(precision, each):
    """8 bit: twice, as it lies and transposed; 4 bit: both besides 16 bit. Embeddings have 16."""
    job = job_of(LLAMA2_7B, precision=precision)
    edges = 2 * job.model.embedding_parameters
    assert stages_memory_bytes(job)[0]["weights"] == each * (job.model.parameters - edges) + 2 * edges


# --- properties


SHARDINGS = ("none", "zero1", "zero2", "zero3")


@given(st.sampled_from([2, 4, 8]), st.sampled_from(["fp32", "bf16"]), st.sampled_from([1, 4]), st.booleans())
def test_more_sharding_never_needs_more(data, gradients, expert, is_mixed):
    experts = Experts(count=4, per_token=1, width=512) if is_mixed else None
    expert = min(expert, data) if is_mixed else 1
    states, totals = [], []
    for sharding in SHARDINGS:
        job = job_of(LLAMA2_7B, data=data, sharding=sharding, gradients=gradients, experts=experts, expert=expert)
        held = stages_memory_bytes(job)[0]
        states.append(held["weights"] + held["gradients"] + held["optimizer"])
        totals.append(sum(held.values()))
    assert states == sorted(states, reverse=True)
    assert totals == sorted(totals, reverse=True)  # of a model with many layers; gathering one takes room


def test_shards_of_a_part_of_the_ranks_lie_between():
    for kind in ("weights", "gradients", "optimizer"):
        one, part, whole = (
            stages_memory_bytes(job_of(LLAMA2_7B, data=16, sharding=sharding, shard=shard))[0][kind]
            for sharding, shard in (("none", 1), ("hsdp", 4), ("fsdp", 1))
        )
        assert (one, one) == (4 * part, 16 * whole)


def test_sharded_parameters_are_gathered_two_layers_at_a_time():
    """And one layer's gradients, whole, until they are reduced; two embeddings of 131 million are smaller."""
    held = {s: stages_memory_bytes(job_of(LLAMA2_7B, data=8, sharding=s))[0] for s in ("none", "zero2", "fsdp")}
    layer = Model(**LLAMA2_7B).dense_parameters
    assert held["zero2"]["buffers"] - held["none"]["buffers"] == 4 * layer
    assert held["fsdp"]["buffers"] - held["zero2"]["buffers"] == 2 * 2 * layer


PARTS = st.lists(st.sampled_from(["core", "latent", "norm", "activation", "mlp", "experts"]), unique=True)


@settings(deadline=None)
@given(
    PARTS, st.sampled_from([GPT_22B, LLAMA2_7B, DEEPSEEK_V3]), st.sampled_from([1, 2]), st.booleans(),
    st.sampled_from(["bf16", "fp8"]), st.integers(0, 5),
)  # fmt: skip
def test_recomputation_never_needs_more_activations(parts, model, tensor, sequence, precision, num_layers):
    sequence = sequence or bool(model.get("experts"))
    shape = {"tensor": tensor, "sequence": sequence, "precision": precision, "pipeline": 4, "global_batch": 8,
             "edges_are_layers": model is DEEPSEEK_V3}  # fmt: skip
    there = tuple(part for part in parts if model is DEEPSEEK_V3 or part not in ("latent", "experts"))
    again = {"recompute_parts": there or ("core",), "recompute_layers": num_layers}
    none, selective, full = (
        stages_memory_bytes(job_of(model, recompute=recompute, **(again if recompute != "none" else {}), **shape))
        for recompute in ("none", "selective", "full")
    )
    for stage in range(4):
        assert full[stage]["activations"] <= selective[stage]["activations"] <= none[stage]["activations"]


def test_only_the_first_layers_of_a_stage_are_computed_again():
    """Two chunks of 6 layers: 8 are all of the first chunk, 2 of the second."""
    shape = {"pipeline": 4, "virtual_stages": 2, "schedule": "interleaved", "recompute": "full", "global_batch": 4}
    job = job_of(attention="fused", recompute_layers=8, **shape)
    acts = Activations(job)
    whole, again = acts.layer_bytes(False, False), acts.layer_bytes(False, True)
    assert stages_memory_bytes(job)[0]["activations"] == pytest.approx(4 * (8 * again + 4 * whole))
    assert stages_memory_bytes(job)[0]["buffers"] == pytest.approx(whole - again + 8 * acts.values)


# --- does it fit


def test_the_fullest_stage_is_named_with_what_helps():
    short = r"do not fit into the 80\.0 GB .* on stage 0 of 4 \(weights .*largest: activations\. "
    advice = r"Set recompute: full, or selective with recompute_parts, .*force: true"
    with pytest.raises(ValidationError, match=short + advice):
        job_of(force=False, pipeline=4, tensor=2, global_batch=16)
    with pytest.raises(
        ValidationError, match=r"largest: optimizer\. Raise tensor or pipeline, set sharding: zero1, or"
    ):
        job_of(force=False, data=2, sharding="none", recompute="full")


def test_what_is_wrong_otherwise_is_reported_without_memory():
    with pytest.raises(ValidationError) as error:
        job_of(force=False, data=2, global_batch=3)
    assert "memory" not in str(error.value)


def test_the_fullest_stage_need_not_be_the_first():
    """With full recomputation logits weigh more than inputs of layers, and the last stage has them."""
    job = job_of(LLAMA2_7B, pipeline=2, global_batch=2, recompute="full", vocabulary=256000)
    stages = stages_memory_bytes(job)
    assert fullest_stage(stages) == 1
    assert job.memory_bytes == stages[1]


#: [NVIDIA/Megatron-LM pull request 482, 2023]: micro batch, global batch, data, pipeline, tensor, and what
#: torch.cuda.max_memory_allocated gave on eight H800 in GiB.
MEASURED = [
    (2, 2048, 8, 1, 1, 69.1),
    (4, 512, 4, 1, 2, 55.7),
    (2, 2048, 4, 2, 1, 49.8),
    (4, 128, 1, 1, 8, 28.8),
]


@pytest.mark.parametrize(("micro_batch", "batch", "data", "pipeline", "tensor", "gib"), MEASURED)
def test_llama_2_7b_needs_what_was_measured(micro_batch, batch, data, pipeline, tensor, gib):
    """
    Distributed optimiser, FlashAttention, no recomputation. The sequence is not printed; 2048, as in the authors'
    example, is the only usual one that comes near. Megatron-LM of 2023 kept more than is counted here: SwiGLU without
    fusion one width of the MLP more, and dropout masks. So nothing is predicted above, and all within an eighth.
    """
    shape = {"data": data, "pipeline": pipeline, "tensor": tensor, "sequence": False}
    predicted = total(job_of(LLAMA2_7B, micro_batch=micro_batch, global_batch=batch, accelerator="h800-sxm", **shape))
    print(f"tensor {tensor}, pipeline {pipeline}, data {data}: {predicted / GIB:.1f} GiB, measured {gib}")
    assert 7 / 8 * gib < predicted / GIB < gib


# --- what ran did fit

TABLE = Path(__file__).parents[3] / "shared" / "data" / "measured" / "training_steps.csv"
#: Families of dense models whose columns say all that memory depends on, and their attention.
FAMILIES = {
    "megatron_sc21": "unfused", "megatron_seqpar": "unfused", "vtrain": "unfused", "mosaic": "flash",
    "nanotron": "flash",
}  # fmt: skip


def read_table(name):
    with (TABLE.parent / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_job(row, tied_embeddings):
    """The job of a row of the table; it need not fit. Where sharding is not printed, there is none."""
    number = {name: int(float(value)) for name, value in row.items() if value.replace(".", "").isdigit()}
    chunks, stages = number.get("vpp", 1), number["pp"]
    return job_of(
        {
            "layers": number["layers"], "hidden": number["hidden"], "heads": number["heads"],
            "kv_heads": number["kv_heads"], "head_dim": number["head_dim"], "ffn_hidden": number["ffn_hidden"],
            "gated_mlp": row["gated_mlp"] == "1", "vocabulary": number["vocab"], "sequence": number["seq_len"],
            "attention": FAMILIES[row["source_family"]], "tied_embeddings": tied_embeddings,
        },
        accelerator=row["accelerator"], tensor=number["tp"], context=number["cp"], pipeline=stages, data=number["dp"],
        virtual_stages=chunks, schedule="interleaved" if chunks > 1 else "1f1b", sequence=row["sp"] != "0",
        sharding=row["sharding"] or "none", edges_are_layers=number["layers"] % (stages * chunks) > 0,
        recompute=row["recompute"] or "none", global_batch=number["global_batch_sequences"],
        micro_batch=number["micro_batch_sequences"],
    )  # fmt: skip


@pytest.mark.skipif(not TABLE.is_file(), reason="no table shared/data/measured/training_steps.csv")
def test_published_runs_fit_into_their_accelerators():
    """
    All were measured, so they fitted. Two of MosaicML exceed the nominal memory, by 2.0 and 0.5 %: a board of 80 GB
    has 80 GiB. One row has more stages than layers and edges, which layouts do not have.
    """
    tied = {model["model"]: model["tied_embeddings"] == "1" for model in read_table("models.csv")}
    rows = [row for row in read_table(TABLE.name) if row["source_family"] in FAMILIES]
    ratios = {}
    for row in rows:
        if int(row["pp"]) > int(row["layers"]):
            continue
        job = read_job(row, tied[row["model"]])
        ratios[row["row_id"]] = sum(job.memory_bytes.values()) / job.accelerator_entry.memory.typical
    over = {name: round(ratio, 3) for name, ratio in ratios.items() if ratio > 1}
    print(f"{len(ratios)} rows, above the nominal memory: {over}; median {np.median(list(ratios.values())):.2f}")
    assert len(ratios) >= len(rows) - 1
    assert len(over) <= 2
    assert max(ratios.values()) < 1.025
