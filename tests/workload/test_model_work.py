"""Kernels of all ranks together compute what the model counts, however it is split."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster_sim.workload import Experts, Latent, Model, Parallelism
from cluster_sim.workload.operations import Attention, Matmul, head_work, layer_work
from tests.workload.zoo import MODELS, zoo

SHAPE = {"layers": 4, "hidden": 64, "heads": 8, "vocabulary": 320, "sequence": 128}
LATENT = Latent(query_rank=24, kv_rank=16, nope_head=8, rope_head=4, value_head=12)
EXPERTS = Experts(count=8, per_token=3, width=48, shared=1, first_dense=1, every=2)
KINDS = {
    "dense": Model(**SHAPE),
    "grouped queries": Model(**SHAPE, kv_heads=4, head_dim=12, ffn_hidden=80, gated_mlp=True),
    "windows": Model(**SHAPE, window=32, window_every=3),
    "latent": Model(**SHAPE, latent=LATENT),
    "latent without query rank": Model(**SHAPE, latent=LATENT.model_copy(update={"query_rank": 0})),
    "experts": Model(**SHAPE, kv_heads=4, experts=EXPERTS),
    "experts and latent": Model(**SHAPE, latent=LATENT, experts=EXPERTS),
}
MICRO_BATCH = 2


@st.composite
def splits(draw, model):
    """Parallelism that divides a model of KINDS."""
    degrees = st.sampled_from([1, 2, 4])
    tensor, context, data = draw(degrees), draw(degrees), draw(degrees)
    expert, expert_tensor = (draw(degrees), draw(degrees)) if model.experts else (1, 1)
    if tensor * context * data % (expert * expert_tensor):
        expert = expert_tensor = 1
    return Parallelism(tensor=tensor, context=context, data=data, expert=expert, expert_tensor=expert_tensor)


KINDS_AND_SPLITS = st.sampled_from(list(KINDS)).flatmap(lambda kind: st.tuples(st.just(kind), splits(KINDS[kind])))


def flop(operations, kind):
    """Of the operations of one class."""
    return sum(operation.flop for operation in operations if isinstance(operation, kind))


def layers_of(model, parallel, micro_batch=MICRO_BATCH):
    """The work of each layer of one rank."""
    return [layer_work(model, parallel, micro_batch, layer, "bf16") for layer in range(model.layers)]


def ranks_with_one_batch(parallel):
    """Ranks that compute a microbatch together: tensor and context ranks; experts get as many tokens as they send."""
    return parallel.tensor * parallel.context


def repeated(model, parallel):
    """Parameters that every tensor rank may multiply with every token: what compresses to latent vectors."""
    latent = model.latent
    if not latent:
        return 0
    down = model.hidden * (latent.query_rank + latent.kv_rank + latent.rope_head)
    return (parallel.tensor - 1) * down


@given(KINDS_AND_SPLITS)
@settings(deadline=None)
def test_products_of_all_ranks_are_two_flop_for_each_active_parameter_and_token(case):
    kind, parallel = case
    model, tokens = KINDS[kind], MICRO_BATCH * SHAPE["sequence"]
    for layer, work in enumerate(layers_of(model, parallel)):
        ahead = sum(flop(part.forward, Matmul) for part in work.values()) * ranks_with_one_batch(parallel)
        least = 2 * tokens * model.active_parameters_of(layer)
        assert least * (1 - 1e-12) <= ahead <= (least + 2 * tokens * repeated(model, parallel)) * (1 + 1e-12)
        for part in work.values():
            again = flop(part.forward, Matmul)
            assert flop(part.inputs, Matmul) == pytest.approx(again, rel=1e-12)
            assert flop(part.weights, Matmul) == pytest.approx(again, rel=1e-12)


@given(KINDS_AND_SPLITS)
@settings(deadline=None)
def test_attention_of_all_ranks_is_what_causal_attention_counts(case):
    """Backward five products for two, one of which repeats the scores: the model counts four."""
    kind, parallel = case
    model, tokens = KINDS[kind], MICRO_BATCH * SHAPE["sequence"]
    for layer, work in enumerate(layers_of(model, parallel)):
        ahead = flop(work["core"].forward, Attention) * ranks_with_one_batch(parallel)
        assert ahead == pytest.approx(tokens * model.core_flop_per_token(layer), rel=1e-12)
        assert flop(work["core"].inputs, Attention) == pytest.approx(2.5 * flop(work["core"].forward, Attention))
        assert not any(flop(work[name].forward, Attention) for name in work if name != "core")


@pytest.mark.parametrize("context", [1, 2, 4])
@pytest.mark.parametrize("tensor", [1, 2, 4])
def test_attention_through_memory_computes_all_scores(tensor, context):
    """Twice what causal attention counts; backward four products for two."""
    model = KINDS["grouped queries"].model_copy(update={"attention": "unfused", "counted_attention": "full"})
    parallel = Parallelism(tensor=tensor, context=context)
    for layer, work in enumerate(layers_of(model, parallel)):
        ahead = flop(work["core"].forward, Matmul)
        whole = MICRO_BATCH * model.sequence * model.core_flop_per_token(layer)
        assert ahead * tensor * context == pytest.approx(whole, rel=1e-12)
        assert flop(work["core"].inputs, Matmul) == pytest.approx(2 * ahead, rel=1e-12)


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_a_whole_model_computes_what_it_counts(path):
    """Layers and output layer of one rank that has it all: forward and backward, with causal attention."""
    model, parallel = zoo(path.stem, counted_attention="causal", mtp_layers=0), Parallelism()
    parts = [part for work in layers_of(model, parallel, 1) for part in work.values()]
    parts.append(head_work(model, parallel, 1))
    ahead = sum(flop(part.forward, Matmul | Attention) for part in parts)
    back = sum(flop(part.inputs, Matmul) + flop(part.weights, Matmul) for part in parts)
    back += sum(flop(part.inputs, Attention) for part in parts) * 4 / 5
    assert ahead == pytest.approx(model.sequence * model.flop_per_token / 3, rel=1e-12)
    assert back == pytest.approx(2 * ahead, rel=1e-12)


@pytest.mark.parametrize("tensor", [1, 2, 4])
def test_the_output_layer_is_split_over_tensor_ranks(tensor):
    model = KINDS["dense"]
    work = head_work(model, Parallelism(tensor=tensor), MICRO_BATCH)
    whole = 2 * MICRO_BATCH * model.sequence * model.embedding_parameters
    for operations in (work.forward, work.inputs, work.weights):
        assert flop(operations, Matmul) * tensor == pytest.approx(whole, rel=1e-12)


def bytes_of_weights(model, parallel, layer, direction):
    """What a layer's parts move however few tokens there are: 2 f(1) - f(2), as all else grows with the tokens."""
    moved = [
        {
            name: sum(operation.moved_bytes for operation in getattr(part, direction))
            for name, part in layer_work(model, parallel, micro_batch, layer, "bf16").items()
        }
        for micro_batch in (1, 2)
    ]
    return {name: 2 * moved[0][name] - moved[1][name] for name in moved[0]}


