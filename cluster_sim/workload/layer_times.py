"""How long a pass through one layer takes by itself, and what of that is which communication, without a simulation."""

from collections.abc import Callable, Iterable

import numpy as np

from cluster_sim.tables import CP, EP, NONE, TP, Array
from cluster_sim.workload.communication import LayerCollectives
from cluster_sim.workload.job import Job
from cluster_sim.workload.layers import LayerWriter
from cluster_sim.workload.roofline import PieceTimes, Roofline
from cluster_sim.workload.schedules import BACKWARD, FORWARD, WEIGHT
from cluster_sim.workload.segments import Segment, Writer

#: Parts of a pass, in the order of its times.
PASS_PARTS = ("compute", "tp", "cp", "ep")
#: Time of a collective: operation, who takes part (``tensor``, ``context``, ``expert`` or ``expert_tensor``), bytes of
#: its buffer; NaN where there is nobody to talk to.
CollectiveSeconds = Callable[[str, str, float], float]

_HALF = 2
_PLACE = {TP: 1, CP: 2, EP: 3}


class LayerTimes:
    """Times of the layers of a job, by part.

    Args:
        job: how it is split decides; pipeline and data ranks do not matter.
        seconds_of: time of each collective when nothing else is on its links.
    """

    def __init__(self, job: Job, seconds_of: CollectiveSeconds) -> None:
        self.job, self.parallel, self.slowdown = job, job.parallelism, job.compute_slowdown_ratio
        self.plain: Roofline = job.roofline()
        self.repeating: Roofline = job.roofline(job.repeated_parts) if job.repeated_parts else self.plain
        self.kinds: list[int] = []
        self.seconds: list[float] = []
        self.comm = self._collectives(seconds_of)

    def layer(self, layer: int, kind: int) -> Array:
        """float64[4]: seconds of a pass of some kind through a layer, by PASS_PARTS; without what is done again."""
        writer = Writer()
        layers = LayerWriter(writer, self.parallel, self.comm)
        if kind == FORWARD:
            layers.forward(self.plain.pieces(layer), layer)
        else:
            layers.backward(self.repeating.pieces(layer), layer, kind)
        return self._seconds(writer.written)

    def output(self, kind: int) -> Array:
        """float64[4]: the same for the output layer, and the layers for further tokens with one each."""
        writer, head, last = Writer(), self.plain.head(), self.job.model.layers - 1
        layers, further = LayerWriter(writer, self.parallel, self.comm), self.job.model.mtp_layers
        for _ in range(further):
            writer.compute(seconds_in(self.plain.mtp(), kind))
            if kind == FORWARD:
                layers.forward(self.plain.pieces(last), last)
            else:
                layers.backward(self.plain.pieces(last), last, kind)
        for _ in range(further + 1):
            layers.head(head, kind)
        return self._seconds(writer.written)

    def input(self, kind: int) -> Array:
        """float64[4]: the same for the input embedding."""
        return np.array([seconds_in(self.plain.embedding(), kind), 0.0, 0.0, 0.0])

    def _collectives(self, seconds_of: CollectiveSeconds) -> LayerCollectives:
        """As ``communication.layer_collectives``, with numbers of rows that are places in ``seconds``."""
        job, p, model = self.job, self.parallel, self.job.model
        size_bytes = job.micro_batch * model.sequence / p.context * model.hidden * _HALF
        hidden, gathers = p.overlap_tensor_ratio, float(p.sequence)
        leave = "reduce_scatter" if p.sequence else "all_reduce"

        def add(kind: int, operation: str, groups: str, amount_bytes: float) -> int:
            time_s = seconds_of(operation, groups, amount_bytes) if amount_bytes else np.nan
            if time_s != time_s:
                return NONE
            self.kinds.append(kind)
            self.seconds.append(time_s)
            return len(self.seconds) - 1

        def tensor(operation: str, share: float) -> int:
            return add(TP, operation, "tensor", size_bytes * share)

        key_bytes = job.micro_batch * model.sequence * (model.key_width + model.value_width) / p.tensor * _HALF
        is_ring = p.context_exchange == "ring"
        context = add(CP, "all_gather", "context", key_bytes)
        experts = model.experts
        sent_bytes = size_bytes / p.tensor * experts.per_token if experts else 0.0
        to_experts = dict.fromkeys(range(model.layers), add(EP, "all_to_all", "expert", sent_bytes))
        inside_bytes = sent_bytes * p.expert_tensor
        return LayerCollectives(
            enter=tensor("all_gather", gathers * (1 - hidden)), enter_beside=tensor("all_gather", gathers * hidden),
            leave=tensor(leave, 1 - hidden), leave_beside=tensor(leave, hidden), again=tensor("all_gather", gathers),
            summed=tensor(leave, 1.0), context=context,
            context_back=add(CP, "all_gather", "context", 2 * key_bytes) if is_ring else context,
            context_sum=NONE if is_ring else add(CP, "reduce_scatter", "context", key_bytes),
            to_experts=to_experts, from_experts=to_experts,
            expert_enter=add(EP, "all_gather", "expert_tensor", inside_bytes),
            expert_leave=add(EP, "reduce_scatter", "expert_tensor", inside_bytes),
        )  # fmt: skip

    def _seconds(self, segments: Iterable[Segment]) -> Array:
        found = np.zeros(len(PASS_PARTS))
        for segment in segments:
            rows = segment.beside if segment.collective == NONE else (segment.collective,)
            work_s, exposed_s, row = segment.compute_s, 0.0, NONE
            if rows:
                row = max(rows, key=lambda each: self.seconds[each])
                work_s, exposed_s = beside(work_s, self.seconds[row], self.slowdown)
            found[0] += work_s
            if row != NONE:
                found[_PLACE[self.kinds[row]]] += exposed_s
        return found


def beside(work_s: float, collective_s: float, slowdown_ratio: float) -> tuple[float, float]:
    """(time that work takes with a collective beside it, what the collective takes longer than that).

    Args:
        work_s: the work alone.
        collective_s: the collective.
        slowdown_ratio: how much longer work takes while the collective runs.
    """
    slowed_s = work_s * (1 + slowdown_ratio)
    if collective_s >= slowed_s:
        return slowed_s, collective_s - slowed_s
    return work_s + collective_s * slowdown_ratio / (1 + slowdown_ratio), 0.0


def seconds_in(piece: PieceTimes, kind: int) -> float:
    """Of a piece in a pass of some kind."""
    if kind == FORWARD:
        return piece.forward_s
    return piece.backward_s if kind == BACKWARD else piece.weight_s if kind == WEIGHT else piece.input_s
