"""Every mistake is ``file:line: field: what, expected, what to do``; all at once; exit code 2; no traceback."""

import os
import textwrap

import pytest

from cluster_sim.config import load_config
from tests.small import SMALL, SMALL_COMPARISON, edited, write_comparison, write_small

WITHOUT_SHARDS = ("--set", "job.parallelism.sharding=none")
MODEL_KEYS = "    sequence: 256"
DATA_KEY = "    data: 16"


def says(lines, *expected):
    """Each line begins with the place and field, and contains the words; there are no other lines."""
    assert len(lines) == len(expected), "\n".join(lines)
    for line, (place, *words) in zip(lines, expected, strict=True):
        assert line.startswith(place + ": "), f"{line!r} does not start with {place!r}"
        for word in words:
            assert word in line, f"{line!r} does not say {word!r}"


# --- names and keys -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edit", "place", "suggestion"),
    [
        (("seed: 1", "seed: 1\nsead: 2"), "3: sead", "'seed'"),
        (("seed: 1", "seed: 1\nbakend: auto"), "3: bakend", "'backend'"),
        (("  micro_batch: 1", "  microbatch: 1"), "20: job.microbatch", "'micro_batch'"),
        ((MODEL_KEYS, MODEL_KEYS + "\n    kv_head: 8"), "15: job.model.kv_head", "'kv_heads'"),
        ((DATA_KEY, DATA_KEY + "\n    virtual_stage: 1"), "19: job.parallelism.virtual_stage", "'virtual_stages'"),
        (("    all_reduce:", "    allreduce:"), "23: job.algorithms.allreduce", "'all_reduce'"),
        (("  ocs:", "  oxs:"), "31: interconnect.oxs", "'ocs'"),
        (("  pod_accelerators:", "  pod_accelerator:"), "34: topology.pod_accelerator", "'pod_accelerators'"),
        (("    slack:", "    slak:"), "36: topology.floor.slak", "'slack'"),
        (("routing: spray", "routing: {kind: spray, oblivous: true}"), "4: routing.oblivous", "known: kind"),
    ],
)
def test_an_unknown_key_is_refused_and_the_nearest_is_suggested(refused, tmp_path, edit, place, suggestion):
    lines = refused("run", write_small(tmp_path, edit).name)
    says(lines, (f"small.yaml:{place}", "unknown key", suggestion))


@pytest.mark.parametrize(
    ("edit", "place", "what", "suggestion"),
    [
        pytest.param(("host_leaf: 800g-dsp-dr8", "host_leaf: 800g-dps-dr8"), "28: interconnect.host_leaf", "technology",
                     "800g-dsp-dr8"),
        (("host_leaf: 800g-dsp-dr8", "host_leaf: {lower: 800g-dsp-dr8, upper: cpo-800}"),
         "28: interconnect.host_leaf.upper", "technology", "cpo-800g"),
        (("tomahawk5", "tomahwk5"), "27: interconnect.switch", "switch", "tomahawk5"),
        (("connectx8-800g", "conectx8-800g"), "26: interconnect.nic", "nic", "connectx8-800g"),
        (("palomar-mems", "palomar"), "31: interconnect.ocs", "ocs", "palomar-mems"),
        (("h100-sxm", "h100"), "8: job.accelerator", "accelerator", "h100-sxm"),
        (("routing: spray", "routing: spry"), "4: routing", "routing", "spray"),
        (("all_reduce: hierarchical_all_reduce", "all_reduce: ring_allreduce"), "23: job.algorithms.all_reduce",
         "collective", "ring_all_reduce"),
        (("schedule: 1f1b", "schedule: 1f1"), "21: job.schedule", "pipeline schedule", "1f1b"),
        (("topology:\n  kind: clos\n  pod_accelerators: 32\n  floor:\n    slack: 1.5 m", "topology: fat_three"),
         "32: topology", "topology", "fat_tree"),
        pytest.param(("  kind: clos", "  kind: close"), "33: topology.kind", "topology", "clos"),
    ],
)  # fmt: skip
def test_an_unknown_name_is_refused_and_the_nearest_is_suggested(refused, tmp_path, edit, place, what, suggestion):
    lines = refused("run", write_small(tmp_path, edit).name)
    says(lines, (f"small.yaml:{place}", f"unknown {what} ", f"did you mean '{suggestion}'?", "known: "))


@pytest.mark.parametrize(
    ("edit", "place", "suggestion"),
    [
        (("backend: auto", "backend: numby"), "3: backend", "numba"),
        (("record: tasks", "record: task"), "5: record", "tasks"),
        (("  micro_batch: 1", "  micro_batch: 1\n  recompute: ful"), "21: job.recompute", "full"),
    ],
)
def test_a_wrong_choice_lists_what_there_is(refused, tmp_path, edit, place, suggestion):
    lines = refused("run", write_small(tmp_path, edit).name)
    says(lines, (f"small.yaml:{place}", f"'{suggestion}'", "got "))


def test_a_wrong_backend_suggests_the_nearest(refused, tmp_path):
    lines = refused("run", write_small(tmp_path, ("backend: auto", "backend: nunba")).name)
    says(lines, ("small.yaml:3: backend", "did you mean 'numba'?"))


