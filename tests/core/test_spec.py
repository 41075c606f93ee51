import pytest
from pydantic import Field, ValidationError, model_validator

from cluster_sim.core import Metres, Spec, raise_problems


class _Inner(Spec):
    length_m: Metres = Field(1.0, gt=0)
    width_m: Metres = Field(1.0, gt=0)

    @model_validator(mode="after")
    def _is_long(self):
        raise_problems(
            "Inner",
            [((name,), f"{name} is short") for name in ("length", "width") if getattr(self, f"{name}_m") < 1],
        )
        return self


class _Outer(Spec):
    inner: _Inner = _Inner()
    others: dict[str, _Inner] = Field(default_factory=dict)


def locations(error):
    return [".".join(map(str, detail["loc"])) for detail in error.errors()]


def test_specs_are_frozen_and_compare_by_value():
    assert _Outer() == _Outer(inner=_Inner(length_m=1.0))
    with pytest.raises(ValidationError):
        _Outer().inner = _Inner()


def test_a_field_is_read_with_and_without_its_unit():
    assert _Inner(length="3 m") == _Inner(length_m="3 m") == _Inner(length_m=3.0)


def test_an_unknown_key_is_found_at_every_depth():
    with pytest.raises(ValidationError) as caught:
        _Outer.model_validate({"iner": 1, "inner": {"lenth": 1}, "others": {"a": {"widht": 2}}})
    assert sorted(locations(caught.value)) == ["iner", "inner.lenth", "others.a.widht"]
    text = str(caught.value)
    for near in ("'inner'", "'length'", "'width'"):
        assert f"did you mean {near}?" in text


def test_several_problems_of_a_validator_are_each_at_their_field():
    with pytest.raises(ValidationError) as caught:
        _Outer.model_validate({"inner": {"length_m": 0.5, "width_m": 0.5}})
    assert locations(caught.value) == ["inner.length", "inner.width"]


def test_no_problems_raise_nothing():
    raise_problems("x", [])


def test_a_key_with_braces_is_named_as_it_is():
    with pytest.raises(ValidationError) as caught:
        _Outer.model_validate({"inner": {"{x}": 1}})
    assert locations(caught.value) == ["inner.{x}"]
    assert "unknown key (known: length, width)" in str(caught.value)
