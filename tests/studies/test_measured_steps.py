"""Tables of measured training steps: what is read, and what is told where something is wrong."""

from collections import Counter
from pathlib import Path

import pytest

from cluster_sim.core import ConfigError
from cluster_sim.studies.measured_steps import NEEDED, OPTIONAL, is_table_of_steps, read_steps
from cluster_sim.workload import MOST_ACCELERATORS
from tests.studies.steps import DEFAULTS, MIXTURE, table

MEASURED = Path(__file__).parents[3] / "shared" / "data" / "measured"


def read(folder, **cells):
    (row,) = read_steps(table(folder, cells))
    return row


def mistakes(path):
    with pytest.raises(ConfigError) as caught:
        read_steps(path)
    return [problem.removeprefix(f"{path}:") for problem in caught.value.problems]


# --- what is read -----------------------------------------------------------------------------------------------------


def test_a_row_is_read_as_it_stands(tmp_path):
    row = read(tmp_path, **MIXTURE, ep=8, cp=2, dp=4, num_accelerators=64, flop_convention="model: full attention")
    assert (row.tensor, row.context, row.pipeline, row.expert, row.data) == (2, 2, 4, 8, 4)
    assert (row.experts, row.experts_per_token, row.expert_ffn_hidden) == (8, 2, 14336)
    assert (row.nic_bytes_per_s, row.measured_s, row.gated_mlp) == (50e9, 2.0, True)
    assert row.counts_full_attention


def test_what_a_table_does_not_say_is_none_or_empty(tmp_path):
    cells = {
        "accelerators_per_node": "", "scale_up_domain": "", "nic_gbps_per_accelerator": "", "fabric": "", "vpp": "",
        "micro_batch_sequences": "", "precision": "", "sharding": "", "recompute": "", "sp": "", "split": "",
        "kv_heads": "", "head_dim": "", "cp": "", "ep": "",
    }  # fmt: skip
    row = read(tmp_path, **cells)
    assert row.accelerators_per_node is row.scale_up_domain is row.nic_bytes_per_s is row.virtual_stages is None
    assert row.micro_batch is row.sequence_parallel is row.head_dim is None
    assert row.precision == row.sharding == row.recompute == ""
    assert (row.kv_heads, row.context, row.expert, row.split) == (32, 1, 1, "test")


def test_only_the_needed_columns_have_to_be_there(tmp_path):
    (row,) = read_steps(table(tmp_path, {}, columns=NEEDED))
    assert (row.experts, row.notes, row.source_family, row.split) == (0, "", "", "test")


def test_the_order_of_columns_makes_no_difference(tmp_path):
    forward = read_steps(table(tmp_path, {}))
    assert read_steps(table(tmp_path, {}, columns=tuple(reversed(DEFAULTS)))) == forward


def test_steps_are_told_from_collectives_by_their_time(tmp_path):
    other = tmp_path / "other.csv"
    other.write_text("row_id,time_us\na,1\n", encoding="utf-8")
    assert is_table_of_steps(table(tmp_path, {}))
    assert not is_table_of_steps(other)


@pytest.mark.skipif(not MEASURED.is_dir(), reason="no folder shared/data/measured beside the checkout")
def test_all_published_steps_are_read():
    rows = read_steps(MEASURED / "training_steps.csv")
    assert len(rows) == 1794
    assert Counter(row.split for row in rows) == {"calibrate": 1102, "test": 692}
    assert all(row.data * row.tensor * row.pipeline * row.context == row.num_accelerators for row in rows)
    assert set(NEEDED) | set(OPTIONAL) == set(DEFAULTS)


# --- mistakes ---------------------------------------------------------------------------------------------------------


def test_ten_mistakes_are_ten_lines(tmp_path):
    found = mistakes(table(
        tmp_path, {}, {"row_id": "b", "accelerator": "h100-smx"}, {"row_id": "c", "dp": 4},
        {"row_id": "d", "global_batch_sequences": 100}, {"row_id": "e", "step_time_s": "2 s"},
        {"row_id": "f", "nic_gbps_per_accelerator": "400 Gbps", "precision": "fp9"}, {"row_id": "a"},
        {"row_id": "g", "layers": 32.5}, {"row_id": "h", "gated_mlp": "yes"}, {"row_id": "i", "ep": 2},
    ))  # fmt: skip
    expected = [
        "3: accelerator: 'h100-smx' is not known; did you mean 'h100-sxm'? (known: a100, a100-40gb",
        "4: num_accelerators: dp 4 x tp 2 x pp 4 x cp 1 is 32, not 64; correct one of them",
        "5: global_batch_sequences: 100 is not a multiple of dp 8 x micro_batch_sequences 1",
        "6: step_time_s: expected a finite number above 0 of seconds",
        "7: nic_gbps_per_accelerator: expected a finite number above 0 of Gb/s",
        "7: precision: 'fp9' is not known; did you mean 'fp8'?", "8: row_id: 'a' is the name of line 2, too",
        "9: layers: expected a whole number", "10: gated_mlp: expected 0 or 1; got 'yes'",
        "11: ep: is 2, but experts is empty",
    ]  # fmt: skip
    assert len(found) == len(expected) == 10
    for problem, begin in zip(found, expected, strict=True):
        assert problem.startswith(begin)


