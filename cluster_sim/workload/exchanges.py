"""What the layers of a stage exchange: operation, who takes part, bytes; for simulation and estimate alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from cluster_sim.tables import CP, EP, NONE, TP
from cluster_sim.workload.job import Job

_HALF = 2


class Exchange(NamedTuple):
    """A collective of a layer.

    Attributes:
        name: of the collective.
        kind: TP, CP or EP.
        operation: as in the registry of collectives.
        among: who takes part: ranks of ``tensor``, ``context``, ``expert`` or ``expert_tensor``.
        size_bytes: its buffer.
        is_beside: runs while others of the lane do; None for what is usual for its kind.
    """

    name: str
    kind: int
    operation: str
    among: str
    size_bytes: float
    is_beside: bool | None = None


@dataclass(frozen=True, slots=True)
class LayerCollectives:
    """What the layers of a stage exchange, as rows of a program or of another list; NONE for none.

    Attributes:
        to_experts, from_experts: by layer.
        enter, leave: into and out of tensor-parallel parts, the part that the stage waits for.
        enter_beside, leave_beside: the part that hides behind the product next to it.
        again: inputs, gathered once more for the gradients of weights.
        summed: gradients of inputs.
        context, context_back: keys and values of other context ranks, forward and backward.
        context_sum: gradients of keys and values, where they are gathered.
        shared_enter, shared_leave: of shared experts, beside the way to the others.
        expert_enter, expert_leave: among the ranks that share an expert.
    """

    to_experts: Mapping[int, int]
    from_experts: Mapping[int, int]
    enter: int = NONE
    enter_beside: int = NONE
    leave: int = NONE
    leave_beside: int = NONE
    again: int = NONE
    summed: int = NONE
    context: int = NONE
    context_back: int = NONE
    context_sum: int = NONE
    shared_enter: int = NONE
    shared_leave: int = NONE
    expert_enter: int = NONE
    expert_leave: int = NONE


def exchanges(job: Job, num_domains: int) -> dict[str, Exchange]:
    """By field of LayerCollectives, and ``tokens`` for what is sent to the experts of a layer, and back.

    Keys and values that are gathered are gathered again backward: then there is no ``context_back`` of its own.

    Args:
        job: how it is split decides.
        num_domains: scale-up domains over which a group of expert ranks lies.
    """
    found = _of_context(job) | _of_experts(job, num_domains) | _of_tensor(job)
    return {name: one for name, one in found.items() if one.size_bytes}


def activation_bytes(job: Job) -> float:
    """What a rank sends to the next stage: every tensor rank its share of the hidden states of a microbatch.

    Whether or not layers are split along the sequence [Narayanan et al. 2021, sec. 4.1, scatter/gather].
    """
    return _hidden_bytes(job) / job.parallelism.tensor


def _hidden_bytes(job: Job) -> float:
    """Hidden states of a microbatch on the tensor ranks together."""
    return float(job.micro_batch * job.model.sequence / job.parallelism.context * job.model.hidden * _HALF)


def _of_tensor(job: Job) -> dict[str, Exchange]:
    """Gathered and scattered where tokens are split over tensor ranks, summed where they are not."""
    p, size_bytes = job.parallelism, _hidden_bytes(job)
    hidden = p.overlap_tensor_ratio

    def enter(share: float) -> Exchange:
        return Exchange("tp all-gather", TP, "all_gather", "tensor", size_bytes * share * p.sequence)

    def leave(share: float) -> Exchange:
        name, operation = ("reduce-scatter", "reduce_scatter") if p.sequence else ("all-reduce", "all_reduce")
        return Exchange(f"tp {name}", TP, operation, "tensor", size_bytes * share)

    found = {
        "enter": enter(1 - hidden), "enter_beside": enter(hidden), "leave": leave(1 - hidden),
        "leave_beside": leave(hidden), "again": enter(1.0), "summed": leave(1.0),
    }  # fmt: skip
    if p.overlap_experts and job.model.experts and job.model.experts.shared:
        found["shared_enter"] = enter(1.0)._replace(is_beside=True)
        found["shared_leave"] = leave(1.0)._replace(is_beside=True)
    return found


def _of_context(job: Job) -> dict[str, Exchange]:
    """Keys and values once forward; backward again, and their gradients on the way back."""
    m, p = job.model, job.parallelism
    size_bytes = job.micro_batch * m.sequence * (m.key_width + m.value_width) / p.tensor * _HALF

    def one(name: str, operation: str, times: float) -> Exchange:
        return Exchange(f"cp {name}", CP, operation, "context", size_bytes * times)

    forward = {"context": one("keys and values", "all_gather", 1.0)}
    if p.context_exchange == "ring":
        return forward | {"context_back": one("keys, values and gradients", "all_gather", 2.0)}
    return forward | {"context_sum": one("gradients of keys and values", "reduce_scatter", 1.0)}


def _of_experts(job: Job, num_domains: int) -> dict[str, Exchange]:
    """Tokens go to the ranks of their experts, and there to all that share an expert."""
    p = job.parallelism
    if not job.model.experts:
        return {}
    sent_bytes = _hidden_bytes(job) / p.tensor * _num_copies(job, num_domains)
    whole_bytes = sent_bytes * p.expert_tensor
    return {
        "expert_enter": Exchange("ep all-gather", EP, "all_gather", "expert_tensor", whole_bytes),
        "expert_leave": Exchange("ep reduce-scatter", EP, "reduce_scatter", "expert_tensor", whole_bytes),
        "tokens": Exchange("ep all-to-all", EP, "all_to_all", "expert", sent_bytes),
    }


def _num_copies(job: Job, num_domains: int) -> float:
    """Copies of a token that are sent, on average.

    To each domain once, where tokens are passed on inside: with k experts drawn from d domains, a domain gets none with
    (1 - 1/d)**k.
    """
    experts = job.model.experts
    assert experts is not None, "the caller has looked"
    if job.parallelism.dispatch == "each_expert" or num_domains == 1:
        return float(experts.per_token)
    return num_domains * (1 - (1 - 1 / num_domains) ** experts.per_token)
