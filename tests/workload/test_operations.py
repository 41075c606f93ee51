"""What runs: FLOPs of the kernels against those of the model, and what recomputation and splitting change."""

import pytest

from cluster_sim.workload.experts import Experts
from cluster_sim.workload.latent import Latent
from cluster_sim.workload.model import Model
from cluster_sim.workload.operations import (
    Attention,
    Matmul,
    Stream,
    embedding_work,
    head_work,
    layer_work,
    mtp_work,
    optimizer_work,
)
from cluster_sim.workload.parallel import Parallelism

GPT = Model(layers=2, hidden=1024, heads=16, vocabulary=50304, sequence=2048)
LLAMA = Model(
    layers=2, hidden=1024, heads=16, kv_heads=4, ffn_hidden=2816, gated_mlp=True, vocabulary=32000, sequence=4096
)
WINDOW = LLAMA.model_copy(update={"window": 512})
MOE = LLAMA.model_copy(update={"experts": Experts(count=8, per_token=2, width=512, shared=1)})
MLA = MOE.model_copy(update={
    "kv_heads": 0, "latent": Latent(query_rank=384, kv_rank=128, nope_head=64, rope_head=32, value_head=64)
})  # fmt: skip
ALL = {"gpt": GPT, "llama": LLAMA, "window": WINDOW, "moe": MOE, "mla": MLA}
ONE = Parallelism(sequence=False)


def work_of(model, parallel=ONE, micro_batch=2, precision="bf16", recomputed=()):
    return layer_work(model, parallel, micro_batch, 0, precision, frozenset(recomputed))


def flop(operations):
    return sum(operation.flop for operation in operations if not isinstance(operation, Stream))


def product_flop(operations):
    return sum(operation.flop for operation in operations if isinstance(operation, Matmul))


def moved_bytes(operations):
    return sum(operation.moved_bytes for operation in operations)


def all_of(work, part):
    return [operation for piece in work.values() for operation in getattr(piece, part)]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    "parallel", [ONE, Parallelism(tensor=4), Parallelism(context=2), Parallelism(tensor=2, data=2)]
)
def test_kernels_compute_what_the_model_counts(name, parallel):
    """Forward FLOPs of all ranks that share a microbatch are the model's; compressing to a latent is not split."""
    model, share = ALL[name], parallel.tensor * parallel.context
    counted = model.layer_flop_per_token(0) * 2 * model.sequence / share
    if model.latent:
        rank = model.latent.query_rank + model.latent.kv_rank + model.latent.rope_head
        counted += 2 * model.hidden * rank * 2 * model.sequence * (1 - 1 / parallel.tensor) / parallel.context
    assert flop(all_of(work_of(model, parallel), "forward")) == pytest.approx(counted, rel=1e-12)


@pytest.mark.parametrize("name", ALL)
def test_the_backward_pass_has_each_product_twice(name):
    """Once for the gradient of the input, once for that of the weights; attention has five products for two."""
    work = work_of(ALL[name])
    forward = product_flop(all_of(work, "forward"))
    assert product_flop(all_of(work, "inputs")) == pytest.approx(forward)
    assert product_flop(all_of(work, "weights")) == pytest.approx(forward)
    core = work["core"]
    assert flop(core.inputs) == pytest.approx(2.5 * flop(core.forward))


def test_experts_compute_as_much_however_they_are_split():
    """All on one rank, one on each of eight, each over two: every rank gets as many tokens as it sends."""
    plans = [Parallelism(data=8), Parallelism(data=8, expert=8), Parallelism(data=8, expert=4, expert_tensor=2)]
    done = [product_flop(work_of(MOE, plan)["experts"].forward) for plan in plans]
    assert done == pytest.approx([done[0]] * 3)


@pytest.mark.parametrize(
    ("name", "part", "piece", "is_product"),
    [
        ("llama", "core", "core", True), ("llama", "norm", "qkv", False), ("llama", "norm", "up", False),
        ("llama", "activation", "up", False), ("llama", "mlp", "up", True), ("llama", "mlp", "down", True),
        ("moe", "norm", "route", False), ("moe", "activation", "experts", False), ("moe", "experts", "experts", True),
        ("mla", "latent", "qkv", True),
    ],
)  # fmt: skip
def test_what_is_recomputed_runs_again_before_the_backward_pass(name, part, piece, is_product):
    """Only its piece's gradient of inputs has more to do: at most the forward pass again, with products or without."""
    plain, again = work_of(ALL[name])[piece], work_of(ALL[name], recomputed=[part])[piece]
    assert (again.forward, again.weights) == (plain.forward, plain.weights)
    more = moved_bytes(again.inputs) - moved_bytes(plain.inputs)
    assert 0 < more <= moved_bytes(plain.forward) * (1 + 1e-12)
    assert (flop(again.inputs) > flop(plain.inputs)) == is_product


