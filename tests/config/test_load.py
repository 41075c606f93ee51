import copy
import sys

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from cluster_sim import load_config
from cluster_sim.config import CompareConfig, RunConfig, read_config
from cluster_sim.core import ConfigError
from tests.small import SMALL, SMALL_COMPARISON, write_comparison, write_small

VALID_RUN = YAML(typ="safe", pure=True).load(SMALL)
VALID_COMPARISON = YAML(typ="safe", pure=True).load(SMALL_COMPARISON)

#: No huge integers or infinities: those are known to break things and have tests of their own.
JUNK = st.one_of(
    st.none(), st.integers(-(2**31), -1), st.just(0), st.integers(1, 3), st.floats(-1e6, -0.5), st.just(float("nan")),
    st.text("aß✓[/]{}:# $%\\\"'", max_size=8),
    st.sampled_from(["400 Gbps", "500 ns", "clos", "ecmp", "spray", "1f1b", "interleaved", "x.yaml", "models", "-1 m",
                     "cpo-800g", "dac-800g", "b300-sxm", "tomahawk6", "", " ", "1", "null"]),
    st.lists(st.integers(0, 3), max_size=3), st.dictionaries(st.text("ab.", max_size=2), st.integers(0, 3), max_size=2),
    st.dictionaries(st.sampled_from(["kind", "lower", "upper", "count"]), st.sampled_from(["clos", "cpo-800g", 4])),
)  # fmt: skip


def paths_in(data, at=()):
    """Where something can be changed."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield (*at, key)
            yield from paths_in(value, (*at, key))


def changed(data, path, change, value):
    data = copy.deepcopy(data)
    node = data
    for key in path[:-1]:
        if not isinstance(node, dict) or key not in node:
            return data
        node = node[key]
    if not isinstance(node, dict) or path[-1] not in node:
        return data
    if change == "drop":
        del node[path[-1]]
    elif change == "rename":
        node[f"{path[-1]}x"] = node.pop(path[-1])
    else:
        node[path[-1]] = value
    return data


@st.composite
def mutants(draw, valid):
    """The valid configuration with one to four changes."""
    data = valid
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(sorted(paths_in(valid))))
        change = draw(st.sampled_from(["drop", "rename", "replace", "replace", "replace"]))
        data = changed(data, path, change, draw(JUNK))
    return data


def loads_or_explains(path):
    try:
        config = load_config(path)
    except ConfigError as error:
        problems = error.problems
    else:
        problems = None
        assert isinstance(config, RunConfig | CompareConfig)
    if problems is not None:
        assert problems
        for problem in problems:
            assert problem.startswith(f"{path}:"), problem
            assert "\n" not in problem


FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FUZZ
@given(data=mutants(VALID_RUN))
def test_a_changed_run_loads_or_explains_itself(tmp_path, data):
    """Whatever is dropped, renamed or replaced: a configuration, or a ConfigError; never anything else."""
    path = tmp_path / "mutant.yaml"
    with path.open("w") as file:
        YAML(typ="safe", pure=True).dump(data, file)
    loads_or_explains(path)


@FUZZ
@given(data=mutants(VALID_COMPARISON))
def test_a_changed_comparison_loads_or_explains_itself(tmp_path, data):
    path = tmp_path / "mutant.yaml"
    with path.open("w") as file:
        YAML(typ="safe", pure=True).dump(data, file)
    loads_or_explains(path)


@FUZZ
@given(data=st.data())
def test_a_garbled_file_loads_or_explains_itself(tmp_path, data):
    """Characters of a valid file are deleted, doubled or replaced by those that mean something in YAML."""
    text = SMALL
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text) - 1))
        replacement = data.draw(st.text(":#-{}[],|>'\"%@ \n\tab0", max_size=3))
        text = text[:place] + replacement + text[place + data.draw(st.integers(0, 3)) :]
    path = tmp_path / "garbled.yaml"
    path.write_text(text)
    loads_or_explains(path)


def test_a_batch_beyond_reason_is_answered_at_once(tmp_path):
    """10**14 sequences: an array of all passes of a stage does not fit into any machine."""
    loads_or_explains(write_small(tmp_path, ("global_batch: 64", "global_batch: 102400000000000")))


def test_a_run_and_a_comparison_are_told_apart(tmp_path):
    assert isinstance(load_config(write_small(tmp_path)), RunConfig)
    assert isinstance(load_config(str(write_comparison(tmp_path))), CompareConfig)


def test_settings_apply_in_their_order(tmp_path):
    config = load_config(write_small(tmp_path), ("seed=2", "seed=3", "job.model.layers=8", "topology.floor.slack=2 m"))
    assert (config.seed, config.job.model.layers, config.topology.floor.slack_m) == (3, 8, 2.0)


def test_the_document_says_where_everything_stands(tmp_path):
    path = write_small(tmp_path)
    config, document = read_config(path, ("seed=2",))
    assert config.seed == 2
    assert document.where(("topology", "kind")) == f"{path}:33"
    assert document.where(("seed",)) == "--set seed"


def test_parts_of_a_comparison_come_from_files(tmp_path):
    """A job, its model, an interconnect and a topology, each from its own file."""
    data = copy.deepcopy(VALID_COMPARISON)
    compare = data["compare"]
    for name, part in (
        ("model", compare["jobs"]["tiny"]["model"]),
        ("dsp", compare["interconnects"]["dsp"]),
        ("clos", compare["topologies"]["clos"]),
    ):
        with (tmp_path / f"{name}.yaml").open("w") as file:
            YAML(typ="safe", pure=True).dump(part, file)
    compare["jobs"]["tiny"]["model"] = "model.yaml"
    compare["interconnects"]["dsp"], compare["topologies"]["clos"] = "dsp.yaml", "clos.yaml"
    with (tmp_path / "split.yaml").open("w") as file:
        YAML(typ="safe", pure=True).dump(data, file)
    whole = load_config(write_comparison(tmp_path))
    assert load_config(tmp_path / "split.yaml").model_dump(mode="json") == whole.model_dump(mode="json")


def test_a_configuration_survives_its_manifest(tmp_path):
    """What the manifest holds can be validated again to the same configuration."""
    for config in (load_config(write_small(tmp_path)), load_config(write_comparison(tmp_path))):
        assert type(config).model_validate(config.model_dump(mode="json")) == config


def test_deep_nesting_of_what_is_no_key_is_refused(tmp_path):
    path = tmp_path / "deep.yaml"
    depth = sys.getrecursionlimit() // 20
    path.write_text("job: " + "{a: " * depth + "1" + "}" * depth)
    loads_or_explains(path)