def test_several_mistakes_are_all_reported_in_the_order_of_the_file(refused, tmp_path):
    path = write_small(
        tmp_path, ("seed: 1", "seed: x"), ("h100-sxm", "h100"), ("layers: 4", "layer: 4"),
        ("    heads: 8", "    heads: 0"),
        ("800 Gbps", "800"), ("tomahawk5", "tomahawk55"), ("1.5 m", "1.5 kg"),
    )  # fmt: skip
    says(
        refused("run", path.name),
        ("small.yaml:2: seed", "valid integer", "'x'"),
        ("small.yaml:8: job.accelerator", "h100-sxm"),
        ("small.yaml:9: job.model.layers", "missing; add this key"),
        ("small.yaml:10: job.model.layer", "did you mean 'layers'?"),
        ("small.yaml:12: job.model.heads", "greater than or equal to 1", "got 0"),
        ("small.yaml:25: interconnect.port_rate", "800 has no unit", "400 Gbps"),
        ("small.yaml:27: interconnect.switch", "did you mean 'tomahawk5'?"),
        ("small.yaml:36: topology.floor.slack", "'1.5 kg'", "2 m"),
    )


# --- quantities and numbers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("800", ("800 has no unit", "'400 Gbps'")),
        ("8e11", ("has no unit",)),
        ("'800'", ("'800'", "'400 Gbps'")),
        (".nan", ("has no unit",)),
        (".inf", ("has no unit",)),
        ("800 Gs", ("'800 Gs'", "did you mean")),
        ("800 GB", ("'800 GB'", "GB/s")),
        ("800 ns", ("'800 ns'", "'400 Gbps'")),
        ("800 Gbps each", ("'800 Gbps each'",)),
        ("nan Gbps", ("'nan Gbps'",)),
        ("-800 Gbps", ("greater than 0",)),
        ("0 Gbps", ("greater than 0",)),
        ("''", ("''", "'400 Gbps'")),
        ("null", ("valid number", "None")),
        ("[800 Gbps]", ("valid number",)),
        ("{rate: 800 Gbps}", ("valid number",)),
        ("schnell", ("'schnell'",)),
        ("800 Гбит", ("'800 Гбит'",)),
        pytest.param("true", ("True",)),
        pytest.param("1e99999999999999999999 Gbps", ("1e9999",)),
        pytest.param("1e400 Gbps", ("1e400",)),
    ],
)
def test_a_rate_that_is_none_is_refused(refused, tmp_path, value, words):
    lines = refused("run", write_small(tmp_path, ("800 Gbps", value)).name)
    says(lines, ("small.yaml:25: interconnect.port_rate", *words))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("-1 m", ("greater than or equal to 0", "-1")),
        ("1.5", ("1.5 has no unit", "'2 m'")),
        ("1.5 M", ("'1.5 M'", "'2 m'")),
        pytest.param("true", ("True",)),
        pytest.param("1e400 m", ("1e400",)),
    ],
)
def test_a_length_that_is_none_is_refused(refused, tmp_path, value, words):
    lines = refused("run", write_small(tmp_path, ("1.5 m", value)).name)
    says(lines, ("small.yaml:36: topology.floor.slack", *words))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("0", ("greater than or equal to 1", "got 0")),
        ("-4", ("greater than or equal to 1", "got -4")),
        (".nan", ("finite", "nan")),
        (".inf", ("finite", "inf")),
        ("4.5", ("fractional", "4.5")),
        ("null", ("valid integer", "None")),
        ("vier", ("valid integer", "'vier'")),
        ("четыре", ("valid integer", "'четыре'")),
        ("[4]", ("valid integer", "[4]")),
        ("{n: 4}", ("valid integer",)),
        ("2024-01-01", ("valid integer",)),
        pytest.param("true", ("True",)),
        pytest.param("'4'", ("'4'",)),
        pytest.param("4" + "0" * 400, ()),
    ],
)
def test_a_count_that_is_none_is_refused(refused, tmp_path, value, words):
    lines = refused("run", write_small(tmp_path, ("layers: 4", f"layers: {value}")).name)
    says(lines, ("small.yaml:10: job.model.layers", *words))


@pytest.mark.parametrize(
    ("edit", "place"),
    [
        (("seed: 1", "seed: -1"), "2: seed"),
        (("seed: 1", "seed: 1.5"), "2: seed"),
        (("seed: 1", "seed: null"), "2: seed"),
        (("accelerators: 64\n  accelerator:", "accelerators: 0\n  accelerator:"), "7: job.accelerators"),
        (("tensor: 2", "tensor: 0"), "16: job.parallelism.tensor"),
        (("data: 16", "data: -16"), "18: job.parallelism.data"),
        (("global_batch: 64", "global_batch: 0"), "19: job.global_batch"),
        (("micro_batch: 1", "micro_batch: -1"), "20: job.micro_batch"),
        (("pod_accelerators: 32", "pod_accelerators: -1"), "34: topology.pod_accelerators"),
        (("pod_accelerators: 32", "leaf_oversubscription: 0.5"), "34: topology.leaf_oversubscription"),
        (("pod_accelerators: 32", "leaf_oversubscription: .nan"), "34: topology.leaf_oversubscription"),
        pytest.param(("pod_accelerators: 32", "leaf_oversubscription: .inf"), "34: topology.leaf_oversubscription"),
        pytest.param(("pod_accelerators: 32", "leaf_oversubscription: true"), "34: topology.leaf_oversubscription"),
        pytest.param(("seed: 1", "seed: true"), "2: seed"),
    ],
)  # fmt: skip
def test_a_number_out_of_range_is_refused_at_its_line(refused, tmp_path, edit, place):
    says(refused("run", write_small(tmp_path, edit).name), (f"small.yaml:{place}",))


