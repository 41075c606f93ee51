"""What is wrong in the file of a model: everything at once, each with its line."""

import pytest

from cluster_sim import load_config
from cluster_sim.core import ConfigError, read_document, read_spec
from cluster_sim.workload import Model
from tests.workload.zoo import ROOT

GOOD = {"layers": 4, "hidden": 96, "heads": 8, "vocabulary": 50, "sequence": 16}
LATENT = "{kv_rank: 16, nope_head: 8, rope_head: 4, value_head: 8}"


def problems(folder, text):
    """(line, field, message) of everything that is wrong in a model of this text."""
    path = folder / "model.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        read_spec(Model, read_document(path))
    found = [problem.removeprefix(f"{path}:").split(": ", 2) for problem in error.value.problems]
    return [(int(line), field, message) for line, field, message in found]


def said(folder, **changes):
    """(field, message) of what is wrong in a good model with changes."""
    text = "".join(f"{key}: {value}\n" for key, value in (GOOD | changes).items())
    return [(field, message) for _, field, message in problems(folder, text)]


def test_everything_that_is_wrong_is_said_at_its_line(tmp_path):
    """Missing, unknown, of the wrong kind and in contradiction, in the model and in its parts."""
    text = """\
layers: 4
hidden: 100
heads: 12
kv_heads: 5
head_dim: 0.5
latent: {kv_rank: 0, nope_head: 128, rope_head: 64}
ffn_hiden: 3
vocabulary: true
window_every: 3
experts:
  count: 4
  per_token: 8
  first_dense: 7
attention: flsh
"""
    assert [(line, field, message[:35]) for line, field, message in problems(tmp_path, text)] == [
        (1, "sequence", "missing; add this key"),
        (4, "kv_heads", "with latent all heads have keys of "),
        (5, "head_dim", "input should be a valid integer, go"),
        (6, "latent.kv_rank", "input should be greater than or equ"),
        (6, "latent.value_head", "missing; add this key"),
        (7, "ffn_hiden", "unknown key; did you mean 'ffn_hidd"),
        (8, "vocabulary", "input should be a valid integer; go"),
        (9, "window_every", "is given, but no window; give windo"),
        (10, "experts.width", "missing; add this key"),
        (12, "experts.per_token", "a token cannot go to 8 of 4 experts"),
        (13, "experts.first_dense", "first_dense 7 leaves none of 4 laye"),
        (14, "attention", "input should be 'fused', 'flash' or"),
    ]


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"heads": 7}, "heads", "hidden 96 is not a multiple of heads 7; change one or give head_dim"),
        ({"kv_heads": 3}, "kv_heads", "heads 8 is not a multiple of kv_heads 3; change one of them"),
        ({"kv_heads": 16}, "kv_heads", "heads 8 is not a multiple of kv_heads 16; change one of them"),
        (
            {"kv_heads": 3, "latent": LATENT},
            "kv_heads",
            "with latent all heads have keys of their own; leave kv_heads out",
        ),
        (
            {"head_dim": 8, "latent": LATENT},
            "head_dim",
            "latent has nope_head, rope_head and value_head in its place; leave head_dim out",
        ),
        ({"window_every": 2}, "window_every", "is given, but no window; give window or leave it out"),
        (
            {"experts": "{count: 2, per_token: 3, width: 8}"},
            "experts.per_token",
            "a token cannot go to 3 of 2 experts; lower it or raise count",
        ),
        (
            {"experts": "{count: 2, per_token: 1, width: 8, first_dense: 4}"},
            "experts.first_dense",
            "first_dense 4 leaves none of 4 layers with experts; lower it or leave experts out",
        ),
        (
            {"experts": "{count: 2, per_token: 1, width: 8, first_dense: 2, every: 3}"},
            "experts.every",
            "every 3 behind first_dense 2 leaves none of 4 layers with experts; lower one of them",
        ),
        ({"layers": 10**13}, "layers", "input should be less than or equal to 65536; got 10000000000000"),
        ({"mtp_layers": 10**13}, "mtp_layers", "input should be less than or equal to 65536; got 10000000000000"),
    ],
)
def test_a_contradiction_is_said_once_with_what_to_do(tmp_path, changes, field, message):
    assert said(tmp_path, **changes) == [(field, message)]


@pytest.mark.parametrize(
    "changes",
    [
        {"heads": 7, "head_dim": 12},
        {"heads": 7, "latent": LATENT},
        {"kv_heads": 8},
        {"window": 4, "window_every": 4},
        {"experts": "{count: 2, per_token: 2, width: 8, first_dense: 3}"},
        {"experts": "{count: 2, per_token: 2, width: 8, first_dense: 1, every: 3}"},
    ],
)
def test_what_only_looks_like_a_contradiction_is_taken(tmp_path, changes):
    path = tmp_path / "model.yaml"
    path.write_text("".join(f"{key}: {value}\n" for key, value in (GOOD | changes).items()))
    assert read_spec(Model, read_document(path)).layers == 4


def test_mistakes_in_the_file_of_a_model_are_said_with_those_of_the_job_that_names_it(tmp_path):
    """A configuration names a job, the job names a model: each mistake is at its own file and line."""
    model, job = tmp_path / "model.yaml", tmp_path / "job.yaml"
    model.write_text("layers: 4\nhidden: 96\nheads: 7\nvocabulary: 50\nsequnce: 16\n")
    job.write_text(
        "accelerators: 8\naccelerator: h100-sxm\nmodel: model.yaml\nparallelism: {data: 8}\nglobal_bach: 8\n"
    )
    with pytest.raises(ConfigError) as error:
        load_config(ROOT / "configs" / "moe-1t-on-circuits.yaml", (f"job={job}",))
    places = [problem.split(": ")[:2] for problem in error.value.problems]
    assert sorted((where.rpartition("/")[2], field) for where, field in places) == [
        ("job.yaml:1", "job.global_batch"),
        ("job.yaml:5", "job.global_bach"),
        ("model.yaml:1", "job.model.sequence"),
        ("model.yaml:3", "job.model.heads"),
        ("model.yaml:5", "job.model.sequnce"),
    ]
