"""How long a pass through one layer takes by itself, and what of that is which communication, without a simulation."""

from collections.abc import Callable, Iterable

import numpy as np

from cluster_sim.tables import CP, EP, NONE, TP, Array
from cluster_sim.workload.exchanges import LayerCollectives, exchanges
from cluster_sim.workload.job import Job
from cluster_sim.workload.layers import LayerWriter
from cluster_sim.workload.roofline import Roofline
from cluster_sim.workload.schedules import FORWARD
from cluster_sim.workload.segments import Segment, Writer

#: Parts of a pass, in the order of its times.
PASS_PARTS = ("compute", "tp", "cp", "ep")
#: Time of a collective: operation, who takes part (``tensor``, ``context``, ``expert`` or ``expert_tensor``), bytes of
#: its buffer; NaN where there is nobody to talk to.
CollectiveSeconds = Callable[[str, str, float], float]

_PLACE = {TP: 1, CP: 2, EP: 3}


class LayerTimes:
    """Times of the layers of a job, by part.

    Args:
        job: how it is split decides; pipeline and data ranks do not matter.
        seconds_of: time of each collective when nothing else is on its links.
        num_domains: scale-up domains over which a group of expert ranks lies.
    """

    def __init__(self, job: Job, seconds_of: CollectiveSeconds, num_domains: int) -> None:
        self.job, self.parallel, self.slowdown = job, job.parallelism, job.compute_slowdown_ratio
        self.plain: Roofline = job.roofline()
        self.repeating: Roofline = job.roofline(job.repeated_parts) if job.repeated_parts else self.plain
        self.kinds: list[int] = []
        self.seconds: list[float] = []
        self.comm = self._collectives(seconds_of, num_domains)

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
        writer = Writer()
        LayerWriter(writer, self.parallel, self.comm).output(self.plain, kind)
        return self._seconds(writer.written)

    def input(self, kind: int) -> Array:
        """float64[4]: the same for the input embedding."""
        return np.array([self.plain.embedding().seconds(kind), 0.0, 0.0, 0.0])

    def _collectives(self, seconds_of: CollectiveSeconds, num_domains: int) -> LayerCollectives:
        """With numbers of rows that are places in ``seconds``."""
        rows: dict[str, int] = {}
        for name, one in exchanges(self.job, num_domains).items():
            time_s = seconds_of(one.operation, one.among, one.size_bytes)
            if time_s == time_s:
                rows[name] = len(self.seconds)
                self.kinds.append(one.kind)
                self.seconds.append(time_s)
        rows.setdefault("context_back", rows.get("context", NONE))
        tokens = dict.fromkeys(range(self.job.model.layers), rows.pop("tokens", NONE))
        return LayerCollectives(tokens, tokens, **rows)

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
