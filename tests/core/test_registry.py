from typing import Annotated, Literal

import pytest
from pydantic import Field, SerializeAsAny, ValidationError

from cluster_sim.core import Registry, Spec, UnknownNameError, one_of

SHAPES: Registry[type[Spec]] = Registry("shape")


@SHAPES.register("square")
class Square(Spec):
    kind: Literal["square"] = "square"
    side: int = Field(1, ge=1)


@SHAPES.register("circle")
class Circle(Spec):
    kind: Literal["circle"] = "circle"
    radius: int


class Drawing(Spec):
    shape: Annotated[SerializeAsAny[Spec], one_of(SHAPES)]


def test_names_are_sorted_and_iterated():
    assert SHAPES.names == tuple(SHAPES) == ("circle", "square")
    assert SHAPES["square"] is Square


def test_a_name_cannot_be_registered_twice():
    with pytest.raises(AssertionError, match="shape 'square' is registered twice"):
        SHAPES.register("square")(Circle)
    assert SHAPES["square"] is Square


def test_an_unknown_name_says_what_is_known_and_suggests_the_nearest():
    with pytest.raises(UnknownNameError) as caught:
        SHAPES["sqare"]
    assert str(caught.value) == "unknown shape 'sqare'; did you mean 'square'? (known: circle, square)"


def test_nothing_is_suggested_where_nothing_is_near():
    with pytest.raises(UnknownNameError) as caught:
        SHAPES["zzz"]
    assert str(caught.value) == "unknown shape 'zzz' (known: circle, square)"


@pytest.mark.parametrize("value", ["square", {"kind": "square"}, {"kind": "square", "side": 1}, Square()])
def test_a_name_or_a_mapping_becomes_the_registered_spec(value):
    assert Drawing(shape=value).shape == Square()


@pytest.mark.parametrize("value", [5, None, [], {}, {"side": 1}, {"kind": 5}, {"kind": None}, True])
def test_what_names_no_strategy_is_refused(value):
    with pytest.raises(ValidationError, match="expected 'kind: NAME' with one of circle, square"):
        Drawing(shape=value)


def test_a_mistake_inside_a_strategy_is_at_its_field():
    with pytest.raises(ValidationError) as caught:
        Drawing(shape={"kind": "square", "side": 0})
    assert caught.value.errors()[0]["loc"] == ("shape", "side")
    with pytest.raises(ValidationError, match="unknown key; did you mean 'side'"):
        Drawing(shape={"kind": "square", "sides": 3})


def test_what_is_written_to_the_manifest_can_be_read_again():
    drawing = Drawing(shape={"kind": "circle", "radius": 3})
    assert Drawing.model_validate(drawing.model_dump(mode="json")) == drawing
