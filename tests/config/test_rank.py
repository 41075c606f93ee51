"""What a comparison may be ranked by, and what is refused, with its line."""

import pytest

from cluster_sim.config import Rank, load_config
from cluster_sim.core import ConfigError
from tests.small import small_comparison, write_comparison


def refused(folder, text):
    """Mistakes of a comparison that ends with ``text``; its first line is line 1."""
    path = write_comparison(folder)
    num_before = path.read_text().count("\n")
    path.write_text(path.read_text() + text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    told = [problem.removeprefix(f"{path}:").split(": ", 1) for problem in caught.value.problems]
    return [f":{int(line) - num_before}: {what}" for line, what in told]


def test_step_time_and_equal_line_rates_by_default(tmp_path):
    by = small_comparison(tmp_path).rank
    assert by.weights == {"step_time": 1.0}
    assert by.group({"job": "j", "line_rate_bytes_per_s": 1e11}) == ("j", 1e11)


def test_a_name_alone_is_what_it_is_ranked_by(tmp_path):
    assert small_comparison(tmp_path, "rank=capex").rank == Rank(by="capex")
    assert Rank(by="capex").words == "price of the network"


def test_a_mix_is_told_with_its_shares(tmp_path):
    by = small_comparison(tmp_path, "rank={mix: {step_time: 3, capex: 1, network_energy: 0}, across: line_rates}").rank
    assert by.weights == {"step_time": 0.75, "capex": 0.25}
    assert by.words == "step time^0.75 x price of the network^0.25"
    assert by.group({"job": "j", "line_rate_bytes_per_s": 1e11}) == ("j",)


def test_every_mistake_is_told_at_once_with_its_line(tmp_path):
    text = "rank:\n  by: capx\n  mix:\n    step_time: -1\n    goodputt: 0.5\n  across: rates\n"
    found = refused(tmp_path, text)
    lines = [problem.split(": ")[0] for problem in found]
    assert lines == [":2", ":2", ":4", ":5", ":6"]
    for problem, words in zip(
        found,
        ("'capx'; did you mean 'capex'", "mix too; keep one", "greater than or equal to 0; got -1",
         "'goodputt'; did you mean 'goodput'", "'line_rates'"),
        strict=True,
    ):  # fmt: skip
        assert words in problem


@pytest.mark.parametrize("mix", ["{}", "{step_time: 0}", "{step_time: 0, capex: 0 %}"])
def test_a_mix_that_weighs_nothing_is_refused(tmp_path, mix):
    (problem,) = refused(tmp_path, f"rank:\n  mix: {mix}\n")
    assert problem.startswith(":2: rank.mix: weighs nothing")


@pytest.mark.parametrize(
    ("text", "place"),
    [("rank: goodput\n", ":1: rank.by"), ("rank:\n  mix:\n    goodput: 1\n    capex: 1\n", ":3: rank.mix.goodput")],
)
def test_goodput_without_failures_is_refused(tmp_path, text, place):
    (problem,) = refused(tmp_path, text)
    assert problem == (f"{place}: there is no goodput without the key reliability; give it, or rank by something else")


def test_mistakes_elsewhere_do_not_hide_those_of_a_ranking_and_of_sizes(tmp_path):
    settings = ("rank=goodput", "tie=2", "compare.batch=fixed", "compare.interconnects.npo.nic=none")
    with pytest.raises(ConfigError) as caught:
        small_comparison(tmp_path, *settings)
    for words in ("without the key reliability", "rank", "tie", "gives none; leave it out", "nic"):
        assert words in str(caught.value)
    assert len(caught.value.problems) == 4


def test_time_to_train_needs_failures_and_tokens(tmp_path):
    found = refused(tmp_path, "rank: time_to_train\n")
    assert [problem.split("key ")[1].split(";")[0] for problem in found] == ["reliability", "economics.tokens"]


@pytest.mark.parametrize("rank", ["capex", "{mix: {capex: 1, step_time: 2}}", "{across: line_rates}"])
def test_a_ranking_survives_the_manifest(tmp_path, rank):
    config = small_comparison(tmp_path, f"rank={rank}")
    assert type(config).model_validate(config.model_dump(mode="json")) == config
