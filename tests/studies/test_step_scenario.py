"""From rows of measured training steps to jobs on fabrics: what is taken over, what is assumed, what is refused."""

import csv
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from cluster_sim.catalogue import accelerator, models
from cluster_sim.core import ConfigError
from cluster_sim.studies.measured_steps import read_steps
from cluster_sim.studies.model_facts import facts_beside
from cluster_sim.studies.software import software_of
from cluster_sim.studies.step_notes import hints_of
from cluster_sim.studies.step_scenario import scenario_of
from cluster_sim.topology import Equipment
from tests.studies.steps import LATENT, MIXTURE, table

MEASURED = Path(__file__).parents[3] / "shared" / "data" / "measured"
needs_table = pytest.mark.skipif(not MEASURED.is_dir(), reason="no folder shared/data/measured beside the checkout")


def described(folder, beside=None, **cells):
    (row,) = read_steps(table(folder, cells))
    return scenario_of(row, beside)


def job(folder, beside=None, **cells):
    done = described(folder, beside, **cells)
    assert done.scenario is not None, done.why_not
    return done.scenario.job


def fabric(done):
    scenario = done.scenario
    equipment = Equipment(scenario.job.accelerators, scenario.job.accelerator_entry, scenario.interconnect)
    return scenario.topology.fabric(equipment)


# --- taken over -------------------------------------------------------------------------------------------------------


def test_a_row_that_says_everything_needs_no_assumptions(tmp_path):
    done = described(tmp_path)
    assert done.assumptions == ()
    assert (done.note, done.network, done.software) == ("", "nccl-infiniband", "NeMo")
    made = done.scenario.job
    assert (made.accelerators, made.accelerator, made.global_batch, made.micro_batch) == (64, "h100-sxm", 128, 1)
    assert (made.schedule, made.precision, made.recompute) == ("1f1b", "bf16", "none")
    split = made.parallelism
    assert (split.tensor, split.context, split.pipeline, split.data, split.expert) == (2, 1, 4, 8, 1)
    assert (split.sharding, split.sequence, split.virtual_stages) == ("zero1", True, 1)
    shape = made.model
    assert (shape.layers, shape.hidden, shape.heads, shape.kv_heads, shape.head_dim) == (32, 4096, 32, 8, 128)
    assert (shape.ffn_hidden, shape.gated_mlp, shape.sequence, shape.tied_embeddings) == (14336, True, 8192, False)


def test_virtual_stages_interleave_and_need_a_pipeline(tmp_path):
    assert job(tmp_path, vpp=2).schedule == "interleaved"
    alone = described(tmp_path, vpp=2, pp=1, dp=32)
    assert alone.scenario.job.schedule == "1f1b"
    assert alone.assumptions == ("vpp 1, as there is no pipeline",)


def test_layers_that_do_not_divide_make_embeddings_layers(tmp_path):
    assert not job(tmp_path).parallelism.edges_are_layers
    uneven = described(tmp_path, layers=30)
    assert uneven.scenario is None or uneven.scenario.job.parallelism.edges_are_layers


def test_megatron_pads_vocabularies_to_its_tensor_ranks(tmp_path):
    """128256 is a multiple of 128 x 2, not of 128 x 8; 50257 of neither."""
    assert job(tmp_path).model.vocabulary == 128256
    assert job(tmp_path, tp=8, dp=2).model.vocabulary == 129024
    assert job(tmp_path, vocab=50257).model.vocabulary == 50432
    assert job(tmp_path, vocab=50257, source_family="mosaic").model.vocabulary == 50257


@pytest.mark.parametrize(
    ("sharding", "notes", "expected"),
    [
        ("fsdp", "", ("fsdp", 1)), ("hsdp", "FSDP over 16 GPUs, data parallel across", ("hsdp", 16)),
        ("fsdp", "FSDP over 64 GPUs, data parallel across", ("fsdp", 1)), ("zero3", "", ("zero3", 1)),
        ("hsdp", "", ("hsdp", 8)), ("zero2", "", ("zero2", 1)), ("none", "", ("none", 1)),
    ],
)  # fmt: skip
def test_sharding_over_a_part_says_over_how_many(tmp_path, sharding, notes, expected):
    split = job(tmp_path, tp=1, pp=1, dp=64, sharding=sharding, notes=notes).parallelism
    assert (split.sharding, split.shard) == expected


