"""Job to Program: the passes of every stage, with what they share among replicas."""

from dataclasses import dataclass

from cluster_sim.collectives import Groups, LinkCosts
from cluster_sim.tables import DP, Array
from cluster_sim.workload.communication import (
    Bucket,
    Replication,
    layer_collectives,
    send_activations,
)
from cluster_sim.workload.job import Job
from cluster_sim.workload.layers import LayerWriter
from cluster_sim.workload.program import REDUCE_PHASE, Program
from cluster_sim.workload.replicas import Replicas
from cluster_sim.workload.roofline import PieceTimes, Roofline
from cluster_sim.workload.schedules import BACKWARD, FORWARD, WEIGHT
from cluster_sim.workload.segments import Writer

#: Places of the embedding and of the output layer among the numbers of layers.
_INPUT, _OUTPUT = -1, -2


def plan(
    job: Job, domain: Array, pod: Array | None = None, costs: LinkCosts | None = None, seed: int = 0,
    torus: tuple[int, ...] = (), replicas: Replicas | None = None, endpoints: Array | None = None,
) -> Program:  # fmt: skip
    """The program of ``job``.

    Args:
        job: what to run.
        domain: int32[endpoints], scale-up domain of each.
        pod: int32[endpoints], pod of each; algorithms in three levels need it.
        costs: what messages cost; algorithms ``auto`` need it.
        seed: of what is drawn: which experts are popular.
        torus: sides of the torus of endpoints; bucket algorithms need it.
        replicas: which of its replicas go together, and how fast; None for all, at full pace.
        endpoints: int32[ranks], where each rank is; None for rank = endpoint.
    """
    program = Program(
        job, pod, costs, seed, torus, job.compute_slowdown_ratio, endpoints,
        replicas or Replicas.together(job.parallelism),
    )  # fmt: skip
    plain, repeating = job.roofline(), job.roofline(job.repeated_parts)
    for stage in range(job.parallelism.pipeline):
        _Stage(program, stage, domain, plain, repeating).write()
    send_activations(program, domain)
    _tie_embeddings(program, domain)
    return program


@dataclass(frozen=True, slots=True)
class _Item:
    """A layer, the embedding or the output layer of a chunk.

    Attributes:
        layer: its number, _INPUT or _OUTPUT.
        bucket: its parameters.
        repeats: whether the backward pass does its forward pass again first.
        repeats_parts: whether it does parts of it again.
    """

    layer: int
    bucket: Bucket
    repeats: bool = False
    repeats_parts: bool = False