def test_mistakes_in_the_header_are_told_with_those_below(tmp_path):
    columns = tuple("notess" if name == "notes" else name for name in DEFAULTS)
    path = table(tmp_path, {"tp": 0, "notess": ""}, columns=columns)
    unknown, degree = mistakes(path)
    assert unknown.startswith("1: column 'notess' is not known; did you mean 'notes'?; rename it or take it out")
    assert degree.startswith("2: tp: expected a whole number from 1")


def test_missing_columns_are_all_told(tmp_path):
    columns = tuple(name for name in DEFAULTS if name not in ("hidden", "vocab"))
    found = mistakes(table(tmp_path, {}, columns=columns))
    assert [problem.split("'")[1] for problem in found] == ["hidden", "vocab"]


def test_a_mistyped_column_is_told_from_both_sides(tmp_path):
    columns = tuple("layer" if name == "layers" else name for name in DEFAULTS)
    unknown, missing = mistakes(table(tmp_path, {"layer": 32}, columns=columns))
    assert "'layers' is missing; did you mean 'layer'?" in missing
    assert "'layer' is not known; did you mean 'layers'?" in unknown


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"row_id": ""}, "row_id: is empty"), ({"model": ""}, "model: is empty"),
        ({"step_time_s": ""}, "step_time_s: is empty"), ({"step_time_s": "inf"}, "step_time_s: expected a finite"),
        ({"step_time_s": -1}, "step_time_s: expected"), ({"kv_heads": 5}, "kv_heads: heads 32 is not a multiple"),
        ({"gated_mlp": ""}, "gated_mlp: is empty"), ({"vocab": ""}, "vocab: expected a whole number"),
        ({"layers": "9" * 4000}, "layers: expected a whole number"), ({"layers": "²"}, "layers: expected a whole"),
        ({"num_accelerators": MOST_ACCELERATORS + 1}, "num_accelerators: expected a whole number from 1 to"),
        ({"sharding": "zero"}, "sharding: 'zero' is not known; did you mean 'zero3'"),
        ({"recompute": "some"}, "recompute: 'some' is not known"), ({"split": "train"}, "split: 'train' is not known"),
        ({**MIXTURE, "experts_per_token": 9}, "experts_per_token: 9 of 8 experts"),
        ({**MIXTURE, "moe_ffn_hidden": ""}, "moe_ffn_hidden: expected a whole number"),
        ({**MIXTURE, "num_dense_layers": 32}, "num_dense_layers: 32 leaves none"),
        ({**MIXTURE, "ep": 32}, "ep: 32 does not divide the 16 accelerators"),
        ({"vpp": 33}, "vpp: 33 is more than layers 32"), ({"layers": 10**6}, "layers: expected a whole number from 1"),
        ({"global_batch_sequences": 2**24}, "global_batch_sequences: 2097152 microbatches are too many"),
        ({"micro_batch_sequences": 0}, "micro_batch_sequences: expected a whole number"),
        ({"tokens_per_s_per_accelerator": "fast"}, "tokens_per_s_per_accelerator: expected a finite number"),
        ({"model_tflops_per_accelerator": "x"}, "model_tflops_per_accelerator: expected a finite number"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_once_with_its_line(tmp_path, cells, expected):
    (found,) = mistakes(table(tmp_path, cells))
    assert found.startswith(f"2: {expected}")


def test_a_row_with_too_many_cells_is_told_and_the_others_are_still_checked(tmp_path):
    path = table(tmp_path, {}, {"row_id": "b", "tp": "x"})
    path.write_text(path.read_text(encoding="utf-8").replace(",here", ",over,there", 1), encoding="utf-8")
    long, wrong = mistakes(path)
    assert long.startswith(f"2: {len(DEFAULTS) + 1} cells, but {len(DEFAULTS)} columns; quote cells that hold commas")
    assert wrong.startswith("3: tp: ")


def test_milliseconds_are_found_where_a_rate_is_printed(tmp_path):
    """128 sequences of 8192 tokens on 64 accelerators in 2 s are 8192 tokens/s each."""
    assert read(tmp_path, tokens_per_s_per_accelerator=8200).measured_s == 2.0
    assert read(tmp_path, tokens_per_s_per_accelerator=4100).measured_s == 2.0, "some count half the accelerators"
    (found,) = mistakes(table(tmp_path, {"step_time_s": 2000, "tokens_per_s_per_accelerator": 8200}))
    assert "2000 s are 8.192 tokens/s for each accelerator" in found


def test_a_table_without_rows_is_refused(tmp_path):
    assert "holds no rows" in mistakes(table(tmp_path))[0]
