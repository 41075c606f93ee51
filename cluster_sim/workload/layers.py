"""How a stage goes through a layer, forward and backward: what it computes, what it waits for, what runs beside it.

Communication of tensor-parallel parts runs where Megatron-Core runs it: inputs are gathered and outputs reduced around
each part; backward, inputs are gathered again beside the gradients of inputs, and those are summed beside the gradients
of weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from cluster_sim.tables import NONE
from cluster_sim.workload.exchanges import LayerCollectives
from cluster_sim.workload.parallel import Parallelism
from cluster_sim.workload.roofline import PieceTimes, Roofline
from cluster_sim.workload.schedules import BACKWARD, FORWARD, INPUT, WEIGHT
from cluster_sim.workload.segments import Writer

Pieces = Mapping[str, PieceTimes]


@dataclass(frozen=True, slots=True)
class LayerWriter:
    """Writes layers of one lane into a pass.

    Attributes:
        writer: of the pass.
        parallel: how the job is split.
        comm: collectives of the lane.
    """

    writer: Writer
    parallel: Parallelism
    comm: LayerCollectives

    def forward(self, pieces: Pieces, layer: int) -> None:
        """A layer forward."""
        write, comm = self.writer, self.comm
        write.wait(comm.enter)
        write.compute(pieces["qkv"].forward_s, comm.enter_beside)
        self._with_context(pieces["core"].forward_s, comm.context)
        write.compute(pieces["out"].forward_s, comm.leave_beside)
        write.wait(comm.leave)
        if "experts" in pieces:
            self._mixture_forward(pieces, layer)
        else:
            write.wait(comm.enter)
            write.compute(pieces["up"].forward_s, comm.enter_beside)
            write.compute(pieces["down"].forward_s, comm.leave_beside)
            write.wait(comm.leave)

    def backward(self, pieces: Pieces, layer: int, kind: int) -> None:
        """A layer backward, or one half of it: ``kind`` is BACKWARD, INPUT or WEIGHT."""
        if "experts" in pieces:
            self._mixture_backward(pieces, layer, kind)
        else:
            self._enter_backward(kind)
            self._gradients(pieces["down"], kind, self.comm.enter_beside)
            self._gradients(pieces["up"], kind, self.comm.again, self.comm.summed)
        self._enter_backward(kind)
        self._gradients(pieces["out"], kind, self.comm.enter_beside)
        if kind != WEIGHT:
            self._with_context(pieces["core"].input_s, self.comm.context_back)
            if self.parallel.context_exchange == "all_gather":
                self.writer.wait(self.comm.context_sum)
        self._gradients(pieces["qkv"], kind, self.comm.again, self.comm.summed)

    def output(self, roofline: Roofline, kind: int) -> None:
        """The output layer, and the layers for further tokens with one each; ``roofline`` with nothing repeated."""
        last, head = roofline.model.layers - 1, roofline.head()
        for further in range(roofline.model.mtp_layers + 1):
            if further and kind == FORWARD:
                self.writer.compute(roofline.mtp().forward_s)
                self.forward(roofline.pieces(last), last)
            elif further:
                self.backward(roofline.pieces(last), last, kind)
                self.writer.compute(roofline.mtp().seconds(kind))
            self._head(head, kind)

    def _head(self, piece: PieceTimes, kind: int) -> None:
        if kind == FORWARD:
            self.writer.wait(self.comm.enter)
            self.writer.compute(piece.forward_s, self.comm.enter_beside)
        else:
            self._gradients(piece, kind, self.comm.again, self.comm.summed)

    def _mixture_forward(self, pieces: Pieces, layer: int) -> None:
        write, comm = self.writer, self.comm
        write.compute(pieces["route"].forward_s)
        self._send_beside(comm.to_experts[layer], pieces, FORWARD)
        write.wait(comm.expert_enter)
        write.compute(pieces["experts"].forward_s)
        write.wait(comm.expert_leave)
        write.wait(comm.from_experts[layer])
        write.compute(pieces["unroute"].forward_s)

    def _mixture_backward(self, pieces: Pieces, layer: int, kind: int) -> None:
        """Gradients of what came from the experts go to them; those of their inputs come back."""
        write, comm = self.writer, self.comm
        if kind == WEIGHT:
            for name in ("experts", "shared", "route"):
                write.compute(pieces[name].weight_s if name in pieces else 0.0)
            return
        write.compute(pieces["unroute"].backward_s)
        self._send_beside(comm.to_experts[layer], pieces, kind)
        write.wait(comm.expert_enter)
        write.compute(pieces["experts"].input_s)
        if kind == BACKWARD and self.parallel.overlap_experts and comm.expert_leave == NONE:
            write.compute(pieces["experts"].weight_s, comm.from_experts[layer])
        else:
            write.compute(pieces["experts"].weight_s if kind == BACKWARD else 0.0)
            write.wait(comm.expert_leave)
            write.wait(comm.from_experts[layer])
        write.compute(pieces["route"].seconds(kind))

    def _send_beside(self, collective: int, pieces: Pieces, kind: int) -> None:
        """Tokens to experts, with the shared experts beside that, or after it."""
        write, shared = self.writer, pieces.get("shared")
        if shared is None:
            write.wait(collective)
        elif self.parallel.overlap_experts:
            write.compute(shared.seconds(kind), collective, self.comm.shared_enter, self.comm.shared_leave)
        else:
            write.wait_for((self.comm.enter, self.comm.enter_beside))
            write.compute(shared.seconds(kind), NONE if kind == FORWARD else self.comm.again)
            write.wait_for((self.comm.leave, self.comm.leave_beside, collective))

    def _with_context(self, core_s: float, collective: int) -> None:
        """Attention with keys and values of other ranks: behind what is there already, or once all are there."""
        if self.parallel.context_exchange == "ring":
            self.writer.compute(core_s, collective)
        else:
            self.writer.wait(collective)
            self.writer.compute(core_s)

    def _enter_backward(self, kind: int) -> None:
        if kind != WEIGHT:
            self.writer.wait(self.comm.enter)

    def _gradients(self, piece: PieceTimes, kind: int, beside_input: int, summed: int = NONE) -> None:
        """Gradients of inputs, then of weights; the sum of the former runs beside the latter where both are here."""
        if kind != WEIGHT:
            self.writer.compute(piece.input_s, beside_input)
        if kind == BACKWARD and self.parallel.overlap_tensor_gradients:
            self.writer.compute(piece.weight_s, summed)
        elif kind == BACKWARD:
            self.writer.compute(piece.weight_s)
            self.writer.wait(summed)
        elif kind == INPUT:
            self.writer.wait(summed)
        else:
            self.writer.compute(piece.weight_s)
