"""What programs that train do without being asked: habits that tables of training steps have no columns for.

They go by the family of a row's source, where that names the software, and by the notes of a row that name it. A family
that is not known gets the habits of Megatron-Core.
"""

from dataclasses import dataclass, replace
from typing import Literal

from cluster_sim.workload.parallel import Sharding

#: Share of tensor-parallel communication that is hidden at most: pieces of products are slower than whole ones.
_MOST_HIDDEN = 0.75
#: How tensor-parallel communication is hidden.
TensorOverlap = Literal["none", "backward", "chunks"]


def chunked_ratio(tensor: int) -> float:
    """Share that is hidden where products and their communication are cut into a piece for each tensor rank.

    All pieces but one, and never more than was seen in runs of H100.
    """
    return min(1 - 1 / tensor, _MOST_HIDDEN)


@dataclass(frozen=True, slots=True)
class Software:
    """Habits of a program.

    Attributes:
        title: its name.
        launches: as in ``workload.Job``.
        attention: as in ``workload.Model``.
        gradients: format in which gradients are reduced.
        overlapped: shardings under which gradients are reduced behind the backward pass.
        gathers_ahead: parameters are gathered behind the forward pass.
        tensor_overlap: ``none``; ``backward`` runs sums of gradients beside those of weights; ``chunks`` cuts products
            besides, and their communication, into a piece for each tensor rank, so that all but one piece is hidden.
        graphs_from: generation of accelerators from which on steps without a pipeline run as CUDA graphs; "" for none.
        network: kind of network of its runs, where a table does not name it; "" for unknown.
        most_chunks: of a pipeline stage, where a table does not say: as many as divide its layers, up to this.
        sends_once: tokens cross the network once for each server, and are passed on inside.
        pads_vocabulary: to a multiple of 128 times the tensor ranks.
        is_known: whether the family of the row names it.
    """

    title: str
    launches: Literal["fused", "eager", "graph"] = "fused"
    attention: Literal["fused", "flash", "unfused"] = "fused"
    gradients: Literal["fp32", "bf16"] = "fp32"
    overlapped: tuple[Sharding, ...] = ("none", "zero1", "zero2", "zero3", "fsdp", "hsdp")
    gathers_ahead: bool = True
    tensor_overlap: TensorOverlap = "backward"
    graphs_from: Literal["", "blackwell"] = ""
    network: str = ""
    most_chunks: int = 1
    sends_once: bool = False
    pads_vocabulary: bool = True
    is_known: bool = True

    def hidden_ratio(self, tensor: int) -> float:
        """Share of the tensor-parallel communication around products that is hidden behind them."""
        return chunked_ratio(tensor) if self.tensor_overlap == "chunks" else 0.0


#: Gradients accumulated and reduced in 32 bit (the default with bf16); both overlaps are flags that its own runs set.
_MEGATRON = Software("Megatron-Core")
#: Its performance recipes reduce in 16 bit, set tp_comm_overlap, and use CUDA graphs on Blackwell where there is no
#: pipeline (columns of scripts/performance/recommended_model_configs).
_NEMO = replace(_MEGATRON, title="NeMo", gradients="bf16", tensor_overlap="chunks", graphs_from="blackwell")
#: Megatron-LM of 2021 and 2022: scores in memory, gradients of 16 bit reduced after the last backward pass.
_MEGATRON_2021 = replace(
    _MEGATRON, title="Megatron-LM of 2021", attention="unfused", gradients="bf16", overlapped=(), gathers_ahead=False,
    tensor_overlap="none",
)  # fmt: skip
_PROGRAMS = {
    "megatron": _MEGATRON,
    "nemo": _NEMO,
    # Submitted configurations say themselves where tensor-parallel communication is overlapped.
    "mlperf": replace(_NEMO, title="NeMo, MLPerf", tensor_overlap="backward"),
    # Its published scaling interleaves: without that strong scaling would lose more than the plots show.
    "megatron with user buffers": replace(
        _MEGATRON, title="Megatron-Core, tp-comm-overlap", tensor_overlap="chunks", most_chunks=8
    ),
    "megatron-2021": _MEGATRON_2021,
    # Kernels of the profiled model are those of Megatron-LM: a fused softmax, but scores in memory [vTrain 2024].
    "megatron-deepspeed": replace(_MEGATRON_2021, title="Megatron-DeepSpeed"),
    # ZeRO-3 of 2021 waits for what it gathers and reduces: with more ranks the same work for each took no less time.
    "deepspeed": replace(_MEGATRON_2021, title="DeepSpeed", launches="eager", pads_vocabulary=False),
    # Plain PyTorch, FlashAttention 2, asynchronous linear layers. Gradients accumulate in 32 bit. With ZeRO-1 the model
    # is not wrapped in DDP (make_ddp in trainer.py): they are reduced, and parameters gathered, at the end. That its
    # benchmarks ran over EFA is assumed: their source does not say.
    "nanotron": Software(
        "nanotron", launches="eager", network="nccl-efa", attention="flash", overlapped=("none",), gathers_ahead=False,
        pads_vocabulary=False,
    ),
    # PyTorch FSDP, not compiled, prefetches both ways; 16 bit is what "PURE" mixed precision and fms-fsdp reduce in.
    "fsdp": Software(
        "PyTorch FSDP", launches="eager", attention="flash", gradients="bf16", tensor_overlap="none",
        pads_vocabulary=False,
    ),
    # Compiled whole: collectives are scheduled beside products, cuDNN attention.
    "xla": Software("XLA", launches="graph", gradients="bf16", pads_vocabulary=False),
    # Tokens go to few servers, once each, and on by NVLink [DeepSeek-V3 2024, sec. 3.2.2].
    "hai-llm": Software("HAI-LLM", sends_once=True, pads_vocabulary=False),
}  # fmt: skip
#: Families of sources, and words in notes, by the program that they stand for.
_FAMILIES = {
    "nemo": "nemo", "nemo_long_sequence": "nemo", "dgxc": "nemo", "megatron_bridge": "nemo", "mlperf": "mlperf",
    "megatron_h100": "megatron with user buffers", "megatron": "megatron", "megatron_lm": "megatron",
    "megatron_core": "megatron", "megatron_sc21": "megatron-2021", "megatron_seqpar": "megatron-2021",
    "vtrain": "megatron-deepspeed", "megatron_deepspeed": "megatron-deepspeed", "deepspeed": "deepspeed",
    "nanotron": "nanotron", "mosaic": "fsdp", "llm_foundry": "fsdp", "fms_fsdp": "fsdp", "fsdp": "fsdp",
    "torchtitan": "fsdp", "xla": "xla", "maxtext": "xla", "paxml": "xla", "deepseek": "hai-llm",
}  # fmt: skip


def software_of(family: str, named: str = "") -> Software:
    """The program behind a family of sources, or the one that notes name; Megatron-Core where neither is known."""
    for word in (named, family):
        program = _FAMILIES.get(word.lower().replace("-", "_").replace(" ", "_"))
        if program:
            return _PROGRAMS[program]
    return replace(_MEGATRON, is_known=False)