@pytest.mark.parametrize("name", ALL)
def test_nothing_else_is_recomputed(name):
    touched = {"core": {"core"}, "norm": {"qkv", "up", "route"}, "mlp": {"up", "down"}, "experts": {"experts"}}
    for part, pieces in touched.items():
        plain, again = work_of(ALL[name]), work_of(ALL[name], recomputed=[part])
        assert {piece for piece in plain if plain[piece] != again[piece]} <= pieces


def test_eight_bit_products_move_half_and_are_cast_before():
    """Casts read 16 bit and write two copies of 8; nothing is cast in 16 bit."""
    half, byte = work_of(GPT)["down"], work_of(GPT, precision="fp8")["down"]
    factors = 2 * GPT.sequence * GPT.mlp_width
    casts = [operation for operation in byte.forward if operation.moved_bytes == factors * 4]
    assert len(casts) == 1
    assert len(byte.forward) == len(half.forward) + 1
    (wide,) = (operation for operation in half.forward if isinstance(operation, Matmul))
    (narrow,) = (operation for operation in byte.forward if isinstance(operation, Matmul))
    result = 2 * 2 * GPT.sequence * GPT.hidden
    assert narrow.moved_bytes - result == pytest.approx((wide.moved_bytes - result) / 2)


def test_context_ranks_attend_to_few_keys_at_a_time_and_add_up_the_parts():
    """Over four ranks a kernel sees a quarter of the keys, and three more parts are added to the first."""
    whole, split = (work_of(LLAMA, Parallelism(context=context))["core"].forward for context in (1, 4))
    (attention,) = whole
    part, added = split
    assert isinstance(part, Attention)
    assert (part.flop, part.keys) == (pytest.approx(attention.flop / 4), attention.keys / 4)
    values = 2 * LLAMA.sequence / 4 * LLAMA.context_width
    assert added.moved_bytes == 3 * values * (2 + 4 + 4)


def test_unfused_attention_writes_its_scores_and_softmax_takes_heads_by_four():
    """16 heads over 8 ranks are two a sequence: alone too few for the fused softmax, four sequences are not."""
    model, plan = GPT.model_copy(update={"attention": "unfused"}), Parallelism(tensor=8)
    few, many = (work_of(model, plan, micro_batch)["core"].forward for micro_batch in (1, 4))
    assert moved_bytes(many) > 4 * 2 * 2048 * 2048 * 2  # of four sequences the scores of two heads
    assert moved_bytes(few) > 1.5 * moved_bytes(many) / 4
    assert not any(isinstance(operation, Attention) for operation in few)


def test_head_embedding_and_the_layers_for_further_tokens():
    tokens = 2 * GPT.sequence
    head = head_work(GPT, Parallelism(tensor=2), 2)
    assert flop(head.forward) == 2 * tokens * GPT.hidden * GPT.vocabulary / 2
    assert flop(head.inputs) == flop(head.weights) == flop(head.forward)
    assert flop(mtp_work(GPT, ONE, 2).forward) == 2 * tokens * 2 * GPT.hidden * GPT.hidden
    assert moved_bytes(embedding_work(GPT, ONE, 2).forward) == tokens * GPT.hidden * 4


def test_adam_moves_34_bytes_for_each_parameter():
    """Gradient twice, moments and master weight both ways, all in 32 bit; the weight in 16."""
    assert moved_bytes(optimizer_work(10.0).forward) == 10 * (2 * 4 + 6 * 4 + 2)


def test_unfused_activations_move_more():
    """SwiGLU by itself: gate and its sigmoid-weighted, that and the other factor, their product: five for three."""
    (fused,) = (operation for operation in work_of(LLAMA)["up"].forward[-1:] if isinstance(operation, Stream))
    values = 2 * LLAMA.sequence * LLAMA.mlp_width
    assert fused.moved_bytes == 3 * 2 * values
    assert fused.moved_bytes * fused.unfused == pytest.approx(5 * 2 * values)