# --- what does not fit together -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edits", "place", "words"),
    [
        ([("data: 16", "data: 8")], "7: job.accelerators",
         ("tensor 2 x context 1 x pipeline 2 x data 8 is 32, not 64", "change")),
        ([("layers: 4", "layers: 5")], "17: job.parallelism.pipeline", ("layers 5", "pipeline 2")),
        ([("    heads: 8", "    heads: 8\n    kv_heads: 1")], "17: job.parallelism.tensor", ("kv_heads 1", "tensor 2")),
        ([(MODEL_KEYS, MODEL_KEYS + "\n    experts: {count: 6, per_token: 2, width: 64}"),
          (DATA_KEY, DATA_KEY + "\n    expert: 8")], "20: job.parallelism.expert", ("experts 6", "expert 8")),
        ([(DATA_KEY, DATA_KEY + "\n    expert: 8")], "19: job.parallelism.expert", ("8", "no experts")),
        ([(DATA_KEY, DATA_KEY + "\n    expert: 5")], "19: job.parallelism.expert", ("5 does not divide", "2 x 1 x 16")),
        ([(MODEL_KEYS, MODEL_KEYS + "\n    experts: {count: 2, per_token: 3, width: 64}")],
         "15: job.model.experts.per_token", ("3 of 2", "raise count")),
        pytest.param([("    heads: 8", "    heads: 7")], "12: job.model.heads", ("hidden 512", "heads 7")),
        pytest.param([("    heads: 8", "    heads: 8\n    kv_heads: 3")], "13: job.model.kv_heads",
                     ("heads 8", "kv_heads 3")),
        ([("global_batch: 64", "global_batch: 65")], "19: job.global_batch",
         ("65 is not a multiple of micro_batch 1 x data 16",)),
        ([("global_batch: 64", "global_batch: 8")], "19: job.global_batch", ("8 is not a multiple",)),
        ([("schedule: 1f1b", "schedule: interleaved"), ("global_batch: 64", "global_batch: 48"),
          ("pipeline: 2", "pipeline: 2\n    virtual_stages: 2")], "22: job.schedule",
         ("multiples of the 2 stages", "got 3", "change the batch")),
        ([("schedule: 1f1b", "schedule: interleaved")], "21: job.schedule", ("two virtual stages", "use '1f1b'")),
        ([("pipeline: 2", "pipeline: 2\n    virtual_stages: 2")], "22: job.schedule", ("use 'interleaved'",)),
        ([("hidden: 512", "hidden: 65536")], "8: job.accelerator",
         ("memory", "do not fit into the 80.0 GB of NVIDIA H100", "weights 103.1 GB", "gradients", "optimizer",
          "activations", "stage 0 of 2", "largest: gradients", "set sharding: zero2 or fsdp", "force: true")),
        ([("pipeline: 2", "pipeline: 2\n    order: [tensor, data, data]")], "18: job.parallelism.order",
         ("once each",)),
        ([("host_leaf: 800g-dsp-dr8", "host_leaf: {lower: dac-800g, upper: 800g-dsp-dr8}")],
         "28: interconnect.host_leaf", ("cable", "both ends")),
        ([("leaf_spine: 800g-dsp-dr8", "leaf_spine: {lower: 800g-dsp-dr8}")], "29: interconnect.leaf_spine.upper",
         ("missing",)),
        ([("  kind: clos\n", "")], "32: topology", ("kind: NAME", "clos, custom, ")),
        ([("routing: spray", "routing: 5")], "4: routing", ("kind: NAME", "ecmp, source_routes, spray")),
        ([("  kind: clos\n  pod_accelerators: 32\n", "  kind: ocs_spine\n")], "32: topology.pod_accelerators",
         ("missing",)),
        ([("name: small", "name: a/b")], "1: name", ("a/b",)),
        ([("name: small", "name: 5")], "1: name", ("valid string",)),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_refused(refused, tmp_path, edits, place, words):
    says(refused("run", write_small(tmp_path, *edits).name), (f"small.yaml:{place}", *words))


def test_heads_that_tensor_ranks_cannot_share_are_refused(refused, tmp_path):
    path = write_small(tmp_path, ("    heads: 8", "    heads: 1"))
    says(
        refused("run", path.name),
        ("small.yaml:16: job.parallelism.tensor", "heads 1", "tensor 2"),
        ("small.yaml:16: job.parallelism.tensor", "kv_heads 1", "tensor 2"),
    )


def test_every_slow_tier_and_every_indivisible_size_is_reported(refused, tmp_path):
    path = write_small(
        tmp_path, ("host_leaf: 800g-dsp-dr8", "host_leaf: 400g-dsp-dr4"),
        ("    heads: 8", "    heads: 7\n    kv_heads: 3"),
        ("leaf_spine: 800g-dsp-dr8", "leaf_spine: 400g-dsp-dr4"),
    )  # fmt: skip
    says(
        refused("run", path.name),
        ("small.yaml:12: job.model.heads", "hidden 512 is not a multiple of heads 7"),
        ("small.yaml:13: job.model.kv_heads", "heads 7 is not a multiple of kv_heads 3"),
        ("small.yaml:29: interconnect.host_leaf", "400G", "slower than a port"),
        ("small.yaml:30: interconnect.leaf_spine", "400G", "slower than a port"),
    )


# --- fabrics that cannot be built, backends that are not there ------------------------------------------------------


def test_a_switch_with_too_few_ports_is_refused(refused, tmp_path):
    path = write_small(
        tmp_path, ("tomahawk5", "quantum-hdr-qm8700"), ("pod_accelerators: 32", "pod_accelerators: 30"),
        ("accelerators: 64\n  accelerator:", "accelerators: 1024\n  accelerator:"), ("data: 16", "data: 256"),
        ("global_batch: 64", "global_batch: 256"),
    )  # fmt: skip
    lines = refused("run", path.name)
    says(lines, ("small.yaml:32: topology", "not buildable", "too few ports", "10 ports"))


def test_a_technology_whose_reach_is_too_short_is_refused_on_every_tier(refused, tmp_path):
    edits = [(f"{tier}: 800g-dsp-dr8", f"{tier}: dac-800g") for tier in ("host_leaf", "leaf_spine")]
    lines = refused("run", write_small(tmp_path, *edits, ("1.5 m", "30 m")).name)
    says(
        lines,
        ("small.yaml:32: topology", "not buildable", "host_leaf: dac-800g reaches", "64 of 64", "30.0 m"),
        ("small.yaml:32: topology", "not buildable", "leaf_spine: dac-800g reaches", "64 of 64"),
    )


def test_a_nic_slower_than_its_port_is_refused(refused, tmp_path):
    lines = refused("run", write_small(tmp_path, ("connectx8-800g", "connectx7-400g")).name)
    says(lines, ("small.yaml:32: topology", "not buildable", "400G", "port runs at 800G"))


def test_copper_into_an_ocs_is_refused(refused, tmp_path):
    path = write_small(
        tmp_path, ("kind: clos", "kind: ocs_spine"), ("spine_core: 800g-dsp-dr8", "spine_core: aec-800g")
    )
    lines = refused("run", path.name)
    assert any("an OCS switches light" in line for line in lines)
    assert all(line.startswith("small.yaml:32: topology: not buildable: spine_ocs: ") for line in lines)


@pytest.fixture
def no_gpu(monkeypatch):
    """As on a machine without the package cupy."""
    monkeypatch.setitem(__import__("sys").modules, "cupy", None)


def test_a_named_backend_that_is_missing_is_refused_with_advice(refused, tmp_path, no_gpu):
    lines = refused("run", write_small(tmp_path, ("backend: auto", "backend: cupy")).name)
    says(lines, ("small.yaml:3: backend", "'cupy' is not available", "Install the extra 'gpu'"))


def test_a_backend_missing_on_the_command_line_is_refused_for_run_and_compare(refused, tmp_path, no_gpu):
    for command, path in (("run", write_small(tmp_path)), ("compare", write_comparison(tmp_path))):
        lines = refused(command, path.name, "--backend", "cupy")
        says(lines, ("--set backend: backend", "'cupy' is not available", "Install the extra 'gpu'"))


# --- what is not a configuration at all -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "place", "words"),
    [
        (b"job:\n\tlayers: 1\n", "2", ("not YAML", "\\t")),
        (b"a: [1,\nb: 2\n", "3", ("not YAML",)),
        (b"a: 'open\n", "2", ("not YAML",)),
        (b"a: *nobody\n", "1", ("not YAML", "nobody")),
        (b"a: 1\n---\nb: 2\n", "2", ("not YAML", "another document")),
        (b"a: 1\n  b: 2\n", "2", ("not YAML",)),
        (b"", "1", ("expected 'key: value' lines",)),
        (b"# only a comment\n", "1", ("expected 'key: value' lines",)),
        (b"- a\n- b\n", "1", ("expected 'key: value' lines",)),
        (b"hello\n", "1", ("expected 'key: value' lines",)),
        (b"42\n", "1", ("expected 'key: value' lines",)),
        (b"a: 1\nb: 2\na: 3\n", "3", ('"a"', "twice", "keep one")),
        (b"j:\n  m:\n    a: 1\n    a: 2\n", "4", ('"a"', "twice")),
        (b"j: {a: 1, a: 2}\n", "1", ('"a"', "twice")),
        pytest.param(b"a: \x00\n", "1", ("not YAML",)),
        pytest.param(b"b: 1\na: \x07\n", "2", ("not YAML",)),
        pytest.param(b"{a: 1}: 2\n", "1", ("not YAML",)),
        pytest.param(b"b: 1\na: !foo 3\n", "2", ("not YAML", "!foo")),
        pytest.param(b"a: !!int abc\n", "1", ("not YAML",)),
        pytest.param(b"a: 2024-13-45\n", "1", ("not YAML",)),
        pytest.param(b"a: " + b"1" * 5000, "1", ("not YAML",)),
        pytest.param(b"a: !!python/object/apply:os.system [ls]\n", "1", ("not YAML",)),
        pytest.param(b"\n".join(b" " * i + b"a:" for i in range(400)), "1", ("deep",)),
    ],
)  # fmt: skip
def test_a_file_that_is_no_configuration_is_refused_with_its_line(refused, tmp_path, content, place, words):
    (tmp_path / "raw.yaml").write_bytes(content)
    says(refused("run", "raw.yaml"), (f"raw.yaml:{place}", *words))


