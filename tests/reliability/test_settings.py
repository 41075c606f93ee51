import pytest
from pydantic import ValidationError

from cluster_sim.catalogue import constants
from cluster_sim.reliability import CheckpointPlan, Reliability


def read(**values):
    return Reliability.model_validate(values, context={"from_file": True})


def test_everything_has_a_default():
    settings = read()
    assert (settings.span_s, settings.histories) == (60 * 86400.0, 100)
    assert settings.used_s("detection") == constants().detection_time.typical
    assert read(detection="2 min").used_s("detection") == 120.0
    assert Reliability.model_validate(settings.model_dump(mode="json")) == settings


def test_checkpoints_by_name_or_number():
    assert read(checkpoint="young_daly").checkpoint == CheckpointPlan(every=None, cost_s=None)
    assert read(checkpoint={"every": 7, "cost": "3 s"}).checkpoint == CheckpointPlan(every=7, cost_s=3.0)
    settings = read(checkpoint="young_daly")
    assert Reliability.model_validate(settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize(
    ("given", "number"), [(3, 3), ("1 %", 21), ("0.5 %", 11), (0.25, 512), (0, 0), ("0 %", 0), (1, 1), ("100 %", 2048)]
)
def test_spare_servers_are_a_number_or_a_share_rounded_up(given, number):
    settings = read(spare_servers=given)
    assert settings.num_spares(2048) == number
    again = Reliability.model_validate(settings.model_dump(mode="json"))
    assert again.num_spares(2048) == number


def test_temperatures():
    assert read(laser_temperature="55 degC").laser_temperature_kelvin == pytest.approx(328.15)
    assert read(laser_temperature="300 K").laser_temperature_kelvin == 300


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("laser_temperature", 55, "has no unit"), ("laser_temperature", "500 degC", "398"),
        ("laser_temperature", "-80 degC", "233"), ("laser_temperature", "hot", "55 degC"),
        ("spare_servers", -1, "number of servers from 0"), ("spare_servers", "120 %", "0 to 100 %"),
        ("spare_servers", True, "a number of servers"), ("spare_servers", "many", "not a quantity"),
        ("span", "0 s", "greater than 0"), ("span", "40 years", "less than"), ("span", 60, "has no unit"),
        ("histories", 0, "greater than or equal to 1"), ("transport", "tcp", "multipath"),
        ("checkpoint", "sometimes", "young_daly"), ("checkpoint", {"every": 0}, "greater than or equal to 1"),
        ("checkpoint", {"cost": "-3 s"}, "greater than or equal to 0"), ("retry", "-1 s", "greater than or equal to 0"),
        ("restart", "2 years", "less than"), ("spare_ocs", -1, "greater than or equal to 0"),
        ("histeries", 5, "histories"),
    ],
)  # fmt: skip
def test_bad_input_is_told(key, value, words):
    with pytest.raises(ValidationError, match=words.replace("(", r"\(")):
        read(**{key: value})
