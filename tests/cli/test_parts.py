"""Parts of a configuration that stand in files of their own, and choices that would have no effect."""

import pytest

from cluster_sim.config import load_config
from tests.small import small_run, write_comparison, write_small
from tests.studies.steps import table as step_table

FIGURES = (
    "gemm_efficiency", "fp8_efficiency", "fp4_efficiency", "attention_efficiency", "flash_efficiency", "wave_share",
    "memory_efficiency", "sm_slowdown",
)  # fmt: skip
TIMES = ("kernel_overhead", "launch_time", "step_overhead")
OTHER = """\
accelerators: 32
accelerator: h100-sxm
model: {layers: 4, hidden: 512, heads: 8, vocabulary: 1024, sequence: 256}
parallelism: {tensor: 2, pipeline: 2, data: 8}
global_batch: 64
"""


def kernels(folder, launch="5 us", name="kernels.yaml"):
    lines = [
        "title: made up",
        *(f"{figure}: {{typical: 0.5, year: 2026, source: made up, status: D}}" for figure in FIGURES),
    ]
    lines += [f"{figure}: {{typical: {launch}, year: 2026, source: made up, status: D}}" for figure in TIMES]
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


# --- files


def test_kernels_are_read_from_a_file_beside_the_one_that_names_it(tmp_path, monkeypatch):
    kernels(tmp_path)
    path = write_small(tmp_path, ("  global_batch: 64\n", "  global_batch: 64\n  kernels: kernels.yaml\n"))
    monkeypatch.chdir("/")
    assert load_config(path).job.reached.gemm_efficiency.typical == 0.5


