"""How long it takes: the arithmetic of single kernels, the host, and measured rates of matrix products."""

import csv
from math import hypot, log
from pathlib import Path
from statistics import mean

import pytest

from cluster_sim.catalogue import Compute, accelerator, compute
from cluster_sim.workload.experts import Experts
from cluster_sim.workload.model import Model
from cluster_sim.workload.operations import Attention, Matmul, Stream, layer_work
from cluster_sim.workload.parallel import Parallelism
from cluster_sim.workload.roofline import Kernels, Roofline

RATES = Path(__file__).parents[2].parent / "shared/data/measured/microbenchmarks.csv"
H100 = accelerator("h100-sxm")
GPT = Model(layers=4, hidden=4096, heads=32, vocabulary=51200, sequence=2048)
SMALL = GPT.model_copy(update={"hidden": 512, "heads": 8})


def with_figures(**figures):
    """H100's figures with others in their place."""
    hopper = compute("hopper")
    changed = {name: getattr(hopper, name).model_copy(update={"typical": value}) for name, value in figures.items()}
    return Compute.model_validate(hopper.model_copy(update=changed))


IDEAL = with_figures(
    gemm_efficiency=0.5, fp8_efficiency=0.5, attention_efficiency=0.5, memory_efficiency=0.5, wave_share=1.0,
    kernel_overhead=0.0, launch_time=0.0,
)  # fmt: skip


def test_a_product_of_whole_waves_takes_its_flop_over_half_the_peak():
    """
    132 tiles of 256 x 128 are one wave. A result of 12 x 256 by 11 x 128 fills it, so only filling the pipeline of a
    tile, 100 of 100 000 of the inner width, comes on top; its memory time adds by the rounded knee.
    """
    product = Matmul(12 * 256, 100_000, 11 * 128, "bf16")
    arithmetic_s = product.flop / (0.5 * 989.4e12) * 1.001
    memory_s = product.moved_bytes / (0.5 * 3.35e12)
    assert Kernels(H100, IDEAL).seconds([product]) == pytest.approx(hypot(arithmetic_s, memory_s))


def test_one_tile_too_many_costs_a_wave():
    """Twice the time for the arithmetic of 133 tiles; with smaller tiles less."""
    full, over = (Matmul(12 * 256 + more, 100_000, 11 * 128, "bf16") for more in (0, 1))
    ratio = Kernels(H100, IDEAL).seconds([over]) / Kernels(H100, IDEAL).seconds([full])
    assert 1.1 < ratio < 2.0
    patient = Kernels(H100, with_figures(wave_share=0.0, kernel_overhead=0.0))
    assert patient.seconds([over]) / patient.seconds([full]) == pytest.approx(1, abs=1e-3)


def test_what_is_bound_by_memory_takes_its_bytes_and_each_launch_its_overhead():
    """Plain PyTorch moves what unfused kernels do."""
    kernels = Kernels(H100, with_figures(memory_efficiency=0.5, kernel_overhead=3e-6))
    assert kernels.seconds([Stream(3.35e9, launches=4)]) == pytest.approx(2e-3 + 4 * 3e-6)
    fused, eager = (
        Roofline(H100, GPT, Parallelism(), 1, "bf16", kind, compute=IDEAL).kernels for kind in ("fused", "eager")
    )
    assert eager.seconds([Stream(1e9, unfused=2)]) == 2 * fused.seconds([Stream(1e9, unfused=2)])


def test_attention_is_slower_backward_with_few_keys_and_with_narrow_heads():
    """200 of 2000 keys are lost, of 200 as many as there are; heads 64 wide against 128: 1 + 40/64 over 1 + 40/128."""

    def time_s(keys=2000.0, head=128.0, is_backward=False):
        return Kernels(H100, IDEAL).seconds([Attention(1e12, 0.0, "fused", keys, head, is_backward)])

    assert time_s() == pytest.approx(1.1 * 1e12 / (0.5 * 989.4e12))
    assert time_s(keys=200) / time_s() == pytest.approx(2 / 1.1)
    assert time_s(head=64) / time_s() == pytest.approx((1 + 40 / 64) / (1 + 40 / 128))
    assert time_s(is_backward=True) / time_s() == pytest.approx(1.2)


def test_eight_bit_products_are_twice_as_fast_but_for_casts():
    half, byte = (Kernels(H100, IDEAL).seconds([Matmul(8192, 8192, 8192, kind)]) for kind in ("bf16", "fp8"))
    assert half / byte == pytest.approx(2, rel=0.01)


def test_a_lower_clock_slows_products_and_leaves_memory():
    slow, fast = Kernels(H100, IDEAL, 0.5), Kernels(H100, IDEAL)
    product, stream = Matmul(8192, 8192, 8192, "bf16"), Stream(1e9)
    assert slow.seconds([product]) / fast.seconds([product]) == pytest.approx(2, rel=0.01)
    assert slow.seconds([stream]) == fast.seconds([stream])