class _Stage:
    """Writes the passes of one stage, in all its lanes."""

    def __init__(self, program: Program, stage: int, domain: Array, plain: Roofline, repeating: Roofline) -> None:
        self.program, self.stage, self.plain, self.repeating = program, stage, plain, repeating
        self.job, self.parallel = program.job, program.job.parallelism
        self.comm = {lane: layer_collectives(program, lane, domain) for lane in program.lanes_of(stage)}
        self.replication = Replication(program, stage, domain)

    def write(self) -> None:
        """All passes that the stage's order has, and what it does before and after them."""
        self.program.gathers[self.stage], self.program.reduces[self.stage] = [], []
        held, keys = Bucket(0.0, 0.0), sorted({(int(c), int(k), int(s)) for c, k, s in self.program.keys(self.stage)})
        for chunk in sorted({key[0] for key in keys}):
            items = self._items(chunk)
            for item in items:
                held = Bucket(held.dense + item.bucket.dense, held.experts + item.bucket.experts)
            gathers, reduces = self._shared(chunk, items)
            for _, kind, special in (key for key in keys if key[0] == chunk):
                for lane, comm in self.comm.items():
                    writer = LayerWriter(Writer(factor=self._factor(lane)), self.parallel, comm)
                    self._pass(writer, items, kind, special, gathers, reduces)
                    self.program.passes[lane, chunk, kind, special] = writer.writer.written
        shards = self.parallel.num_shards
        parameters = held.dense / shards[0] + held.experts / shards[1]
        for lane in self.comm:
            own_s = self.plain.optimizer_s(parameters) + self.plain.step_s
            self.program.optimizer_s[lane] = own_s * self._factor(lane)

    def _factor(self, lane: int) -> float:
        """How many times as long a lane computes."""
        return float(self.program.replicas.factor[lane // self.parallel.pipeline, self.stage])

    def _items(self, chunk: int) -> tuple[_Item, ...]:
        """In the order of the forward pass."""
        model, p, layout = self.job.model, self.parallel, self.program.layout
        vocabulary = model.embedding_parameters / p.tensor
        found = [_Item(_INPUT, Bucket(vocabulary, 0.0))] if layout.has_input(self.stage, chunk) else []
        again = layout.first_layers(self.stage, chunk, self.job.recompute_layers)
        for layer in layout.layers(self.stage, chunk):
            how = self.job.recompute if layer in again else "none"
            found.append(_Item(layer, self._parameters_of(layer), how == "full", how == "selective"))
        if layout.has_output(self.stage, chunk):
            is_shared = model.tied_embeddings and bool(found) and found[0].layer == _INPUT
            further = self._parameters_of(model.layers - 1)
            times = model.mtp_layers
            dense = 0.0 if is_shared else vocabulary
            joining = 2 * model.hidden**2 / p.tensor
            found.append(
                _Item(_OUTPUT, Bucket(dense + times * (further.dense + joining), times * further.experts))
            )  # fmt: skip
        return tuple(found)

    def _parameters_of(self, layer: int) -> Bucket:
        model, p = self.job.model, self.parallel
        experts = model.expert_parameters_of(layer) / (p.expert * p.expert_tensor)
        return Bucket(model.dense_parameters_of(layer) / p.tensor, experts)

    # --- what is shared among replicas

    def _shared(self, chunk: int, items: tuple[_Item, ...]) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
        """(gathers, reductions) by the item before or after which they run; what does not overlap goes to the step."""
        gathers: dict[int, list[int]] = {}
        reduces: dict[int, list[int]] = {}
        for number, (first, last) in enumerate(self._buckets(items)):
            members = items[first : last + 1]
            bucket = Bucket(sum(i.bucket.dense for i in members), sum(i.bucket.experts for i in members))
            label = f"bucket {chunk}.{number}"
            gathers[last if self.parallel.shards_parameters else first] = self.replication.gather(label, bucket)
            reduces[first] = self.replication.reduce(label, bucket)
        p = self.parallel
        if not (p.shards_parameters or p.gathers_ahead):
            self.program.gathers[self.stage] += [row for at in sorted(gathers) for row in gathers[at]]
            gathers = {}
        if not (p.shards_gradients or p.overlap_gradients):
            self.program.reduces[self.stage] += [row for at in sorted(reduces, reverse=True) for row in reduces[at]]
            reduces = {}
        return gathers, reduces

    def _buckets(self, items: tuple[_Item, ...]) -> list[tuple[int, int]]:
        """(first, last) item of each bucket, from the end on: that is the order in which gradients are complete."""
        least = 0 if self.parallel.shards_parameters else self.parallel.bucket_parameters
        found, last, held = [], len(items) - 1, 0.0
        for at in reversed(range(len(items))):
            held += items[at].bucket.dense + items[at].bucket.experts
            if held >= least or at == 0:
                found.append((at, last))
                last, held = at - 1, 0.0
        return found

    # --- passes

    def _pass(
        self, layers: LayerWriter, items: tuple[_Item, ...], kind: int, special: int, gathers: dict[int, list[int]],
        reduces: dict[int, list[int]],
    ) -> None:  # fmt: skip
        writer = layers.writer
        numbers = range(len(items)) if kind == FORWARD else reversed(range(len(items)))
        for at in numbers:
            self._gather(writer, items[at], gathers.get(at, []), kind, special)
            self._item(layers, items[at], kind)
            if kind in (BACKWARD, WEIGHT) and (special or self.parallel.shards_gradients):
                (writer.behind if self.parallel.overlap_gradients else writer.wait_for)(reduces.get(at, ()))

    def _gather(self, writer: Writer, item: _Item, rows: list[int], kind: int, special: int) -> None:
        """What an item needs of the parameters that others hold.

        ZeRO-3 lets go of them between computing a layer again and its backward pass, gathers each tensor by itself and
        copies it out of what the ranks sent.
        """
        p = self.parallel
        if not ((p.shards_parameters and kind != WEIGHT) or (special and kind == FORWARD)):
            return
        times = 2 if p.sharding == "zero3" and item.repeats and kind != FORWARD else 1
        (writer.ahead if p.gathers_ahead else writer.wait_for)(rows * times)
        if p.sharding == "zero3" and item.layer >= 0:
            writer.compute(times * self.plain.unpack_s(p.num_replicas))

    def _item(self, layers: LayerWriter, item: _Item, kind: int) -> None:
        if item.layer == _INPUT:
            layers.writer.compute(_seconds(self.plain.embedding(), kind))
        elif item.layer == _OUTPUT:
            self._output(layers, kind)
        elif kind == FORWARD:
            layers.forward(self.plain.pieces(item.layer), item.layer)
        else:
            pieces = (self.repeating if item.repeats_parts else self.plain).pieces(item.layer)
            if item.repeats and kind != WEIGHT:
                layers.forward(self.plain.pieces(item.layer), item.layer)
            layers.backward(pieces, item.layer, kind)

    def _output(self, layers: LayerWriter, kind: int) -> None:
        """The output layer, and the layers for further tokens with one each."""
        write, last = layers.writer, self.job.model.layers - 1
        for further in range(self.job.model.mtp_layers + 1):
            if further and kind == FORWARD:
                write.compute(self.plain.mtp().forward_s)
                layers.forward(self.plain.pieces(last), last)
            elif further:
                layers.backward(self.plain.pieces(last), last, kind)
                write.compute(_seconds(self.plain.mtp(), kind))
            layers.head(self.plain.head(), kind)


def _seconds(piece: PieceTimes, kind: int) -> float:
    if kind == FORWARD:
        return piece.forward_s
    return {BACKWARD: piece.backward_s, WEIGHT: piece.weight_s}.get(kind, piece.input_s)


def _tie_embeddings(program: Program, domain: Array) -> None:
    """First and last stage add up the gradients of the embedding that they share."""
    job, p = program.job, program.job.parallelism
    if not job.model.tied_embeddings:
        return
    ways = program.schedule.ways(p.pipeline, p.virtual_stages)
    ends = {tuple(sorted((way[0][0], way[-1][0]))) for way in ways}
    for first, last in sorted(ends):
        if first != last:
            size_bytes = job.model.embedding_parameters / p.tensor * job.gradient_bytes
            groups = Groups(p.pairs(first, last), domain)
            name = "dp all-reduce of tied embedding"
            row = program.add(name, DP, "all_reduce", first, groups, size_bytes, REDUCE_PHASE)
            program.ties.append((row, (first, last)))