def test_full_attention_is_counted_where_the_source_counts_it(tmp_path):
    assert job(tmp_path, flop_convention="model: full attention").model.counted_attention == "full"
    assert job(tmp_path, flop_convention="model: causal attention").model.counted_attention == "causal"


# --- models -----------------------------------------------------------------------------------------------------------


def test_a_mixture_is_taken_over(tmp_path):
    experts = job(tmp_path, **MIXTURE, ep=8).model.experts
    assert (experts.count, experts.per_token, experts.width, experts.shared) == (8, 2, 14336, 0)
    assert (experts.first_dense, experts.every) == (0, 1)


def test_experts_in_every_second_layer_take_the_place_of_leading_dense_ones(tmp_path):
    cells = {**MIXTURE, "num_dense_layers": 16}
    assert job(tmp_path, **cells).model.experts.first_dense == 16
    experts = job(tmp_path, **{**cells, "model": "llama4-maverick"}).model.experts
    assert (experts.first_dense, experts.every) == (0, 2)


def test_latent_attention_has_the_widths_of_the_catalogue(tmp_path):
    made = job(tmp_path, **LATENT, pp=1, tp=1, dp=64)
    assert (made.model.latent.query_rank, made.model.latent.kv_rank) == (1536, 512)
    assert made.model.parameters == pytest.approx(671.0e9, rel=1e-3)


def test_a_model_that_is_known_for_latent_attention_needs_no_column_that_says_so(tmp_path):
    with_it, without = (job(tmp_path, **{**LATENT, "attention": said}, pp=1, tp=1, dp=64) for said in ("mla", ""))
    assert with_it == without


def test_latent_attention_of_an_unknown_model_is_assumed_to_be_as_usual(tmp_path):
    done = described(tmp_path, **{**LATENT, "model": "mine"}, pp=1, tp=1, dp=64)
    assert done.scenario.job.model.latent.kv_rank == 512
    assert "widths of latent attention as in DeepSeek-V3" in done.assumptions


@pytest.mark.parametrize(("name", "tied"), [("llama3-70b", False), ("mpt-7b", True), ("gpt3-175b", True)])
def test_the_catalogue_knows_whose_embeddings_are_shared(tmp_path, name, tied):
    done = described(tmp_path, model=name)
    assert done.scenario.job.model.tied_embeddings == tied
    assert done.assumptions == ()


@pytest.mark.parametrize(("gated", "kv_heads", "tied"), [(1, 8, False), (0, 32, True), (0, 8, False)])
def test_embeddings_of_an_unknown_model_are_guessed_and_told(tmp_path, gated, kv_heads, tied):
    done = described(tmp_path, model="mine", gated_mlp=gated, kv_heads=kv_heads)
    assert done.scenario.job.model.tied_embeddings == tied
    assert done.assumptions[0].startswith("model 'mine' is not known: embeddings ")


def test_the_longest_name_that_fits_counts():
    assert models()["gpt"].tied_embeddings
    assert not models()["gpt-oss"].tied_embeddings


def models_csv(folder, *lines, header="model,tied_embeddings,mtp_layers,notes"):
    (folder / "models.csv").write_text("\n".join((header, *lines)) + "\n", encoding="utf-8")
    return folder / "table.csv"


def test_a_file_beside_the_table_counts_before_the_catalogue(tmp_path):
    beside = facts_beside(models_csv(tmp_path, "llama3-8b,1,2,every second layer has a 128-token attention window"))
    model = job(tmp_path, beside).model
    assert (model.tied_embeddings, model.mtp_layers, model.window, model.window_every) == (True, 2, 128, 2)