@pytest.mark.parametrize("command", ["run", "compare"])
def test_what_cannot_be_read_is_refused(refused, tmp_path, command):
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x01")
    says(refused(command, "missing.yaml"), ("missing.yaml", "cannot be read", "No such file"))
    says(refused(command, "folder.yaml"), ("folder.yaml", "cannot be read", "directory"))
    says(refused(command, "binary.yaml"), ("binary.yaml", "cannot be read", "utf-8"))


@pytest.mark.parametrize("key", ["1", "~", "true", "1.5", "[a, b]"])
def test_keys_that_are_no_text_are_refused(refused, tmp_path, key):
    (tmp_path / "raw.yaml").write_text(f"{SMALL}? {key}\n: 2\n")
    lines = refused("run", "raw.yaml")
    assert len(lines) == 1
    assert lines[0].startswith("raw.yaml:")
    assert "keys should be strings" in lines[0]


def test_a_yaml_merge_is_followed(cli, tmp_path):
    text = edited(
        SMALL, ("interconnect:\n", "interconnect:\n  <<: {nic: connectx8-800g, switch: tomahawk5}\n"),
        ("  nic: connectx8-800g\n  switch: tomahawk5\n", ""),
    )  # fmt: skip
    (tmp_path / "merged.yaml").write_text(text)
    assert cli("run", "merged.yaml", "--quiet", "--backend", "numpy").exit_code == 0


