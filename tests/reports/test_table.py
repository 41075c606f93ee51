import io

import pytest
from rich.console import Console

from cluster_sim.reports import step


def shown(renderable, width=200):
    file = io.StringIO()
    Console(file=file, width=width).print(renderable)
    return file.getvalue()


def test_one_step_is_shown_by_part(make_row):
    text = shown(step(make_row("dsp", exposed_tp_s=0.25)))
    assert "job / dsp / clos" in text
    assert "10.0000 s" in text
    assert "90.0 %" in text
    assert "MFU 43.1 %" in text
    assert "optim" not in text


@pytest.mark.parametrize("name", ["[red]x", "[/x]", "a[b]c"])
def test_names_are_shown_as_they_are(make_row, name):
    assert name in shown(step(make_row("dsp", scenario=name)))