def test_no_file_beside_the_table_is_no_mistake(tmp_path):
    assert facts_beside(tmp_path / "table.csv") == {}


def test_another_file_of_that_name_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"column 'model' is missing; .* rename the file if it is something else"):
        facts_beside(models_csv(tmp_path, "a,1", header="name,price"))


def test_mistakes_beside_the_table_are_told_at_once(tmp_path):
    path = models_csv(tmp_path, "a,yes,0,", ",1,0,", "b,1,x,", "b,1,0,", "c,1")
    with pytest.raises(ConfigError) as caught:
        facts_beside(path)
    found = [problem.removeprefix(f"{tmp_path}/models.csv:") for problem in caught.value.problems]
    expected = [
        "2: tied_embeddings: expected 0 or 1; got 'yes'", "3: model: is empty", "4: mtp_layers: expected a whole",
        "5: model: 'b' is the name of line 4, too", "6: 2 cells, but 4 columns",
    ]  # fmt: skip
    assert len(found) == len(expected)
    for problem, begin in zip(found, expected, strict=True):
        assert problem.startswith(begin)


# --- empty cells ------------------------------------------------------------------------------------------------------


def test_empty_cells_are_assumed_and_told(tmp_path):
    empty = ("micro_batch_sequences", "vpp", "sp", "sharding", "recompute", "precision", "nic_gbps_per_accelerator")
    done = described(tmp_path, **dict.fromkeys((*empty, "fabric", "scale_up_domain", "source_family"), ""))
    assert set(done.assumptions) == {
        "micro batch 1", "vpp 1", "sp 1", "sharding zero1", "recompute none", "precision bf16",
        "400G of network for each accelerator", "network not named: taken as InfiniBand", "scale-up domains of 8",
        "source_family is empty: habits of Megatron-Core",
    }  # fmt: skip
    made = done.scenario.job
    assert (made.micro_batch, made.parallelism.sharding, made.parallelism.sequence) == (1, "zero1", True)


@pytest.mark.parametrize(
    ("name", "gbps", "recompute"),
    [("a100-80gb", 200, "full"), ("h200-sxm", 400, "none"), ("h800-sxm", 400, "none"), ("b200", 400, "none"),
     ("gb200", 400, "none"), ("b300", 800, "none"), ("gb300", 800, "none")],
)  # fmt: skip
def test_rates_and_recomputation_go_by_the_accelerator(tmp_path, name, gbps, recompute):
    done = described(tmp_path, accelerator=name, nic_gbps_per_accelerator="", recompute="", scale_up_domain="")
    assert done.scenario.interconnect.port_rate_bytes_per_s == gbps * 1e9 / 8 or name.startswith("gb")
    assert done.scenario.job.recompute == recompute


def test_an_unknown_family_has_the_habits_of_megatron(tmp_path):
    done = described(tmp_path, source_family="homemade")
    assert done.software == "Megatron-Core"
    assert done.assumptions == ("source_family 'homemade' names no software that is known: habits of Megatron-Core",)


# --- software ---------------------------------------------------------------------------------------------------------


def test_nanotron_reduces_behind_the_backward_pass_only_without_zero(tmp_path):
    plain, sharded = (job(tmp_path, source_family="nanotron", sharding=kind) for kind in ("none", "zero1"))
    assert (plain.launches, plain.model.attention, plain.gradients) == ("eager", "flash", "fp32")
    assert (plain.parallelism.overlap_gradients, sharded.parallelism.overlap_gradients) == (True, False)
    assert not sharded.parallelism.overlap_parameters


def test_graphs_are_for_blackwell_without_a_pipeline(tmp_path):
    cells = {"pp": 1, "dp": 32}
    assert job(tmp_path, accelerator="b200", **cells).launches == "graph"
    assert job(tmp_path, accelerator="b200").launches == "fused"
    assert job(tmp_path, **cells).launches == "fused"
    assert job(tmp_path, notes="CUDA graphs").launches == "graph"