def test_an_anchor_stands_for_what_it_names(cli, refused, tmp_path):
    text = edited(SMALL, ("seed: 1", "seed: &one 1"), ("micro_batch: 1", "micro_batch: *one"))
    (tmp_path / "anchor.yaml").write_text(text)
    assert cli("run", "anchor.yaml", "--quiet", "--backend", "numpy").exit_code == 0
    (tmp_path / "anchor.yaml").write_text(text.replace("&one 1", "&one -1"))
    says(
        refused("run", "anchor.yaml"),
        ("anchor.yaml:2: seed", "got -1"),
        ("anchor.yaml:20: job.micro_batch", "got -1"),
    )


@pytest.mark.parametrize("text", ["\ufeff" + SMALL, SMALL.replace("\n", "\r\n"), "---\n" + SMALL + "...\n"])
def test_byte_order_marks_and_line_ends_of_other_systems_are_no_mistake(cli, tmp_path, text):
    (tmp_path / "small.yaml").write_bytes(text.encode())
    assert cli("run", "small.yaml", "--quiet", "--backend", "numpy").exit_code == 0


# --- parts in files of their own ------------------------------------------------------------------------------------

JOB = textwrap.dedent(SMALL[SMALL.index("job:\n") + 5 : SMALL.index("interconnect:\n")])
MAIN = SMALL[: SMALL.index("job:\n")] + "job: models/x.yaml\n" + SMALL[SMALL.index("interconnect:\n") :]
PART = os.path.join("models", "x.yaml")


@pytest.fixture
def with_job(tmp_path):
    """Write the main file, and the job into a file of its own."""

    def write(job=JOB, main=MAIN):
        (tmp_path / "main.yaml").write_text(main)
        (tmp_path / "models").mkdir(exist_ok=True)
        if job is not None:
            (tmp_path / "models" / "x.yaml").write_text(job)
        return "main.yaml"

    return write


def test_a_part_in_a_file_of_its_own_is_read(cli, with_job):
    assert cli("run", with_job(), "--quiet", "--backend", "numpy").exit_code == 0


def test_a_missing_part_is_named_with_the_line_that_asks_for_it(refused, with_job):
    says(refused("run", with_job(None)), ("main.yaml:6: job", PART, "cannot be read"))


@pytest.mark.parametrize(
    ("job", "place", "words"),
    [
        ("a: [\n", f"{PART}:2", ("not YAML",)),
        ("", f"{PART}:1", ("expected 'key: value' lines",)),
        ("- a\n", f"{PART}:1", ("expected 'key: value' lines",)),
        (JOB + "global_batch: 3\n", f"{PART}:18", ("twice",)),
    ],
)
def test_a_part_that_is_not_yaml_is_named_with_its_line(refused, with_job, job, place, words):
    says(refused("run", with_job(job)), ("main.yaml:6: job", place, *words))


def test_mistakes_in_a_part_are_at_lines_of_that_part(refused, with_job):
    job = edited(JOB, ("layers: 4", "layers: four"), ("heads: 8", "head: 8"))
    says(
        refused("run", with_job(job)),
        (f"{PART}:3: job.model.heads", "missing"),
        (f"{PART}:4: job.model.layers", "'four'"),
        (f"{PART}:6: job.model.head", "did you mean 'heads'?"),
    )


def test_what_does_not_fit_together_in_a_part_is_at_lines_of_that_part(refused, with_job):
    lines = refused("run", with_job(edited(JOB, ("data: 16", "data: 8"))))
    says(lines, (f"{PART}:1: job.accelerators", "is 32, not 64"))


def test_a_key_missing_at_the_top_of_a_part_names_that_part(refused, with_job):
    lines = refused("run", with_job(edited(JOB, ("global_batch: 64\n", ""))))
    says(lines, (f"{PART}:1: job.global_batch", "missing"))


def test_mistakes_of_a_part_stand_where_the_part_stands(refused, with_job):
    main = MAIN.replace("seed: 1", "seed: x").replace("port_rate: 800 Gbps", "port_rate: 800")
    lines = refused("run", with_job(edited(JOB, ("all_reduce: h", "all_reduce: H")), main))
    says(
        lines,
        ("main.yaml:2: seed",),
        (f"{PART}:17: job.algorithms.all_reduce",),
        ("main.yaml:8: interconnect.port_rate",),
    )


def test_a_part_of_a_part_is_looked_for_beside_it(cli, with_job, tmp_path):
    model = JOB[JOB.index("model:\n") : JOB.index("parallelism:")]
    main = with_job(JOB.replace(model, "model: m.yaml\n"))
    (tmp_path / "models" / "m.yaml").write_text(textwrap.dedent(model.removeprefix("model:\n")))
    assert cli("run", main, "--quiet", "--backend", "numpy").exit_code == 0