@given(KINDS_AND_SPLITS)
@settings(deadline=None)
def test_parts_read_every_weight_once_each_way_and_add_to_its_gradient_in_32_bit(case):
    """
    2 bytes a weight forward and for the gradient of the inputs; 4 read and 4 written for its own. Tensor ranks share
    dense weights but for the router and what compresses to latent vectors, which they all hold.
    """
    kind, parallel = case
    model = KINDS[kind]
    for layer in range(model.layers):
        for direction, bytes_each in (("forward", 2), ("inputs", 2), ("weights", 8)):
            parts = bytes_of_weights(model, parallel, layer, direction)
            experts = parts.pop("experts", 0.0) * parallel.expert * parallel.expert_tensor
            assert experts == pytest.approx(bytes_each * model.expert_parameters_of(layer), abs=1e-6)
            alike = repeated(model, parallel)
            if model.has_experts(layer):
                alike += (parallel.tensor - 1) * model.router_parameters
            dense = sum(parts.values()) * parallel.tensor
            assert dense == pytest.approx(bytes_each * (model.dense_parameters_of(layer) + alike), rel=1e-9)


@given(KINDS_AND_SPLITS)
@settings(deadline=None)
def test_context_ranks_share_what_grows_with_the_tokens(case):
    """
    Activations of a microbatch, moved by one of the context ranks, are its share of what one rank would move; but for
    the attention core, which meets the keys of every rank and adds up its parts.
    """
    kind, parallel = case
    model, alone = KINDS[kind], parallel.model_copy(update={"context": 1, "expert": 1, "expert_tensor": 1})
    shared = parallel.model_copy(update={"expert": 1, "expert_tensor": 1})
    for layer in range(model.layers):
        for direction in ("forward", "inputs", "weights"):
            whole, part = (grown_bytes(model, split, layer, direction) for split in (alone, shared))
            for name in set(whole) - {"core"}:
                assert part[name] * parallel.context == pytest.approx(whole[name], rel=1e-9)
            assert part.get("core", 0.0) * parallel.context >= whole.get("core", 0.0) * (1 - 1e-9)


def grown_bytes(model, parallel, layer, direction):
    """What a layer's parts move more for a second sequence."""
    one, two = (layer_work(model, parallel, micro_batch, layer, "bf16") for micro_batch in (1, 2))
    return {
        name: sum(operation.moved_bytes for operation in getattr(two[name], direction))
        - sum(operation.moved_bytes for operation in getattr(one[name], direction))
        for name in one
    }
