"""FLOP of what the backward pass computes again."""

import pytest

from cluster_sim.workload import Job, Load, Model, Parallelism

DENSE = {"layers": 8, "hidden": 512, "heads": 8, "vocabulary": 1024, "sequence": 256}
MIXTURE = DENSE | {"experts": {"count": 8, "per_token": 2, "width": 256, "first_dense": 2}}


def again(shape=DENSE, parallelism=None, **changes):
    """Repeated FLOP per token of a job of one pipeline of two stages."""
    plan = Parallelism(pipeline=2, **(parallelism or {}))
    fixed = {"accelerators": 2, "accelerator": "h100-sxm", "global_batch": 8}
    job = Job(**fixed, model=Model(**shape), parallelism=plan, **changes)
    return (job.hardware_flop - job.step_flop) / (job.global_batch * job.model.sequence)


@pytest.mark.parametrize("shape", [DENSE, MIXTURE])
def test_full_recomputation_repeats_the_forward_pass_of_all_layers(shape):
    model = Model(**shape)
    expected = sum(model.layer_flop_per_token(layer) for layer in range(8))
    assert again(shape, recompute="full") == pytest.approx(expected)
    assert again(shape) == 0


def test_only_layers_that_are_computed_again_count():
    """One layer of each of two stages, also where a stage holds two chunks; three are one chunk and half of another."""
    one = Model(**DENSE).layer_flop_per_token(0)
    assert again(recompute="full", recompute_layers=1) == pytest.approx(2 * one)
    two = {"virtual_stages": 2}
    for num_layers, expected in ((1, 2), (3, 6), (9, 8)):
        chunks = again(DENSE, two, schedule="interleaved", recompute="full", recompute_layers=num_layers)
        assert chunks == pytest.approx(expected * one)


def test_a_two_way_schedule_repeats_each_layer_once():
    two_way = {"schedule": "dualpipe", "recompute": "full"}
    assert again(DENSE, {"virtual_stages": 2}, **two_way) == pytest.approx(again(recompute="full"))


def test_parts_are_counted_where_layers_have_them():
    """Two layers of eight have a dense MLP of two matrices, six have experts of three."""
    model = Model(**MIXTURE)
    chosen = {"recompute": "selective"}
    assert again(MIXTURE, **chosen, recompute_parts=("mlp",)) == pytest.approx(2 * 2 * 2 * 512 * 2048)
    assert again(MIXTURE, **chosen, recompute_parts=("experts",)) == pytest.approx(6 * 2 * 2 * 3 * 512 * 256)
    assert again(MIXTURE, **chosen) == pytest.approx(8 * model.core_flop_per_token(0))
    assert again(MIXTURE, **chosen, recompute_parts=("norm", "activation")) == 0


def test_the_simulation_repeats_as_many_layers_as_memory_and_flop_count():
    """Two chunks of two layers a stage: one layer is half of the first chunk and nothing of the second."""
    plan = Parallelism(pipeline=2, virtual_stages=2)
    fixed = {"accelerators": 2, "accelerator": "h100-sxm", "global_batch": 8, "schedule": "interleaved"}
    job = Job(**fixed, model=Model(**DENSE), parallelism=plan, recompute="full", recompute_layers=1)
    assert [list(job.layout.first_layers(0, chunk, 1)) for chunk in range(2)] == [[0], []]
    assert [list(job.layout.first_layers(1, chunk, 3)) for chunk in range(2)] == [[2, 3], [6]]
    none, one, full = (
        Load.of(job.model_copy(update={"recompute_layers": layers, "recompute": how})).busiest_s()
        for layers, how in ((0, "none"), (1, "full"), (0, "full"))
    )
    assert one - none == pytest.approx((full - none) / 4)
