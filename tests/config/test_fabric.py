"""Where a fabric and its parts come from: a topology, a run, a comparison."""

from typing import Literal

import pytest

from cluster_sim.config import read_fabric
from cluster_sim.core import ConfigError, InputError, UnknownNameError
from cluster_sim.topology import TOPOLOGIES, FatTree
from tests.small import SMALL, SMALL_COMPARISON


@pytest.fixture
def file(tmp_path):
    """Write a file and return its path."""

    def write(text, name="fabric.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def read(*arguments, **options):
    return read_fabric(*arguments, **options)[0]


def test_a_topology_gets_parts_by_default(file):
    found = read(file("kind: clos\npod_accelerators: 512\n"))
    assert (found.accelerators, found.accelerator, found.topology.pod_accelerators) == (2048, "b300-sxm", 512)
    assert found.interconnect.port_rate_bytes_per_s == 1e11
    assert found.technology_of("scale_up") == "nvlink5"
    assert found.technology_of("leaf_spine") == "1.6t-dsp-dr8"


class OfTwelve(FatTree):
    """A topology that asks for 12 accelerators."""

    kind: Literal["of 12"] = "of 12"

    @property
    def own_size(self):
        return 12


def test_a_topology_may_ask_for_its_own_number_of_accelerators(file, monkeypatch):
    monkeypatch.setitem(TOPOLOGIES._entries, "of 12", OfTwelve)
    path = file("kind: of 12\n")
    assert read(path).accelerators == 12
    assert read(path, accelerators=13).accelerators == 13


def test_options_and_settings_count_more_than_the_file(file):
    path = file("kind: clos\npod_accelerators: 512\n")
    found = read(path, ["planes=2", "pod_accelerators=256"], accelerators=64, accelerator="h100-sxm")
    assert (found.accelerators, found.accelerator, found.topology.planes) == (64, "h100-sxm", 2)
    assert found.topology.pod_accelerators == 256
    assert found.equipment.num_endpoints == 64


def test_a_run_brings_its_parts(file):
    found = read(file(SMALL))
    assert (found.accelerators, found.accelerator) == (64, "h100-sxm")
    assert found.interconnect.switch == "tomahawk5"
    assert found.topology.pod_accelerators == 32


def test_a_cluster_is_as_large_as_its_jobs_or_as_it_says(file):
    """64 of the job and 48 of neighbours; or what the file says; or the option."""
    others = "neighbours: {a: {job: {accelerators: 16}}, b: {job: {accelerators: 32}}}\n"
    assert read(file(SMALL + others)).accelerators == 112
    assert read(file(SMALL + others + "cluster_accelerators: 256\n")).accelerators == 256
    assert read(file(SMALL + "cluster_accelerators: 0\n")).accelerators == 64
    assert read(file(SMALL + others), accelerators=96).accelerators == 96
    assert read(file(SMALL + "neighbours: {a: {}}\n")).accelerators == 64  # wrong, and not what is asked here
    with pytest.raises(ConfigError, match=r":37: accelerators: .*valid integer"):
        read(file(SMALL + "cluster_accelerators: many\n"))


def test_a_comparison_brings_the_first_of_each_or_those_named(file):
    path = file(SMALL_COMPARISON)
    first = read(path)
    assert (first.accelerators, first.topology.kind) == (64, "clos")
    named = read(path, topology="ocs", interconnect="npo")
    assert named.topology.kind == "ocs_spine"
    assert "npo" in named.interconnect.leaf_spine.label


def test_an_interconnect_comes_from_a_file_of_its_own_or_from_a_comparison(file):
    path = file("kind: fat_tree\n")
    alone = file(SMALL.split("interconnect:\n")[1].split("topology:")[0].replace("  ", ""), "parts.yaml")
    run, comparison = file(SMALL, "run.yaml"), file(SMALL_COMPARISON, "versus.yaml")
    assert read(path, interconnect=str(alone)).interconnect == read(run).interconnect
    assert read(path, interconnect=str(run)).interconnect == read(run).interconnect
    named = read(path, interconnect=f"{comparison}:npo").interconnect
    assert named == read(comparison, interconnect="npo").interconnect


def test_mistakes_have_file_and_line(file):
    path = file("kind: clos\npod_acelerators: 512\nplanes: 0\n")
    with pytest.raises(ConfigError) as caught:
        read(path, accelerator="b3000")
    assert caught.value.problems[0].startswith("--accelerator: accelerator: unknown accelerator 'b3000'")
    assert caught.value.problems[1].startswith(f"{path}:2: topology.pod_acelerators: unknown key; did you mean")
    assert caught.value.problems[2].startswith(f"{path}:3: topology.planes: ")


def test_mistakes_in_a_comparison_have_its_file_and_line(file):
    line = SMALL_COMPARISON.splitlines().index("    clos: {kind: clos, pod_accelerators: 32}") + 1
    path = file(SMALL_COMPARISON.replace("pod_accelerators: 32}", "pod_accelerators: -1}"))
    with pytest.raises(ConfigError, match=f"{path}:{line}: topology.pod_accelerators"):
        read(path)


@pytest.mark.parametrize(
    ("text", "options", "kind", "words"),
    [
        ("kind: clos\n", {"interconnect": "dsp"}, InputError, "expected FILE.yaml or COMPARISON.yaml:NAME"),
        ("kind: clos\n", {"interconnect": "none.yaml"}, ConfigError, "none.yaml: cannot be read"),
        ("kind: clos\n", {"topology": "ocs"}, InputError, "holds no comparison to choose from"),
        ("kind: cols\n", {}, ConfigError, "did you mean 'clos'"),
        ("seed: 1\n", {}, ConfigError, "topology: missing"),
        (SMALL_COMPARISON, {"interconnect": "npp"}, UnknownNameError, "did you mean 'npo'"),
        (SMALL_COMPARISON, {"topology": "osc"}, UnknownNameError, "did you mean 'ocs'"),
        ("compare: 3\n", {}, ConfigError, "compare.topologies: missing"),
        ("compare: {topologies: {a: {kind: clos}}}\n", {}, ConfigError, "compare.interconnects: missing"),
    ],
)
def test_what_cannot_be_found_is_told(file, text, options, kind, words):
    with pytest.raises(kind, match=words):
        read(file(text), **options)


def test_a_comparison_without_a_name_lists_its_interconnects(file):
    path, comparison = file("kind: clos\n"), file(SMALL_COMPARISON, "versus.yaml")
    with pytest.raises(ConfigError, match=r"write .*versus.yaml:NAME with one of .*npo"):
        read(path, interconnect=str(comparison))
