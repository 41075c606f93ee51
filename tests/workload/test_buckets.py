"""Parameters of the parts of a model on one rank: together they are the model."""

import pytest

from cluster_sim.workload import Experts, Model, Parallelism, input_bucket, layer_bucket, output_bucket
from cluster_sim.workload.buckets import Bucket

SIZES = {"layers": 6, "hidden": 256, "heads": 8, "vocabulary": 1024, "sequence": 512}
EXPERTS = Experts(count=8, per_token=2, width=128, shared=1, first_dense=1)
SPLIT = Parallelism(tensor=2, data=8, expert=4, expert_tensor=2)


@pytest.mark.parametrize("experts", [None, EXPERTS], ids=["dense", "experts"])
@pytest.mark.parametrize("tied", [False, True])
def test_all_parts_are_the_model(experts, tied):
    """Every rank has half of what is dense, and an eighth of the experts."""
    model = Model(**SIZES, experts=experts, tied_embeddings=tied)
    parts = [layer_bucket(model, SPLIT, layer) for layer in range(model.layers)]
    whole = sum([*parts, input_bucket(model, SPLIT), output_bucket(model, SPLIT, has_input=True)], Bucket())
    assert 2 * whole.dense + 8 * whole.experts == pytest.approx(model.parameters)


def test_tied_embeddings_are_there_once_and_on_two_stages_twice():
    model = Model(**SIZES, tied_embeddings=True)
    assert output_bucket(model, SPLIT, has_input=True) == Bucket()
    assert output_bucket(model, SPLIT, has_input=False) == input_bucket(model, SPLIT) == Bucket(1024 * 256 / 2)


def test_a_layer_for_further_tokens_comes_with_what_joins_it():
    plain, more = (output_bucket(Model(**SIZES, experts=EXPERTS, mtp_layers=n), SPLIT, False) for n in (0, 2))
    further = layer_bucket(Model(**SIZES, experts=EXPERTS), SPLIT, 5)
    assert more.experts - plain.experts == 2 * further.experts
    assert more.dense - plain.dense == pytest.approx(2 * (further.dense + 2 * 256**2 / 2))


def test_a_shard_has_a_part_of_either_kind():
    assert Bucket(12.0, 8.0).shard((4, 2)) == Bucket(3.0, 4.0)
    assert Bucket(3.0, 4.0).total == 7.0
