"""How long a stage computes in a step, whatever it waits for."""

from cluster_sim.workload.job import Job
from cluster_sim.workload.roofline import PieceTimes, Roofline
from cluster_sim.workload.schedules import SCHEDULES


def busiest_s(job: Job) -> float:
    """Seconds that the stage with most to do computes: all passes of a step, without the optimiser."""
    plain, repeating = job.roofline(), job.roofline(job.repeated_parts)
    ways = SCHEDULES[job.schedule].ways(job.parallelism.pipeline, job.parallelism.virtual_stages)
    passes = job.num_microbatches / len(ways)
    return passes * max(
        sum(_chunk_s(job, plain, repeating, stage, chunk) for chunk in job.layout.chunks(stage))
        for stage in range(job.parallelism.pipeline)
    )


def _chunk_s(job: Job, plain: Roofline, repeating: Roofline, stage: int, chunk: int) -> float:
    """One microbatch forward and backward."""
    layers, layout = job.layout.layers(stage, chunk), job.layout
    most = job.recompute_layers or job.model.layers
    total_s = 0.0
    for number, layer in enumerate(layers):
        again = job.recompute if number < most else "none"
        pieces = (repeating if again == "selective" else plain).pieces(layer).values()
        total_s += sum(map(_both_s, pieces)) + (again == "full") * sum(piece.forward_s for piece in pieces)
    if layout.has_input(stage, chunk):
        total_s += _both_s(plain.embedding())
    if layout.has_output(stage, chunk):
        further_s = sum(map(_both_s, plain.pieces(job.model.layers - 1).values())) + _both_s(plain.mtp())
        total_s += (1 + job.model.mtp_layers) * _both_s(plain.head()) + job.model.mtp_layers * further_s
    return total_s


def _both_s(piece: PieceTimes) -> float:
    return piece.forward_s + piece.backward_s