def test_software_that_notes_name_counts_before_the_family():
    assert software_of("dgxc", "xla").title == "XLA"
    assert software_of("dgxc").title == "NeMo"
    assert software_of("Megatron-LM").title == "Megatron-Core"
    assert not software_of("somebody's").is_known


@pytest.mark.parametrize(("family", "tensor", "ratio"), [
    ("nemo", 1, 0), ("nemo", 4, 0.75), ("mlperf", 4, 0), ("megatron_sc21", 8, 0), ("nanotron", 8, 0),
])  # fmt: skip
def test_communication_hides_behind_the_pieces_of_products(family, tensor, ratio):
    """In four pieces, three of four are hidden; behind gradients of weights, two of eight collectives."""
    assert software_of(family).hidden_ratio(tensor) == ratio


# --- notes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("notes", "parts"),
    [
        ("recompute mla_up_proj", ("latent",)), ("recompute mla_up_proj,mlp", ("latent", "mlp")),
        ("recompute layernorm,moe_act; hybridep dispatcher", ("norm", "activation")),
        ("micro batch not printed; recompute: RMSNorm and MLA up-projection; 1F 1.13", ("norm", "latent")),
        ("recompute core_attn", ("core",)), ("rematerialises the MLP up-projections only", ("norm", "mlp")),
        ("recompute from the nearest recipe of the release", ()), ("", ()),
        ("no recipe of the release has this mapping: recompute unknown", ()),
        ("checkpoint policy saves dot products", ("core", "norm", "activation")),
    ],
)  # fmt: skip
def test_parts_that_are_recomputed_are_read_from_notes(notes, parts):
    assert hints_of(notes).recompute_parts == parts


def test_selective_recomputation_without_a_part_is_of_the_attention_core(tmp_path):
    done = described(tmp_path, recompute="selective")
    assert done.scenario.job.recompute_parts == ("core",)
    assert done.assumptions == ("recompute of the attention core",)
    assert job(tmp_path, recompute="selective", notes="recompute mlp").recompute_parts == ("mlp",)


def test_without_a_word_the_least_that_fits_is_recomputed(tmp_path):
    cells = {"recompute": "", "tp": 1, "pp": 1, "dp": 64, "vocab": 32000}
    assert described(tmp_path, **cells, seq_len=4096).assumptions == ("recompute none",)
    done = described(tmp_path, **cells, seq_len=32768)
    assert done.scenario.job.recompute == "full"
    assert done.assumptions == ("recompute full, so that it fits",)


def test_a_part_that_is_none_is_told():
    assert hints_of("recompute everything").remarks == (
        "'everything' in notes is no part of a layer that can be recomputed",
    )


def test_recomputed_blocks_follow_from_hfu_over_mfu(tmp_path):
    """43 to 46 %: 3 x (46/43 - 1) = 0.209 of 32 layers; 55 to 74 %: more than all."""
    notes = "printed MFU {}%, HFU {}%; selective checkpointing of whole blocks (share follows from HFU/MFU)"
    cells = {"recompute": "", "pp": 1, "dp": 32}
    some = job(tmp_path, notes=notes.format(43, 46), **cells)
    assert (some.recompute, some.recompute_layers) == ("full", 7)
    every = job(tmp_path, notes=notes.format(55, 74), **cells)
    assert (every.recompute, every.recompute_layers) == ("full", 0)
    assert job(tmp_path, notes=notes.format(46, 46), **cells).recompute == "none"


def test_overlaps_dispatchers_and_expert_tensor_ranks_are_read_from_notes(tmp_path):
    said = "expert tensor parallelism 2; all-to-all overlapped with compute; hybridep dispatcher"
    made = job(tmp_path, **MIXTURE, ep=8, notes=said)
    assert (made.parallelism.expert_tensor, made.parallelism.overlap_experts) == (2, True)
    assert made.parallelism.dispatch == "each_domain"
    hidden = job(tmp_path, source_family="mlperf", notes="tensor-parallel communication overlapped")
    assert hidden.parallelism.overlap_tensor_ratio == 0.5


