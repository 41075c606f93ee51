"""Tables of measured training steps: a CSV file in, checked rows out, every mistake with its line."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster_sim.core import did_you_mean
from cluster_sim.studies.machines import CATALOGUED
from cluster_sim.studies.measured import COLUMNS, STEP_COLUMN
from cluster_sim.studies.rows import (
    SPLITS,
    Problems,
    Row,
    check_has_rows,
    missing_columns,
    read_lines,
    repeated_columns,
)
from cluster_sim.workload import MOST_ACCELERATORS

#: Columns that a table of measured training steps must have.
NEEDED = (
    "row_id", "accelerator", "num_accelerators", "model", "layers", "hidden", "ffn_hidden", "heads", "kv_heads",
    "vocab", "gated_mlp", "seq_len", "tp", "pp", "dp", "global_batch_sequences", STEP_COLUMN,
)  # fmt: skip
#: Columns that it may have; without them their cells count as empty.
OPTIONAL = (
    "accelerators_per_node", "scale_up_domain", "nic_gbps_per_accelerator", "fabric", "head_dim", "attention",
    "experts", "experts_per_token", "shared_experts", "moe_ffn_hidden", "num_dense_layers", "precision", "sp", "cp",
    "vpp", "ep", "sharding", "micro_batch_sequences", "recompute", "step_time_is", "tokens_per_s_per_accelerator",
    "model_tflops_per_accelerator", "flop_convention", "source_family", "split", "notes", "source",
)  # fmt: skip

PRECISIONS = ("bf16", "fp16", "fp8", "mxfp8", "nvfp4")
SHARDINGS = ("none", "zero1", "zero2", "zero3", "fsdp", "hsdp")
RECOMPUTES = ("none", "selective", "full")
ATTENTIONS = ("mha", "gqa", "mqa", "mla")

#: More than any number of a table; parameters of a model stay far below 2**63 with it.
_MOST = 2**31 - 1
#: More than any model has; each of them is looked at.
_MOST_LAYERS = 2**14 - 1
#: Passes of a stage in one step; their order is an array.
_MOST_PASSES = 2**20
#: How far a printed rate may be from what the step time says: some count a part of the accelerators.
_RATE_FACTOR = 3.0


@dataclass(frozen=True, slots=True)
class MeasuredStep:
    """One measured training run. What the table leaves empty is None, or "" in words.

    Attributes:
        row_id: stable name.
        accelerator: name in the table.
        num_accelerators: of the job.
        accelerators_per_node: of a server.
        scale_up_domain: accelerators joined by scale-up links.
        nic_bytes_per_s: rate of the network for each accelerator, per direction.
        fabric: the network in the table's words.
        model: its name.
        layers, hidden, ffn_hidden, heads, kv_heads, head_dim, vocabulary, sequence: shape; ``kv_heads`` as many as
            heads where empty.
        gated_mlp: three matrices instead of two.
        attention: one of ATTENTIONS.
        experts, experts_per_token, shared_experts, expert_ffn_hidden, dense_layers: of a mixture; 0 where
            there is none.
        precision: one of PRECISIONS.
        tensor, context, pipeline, expert, data: degrees of parallelism.
        sequence_parallel: Megatron's sequence parallelism.
        virtual_stages: chunks of layers of a pipeline rank.
        sharding: one of SHARDINGS.
        global_batch: sequences per step.
        micro_batch: sequences per microbatch and data rank.
        recompute: one of RECOMPUTES.
        measured_s: time of a step.
        counts_full_attention: whether its FLOPs count all of the score matrix.
        source_family: whose numbers these are.
        split: one of SPLITS; "test" where the table says nothing.
        notes: in the words of ``step_notes``.
        source: where it stands.
    """

    row_id: str
    accelerator: str
    num_accelerators: int
    accelerators_per_node: int | None
    scale_up_domain: int | None
    nic_bytes_per_s: float | None
    fabric: str
    model: str
    layers: int
    hidden: int
    ffn_hidden: int
    heads: int
    kv_heads: int
    head_dim: int | None
    vocabulary: int
    sequence: int
    gated_mlp: bool
    attention: str
    experts: int
    experts_per_token: int
    shared_experts: int
    expert_ffn_hidden: int
    dense_layers: int
    precision: str
    tensor: int
    context: int
    pipeline: int
    expert: int
    data: int
    sequence_parallel: bool | None
    virtual_stages: int | None
    sharding: str
    global_batch: int
    micro_batch: int | None
    recompute: str
    measured_s: float
    counts_full_attention: bool
    source_family: str
    split: str
    notes: str
    source: str


def is_table_of_steps(path: Path) -> bool:
    """Whether a table has the column of training steps, or more of their columns than of those of collectives.

    Raises as ``read_lines``.
    """
    names = set(read_lines(path)[0])
    return STEP_COLUMN in names or len(names & {*NEEDED, *OPTIONAL}) > len(names & set(COLUMNS))


def read_steps(path: Path) -> tuple[MeasuredStep, ...]:
    """The rows of a table of measured training steps, in order.

    Raises:
        ConfigError: it cannot be read, is a table of something else, or has mistakes; all of them, each with its line.
    """
    names, lines = read_lines(path)
    problems = Problems(path)
    _check_header(names, problems)
    if not set(NEEDED) <= set(names):
        problems.stop()
    check_has_rows(path, lines)
    rows = [_Row(line, names, cells, problems).step() for line, cells in lines]
    problems.add_twice(names, lines)
    problems.stop()
    return tuple(row for row in rows if row is not None)


def _check_header(names: list[str], problems: Problems) -> None:
    """Columns that are missing, there twice, or not known, which are mistyped ones."""
    known = (*NEEDED, *OPTIONAL)
    told = missing_columns(names, NEEDED, "a table of measured training steps")
    told += repeated_columns(names, known)
    absent = tuple(name for name in known if name not in names)
    told += [
        f"column {name!r} is not known{did_you_mean(name, absent)}; rename it or take it out (known: "
        f"{', '.join(known)})"
        for name in dict.fromkeys(names)
        if name not in known
    ]
    for message in told:
        problems.add(1, message)


class _Row(Row):
    """One line of the table, being read."""

    def step(self) -> MeasuredStep | None:
        """The row; None where it has mistakes, which are told."""
        if not self.is_whole:
            return None
        before = len(self.problems.found)
        read = {**self._names(), **self._sizes(), **self._mapping()}
        if len(self.problems.found) == before:
            self._check(read)
        return None if len(self.problems.found) > before else MeasuredStep(**read)

    def _names(self) -> dict[str, Any]:
        """What is words."""
        if not self.text("row_id"):
            self.wrong("row_id: is empty; give the row a name")
        if not self.text("model"):
            self.wrong("model: is empty; give the model a name")
        measured_s = self.number(STEP_COLUMN, unit="seconds")
        if measured_s is None:
            self.wrong(f"{STEP_COLUMN}: is empty; give the seconds of a step")
        for name in ("tokens_per_s_per_accelerator", "model_tflops_per_accelerator"):
            self.number(name)
        nic_gbps = self.number("nic_gbps_per_accelerator", unit="Gb/s for each accelerator, one direction")
        return {
            "row_id": self.text("row_id"), "model": self.text("model"),
            "accelerator": self.one_of("accelerator", tuple(CATALOGUED)),
            "nic_bytes_per_s": None if nic_gbps is None else nic_gbps * 1e9 / 8,
            "precision": self.one_of("precision", ("", *PRECISIONS)),
            "sharding": self.one_of("sharding", ("", *SHARDINGS)),
            "recompute": self.one_of("recompute", ("", *RECOMPUTES)),
            "attention": self.one_of("attention", ("", *ATTENTIONS)),
            "split": self.one_of("split", ("", *SPLITS)) or "test", "measured_s": measured_s,
            "counts_full_attention": "full attention" in self.text("flop_convention"),
            **{name: self.text(name) for name in ("fabric", "source_family", "notes", "source")},
        }  # fmt: skip

    def _sizes(self) -> dict[str, Any]:
        """The model and its batch."""
        heads, has_experts = self._size("heads"), bool(self.text("experts")) and self.text("experts") != "0"
        gated = self._flag("gated_mlp")
        if gated is None:
            self.wrong("gated_mlp: is empty; 1 = three matrices (SwiGLU), 0 = two")
        return {
            "layers": self.count("layers", most=_MOST_LAYERS), "hidden": self._size("hidden"), "heads": heads,
            "ffn_hidden": self._size("ffn_hidden", 0 if has_experts else None),
            "kv_heads": self._size("kv_heads", heads), "head_dim": self._size_or_none("head_dim"),
            "vocabulary": self._size("vocab"), "sequence": self._size("seq_len"), "gated_mlp": bool(gated),
            "experts": self.count("experts", 0, 0, _MOST),
            "experts_per_token": self._size("experts_per_token", None if has_experts else 0),
            "expert_ffn_hidden": self._size("moe_ffn_hidden", None if has_experts else 0),
            "shared_experts": self.count("shared_experts", 0, 0, _MOST),
            "dense_layers": self.count("num_dense_layers", 0, 0, _MOST),
            "global_batch": self._size("global_batch_sequences"),
            "micro_batch": self._size_or_none("micro_batch_sequences"),
        }  # fmt: skip

    def _mapping(self) -> dict[str, Any]:
        """How it is split, over what."""
        return {
            "num_accelerators": self.count("num_accelerators", most=MOST_ACCELERATORS),
            "accelerators_per_node": self._size_or_none("accelerators_per_node"),
            "scale_up_domain": self._size_or_none("scale_up_domain"),
            **{name: self.count(column, most=MOST_ACCELERATORS)
               for name, column in (("tensor", "tp"), ("pipeline", "pp"), ("data", "dp"))},
            **{name: self.count(column, 1, most=MOST_ACCELERATORS)
               for name, column in (("context", "cp"), ("expert", "ep"))},
            "sequence_parallel": self._flag("sp"), "virtual_stages": self._size_or_none("vpp"),
        }  # fmt: skip

    def _size(self, name: str, otherwise: int | None = None) -> int:
        return self.count(name, otherwise, most=_MOST)

    def _size_or_none(self, name: str) -> int | None:
        return self._size(name) if self.text(name) else None

    def _flag(self, name: str) -> bool | None:
        text = self.text(name)
        if text not in ("", "0", "1"):
            self.wrong(f"{name}: expected 0 or 1; got {text!r}")
        return None if not text else text == "1"

    def _check(self, read: dict[str, Any]) -> None:
        """What has to fit together in a row whose cells can be read."""
        row = MeasuredStep(**read)
        product = row.data * row.tensor * row.pipeline * row.context
        rows, chunks = row.data * (row.micro_batch or 1), row.virtual_stages or 1
        checks = (
            (product == row.num_accelerators, f"num_accelerators: dp {row.data} x tp {row.tensor} x pp {row.pipeline} "
             f"x cp {row.context} is {product}, not {row.num_accelerators}; correct one of them"),
            (row.global_batch % rows == 0, f"global_batch_sequences: {row.global_batch} is not a multiple of dp "
             f"{row.data} x micro_batch_sequences {row.micro_batch or 1}; correct one of them"),
            (chunks <= row.layers, f"vpp: {chunks} is more than layers {row.layers}; correct one of them"),
            (row.global_batch // rows * chunks <= _MOST_PASSES, f"global_batch_sequences: {row.global_batch // rows} "
             f"microbatches are too many; at most {_MOST_PASSES} passes of a stage, correct it or the micro batch"),
            (row.heads % row.kv_heads == 0,
             f"kv_heads: heads {row.heads} is not a multiple of kv_heads {row.kv_heads}; correct one of them"),
            (row.num_accelerators % (row.pipeline * row.expert) == 0, f"ep: {row.expert} does not divide the "
             f"{row.num_accelerators // row.pipeline} accelerators of a pipeline stage; correct it"),
            (row.expert == 1 or row.experts > 0, f"ep: is {row.expert}, but experts is empty; correct one of them"),
            (row.experts_per_token <= row.experts, f"experts_per_token: {row.experts_per_token} of {row.experts} "
             "experts; correct one of them"),
            (row.dense_layers < row.layers, f"num_dense_layers: {row.dense_layers} leaves none of {row.layers} layers "
             "with experts; correct one of them"),
        )  # fmt: skip
        for holds, message in checks:
            if not holds:
                self.wrong(message)
        self._check_rate(row)

    def _check_rate(self, row: MeasuredStep) -> None:
        """Milliseconds in the place of seconds, or a rate of all accelerators in the place of one."""
        printed = self.number("tokens_per_s_per_accelerator")
        tokens_per_s = row.global_batch * row.sequence / row.measured_s / row.num_accelerators
        if printed is not None and not 1 / _RATE_FACTOR <= printed / tokens_per_s <= _RATE_FACTOR:
            self.wrong(
                f"{STEP_COLUMN}: {row.measured_s:g} s are {tokens_per_s:.4g} tokens/s for each accelerator, but "
                f"tokens_per_s_per_accelerator says {printed:g}; expected seconds and tokens/s, correct one of them"
            )
