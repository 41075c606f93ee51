import pytest

from cluster_sim.reports import engineering, percent, seconds
from cluster_sim.reports.text import plural
from cluster_sim.tables import NODE_KINDS


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (12.34e6, "12.3 MW"),
        (1e3, "1 kW"),
        (999.0, "999 W"),
        (0.5, "0.5 W"),
        (0.0, "0 W"),
        (-2e9, "-2 GW"),
        (None, "-"),
        pytest.param(999.9e3, "1 MW"),
    ],
)
def test_engineering(value, said):
    assert engineering(value, "W") == said


def test_step_times_show_differences_that_count():
    assert seconds(10.00049) == "10.0005 s"
    assert seconds(None) == "-"


def test_shares_are_in_percent():
    assert percent(0.4312) == "43.1 %"
    assert percent(None) == "-"


def test_kinds_of_nodes_have_names_for_one_and_for_several():
    assert [plural("leaf", num) for num in (0, 1, 2)] == ["leaves", "leaf", "leaves"]
    assert [plural(kind, 2) for kind in NODE_KINDS] == [
        "accelerators", "scale-up switches", "leaves", "spines", "core switches", "OCS",
    ]  # fmt: skip
