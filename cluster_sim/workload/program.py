"""What the stages of a job do: passes as templates of segments, and the collectives they run."""

from dataclasses import dataclass, field, replace

import numpy as np

from cluster_sim.collectives import (
    AUTO,
    COLLECTIVES,
    Estimate,
    Groups,
    LinkCosts,
    all_to_all_of,
    choose,
    estimates,
    shape_on,
)
from cluster_sim.tables import DP, EP, NONE, PP, TP, Array, Collective, Traffic
from cluster_sim.workload.compute import Parts, Roofline
from cluster_sim.workload.job import Job
from cluster_sim.workload.popularity import token_matrix

#: Settings of the OCS that a step goes through, in order.
PHASES = ("gather", "pipeline", "reduce")
_GATHER, _PIPELINE, _REDUCE = range(3)

_BF16 = 2


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a pass: either compute for ``compute_s``, or one run of a collective that the stage waits for.

    Attributes:
        compute_s: time the accelerators compute.
        fused_s: time of communication fused into it.
        collective: row of the program's collectives, NONE for compute.
        bucket: gradients that are complete after it (in the last microbatch), NONE for none.
    """

    compute_s: float = 0.0
    fused_s: float = 0.0
    collective: int = NONE
    bucket: int = NONE


Pass = tuple[Segment, ...]


@dataclass(slots=True)
class Program:
    """All that a job's schedule is made of.

    Attributes:
        job: the job.
        seed: of what is drawn for it.
        collectives: every communication pattern.
        passes: segments by (stage, chunk, is_backward).
        sends: point-to-point pattern by (stage, is_backward); forward to the next stage, backward to the previous.
        gathers: parameter all-gathers by stage, in order.
        reduces: gradient reductions by (stage, chunk, bucket).
        optimizer_s: by stage.
        traffics: what has been laid out already; collectives that differ only in size share theirs.
        pod: int32[endpoints], pod of each; None where nobody asks.
        torus: sides of the torus of endpoints; () for none.
        costs: what messages cost, for algorithms that are chosen by size; None where none is.
        expected: what the cost model says of the algorithms for an operation in some groups.
    """

    job: Job
    pod: Array | None = None
    costs: LinkCosts | None = None
    seed: int = 0
    torus: tuple[int, ...] = ()
    collectives: list[Collective] = field(default_factory=list)
    passes: dict[tuple[int, int, int], Pass] = field(default_factory=dict)
    sends: dict[tuple[int, int], int] = field(default_factory=dict)
    gathers: dict[int, list[int]] = field(default_factory=dict)
    reduces: dict[tuple[int, int, int], list[int]] = field(default_factory=dict)
    optimizer_s: dict[int, float] = field(default_factory=dict)
    traffics: dict[tuple[str, tuple[int, ...], bytes], Traffic] = field(default_factory=dict)
    expected: dict[tuple[str, tuple[int, ...], bytes], tuple[Estimate, ...]] = field(default_factory=dict)

    def add(
        self, name: str, kind: int, operation: str, stage: int, groups: Groups, size_bytes: float, phase: int
    ) -> int:
        """The row of a new collective."""
        groups = replace(groups, pod=self.pod, shape=shape_on(self.torus, groups.ranks))
        ranks = groups.ranks.tobytes()
        algorithm = self._algorithm(operation, groups, ranks, size_bytes)
        key = (algorithm, groups.ranks.shape, ranks)
        if key not in self.traffics:
            chosen = COLLECTIVES[algorithm]
            in_steps = self.job.algorithms.detail == "steps"
            self.traffics[key] = chosen.step_by_step(groups, 1.0) if in_steps else chosen(groups, 1.0)
        self.collectives.append(
            Collective(
                name=f"{name}, stage {stage}",
                kind=kind,
                algorithm=algorithm,
                stage=stage,
                phase=phase,
                traffic=self.traffics[key],
                size_bytes=size_bytes,
                num_ranks=groups.size,
            )  # fmt: skip
        )
        return len(self.collectives) - 1

    def _algorithm(self, operation: str, groups: Groups, ranks: bytes, size_bytes: float) -> str:
        """Name of the algorithm that the job has chosen, or left to the cost model; point-to-point is just that."""
        name = self.job.algorithms.chosen.get(operation, operation)
        if name != AUTO:
            return name
        assert self.costs is not None, "auto needs to know what messages cost"
        key = (operation, groups.ranks.shape, ranks)
        if key not in self.expected:
            self.expected[key] = estimates(operation, groups, self.costs)
        return choose(self.expected[key], size_bytes)

    def add_tokens(self, name: str, stage: int, groups: Groups, matrix: Array, size_bytes: float, layer: int) -> int:
        """The row of a new all-to-all with float64[n, n] of ``size_bytes`` from rank to rank."""
        self.collectives.append(
            Collective(
                name=f"{name} of layer {layer}, stage {stage}", kind=EP, algorithm="all_to_all", stage=stage,
                phase=_PIPELINE, traffic=all_to_all_of(groups, matrix), size_bytes=size_bytes, num_ranks=groups.size,
                layer=layer,
            )
        )  # fmt: skip
        return len(self.collectives) - 1

    def num_runs(self) -> Array:
        """int64[collectives]: how often a step runs each."""
        runs = np.zeros(len(self.collectives), np.int64)
        for segments in self.passes.values():
            for segment in segments:
                if segment.collective != NONE:
                    runs[segment.collective] += self.job.num_microbatches
        p = self.job.parallelism
        for (stage, is_backward), send in self.sends.items():
            runs[send] = self.job.num_microbatches * (p.virtual_stages - _goes_round(self.job, stage, is_backward))
        for rows in (*self.gathers.values(), *self.reduces.values()):
            runs[rows] = 1
        return runs


def plan(
    job: Job, domain: Array, pod: Array | None = None, costs: LinkCosts | None = None, seed: int = 0,
    torus: tuple[int, ...] = (),
) -> Program:  # fmt: skip
    """The program of ``job`` on endpoints 0..n-1.

    Args:
        job: what to run.
        domain: int32[endpoints], scale-up domain of each.
        pod: int32[endpoints], pod of each; algorithms in three levels need it.
        costs: what messages cost; algorithms ``auto`` need it.
        seed: of what is drawn: which experts are popular.
        torus: sides of the torus of endpoints; bucket algorithms need it.
    """
    program = Program(job, pod, costs, seed, torus)
    roofline = Roofline(job.accelerator_entry, job.model, job.parallelism, job.micro_batch)
    for stage in range(job.parallelism.pipeline):
        blocking = _blocking_collectives(program, stage, domain)
        for chunk in range(job.parallelism.virtual_stages):
            program.passes[stage, chunk, 0] = _forward(job, roofline, blocking, stage, chunk)
            program.passes[stage, chunk, 1] = _backward(job, roofline, blocking, stage, chunk)
        _send_activations(program, stage, domain)
        _share_gradients(program, roofline, stage, domain)
    return program


@dataclass(frozen=True, slots=True)
class _Blocking:
    """Collectives that a stage waits for: entering and leaving a tensor-parallel part, and experts; NONE for none.

    ``experts`` has (to them, back from them) for each layer of the stage, chunk by chunk.
    """

    enter: int
    leave: int
    experts: tuple[tuple[int, int], ...]


def _blocking_collectives(program: Program, stage: int, domain: Array) -> _Blocking:
    job, p = program.job, program.job.parallelism
    tokens = job.micro_batch * job.model.sequence
    size_bytes = float(tokens * job.model.hidden * _BF16)
    groups = Groups(p.tensor_groups(stage), domain)
    enter = leave = NONE
    if p.tensor > 1 and p.sequence:
        enter = program.add("tp all-gather", TP, "all_gather", stage, groups, size_bytes, _PIPELINE)
        leave = program.add("tp reduce-scatter", TP, "reduce_scatter", stage, groups, size_bytes, _PIPELINE)
    elif p.tensor > 1:
        leave = program.add("tp all-reduce", TP, "all_reduce", stage, groups, size_bytes, _PIPELINE)
    return _Blocking(enter, leave, _expert_collectives(program, stage, domain, size_bytes / p.tensor))


def _expert_collectives(
    program: Program, stage: int, domain: Array, tokens_bytes: float
) -> tuple[tuple[int, int], ...]:
    """(to the experts, back) for each layer of a stage; one for all where experts are equally popular."""
    job, p, experts = program.job, program.job.parallelism, program.job.model.experts
    num_layers = _layers(job) * p.virtual_stages
    if not experts or p.expert == 1:
        return ((NONE, NONE),) * num_layers
    groups = Groups(p.expert_groups(stage), domain)
    sent_bytes = tokens_bytes * experts.per_token
    if not experts.popularity:
        both = program.add("ep all-to-all", EP, "all_to_all", stage, groups, sent_bytes, _PIPELINE)
        return ((both, both),) * num_layers
    found = []
    for number in range(num_layers):
        chunk, layer = divmod(number, _layers(job))
        layer += (chunk * p.pipeline + stage) * _layers(job)
        matrix = token_matrix(experts, p.expert, program.seed, layer)
        found.append((
            program.add_tokens("ep dispatch", stage, groups, matrix, sent_bytes, layer),
            program.add_tokens("ep combine", stage, groups, matrix.T, sent_bytes, layer),
        ))  # fmt: skip
    return tuple(found)


def _forward(job: Job, roofline: Roofline, comm: _Blocking, stage: int, chunk: int) -> Pass:
    """Embedding, layers, output layer: whatever the stage has of them."""
    segments = [Segment(compute_s=roofline.embedding_s())] if _is_first(stage, chunk) else []
    for layer in range(_layers(job)):
        segments += _layer_forward(roofline.forward(), comm, chunk * _layers(job) + layer)
    if _is_last(job, stage, chunk):
        segments.append(Segment(compute_s=roofline.head_s(backward=False)))
    return tuple(segments)


def _layer_forward(parts: Parts, comm: _Blocking, layer: int) -> list[Segment]:
    attention = _inside(Segment(compute_s=parts.attention_s), comm.enter, comm.leave)
    if not parts.experts_s:
        return attention + _inside(Segment(compute_s=parts.mlp_s), comm.enter, comm.leave)
    return [*attention, Segment(compute_s=parts.mlp_s + parts.router_s / 2), *_experts(parts, comm, layer)]


def _backward(job: Job, roofline: Roofline, comm: _Blocking, stage: int, chunk: int) -> Pass:
    """The forward pass in reverse, with what is computed again; gradients of a layer are a bucket."""
    segments = [Segment(compute_s=roofline.head_s(backward=True))] if _is_last(job, stage, chunk) else []
    forward, backward = roofline.forward(), roofline.backward()
    first = (chunk + 1) * _layers(job) - 1
    core_s = forward.core_s if job.recompute == "selective" and job.model.attention == "unfused" else 0.0
    for layer in range(_layers(job)):
        if job.recompute == "full":
            segments += _layer_forward(forward, comm, first - layer)
        segments += _layer_backward(backward, core_s, comm, first - layer)
        segments[-1] = replace(segments[-1], bucket=layer)
    if _is_first(stage, chunk):
        segments.append(Segment(compute_s=roofline.embedding_s(), bucket=_layers(job)))
    return tuple(segments)


def _layer_backward(parts: Parts, core_s: float, comm: _Blocking, layer: int) -> list[Segment]:
    """Leaving backward is entering: what was reduced forward is gathered, and the other way round."""
    attention = _inside(Segment(compute_s=parts.attention_s + core_s), comm.enter, comm.leave)
    if not parts.experts_s:
        return _inside(Segment(compute_s=parts.mlp_s), comm.enter, comm.leave) + attention
    return [*_experts(parts, comm, layer), Segment(compute_s=parts.mlp_s + parts.router_s / 2), *attention]


def _experts(parts: Parts, comm: _Blocking, layer: int) -> list[Segment]:
    """Dispatch, compute, combine, and put tokens back in order; backward their gradients go the same ways."""
    experts = _inside(Segment(compute_s=parts.experts_s), *comm.experts[layer])
    return [*experts, Segment(compute_s=parts.router_s / 2)]


def _inside(segment: Segment, before: int, after: int) -> list[Segment]:
    return (
        ([Segment(collective=before)] if before != NONE else [])
        + [segment]
        + ([Segment(collective=after)] if after != NONE else [])
    )


def _send_activations(program: Program, stage: int, domain: Array) -> None:
    """To the next stage forward, to the previous one backward; the last and the first close the ring of chunks.

    Every tensor rank sends its share, whether or not the layers are split along the sequence [Narayanan et al. 2021,
    sec. 4.1, scatter/gather].
    """
    job, p = program.job, program.job.parallelism
    if p.pipeline == 1:
        return
    size_bytes = job.micro_batch * job.model.sequence * job.model.hidden * _BF16 / p.tensor
    for is_backward, other in ((0, (stage + 1) % p.pipeline), (1, (stage - 1) % p.pipeline)):
        if _goes_round(job, stage, is_backward) and p.virtual_stages == 1:
            continue
        groups = Groups(p.pairs(stage, other), domain)
        name = f"pp {'backward' if is_backward else 'forward'} to {other}"
        program.sends[stage, is_backward] = program.add(
            name, PP, "point_to_point", stage, groups, size_bytes, _PIPELINE
        )


def _share_gradients(program: Program, roofline: Roofline, stage: int, domain: Array) -> None:
    """Reductions bucket by bucket, all-gathers of new parameters, and the optimiser in between."""
    job, p, m = program.job, program.job.parallelism, program.job.model
    dense, experts = m.dense_parameters / p.tensor, m.expert_parameters / p.expert
    embedding = m.embedding_parameters / p.tensor
    is_shared = m.tied_embeddings and p.pipeline == 1  # the first stage is the last, and holds one copy for both
    held = [0.0, 0.0]
    program.gathers[stage] = []
    for chunk in range(p.virtual_stages):
        has_input, has_output = _is_first(stage, chunk), _is_last(job, stage, chunk)
        for bucket in range(_layers(job) + has_input):
            is_embedding = bucket == _layers(job)
            parameters = (
                embedding if is_embedding else dense + embedding * (has_output and bucket == 0 and not is_shared)
            )
            sizes = (parameters, 0.0 if is_embedding else experts)
            held = [held[0] + sizes[0], held[1] + sizes[1]]
            program.reduces[stage, chunk, bucket] = _reduce_and_gather(program, stage, chunk, bucket, sizes, domain)
    shards = (p.data, p.expert_data) if p.sharding == "zero1" else (1, 1)
    program.optimizer_s[stage] = roofline.optimizer_s(held[0] / shards[0] + held[1] / shards[1])


def _reduce_and_gather(
    program: Program, stage: int, chunk: int, bucket: int, sizes: tuple[float, float], domain: Array
) -> list[int]:
    """Rows of the reductions of a bucket: dense parameters over data ranks, experts over who holds the same ones."""
    job, p = program.job, program.job.parallelism
    zero1 = p.sharding == "zero1"
    operation = "reduce_scatter" if zero1 else "all_reduce"
    what = "reduce-scatter" if zero1 else "all-reduce"
    rows = []
    for name, parameters, ranks in (
        ("dense", sizes[0], p.data_groups),
        ("expert", sizes[1], p.expert_data_groups),
    ):
        groups = Groups(ranks(stage), domain)
        if not parameters or groups.size == 1:
            continue
        label = f"of {name} bucket {chunk}.{bucket}"
        size_bytes = parameters * job.gradient_bytes
        rows.append(program.add(f"dp {what} {label}", DP, operation, stage, groups, size_bytes, _REDUCE))
        if zero1:
            gather = program.add(
                f"dp all-gather {label}",
                DP,
                "all_gather",
                stage,
                groups,
                parameters * _BF16,
                _GATHER,
            )
            program.gathers[stage].append(gather)
    return rows


def _goes_round(job: Job, stage: int, is_backward: int) -> bool:
    """True for a send that closes the ring of chunks: forward from the last stage, backward from the first."""
    return stage == (0 if is_backward else job.parallelism.pipeline - 1)


def _layers(job: Job) -> int:
    """Layers of a chunk."""
    return job.model.layers // (job.parallelism.pipeline * job.parallelism.virtual_stages)


def _is_first(stage: int, chunk: int) -> bool:
    return stage == 0 and chunk == 0


def _is_last(job: Job, stage: int, chunk: int) -> bool:
    return stage == job.parallelism.pipeline - 1 and chunk == job.parallelism.virtual_stages - 1
