"""What the notes of a measured training step say, in phrases that are understood in anybody's table.

A cell ``notes`` holds phrases behind one another, separated by semicolons; capitals make no difference, and what is not
understood is left alone. Understood are:

- ``recompute PART, PART``: parts of a layer that selective recomputation repeats, in the words of Megatron-Core
  (core_attn, mla_up_proj, layernorm, moe_act, mlp, moe) or of papers (attention core, MLA up-projection, RMSNorm);
- ``rematerialises the MLP only``, ``checkpoint policy saves dot products`` and ``saves QKV and output projections``:
  the same as XLA programs say it;
- ``selective checkpointing of whole blocks`` with ``MFU 43%, HFU 46%``: layers that are recomputed, from their ratio;
- ``expert tensor parallelism N``; ``FSDP over N GPUs``: ranks that share each copy of the parameters;
- ``tensor-parallel communication overlapped``; ``all-to-all overlapped with compute``; ``deepep dispatcher``,
  ``hybridep dispatcher``; ``CUDA graphs``;
- ``start-up all-reduce N GB/s``: bus bandwidth that an all-reduce over all accelerators reached before training, which
  is what all NICs of a server reach together;
- ``DualPipe schedule``; ``uneven stages``;
- ``precision not resolved (FP8 in sibling rows)``;
- ``MaxText``, ``PaxML``, ``XLA``, ``DeepSpeed``, ``nanotron``, ``torchtitan``: the software, where a family has
  several;
- ``activations of N layers offloaded to the host`` and ``current scaling``, which are not simulated.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

#: Parts of a layer by the words that name them.
_PARTS = {
    "core_attn": "core", "core attention": "core", "attention core": "core", "mla_up_proj": "latent",
    "mla up-projection": "latent", "layernorm": "norm", "rmsnorm": "norm", "norm": "norm", "moe_act": "activation",
    "activation": "activation", "mlp": "mlp", "moe": "experts", "experts": "experts",
}  # fmt: skip
_PRECISIONS = ("bf16", "fp16", "fp8", "mxfp8", "nvfp4")


@dataclass(frozen=True, slots=True)
class Hints:
    """What the notes of a row say.

    Attributes:
        recompute_parts: as in ``workload.Job``.
        recomputed_ratio: share of the layers that is recomputed whole; None where nothing is said.
        expert_tensor: ranks that share an expert; 0 where nothing is said.
        shard: ranks that share a copy of the parameters; 0 where nothing is said.
        hides_tensor: tensor-parallel communication is hidden behind products.
        hides_experts: dispatch and combine are hidden.
        has_graphs: kernels are launched by CUDA graphs.
        has_deep_dispatch: tokens cross the network once for each server, and are passed on inside.
        schedule: name of a pipeline schedule; "" where nothing is said.
        is_uneven: stages hold different numbers of layers.
        precision: of products; "" where nothing is said.
        software: a word for it; "" where nothing is said.
        reached_bytes_per_s: bus bandwidth of an all-reduce over all accelerators; 0 where nothing is said.
        remarks: what the row has that is not simulated, or is uncertain.
    """

    recompute_parts: tuple[str, ...] = ()
    recomputed_ratio: float | None = None
    expert_tensor: int = 0
    shard: int = 0
    hides_tensor: bool = False
    hides_experts: bool = False
    has_graphs: bool = False
    has_deep_dispatch: bool = False
    schedule: str = ""
    is_uneven: bool = False
    precision: str = ""
    software: str = ""
    reached_bytes_per_s: float = 0.0
    remarks: tuple[str, ...] = ()


def hints_of(notes: str) -> Hints:
    """What is understood of a cell ``notes``."""
    hints = Hints()
    for phrase in map(str.strip, notes.lower().split(";")):
        for pattern, read in _PHRASES:
            if found := re.search(pattern, phrase):
                said = read(found)
                hints = replace(hints, **{**said, "remarks": (*hints.remarks, *said.get("remarks", ()))})
    return _with_whole_blocks(hints, notes.lower())


def _always(**said: Any) -> Callable[[re.Match[str]], dict[str, Any]]:
    return lambda found: said


def _parts(found: re.Match[str]) -> dict[str, Any]:
    """Parts of a layer; words that are no part are told."""
    words = [word.strip() for word in re.split(r",|\band\b", found[1]) if word.strip()]
    unknown = [
        f"{word!r} in notes is no part of a layer that can be recomputed" for word in words if word not in _PARTS
    ]
    known = tuple(dict.fromkeys(_PARTS[word] for word in words if word in _PARTS))
    return {"recompute_parts": known, "remarks": tuple(unknown)}


def _precision(found: re.Match[str]) -> dict[str, Any]:
    word = found[1]
    return {"precision": word, "remarks": (f"precision {word} as in similar rows",)} if word in _PRECISIONS else {}


#: Phrases, and what they say. XLA programs name the products that they keep; what is cheap is computed again.
_PHRASES: tuple[tuple[str, Callable[[re.Match[str]], dict[str, Any]]], ...] = (
    (r"^recompute:? (?!from |unknown)(.+)$", _parts),
    (r"recompute from the nearest recipe", _always(remarks=("recompute from the nearest recipe",))),
    (r"rematerialises the mlp", _always(recompute_parts=("norm", "mlp"))),
    (r"saves dot products", _always(recompute_parts=("core", "norm", "activation"))),
    (r"saves qkv and output projections", _always(recompute_parts=("core", "norm", "mlp"))),
    (r"expert tensor parallelism (\d{1,6})", lambda found: {"expert_tensor": int(found[1])}),
    (r"fsdp over (\d{1,6}) gpus", lambda found: {"shard": int(found[1])}),
    (r"tensor-parallel communication overlapped", _always(hides_tensor=True)),
    (r"all-to-all overlapped", _always(hides_experts=True)),
    (r"(deepep|hybridep) dispatcher", _always(has_deep_dispatch=True)),
    (r"cuda graphs", _always(has_graphs=True)),
    (r"start-up all-reduce (\d+(?:\.\d+)?) gb/s", lambda found: {"reached_bytes_per_s": float(found[1]) * 1e9}),
    (r"dualpipe", _always(schedule="dualpipe", hides_experts=True)),
    (r"uneven stages", _always(is_uneven=True)),
    (r"precision not resolved \((\w+) in sibling rows\)", _precision),
    (r"\b(?:maxtext|paxml|xla)\b", _always(software="xla")),
    (r"\b(deepspeed|nanotron|torchtitan)\b", lambda found: {"software": found[1]}),
    (r"offloaded", _always(remarks=("activations offloaded to the host: the links to it are not simulated",))),
    (r"current scaling", _always(remarks=("current scaling taken as fp8 with scaling per tensor",))),
)


def _with_whole_blocks(hints: Hints, notes: str) -> Hints:
    """Of 3 FLOPs of a step forward is 1, so that HFU / MFU is 1 + share / 3 where a share of layers runs it again."""
    found = re.search(r"mfu (\d+(?:\.\d+)?)%, hfu (\d+(?:\.\d+)?)%", notes)
    if "checkpointing of whole blocks" not in notes or not found or not float(found[1]):
        return hints
    share = 3 * (float(found[2]) / float(found[1]) - 1)
    return replace(hints, recomputed_ratio=min(max(share, 0.0), 1.0))