def test_a_precision_that_notes_give_is_taken_and_told(tmp_path):
    done = described(tmp_path, precision="", notes="precision not resolved (FP8 in sibling rows)")
    assert done.scenario.job.precision == "fp8"
    assert done.assumptions == ("precision fp8 as in similar rows",)


def test_what_is_not_simulated_is_told(tmp_path):
    done = described(tmp_path, notes="FP8 current scaling; activations of 20 layers offloaded to the host")
    assert len(done.assumptions) == 2


def test_words_of_others_are_left_alone():
    assert hints_of("figure in parentheses (MXFP8); p10 1.0 p90 2.0 s; the quick brown fox") == hints_of("")


# --- fabrics ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gbps", "nic", "switch"),
    [(50, "connectx6-200g", "quantum-hdr-qm8700"), (100, "connectx6-200g", "quantum-hdr-qm8700"),
     (200, "connectx6-200g", "quantum-hdr-qm8700"), (400, "connectx7-400g", "quantum2-qm9700"),
     (800, "connectx8-800g", "quantum-x800-q3400"), (1600, "connectx9-1.6t", "tomahawk6")],
)  # fmt: skip
def test_parts_are_the_nearest_and_the_rate_is_the_rows(tmp_path, gbps, nic, switch):
    done = described(tmp_path, nic_gbps_per_accelerator=gbps)
    interconnect = done.scenario.interconnect
    assert (interconnect.nic, interconnect.switch) == (nic, switch)
    assert interconnect.port_rate_bytes_per_s == gbps * 1e9 / 8
    made = fabric(done)
    ports = made.links.tier == made.tiers.index("host_leaf")
    assert ports.sum() == 2 * 64, "a NIC for each accelerator"


def test_a_rate_that_nobody_sells_is_refused(tmp_path):
    done = described(tmp_path, nic_gbps_per_accelerator=3200)
    assert done.scenario is None
    assert "faster than any NIC" in done.why_not


@pytest.mark.parametrize(
    ("words", "network", "switch"),
    [("RoCE, 1600 Gb/s per node", "nccl-roce", "spectrum4-sn5600"), ("EFAv2", "nccl-efa", "spectrum4-sn5600"),
     ("Ethernet", "nccl-roce", "spectrum4-sn5600"), ("HDR InfiniBand", "nccl-infiniband", "quantum2-qm9700"),
     ("", "nccl-infiniband", "quantum2-qm9700"), ("400 Gb/s per node", "nccl-infiniband", "quantum2-qm9700")],
)  # fmt: skip
def test_the_kind_of_network_goes_by_its_words(tmp_path, words, network, switch):
    done = described(tmp_path, fabric=words)
    assert (done.network, done.scenario.interconnect.switch) == (network, switch)
    assert bool(done.assumptions) == (words in ("", "Ethernet", "400 Gb/s per node"))


@pytest.mark.parametrize(("num", "domain", "num_domains"), [(64, 64, 1), (256, 64, 4), (2304, 72, 32), (144, 72, 2)])
def test_racks_are_filled_evenly(tmp_path, num, domain, num_domains):
    cells = {"accelerator": "gb200", "accelerators_per_node": 4, "scale_up_domain": 72, "tp": 1, "pp": 1, "dp": num}
    done = described(tmp_path, **cells, num_accelerators=num, global_batch_sequences=num)
    domains = Counter(fabric(done).endpoint_domain.tolist())
    assert set(domains.values()) == {domain}
    assert len(domains) == num_domains
    assert done.network == ("" if num_domains == 1 else "nccl-infiniband")


def test_a_job_inside_a_server_needs_no_network(tmp_path):
    cells = {"num_accelerators": 4, "tp": 4, "pp": 1, "dp": 1, "nic_gbps_per_accelerator": "", "fabric": ""}
    done = described(tmp_path, **cells)
    assert (done.network, done.assumptions) == ("", ())
    assert done.scenario.topology.scale_up.size == 4