@pytest.mark.parametrize(("launches", "factor"), [("fused", 1.0), ("eager", 1.5)])
def test_a_small_layer_takes_as_long_as_the_host(launches, factor):
    """Each pass takes the launches of its kernels, 1 ms each, however the pieces share it."""
    roofline = Roofline(H100, SMALL, Parallelism(), 1, "bf16", launches, compute=with_figures(launch_time=1e-3))
    work, pieces = layer_work(SMALL, Parallelism(), 1, 0, "bf16").values(), roofline.pieces(0).values()
    forward = sum(operation.launches for piece in work for operation in piece.forward)
    backward = sum(operation.launches for piece in work for operation in piece.inputs + piece.weights)
    assert sum(piece.forward_s for piece in pieces) == pytest.approx(factor * forward * 1e-3)
    assert sum(piece.backward_s for piece in pieces) == pytest.approx(factor * backward * 1e-3)


def test_a_large_layer_does_not_wait_for_the_host():
    slow, fast = (
        Roofline(H100, GPT, Parallelism(), 32, "bf16", compute=with_figures(launch_time=launch_s)).pieces(0)
        for launch_s in (1e-6, 1e-5)
    )
    assert slow == fast


def test_graphs_leave_no_host_and_smaller_gaps():
    figures = with_figures(launch_time=1e-3, kernel_overhead=1e-5, step_overhead=0.1)
    graph, fused = (
        Roofline(H100, SMALL, Parallelism(), 1, "bf16", kind, compute=figures) for kind in ("graph", "fused")
    )
    assert graph.pieces(0)["up"].forward_s < 0.2 * fused.pieces(0)["up"].forward_s
    assert graph.kernels.overhead_s == pytest.approx(0.4e-5)
    assert graph.step_s < fused.step_s < 0.1


def test_layers_that_are_alike_are_timed_once():
    """Dense layers first, then layers with experts: two kinds."""
    model = GPT.model_copy(update={"experts": Experts(count=8, per_token=2, width=1024, first_dense=2)})
    roofline = Roofline(H100, model, Parallelism(data=8, expert=8), 1, "bf16")
    assert roofline.pieces(0) is roofline.pieces(1)
    assert roofline.pieces(2) is roofline.pieces(3)
    assert set(roofline.pieces(0)) == {"qkv", "core", "out", "up", "down"}
    assert set(roofline.pieces(2)) == {"qkv", "core", "out", "route", "experts", "unroute"}


def test_recomputation_lengthens_the_backward_pass_by_the_forward_one_of_its_part():
    plain, again = (
        Roofline(H100, GPT, Parallelism(), 8, "bf16", recomputed=parts).pieces(0)["core"]
        for parts in (frozenset(), frozenset({"core"}))
    )
    assert again.input_s == pytest.approx(plain.input_s + plain.forward_s)
    assert again.forward_s == plain.forward_s


def test_more_tensor_ranks_are_faster_but_not_in_proportion():
    def layer_s(tensor):
        return sum(
            time.forward_s + time.backward_s
            for time in Roofline(H100, GPT, Parallelism(tensor=tensor), 8, "bf16").pieces(0).values()
        )

    assert layer_s(8) < layer_s(4) < layer_s(1)
    assert layer_s(8) > layer_s(1) / 8


def test_head_embedding_further_tokens_optimiser_and_unpacking_take_time():
    roofline = Roofline(H100, GPT, Parallelism(), 8, "bf16")
    assert roofline.head().forward_s > roofline.mtp().forward_s > roofline.embedding().forward_s > 0
    parameters_s = 34e9 / roofline.kernels.bytes_per_s
    assert roofline.optimizer_s(1e9) == pytest.approx(parameters_s, rel=0.01)
    assert roofline.unpack_s(1536) == pytest.approx(4 * roofline.unpack_s(384)) == 12 * 1536 * 9.5e-6


@pytest.mark.skipif(not RATES.exists(), reason="measured rates are kept apart")
@pytest.mark.parametrize(("name", "worst"), [("a100-80gb", 0.25), ("h100-sxm", 0.25), ("h200-sxm", 0.25)])
def test_measured_rates_of_matrix_products(name, worst):
    """Within a quarter each and 10 % on average; 192 columns of H100's 8 bit are slower than any tile explains."""
    chip, errors = accelerator(name), []
    kernels = Kernels(chip, compute(chip.compute))
    with RATES.open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if row["accelerator"] != name or "GEMM" not in row["test"]:
                continue
            rows, columns, inner = (int(size) for size in row["shape"].split("x"))
            product = Matmul(rows, inner, columns, "fp8" if "FP8" in row["test"] else "fp16")
            predicted = product.flop / kernels.seconds([product]) / 1e12
            errors.append((abs(log(predicted / float(row["value"]))), row["shape"]))
    print(name, [f"{shape} {100 * error:.0f} %" for error, shape in errors])
    square = [error for error, shape in errors if not shape.startswith("802816")]
    assert len(errors) >= 8
    assert max(square) < worst
    assert mean(square) < 0.1
