"""How long a stage computes in a step, whatever it waits for."""

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from cluster_sim.catalogue import Compute
from cluster_sim.workload.job import Job
from cluster_sim.workload.layout import Layout
from cluster_sim.workload.roofline import PieceTimes, Roofline
from cluster_sim.workload.schedules import SCHEDULES


class _Kind(NamedTuple):
    """Layers that take equally long: one of them, and how it is recomputed."""

    layer: int
    recompute: str


@dataclass(frozen=True, slots=True)
class _Content:
    """What a stage computes for a microbatch: layers by kind, embeddings, output layers."""

    layers: tuple[tuple[_Kind, int], ...]
    inputs: int
    outputs: int


@dataclass(frozen=True, slots=True)
class Load:
    """What the stages of a job have to compute in a step.

    Attributes:
        job: the job.
        contents: of its stages, each once.
        num_passes: microbatches that go over a stage, each way.
    """

    job: Job
    contents: frozenset[_Content]
    num_passes: float

    @classmethod
    def of(cls, job: Job) -> "Load":
        """The load of a job."""
        p, layout = job.parallelism, job.layout
        ways = SCHEDULES[job.schedule].ways(p.pipeline, p.virtual_stages)
        contents = frozenset(_content(job, layout, stage) for stage in range(p.pipeline))
        return cls(job, contents, job.num_microbatches / len(ways))

    def busiest_s(self, reached: Compute | None = None) -> float:
        """Seconds that the stage with most to do computes: all passes of a step, without the optimiser.

        Args:
            reached: what kernels reach of the peaks; None for what they reach in the job.
        """
        job = self.job if reached is None else self.job.model_copy(update={"kernels": reached})
        plain, repeating = job.roofline(), job.roofline(job.repeated_parts)
        return self.num_passes * max(_content_s(job, content, plain, repeating) for content in self.contents)


def _content(job: Job, layout: Layout, stage: int) -> _Content:
    model = job.model
    kinds: Counter[_Kind] = Counter()
    alike: dict[tuple[bool, float], int] = {}
    chunks = layout.chunks(stage)
    for chunk in chunks:
        again = layout.first_layers(stage, chunk, job.recompute_layers)
        for layer in layout.layers(stage, chunk):
            one = alike.setdefault((model.has_experts(layer), model.attended(layer)), layer)
            kinds[_Kind(one, job.recompute if layer in again else "none")] += 1
    return _Content(
        tuple(sorted(kinds.items())), sum(layout.has_input(stage, chunk) for chunk in chunks),
        sum(layout.has_output(stage, chunk) for chunk in chunks),
    )  # fmt: skip


def _content_s(job: Job, content: _Content, plain: Roofline, repeating: Roofline) -> float:
    """One microbatch forward and backward."""
    total_s = 0.0
    for kind, count in content.layers:
        pieces = (repeating if kind.recompute == "selective" else plain).pieces(kind.layer).values()
        again_s = sum(piece.forward_s for piece in pieces) if kind.recompute == "full" else 0.0
        total_s += count * (sum(map(_both_s, pieces)) + again_s)
    if content.inputs:
        total_s += content.inputs * _both_s(plain.embedding())
    if content.outputs:
        further, times = 0.0, job.model.mtp_layers
        if times:
            further = sum(map(_both_s, plain.pieces(job.model.layers - 1).values())) + _both_s(plain.mtp())
        total_s += content.outputs * ((1 + times) * _both_s(plain.head()) + times * further)
    return total_s


def _both_s(piece: PieceTimes) -> float:
    return piece.forward_s + piece.backward_s