def test_a_large_fabric_is_cheap(tmp_path):
    done = described(tmp_path, num_accelerators=2304, dp=288, global_batch_sequences=288)
    began_s = time.perf_counter()
    assert fabric(done).num_endpoints == 2304
    assert time.perf_counter() - began_s < 1


# --- refused ----------------------------------------------------------------------------------------------------------


def test_what_the_job_cannot_have_is_the_reason(tmp_path):
    done = described(tmp_path, kv_heads=1)
    assert done.scenario is None
    assert done.why_not == "parallelism.tensor: kv_heads 1 is not a multiple of tensor 2"
    assert done.note.startswith(done.why_not)


def test_memory_is_no_reason_as_the_job_has_run(tmp_path):
    done = described(tmp_path, hidden=32768, heads=256, ffn_hidden=131072, layers=128)
    assert done.scenario is not None
    assert done.assumptions == ("ran, though more memory is expected than there is",)
    refused = described(tmp_path, hidden=32768, heads=256, ffn_hidden=131072, layers=128, kv_heads=1)
    assert "memory" not in refused.why_not


# --- what was published -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def published():
    path = MEASURED / "training_steps.csv"
    beside = facts_beside(path)
    return [scenario_of(row, beside) for row in read_steps(path)]


@needs_table
def test_nearly_all_published_steps_have_a_scenario(published):
    """All but pipelines whose layers do not divide, and schedules, where the workload has none of these."""
    refused = Counter(done.why_not for done in published if done.scenario is None)
    assert sum(refused.values()) <= 107, refused
    assert all(why.startswith(("parallelism.pipeline: layers", "the schedule", "schedule: ")) for why in refused), (
        refused
    )


@needs_table
def test_jobs_have_as_many_accelerators_as_the_row_and_its_mapping(published):
    for done in published:
        if done.scenario:
            assert done.scenario.job.accelerators == done.scenario.job.parallelism.num_ranks
            assert done.scenario.job.accelerators == done.row.num_accelerators


@needs_table
def test_models_have_the_parameters_that_are_published(published):
    """Up to the padding of vocabularies."""
    with (MEASURED / "models.csv").open(encoding="utf-8") as file:
        expected = {row["model"]: float(row["computed_params_b"]) * 1e9 for row in csv.DictReader(file)}
    checked = {}
    for done in published:
        if done.scenario:
            checked[done.row.model] = done.scenario.job.model.parameters / expected[done.row.model]
    assert len(checked) >= 60
    assert all(ratio == pytest.approx(1, rel=0.012) for ratio in checked.values()), checked


@needs_table
def test_the_catalogue_agrees_with_the_file_beside_the_table(published):
    for done in published:
        alone = scenario_of(done.row)
        if done.scenario and alone.scenario:
            assert alone.scenario.job.model == done.scenario.job.model, done.row.model


@needs_table
def test_every_published_fabric_can_be_built(published):
    distinct = {}
    for done in published:
        if done.scenario:
            made = done.scenario
            key = (made.job.accelerators, made.job.accelerator, made.interconnect.nic, made.topology.model_dump_json())
            distinct.setdefault((*key, made.interconnect.port_rate_bytes_per_s), done)
    for done in distinct.values():
        made = fabric(done)
        assert made.num_endpoints == done.row.num_accelerators
        size = int(accelerator(done.scenario.job.accelerator).scale_up_domain.typical)
        assert max(Counter(made.endpoint_domain.tolist()).values()) <= size


@needs_table
def test_no_row_is_described_by_its_name(published):
    """The same row under another name, from elsewhere and with another time, is the same job."""
    for done in (done for done in published[::40] if done.scenario):
        row = replace(done.row, row_id="another", source="elsewhere", measured_s=1.0, split="calibrate")
        assert scenario_of(row).scenario.job == scenario_of(done.row).scenario.job