# --- algorithms -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("algorithm", "place", "words"),
    [
        ("bucket_all_reduce", "22: job.algorithms", ("groups that are a grid of a torus",)),
        ("nvls_all_reduce", "22: job.algorithms", ("spans several scale-up domains", "hierarchical_nvls_all_reduce")),
        ("sharp_all_reduce", "22: job.algorithms", ("several ranks in one scale-up domain",)),
        ("hierarchical_nvls_all_reduce\n    detail: steps", "23: job.algorithms.all_reduce", ("detail: lockstep",)),
    ],
)
def test_an_algorithm_that_cannot_do_it_is_named_with_its_line(refused, tmp_path, algorithm, place, words):
    edit = ("hierarchical_all_reduce", algorithm)
    lines = refused("run", write_small(tmp_path, edit).name, *WITHOUT_SHARDS)
    says(lines, (f"small.yaml:{place}", *words))


@pytest.mark.parametrize("topology", [
    "{kind: torus, shape: [4, 4, 4]}", "{kind: full_mesh, accelerators_per_switch: 8}", "slim_fly", "dragonfly",
    "{kind: ocs_spine, pod_accelerators: 32}", "{kind: ocs_torus, shape: [4, 4, 4], cube: 2}",
])  # fmt: skip
def test_switches_do_not_reduce_where_they_are_no_tree(refused, tmp_path, topology):
    """SHARP counts on a tree; around a torus there is no switch at all."""
    edits = (TOPOLOGY, f"topology: {topology}"), ("hierarchical_all_reduce", "hierarchical_sharp_all_reduce")
    lines = refused("run", write_small(tmp_path, *edits).name, *WITHOUT_SHARDS)
    says(lines, ("small.yaml:22: job.algorithms", "leaves, spines and cores", "use a Clos"))


@pytest.mark.parametrize("topology", ["{kind: clos, tiers: 2}", "fat_tree", "rail_only", "{kind: clos, planes: 2}"])
def test_switches_reduce_where_they_are_trees(cli, tmp_path, topology):
    edits = (TOPOLOGY, f"topology: {topology}"), ("hierarchical_all_reduce", "hierarchical_sharp_all_reduce")
    result = cli("run", write_small(tmp_path, *edits).name, "--quiet", "--backend", "numpy", *WITHOUT_SHARDS)
    assert result.exit_code == 0, result.stderr


# --- topologies -----------------------------------------------------------------------------------------------------

TOPOLOGY = "topology:\n  kind: clos\n  pod_accelerators: 32\n  floor:\n    slack: 1.5 m"


@pytest.mark.parametrize(
    ("topology", "field", "words"),
    [
        ("{kind: torus, shape: ['4', 16]}", ".shape", ("whole numbers", "'4'")),
        ("{kind: torus, shape: [true, 64]}", ".shape", ("whole numbers", "True")),
        ("{kind: rail_only, tiers: 2, spine_oversubscription: 2}", ".spine_oversubscription", ("leave it out",)),
        ("{kind: slim_fly, q: 9223372036854775783}", "", ("not buildable", "too few ports")),
    ],
)
def test_a_topology_that_would_not_be_what_is_written_is_refused(refused, tmp_path, topology, field, words):
    lines = refused("run", write_small(tmp_path, (TOPOLOGY, f"topology: {topology}")).name)
    assert lines[0].startswith(f"small.yaml:32: topology{field}: ")
    assert all(word in lines[0] for word in words)


def test_a_missing_graph_is_named_with_the_line_that_asks_for_it(refused, tmp_path):
    path = write_small(tmp_path, (TOPOLOGY, "topology:\n  kind: custom\n  graph: nope.json"))
    says(refused("run", path.name), ("small.yaml:34: topology.graph", "nope.json", "cannot be read"))
    lines = refused("run", path.name, "--set", "topology.graph=gone.json")
    says(lines, ("--set topology.graph: topology.graph", "gone.json", "cannot be read"))
    says(
        refused("run", path.name, "--set", 'topology.graph=""'), ("--set topology.graph: topology.graph", "at least 1")
    )


def test_a_torus_larger_than_any_job_is_refused(cli, tmp_path):
    (tmp_path / "huge.yaml").write_text("kind: torus\nshape: [100000, 100000, 100000]\n")
    result = cli("topology", "check", "huge.yaml")
    assert result.exit_code == 2
    says(result.stderr.splitlines(), ("huge.yaml:1: topology", "1000000000000000 accelerators, more than"))