def test_kernels_of_a_setting_and_of_a_comparison_are_read(tmp_path, monkeypatch):
    kernels(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert small_run(tmp_path, "job.kernels=kernels.yaml").job.reached.launch_time.typical == pytest.approx(5e-6)
    path = write_comparison(
        tmp_path, ("      global_batch: 64\n", "      global_batch: 64\n      kernels: kernels.yaml\n")
    )
    assert load_config(path).compare.jobs["tiny"].kernels.title == "made up"


def test_what_calibrate_writes_can_be_named_as_kernels(cli, tmp_path):
    small = {"num_accelerators": 8, "layers": 4, "pp": 1, "dp": 4, "global_batch_sequences": 8, "seq_len": 2048}
    table = step_table(tmp_path, small | {"row_id": "a", "split": "calibrate"})
    assert cli("calibrate", table.name, "--output", "fit", "--workers", "1").exit_code == 0
    file = write_small(tmp_path).name
    result = cli("run", file, "--quiet", "--output", "out", "--set", "job.kernels=fit/compute-hopper.yaml")
    assert result.exit_code == 0, result.stderr


def test_mistakes_in_a_file_of_kernels_are_told_with_its_lines(refused, tmp_path):
    path = kernels(tmp_path, launch="5 GB")
    (tmp_path / "kernels.yaml").write_text(path.read_text().replace("wave_share", "wave_shore"), encoding="utf-8")
    lines = refused("run", write_small(tmp_path).name, "--set", "job.kernels=kernels.yaml")
    assert any(line.startswith("kernels.yaml:7: job.kernels.wave_shore: unknown key; did you mean") for line in lines)
    assert sum("'5 GB'" in line for line in lines) == len(TIMES)


@pytest.mark.parametrize(
    "setting", ["neighbours={b: {job: other.yaml}}", "neighbours={b: hood.yaml}", "neighbours.b={job: other.yaml}"]
)
def test_files_inside_the_value_of_a_setting_are_read_from_the_current_folder(tmp_path, monkeypatch, setting):
    (tmp_path / "below").mkdir()
    (tmp_path / "other.yaml").write_text(OTHER, encoding="utf-8")
    (tmp_path / "hood.yaml").write_text("job: other.yaml\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    config = small_run(tmp_path / "below", setting, "neighbours.b.job.global_batch=128")
    assert config.neighbours["b"].job.global_batch == 128


def test_a_file_inside_a_setting_that_is_missing_is_told(refused, tmp_path):
    (line,) = refused("run", write_small(tmp_path).name, "--set", "neighbours={b: {job: other.yaml}}")
    assert line.startswith("--set neighbours: neighbours.b.job: other.yaml: cannot be read")


@pytest.mark.parametrize("field", ["job", "job.model", "job.kernels", "interconnect", "topology", "slow_links"])
def test_words_in_the_place_of_a_part_are_refused_with_what_to_do(refused, tmp_path, field):
    (line,) = refused("run", write_small(tmp_path).name, "--set", f"{field}=3")
    assert line.startswith(f"--set {field}: {field}: ")
    assert "instance of" not in line


def test_checkpoints_of_neighbours_are_refused(refused, tmp_path):
    """They would not lengthen anything that is told."""
    (tmp_path / "other.yaml").write_text(
        OTHER + "checkpoint: {every: 1, front_end: 1 GB/s, storage: 1 GB/s}\n", encoding="utf-8"
    )
    (line,) = refused("run", write_small(tmp_path).name, "--set", "neighbours={b: {job: other.yaml}}")
    assert line.startswith("other.yaml:6: neighbours.b.job.checkpoint: ")


# --- cables


@pytest.mark.parametrize("key", ["slow_links", "failed_links"])
def test_cables_that_are_not_there_are_told_with_their_line(refused, tmp_path, key):
    edit = ("seed: 1\n", f'{key}: {{links: [99999, "leaf 0 - spine 99"], tiers: [nowhere], ratio: 1 %}}\n')
    lines = refused("run", write_small(tmp_path, edit).name)
    assert [line.startswith(f"small.yaml:2: {key}: ") for line in lines] == [True] * 3
    told = refused("plan", write_small(tmp_path, edit).name, "--workers", "1")
    assert all(line.startswith(f"small.yaml:2: {key}: ") for line in told)


@pytest.mark.parametrize(
    ("setting", "field"),
    [
        ("slow_links={capacity: 10 %}", "slow_links.capacity"),
        ("slow_links={tiers: [host_leaf]}", "slow_links.tiers"),
        ("failed_links={tiers: [host_leaf]}", "failed_links.tiers"),
        ("slow_links={tiers: [host_leaf], links: [0]}", "slow_links.tiers"),
        ("job.recompute_layers=2", "job.recompute_layers"),
        ("job={recompute: selective, recompute_parts: []}", "job.recompute_parts"),
        ("job={recompute: selective, recompute_parts: [core, core]}", "job.recompute_parts"),
        ("job={recompute: selective, recompute_parts: [latent]}", "job.recompute_parts"),
        ("job={recompute: selective, recompute_parts: [experts]}", "job.recompute_parts"),
        ("job.parallelism.domain=8", "job.parallelism.domain"),
        ("job.parallelism.overlap_experts=true", "job.parallelism.overlap_experts"),
        ("job.parallelism.dispatch=each_domain", "job.parallelism.dispatch"),
        ("job={precision: nvfp4}", "job.precision"),
        ("job={accelerator: a100-80gb, precision: fp8}", "job.precision"),
        ("job.checkpoint={every: 1, front_end: 1 GB/s, storage: 1 GB/s, host_copy: 1 GB/s}",
         "job.checkpoint.host_copy"),
    ],
)  # fmt: skip
def test_a_choice_without_effect_is_refused(refused, tmp_path, setting, field):
    key, _, value = setting.partition("=")
    changes = [setting]
    if key == "job":
        changes = [f"job.{part.strip()}".replace(": ", "=", 1) for part in _parts(value)]
    settings = [word for change in changes for word in ("--set", change)]
    (line,) = refused("run", write_small(tmp_path).name, *settings)
    assert f" {field}: " in line


def _parts(value):
    """Two keys of a mapping in one line."""
    first, _, second = value.strip("{}").partition(", ")
    return [part for part in (first, second) if part]


def test_a_ratio_of_nothing_is_a_choice(tmp_path):
    config = small_run(tmp_path, "slow_links={ratio: 0, tiers: [host_leaf], capacity: 10 %}")
    assert type(config).model_validate(config.model_dump(mode="json")) == config


# --- huge numbers


@pytest.mark.parametrize(
    ("setting", "field"),
    [
        ("job.model.hidden=1000000000000", "job.model.hidden"),
        ("job.model.vocabulary=1000000000000", "job.model.vocabulary"),
        ("job.model.sequence=1000000000000", "job.model.sequence"),
        ("job.model.layers=65536", "job.global_batch"),
        ("job.model.mtp_layers=65532", "job.global_batch"),
        ("job.global_batch=4194304", "job.global_batch"),
    ],
)
def test_what_would_take_hours_or_overflow_is_refused_at_once(refused, tmp_path, setting, field):
    file = write_small(tmp_path, ("  global_batch: 64\n", "  global_batch: 256\n")).name
    lines = refused("run", file, "--force", "--set", setting)
    assert any(f" {field}: " in line for line in lines)


# --- plans


def test_more_plans_kept_than_there_may_be_are_refused(refused, tmp_path):
    file = write_small(tmp_path).name
    (line,) = refused("plan", file, "--keep", "41")
    assert line.startswith("--set plan.keep: plan.keep: 41 is more than most 40")


def test_parts_to_compute_again_that_are_not_there_are_refused_by_plan(refused, tmp_path):
    (line,) = refused("plan", write_small(tmp_path).name, "--set", "job.recompute_parts=[latent]")
    assert "job.recompute_parts: latent: the model has no latent attention" in line


def test_a_plan_numbers_links_as_the_run_does(cli, tmp_path):
    """A cluster of two pods of 32 has 512 links, one of four has twice as many."""
    settings = ("--set", "slow_links={links: [700]}", "--set", "cluster_accelerators=128")
    plan = ("--set", "plan={keep: 1, most: 1, micro_batch: 1, tensor: 2, recompute: none}", "--workers", "1")
    file = write_small(tmp_path).name
    assert cli("run", file, "--quiet", "--output", "a", *settings).exit_code == 0
    result = cli("plan", file, "--quiet", "--output", "b", *settings, *plan)
    assert result.exit_code == 0, result.stderr


# --- folders


@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_name_too_long_for_a_folder_is_refused(refused, tmp_path, command):
    (line,) = refused(command, write_small(tmp_path).name, "--output", "x" * 300)
    assert "choose another --output" in line
