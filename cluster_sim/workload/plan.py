"""Job to Program: the passes of every stage, with what they share among replicas."""

from collections.abc import Sequence
from dataclasses import dataclass

from cluster_sim.collectives import Groups, LinkCosts
from cluster_sim.tables import DP, Array
from cluster_sim.workload.buckets import Bucket, input_bucket, layer_bucket, output_bucket
from cluster_sim.workload.communication import Replication, layer_collectives, send_activations
from cluster_sim.workload.job import Job
from cluster_sim.workload.layers import LayerWriter
from cluster_sim.workload.program import REDUCE_PHASE, Program
from cluster_sim.workload.replicas import Replicas
from cluster_sim.workload.roofline import Roofline
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
    stages = range(job.parallelism.pipeline)
    parameters = [_Stage(program, stage, domain, plain, repeating).write() for stage in stages]
    send_activations(program, domain)
    _add_up_copies(program, domain, parameters)
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

    def write(self) -> float:
        """All passes that the stage's order has, and what it does before and after them.

        Returns:
            parameters that a rank updates.
        """
        self.program.gathers[self.stage], self.program.reduces[self.stage] = [], []
        held, keys = Bucket(), sorted({(int(c), int(k), int(s)) for c, k, s in self.program.keys(self.stage)})
        for chunk in sorted({key[0] for key in keys}):
            items = self._items(chunk)
            held = sum((item.bucket for item in items), held)
            gathers, reduces = self._shared(chunk, items)
            for _, kind, special in (key for key in keys if key[0] == chunk):
                for lane, comm in self.comm.items():
                    writer = LayerWriter(Writer(factor=self._factor(lane)), self.parallel, comm)
                    self._pass(writer, items, kind, special, gathers, reduces)
                    self.program.passes[lane, chunk, kind, special] = writer.writer.written
        parameters = held.shard(self.parallel.num_shards).total
        for lane in self.comm:
            own_s = self.plain.optimizer_s(parameters) + self.plain.step_s
            self.program.optimizer_s[lane] = own_s * self._factor(lane)
        return parameters

    def _factor(self, lane: int) -> float:
        """How many times as long a lane computes."""
        return float(self.program.replicas.factor[lane // self.parallel.pipeline, self.stage])

    def _items(self, chunk: int) -> tuple[_Item, ...]:
        """In the order of the forward pass."""
        model, p, layout = self.job.model, self.parallel, self.program.layout
        has_input = layout.has_input(self.stage, chunk)
        found = [_Item(_INPUT, input_bucket(model, p))] if has_input else []
        repeated = layout.first_layers(self.stage, chunk, self.job.recompute_layers)
        for layer in layout.layers(self.stage, chunk):
            how = self.job.recompute if layer in repeated else "none"
            found.append(_Item(layer, layer_bucket(model, p, layer), how == "full", how == "selective"))
        if layout.has_output(self.stage, chunk):
            found.append(_Item(_OUTPUT, output_bucket(model, p, has_input)))
        return tuple(found)

    # --- what is shared among replicas

    def _shared(self, chunk: int, items: tuple[_Item, ...]) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
        """(gathers, reductions) by the item before or after which they run; what does not overlap goes to the step."""
        gathers: dict[int, list[int]] = {}
        reduces: dict[int, list[int]] = {}
        for number, (first, last) in enumerate(self._buckets(items)):
            bucket = sum((item.bucket for item in items[first : last + 1]), Bucket())
            label = f"bucket {chunk}.{number}"
            gathers[first] = self.replication.gather(label, bucket)
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
            held += items[at].bucket.total
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
            layers.writer.compute(self.plain.embedding().seconds(kind))
        elif item.layer == _OUTPUT:
            layers.output(self.plain, kind)
        elif kind == FORWARD:
            layers.forward(self.plain.pieces(item.layer), item.layer)
        else:
            pieces = (self.repeating if item.repeats_parts else self.plain).pieces(item.layer)
            if item.repeats and kind != WEIGHT:
                layers.forward(self.plain.pieces(item.layer), item.layer)
            layers.backward(pieces, item.layer, kind)


def _add_up_copies(program: Program, domain: Array, parameters: Sequence[float]) -> None:
    """Where a schedule goes two ways, a stage and its mirror hold the same layers, and add up their gradients.

    Args:
        program: gets the collectives.
        domain: int32[endpoints], scale-up domain of each.
        parameters: by stage, what a rank has the gradients of once replicas have reduced theirs.
    """
    p = program.job.parallelism
    for stage in range(p.pipeline // 2 if program.schedule.is_two_way else 0):
        _tie(program, domain, "both copies", (stage, p.pipeline - 1 - stage), parameters[stage])


def _tie_embeddings(program: Program, domain: Array) -> None:
    """First and last stage add up the gradients of the embedding that they share."""
    job, p = program.job, program.job.parallelism
    if not job.model.tied_embeddings:
        return
    ways = program.schedule.ways(p.pipeline, p.virtual_stages)
    ends = {tuple(sorted((way[0][0], way[-1][0]))) for way in ways}
    for first, last in sorted(ends):
        if first != last:
            parameters = job.model.embedding_parameters / p.tensor
            _tie(program, domain, "tied embedding", (first, last), parameters)


def _tie(program: Program, domain: Array, what: str, stages: tuple[int, int], parameters: float) -> None:
    """Ranks of two stages add up the gradients of parameters that both have, pair by pair."""
    groups, size_bytes = Groups(program.job.parallelism.pairs(*stages), domain), parameters * program.job.gradient_bytes
    row = program.add(f"dp all-reduce of {what}", DP, "all_reduce", stages[0], groups, size_bytes, REDUCE_PHASE)
    program.ties.append((row, stages))