# --- settings on the command line -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "place", "words"),
    [
        ("seed", "--set seed", ("expected a.b=value",)),
        ("=3", "--set =3", ("expected a.b=value",)),
        ("seed=", "--set seed: seed", ("None",)),
        ("seed=x", "--set seed: seed", ("valid integer", "'x'")),
        ("job.model.layers=five", "--set job.model.layers: job.model.layers", ("'five'",)),
        ("job.model.layer=5", "--set job.model.layer: job.model.layer", ("did you mean 'layers'?",)),
        ("interconnect.port_rate=400", "--set interconnect.port_rate: interconnect.port_rate", ("no unit", "400 Gbps")),
        ("routing=spry", "--set routing: routing", ("did you mean 'spray'?",)),
        ("name=a/b", "--set name: name", ("a/b",)),
        ("job.algorithms=", "--set job.algorithms: job.algorithms", ("None",)),
        ("job=nope.yaml", "--set job: job", ("'nope.yaml'",)),
        pytest.param("seed.x=2", "--set seed.x", ("no mapping",)),
        pytest.param("a.b.c=1", "--set a.b.c: a", ("unknown key",)),
        pytest.param("topology=ocs_spine", "--set topology: topology.pod_accelerators", ("missing",)),
        pytest.param("job..model=3", "--set job..model=3", ("expected a.b=value",)),
        pytest.param("job.model=[", "--set job.model", ("not YAML",)),
        pytest.param("x.yaml", "--set x.yaml", ("expected a.b=value",)),
        pytest.param("seed=!foo 3", "--set seed", ("not YAML",)),
        pytest.param("seed=2024-13-45", "--set seed", ("not YAML",)),
    ],
)  # fmt: skip
def test_a_setting_that_does_not_work_is_named(refused, tmp_path, setting, place, words):
    says(refused("run", write_small(tmp_path).name, "--set", setting), (place, *words))


def test_a_setting_may_change_what_stands_in_a_part(cli, refused, with_job):
    assert cli("run", with_job(), "--quiet", "--backend", "numpy", "--set", "job.model.layers=8").exit_code == 0
    lines = refused("run", with_job(), "--set", "job.model.layers=9")
    says(lines, (f"{PART}:11: job.parallelism.pipeline", "layers 9"))


def test_a_setting_reaches_names_with_dots(cli, tmp_path):
    path = write_comparison(tmp_path, ("    npo:", "    npo-1.6t:"))
    setting = "compare.interconnects.npo-1.6t.nic=connectx7-400g"
    assert cli("compare", path.name, "--quiet", "--workers", 1, "--set", setting).exit_code == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--seed", "x"), "valid integer"),
        (("--workers", "0"), "No such option"),
        (("--nope",), "No such option"),
        (("--backend", "numpyy"), "'numpy'"),
        (("--seed", "-1"), "greater than or equal to 0"),
        pytest.param(("--backend", "["), "backend"),
    ],
)
def test_an_option_that_does_not_work_is_named(refused, tmp_path, options, words):
    assert words in "\n".join(refused("run", write_small(tmp_path).name, *options))


# --- comparisons ----------------------------------------------------------------------------------------------------


def test_the_wrong_command_is_named_with_the_right_one(refused, tmp_path):
    write_small(tmp_path), write_comparison(tmp_path)
    says(refused("run", "versus.yaml"), ("versus.yaml:3: compare", "use 'cluster-sim compare versus.yaml'"))
    says(refused("compare", "small.yaml"), ("small.yaml:1", "use 'cluster-sim run small.yaml'"))


def test_the_wrong_command_is_refused(refused, tmp_path):
    write_small(tmp_path), write_comparison(tmp_path)
    assert "use 'cluster-sim compare versus.yaml'" in refused("run", "versus.yaml")[0]
    assert "use 'cluster-sim run small.yaml'" in refused("compare", "small.yaml")[0]


def test_a_comparison_of_nothing_is_refused(refused, tmp_path):
    (tmp_path / "raw.yaml").write_text("compare:\n  jobs: {}\n  interconnects:\n  topologies: []\n")
    says(
        refused("compare", "raw.yaml", "--workers", 1),
        ("raw.yaml:2: compare.jobs", "at least 1"),
        ("raw.yaml:3: compare.interconnects", "dictionary", "None"),
        ("raw.yaml:4: compare.topologies", "dictionary", "[]"),
    )


@pytest.mark.parametrize("value", ["", " []", " 3", " [a, b]"])
def test_a_comparison_that_is_no_mapping_is_refused(refused, tmp_path, value):
    (tmp_path / "raw.yaml").write_text(f"seed: 1\ncompare:{value}\n")
    for command in ("run", "compare"):
        says(refused(command, "raw.yaml"), ("raw.yaml:2: compare", "dictionary"))


def test_mistakes_in_a_comparison_name_the_entry(refused, tmp_path):
    path = write_comparison(
        tmp_path, ("      accelerator: h100-sxm", "      accelerator: h100"),
        ("{kind: ocs_spine, pod_accelerators: 32}", "ocsspine"),
        ("    npo:\n      port_rate: 800 Gbps", "    npo:\n      port_rate: 800 Gs"),
    )  # fmt: skip
    lines = refused("compare", path.name, "--workers", 1)
    says(
        lines,
        ("versus.yaml:7: compare.jobs.tiny.accelerator", "did you mean 'h100-sxm'?"),
        ("versus.yaml:13: compare.topologies.ocs", "did you mean 'ocs_spine'?"),
        ("versus.yaml:24: compare.interconnects.npo.port_rate", "'800 Gs'"),
    )


@pytest.mark.parametrize("name", ["1", "null", "1.5", "true", "[red]"])
def test_names_that_are_no_text_are_refused(refused, tmp_path, name):
    path = write_comparison(tmp_path, ("    tiny:", f"    {name}:"))
    lines = refused("compare", path.name, "--workers", 1)
    assert len(lines) == 1
    assert lines[0].startswith("versus.yaml:")
    assert "valid string" in lines[0]


@pytest.mark.parametrize("name", ["a b", "GPT-1.6t", "Größe", "x_1"])
def test_names_in_words_are_taken(cli, tmp_path, name):
    text = SMALL_COMPARISON[: SMALL_COMPARISON.index("    npo:")].replace("    tiny:", f"    {name}:")
    (tmp_path / "names.yaml").write_text(text)
    result = cli("compare", "names.yaml", "--workers", 1)
    assert result.exit_code == 0
    assert name in result.stdout


