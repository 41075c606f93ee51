"""Every layer is somewhere, once on each way through the model."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from cluster_sim.workload import SCHEDULES, Job, Model, Parallelism
from cluster_sim.workload.layout import layers_of, why_not_dealt
from cluster_sim.workload.schedules import PipelineSchedule

ONE_WAY = SCHEDULES["interleaved"]
TWO_WAY = PipelineSchedule(ONE_WAY.order, is_two_way=True)


def model_of(layers, mtp_layers=0):
    return Model(layers=layers, hidden=64, heads=4, vocabulary=128, sequence=32, mtp_layers=mtp_layers)


def sizes(layout, way):
    return [len(layout.layers(stage, chunk)) for stage, chunk in way]


@given(
    st.integers(1, 70), st.integers(1, 8), st.integers(1, 4), st.integers(0, 2), st.booleans(), st.booleans()
)  # fmt: skip
def test_each_way_holds_every_layer_once_and_in_order(layers, stages, chunks, mtp_layers, edges, is_two_way):
    model, schedule = model_of(layers, mtp_layers), TWO_WAY if is_two_way else ONE_WAY
    parallel = Parallelism(pipeline=stages, virtual_stages=chunks, edges_are_layers=edges)
    assume(not why_not_dealt(model, parallel, schedule))
    layout = layers_of(model, parallel, schedule)
    ways = schedule.ways(stages, chunks)
    assert sorted(layout.ranges) == sorted(place for way in ways for place in way)
    for way in ways:
        assert [layer for place in way for layer in layout.layers(*place)] == list(range(layers))
        assert [place for place in way if layout.has_input(*place)] == [way[0]]
        assert [place for place in way if layout.has_output(*place)] == [way[-1]]
        held = [size + edges * (place == 0) for place, size in enumerate(sizes(layout, way))]
        held[-1] += edges * (1 + mtp_layers)
        assert max(held) - min(held) <= edges
        assert held[1:] == sorted(held[1:], reverse=True)


@pytest.mark.parametrize(
    ("layers", "mtp_layers", "stages", "chunks", "expected"),
    [
        (126, 0, 16, 1, [7, *[8] * 14, 7]),  # Llama 3 405B: a layer less on the first and the last stage
        (126, 0, 8, 8, [1, *[2] * 62, 1]),
        (126, 0, 16, 8, [0, *[1] * 126, 0]),
        (61, 1, 16, 1, [3, *[4] * 14, 2]),  # DeepSeek-V3 with its layer for a further token: 64 in all
        (28, 0, 8, 1, [2, 4, 4, 4, 4, 4, 4, 2]),  # 30 over 8: what is left goes to stages 1 to 6
        (2, 0, 2, 1, [1, 1]),
        (1, 0, 2, 1, [0, 1]),  # 3 over 2: the embedding alone on the first stage
    ],
)
def test_edges_count_as_layers(layers, mtp_layers, stages, chunks, expected):
    """Llama 3 405B gives its first and last stage a layer less; with chunks of one, they hold an edge [2024, 3.3.2]."""
    parallel = Parallelism(pipeline=stages, virtual_stages=chunks, edges_are_layers=True)
    layout = layers_of(model_of(layers, mtp_layers), parallel, ONE_WAY)
    assert sizes(layout, ONE_WAY.ways(stages, chunks)[0]) == expected


def test_a_two_way_schedule_holds_the_first_layers_with_the_last():
    layout = layers_of(model_of(8), Parallelism(pipeline=4, virtual_stages=2), TWO_WAY)
    assert [(list(layout.layers(s, 0)), list(layout.layers(s, 1))) for s in (0, 3)] == [
        ([0, 1], [6, 7]),
        ([6, 7], [0, 1]),
    ]
    assert layout.has_input(0, 0)
    assert layout.has_output(0, 1)
    assert layout.chunks(2) == (0, 1)


def job_of(**changes):
    parallel = {"pipeline": 4, "data": 2, **changes.pop("parallel", {})}
    return Job(
        accelerators=8, accelerator="b300-sxm", global_batch=16, model=model_of(6), parallelism=Parallelism(**parallel)
    )


def test_a_job_accepts_uneven_stages_with_edges_only():
    assert [len(job_of(parallel={"edges_are_layers": True}).layout.layers(stage, 0)) for stage in range(4)] == [
        1, 2, 2, 1
    ]  # fmt: skip
    with pytest.raises(ValidationError, match=r"layers 6 is not a multiple of pipeline 4 .* edges_are_layers: true"):
        job_of()


def test_more_chunks_than_layers_are_refused():
    with pytest.raises(ValidationError, match="are 8, too few for pipeline 4 x virtual_stages 3"):
        job_of(parallel={"edges_are_layers": True, "virtual_stages": 3})
    with pytest.raises(ValueError, match="at least 3 of them"):
        layers_of(model_of(4, mtp_layers=2), Parallelism(pipeline=4, edges_are_layers=True), ONE_WAY)
