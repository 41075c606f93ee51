"""What ``topology show`` and ``topology check`` print."""

import io

from rich.console import Console

from cluster_sim.economics import bill_of_materials
from cluster_sim.reports import fabric_table, findings
from cluster_sim.topology import FatTree, Finding, survey
from tests.networks import equipment


def shown(renderable, width=200):
    file = io.StringIO()
    Console(file=file, width=width).print(renderable)
    return file.getvalue()


def test_the_table_says_what_a_fabric_is_made_of():
    """k=4: 16 accelerators; a tier of 16 links has 32 modules of 800G."""
    parts = equipment(16)
    fabric = FatTree().build(parts)
    found, bill = survey(fabric), bill_of_materials(fabric, parts.interconnect)
    text = shown(fabric_table("a [title]", found, ["nvlink", "a", "b", "c"], bill))
    for words in (
        "a [title]", "16 accelerators in 16 servers", "4 pods", "8 leaves, 8 spines, 4 core switches", "768G",
        "32 800g-dsp-dr8", "bisection 768G per accelerator of a half, 100.0 % of what their ports carry", "6 links",
    ):  # fmt: skip
        assert words in text, words


def test_findings_are_told_line_by_line():
    text = shown(findings("title", (Finding("ports", "all", ()), Finding("reach", "some", ("too [far]", "too long")))))
    lines = [line.split() for line in text.splitlines()]
    assert lines[1] == ["ports", "ok", "all"]
    assert lines[2] == ["reach", "wrong", "some"]
    assert text.splitlines()[3:5] == ["    too [far]", "    too long"]