@pytest.mark.parametrize("name", ["a / b", "a/b", "'[/x]'", "'[red]x'", "'$a_$'", '""', '"a\\nb"', "'..'"])
def test_names_that_would_break_a_file_a_table_or_a_figure_are_refused(refused, tmp_path, name):
    path = write_comparison(tmp_path, ("    tiny:", f"    {name}:"))
    lines = refused("compare", path.name, "--workers", 1)
    assert lines[0].startswith("versus.yaml:5: compare.jobs")


@pytest.mark.parametrize(
    "value",
    [
        "-1 %",
        ".nan",
        "much",
        "null",
        pytest.param(".inf"),
        pytest.param("200 %"),
        pytest.param("true"),
    ],
)
def test_a_tie_that_is_no_share_is_refused(refused, tmp_path, value):
    path = write_comparison(tmp_path, ("seed: 1", f"tie: {value}"))
    says(refused("compare", path.name, "--workers", 1), ("versus.yaml:1: tie",))


def test_sizes_are_checked_although_a_name_beside_them_is_wrong(tmp_path):
    """A misspelt accelerator does not hide that the degrees do not multiply to the accelerators."""
    from pathlib import Path

    from cluster_sim.core import ConfigError

    text = Path("configs/annotated.yaml").read_text()
    path = tmp_path / "job.yaml"
    path.write_text(
        text.replace("accelerator: h100-sxm", "accelerator: h100-smx").replace("    data: 8", "    data: 7")
    )
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    fields = [line.split(": ")[1] for line in caught.value.problems]
    assert fields == ["job.accelerators", "job.accelerator", "job.global_batch"]


@pytest.mark.parametrize(
    ("edit", "place", "words"),
    [
        (DATA_KEY + "\n    context: 3", "19: job.parallelism.context", ("sequence 256", "context 3")),
        (DATA_KEY + "\n    expert_tensor: 2", "19: job.parallelism.expert_tensor", ("2", "no experts")),
        (DATA_KEY + "\n    sharding: hsdp\n    shard: 5", "20: job.parallelism.shard", ("5", "divisor above 1")),
        (DATA_KEY + "\n    shard: 4", "19: job.parallelism.shard", ("sharding is not hsdp",)),
    ],
)
def test_degrees_that_cannot_be_are_told_with_their_line(refused, tmp_path, edit, place, words):
    found = refused("run", write_small(tmp_path, (DATA_KEY, edit)).name)
    (line,) = [problem for problem in found if problem.startswith(f"small.yaml:{place}")]
    for word in words:
        assert word in line


@pytest.mark.parametrize(
    ("added", "place", "limit"),
    [
        ("economics: {lifetime: 100 years}", "economics.lifetime", "less than or equal to 50 years; got '100 years'"),
        ("economics: {lifetime: 1 ns}", "economics.lifetime", "greater than or equal to 8.64e+13 ns"),
        ("economics: {electricity: 1e9 USD/kWh}", "economics.electricity", "less than or equal to 10 USD/kWh; got"),
        ("economics: {vendor_margin: 99.999999 %}", "economics.vendor_margin", "less than or equal to 99 %; got"),
        ("reliability: {laser_temperature: -300 degC, checkpoint: {cost: 1 s}}", "reliability.laser_temperature",
         "greater than or equal to -40 degC; got '-300 degC'"),
        ("reliability: {span: 0 days, checkpoint: {cost: 1 s}}", "reliability.span", "greater than 0 days; got"),
        ("reliability: {flap: 800 days, checkpoint: {cost: 1 s}}", "reliability.flap", "equal to 365 days; got"),
    ],
)  # fmt: skip
def test_a_limit_of_a_quantity_has_the_unit_that_was_written(refused, tmp_path, added, place, limit):
    lines = refused("run", write_small(tmp_path, ("    slack: 1.5 m", "    slack: 1.5 m\n" + added)).name)
    says(lines, (f"small.yaml:37: {place}", limit))


@pytest.mark.parametrize(
    ("margin", "figure", "words"),
    [
        ("economics: {vendor_margin: 50 %}", "price", "economics.vendor_margin makes this price of vendor_cost"),
        ("economics: {pue: 1.2}", "vendor_cost", "changes nothing without economics.vendor_margin"),
    ],
)
def test_a_price_that_is_given_and_made_is_refused(refused, tmp_path, margin, figure, words):
    """The other price, of a part whose cost to its vendor is not known, stands."""
    given = f"catalogue:\n  cpo-800g: {{{figure}: 300 USD}}\n  800g-dsp-dr8: {{price: 300 USD}}\n{margin}"
    run = write_small(tmp_path, ("    slack: 1.5 m", f"    slack: 1.5 m\n{given}"))
    says(refused("run", run.name), (f"small.yaml:38: catalogue.cpo-800g.{figure}", words))
    comparison = write_comparison(tmp_path, ("seed: 1", f"seed: 1\n{given}"))
    says(refused("compare", comparison.name), (f"versus.yaml:3: catalogue.cpo-800g.{figure}", words))


@pytest.mark.parametrize("value", ["null", "true", "all", "{a: 3}"])
def test_what_is_no_list_is_told_so(refused, tmp_path, value):
    path = write_comparison(tmp_path, ("compare:", f"compare:\n  accelerators: {value}"))
    says(refused("compare", path.name), ("versus.yaml:4: compare.accelerators", "expected a list, [a, b]; got "))
