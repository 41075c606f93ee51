"""Parameters and FLOPs against what is published."""

import pytest

from cluster_sim.config import load_config
from cluster_sim.workload import Experts, Job, Model, Parallelism

GPT_1T = Model(layers=128, hidden=25600, heads=160, vocabulary=51200, sequence=2048, tied_embeddings=True)
MOE_1T = Model(
    layers=64,
    hidden=8192,
    heads=64,
    kv_heads=8,
    vocabulary=131072,
    sequence=8192,
    experts=Experts(count=160, per_token=8, width=4096),
)
LLAMA3_70B = Model(
    layers=80, hidden=8192, heads=64, kv_heads=8, ffn_hidden=28672, gated_mlp=True, vocabulary=128256, sequence=8192
)


@pytest.mark.parametrize(
    ("model", "billions"),
    [
        (GPT_1T, 1008.0),
        (MOE_1T, 1043.0),
        (LLAMA3_70B, 70.55),
        (Model(layers=96, hidden=12288, heads=96, vocabulary=51200, sequence=2048, tied_embeddings=True), 174.6),
    ],
    ids=["megatron-1t", "moe-1t", "llama3-70b", "gpt3-175b"],
)
def test_parameter_counts_are_the_published_ones(model, billions):
    """To a tenth of a per cent; norms and biases are not counted."""
    assert model.parameters / 1e9 == pytest.approx(billions, rel=1e-3)


def test_a_token_is_multiplied_with_62_billion_of_the_moe_models_parameters():
    """64 layers of attention, router and 8 experts of 160, and one vocabulary projection."""
    attention = 2 * 8192 * 8192 + 2 * 8192 * 1024
    assert MOE_1T.active_parameters == 64 * (attention + 8192 * 160 + 8 * 3 * 8192 * 4096) + 131072 * 8192


@pytest.mark.parametrize(("layers", "hidden", "heads"), [(128, 25600, 160), (24, 2304, 24), (80, 12288, 96)])
def test_hardware_flop_is_equation_3_of_the_megatron_paper(layers, hidden, heads):
    """96 B l s h^2 (1 + s/6h + V/16lh) with full recomputation and full attention [Narayanan et al. 2021, eq. 3]."""
    sequence, vocabulary, batch = 2048, 51200, 8
    model = Model(
        layers=layers, hidden=hidden, heads=heads, vocabulary=vocabulary, sequence=sequence, counted_attention="full"
    )
    job = Job.model_construct(model=model, global_batch=batch, recompute="full", parallelism=Parallelism())
    expected = (
        96 * batch * layers * sequence * hidden**2
        * (1 + sequence / (6 * hidden) + vocabulary / (16 * layers * hidden))
    )  # fmt: skip
    assert job.hardware_flop == pytest.approx(expected, rel=1e-12)


def test_the_shipped_jobs_are_the_ones_of_the_question():
    compare = load_config("configs/compare-trillion.yaml").compare
    gpt, moe = compare.jobs["gpt-1t"], compare.jobs["moe-1t"]
    assert (gpt.accelerators, gpt.num_microbatches) == (3072, 512)
    assert (moe.accelerators, moe.num_microbatches) == (16384, 32)
    assert gpt.model.parameters == GPT_1T.parameters
    assert moe.model == MOE_1T
