"""Every way to split a job that divides and fits, and how many others there are, by the first reason against them.

All combinations are counted, as Calculon does [Isaev et al. 2023]; whole branches fall at once, and no Job is checked
field by field. What is left over is what Job would accept.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product

from cluster_sim.core import InputError
from cluster_sim.workload.activations import Activations
from cluster_sim.workload.job import MOST_LAYER_PASSES, MOST_MICROBATCHES, Job
from cluster_sim.workload.layout import Layout, layers_of, why_not_dealt
from cluster_sim.workload.memory import StageMemory
from cluster_sim.workload.parallel import Parallelism
from cluster_sim.workload.plan_space import PlanSpace, Recompute, Split, unchecked_job_with
from cluster_sim.workload.schedules import SCHEDULES

#: Tokens that a context rank has at least, and sequences of a micro-batch at most, where nobody says.
_LEAST_TOKENS, _MOST_SEQUENCES = 1024, 16
#: Schedules with one chunk of layers a stage.
_PLAIN = ("1f1b", "gpipe", "zb-h1")
#: Schedules under which a stage holds no more after some passes of its steady state.
_STEADY = ("1f1b", "interleaved", "zb-h1", "dualpipe")
#: (micro_batch, recompute).
_Inner = tuple[int, Recompute]


@dataclass(slots=True)
class Found:
    """What a search of splits has found.

    Attributes:
        splits: all that divide and fit, in the order of the search.
        memory_bytes: of each, on its fullest stage, by kind.
        fallen: how many do not, by the first reason.
        tried: values of each choice.
    """

    splits: list[Split] = field(default_factory=list)
    memory_bytes: list[dict[str, float]] = field(default_factory=list)
    fallen: Counter[str] = field(default_factory=Counter)
    tried: dict[str, tuple[int | str, ...]] = field(default_factory=dict)

    @property
    def num_tried(self) -> int:
        """Combinations."""
        return len(self.splits) + self.fallen.total()


def search(job: Job, space: PlanSpace, domain: int | None = None) -> Found:
    """Go through all splits of ``job`` in ``space``.

    Args:
        job: its own split does not count.
        space: which values.
        domain: accelerators of a scale-up domain; None for those of the catalogue.
    """
    return _Search(job, space, domain or int(job.accelerator_entry.scale_up_domain.typical)).run()


class _Search:
    """Degrees outermost, then schedules, experts and sharding, micro-batches and recomputation innermost."""

    def __init__(self, job: Job, space: PlanSpace, domain: int) -> None:
        self.job, self.space, self.model, self.domain = job, space, job.model, domain
        self.memory = _Memory(job, space.memory_ratio)
        self.found = Found(tried=self._tried())

    def run(self) -> Found:
        """All degrees."""
        tried = self.found.tried
        for tensor, context, pipeline in product(tried["tensor"], tried["context"], tried["pipeline"]):
            assert isinstance(tensor, int)
            assert isinstance(context, int)
            assert isinstance(pipeline, int)
            self._degrees(tensor, context, pipeline)
        return self.found

    def _degrees(self, tensor: int, context: int, pipeline: int) -> None:
        pipes, experts, batches = self._pipes(pipeline), self._experts(tensor), self._micro_batches
        shardings, num_recompute = self._shardings(pipeline), len(self.space.recompute)
        each = len(experts) * len(shardings) * num_recompute
        if why := self._why_not_degrees(tensor, context, pipeline):
            self.found.fallen[why] += len(pipes) * len(batches) * each
            return
        data = self.job.accelerators // (tensor * context * pipeline)
        for schedule, chunks in pipes:
            split = Split(tensor, context, pipeline, data, 1, 1, chunks, 1, schedule, "none", "none")
            if why := self._why_not_dealt(split):
                self.found.fallen[why] += len(batches) * each
                continue
            reasons = {batch: self._why_no_batch(split._replace(micro_batch=batch)) for batch in batches}
            for why in filter(None, reasons.values()):
                self.found.fallen[why] += each
            inner = list(product((batch for batch in batches if not reasons[batch]), self.space.recompute))
            self._with_experts(split, experts, shardings, inner)

    def _with_experts(
        self, split: Split, experts: list[tuple[int, int]], shardings: tuple[str, ...], inner: list[_Inner]
    ) -> None:
        for (expert, inside), sharding in product(experts, shardings):
            whole = split._replace(expert=expert, expert_tensor=inside, sharding=sharding)
            if why := self._why_no_experts(whole):
                self.found.fallen[why] += len(inner)
            elif inner:
                self._sharded(whole, inner)

    def _sharded(self, split: Split, inner: list[_Inner]) -> None:
        """What fits neither way is not looked at for every micro-batch."""
        if why := self._why_not_shared(split) or self.memory.why_no_state(split):
            self.found.fallen[why] += len(inner)
            return
        for micro_batch, recompute in inner:
            whole = split._replace(micro_batch=micro_batch, recompute=recompute)
            memory_bytes, why = self.memory.of(whole)
            if why:
                self.found.fallen[why] += 1
            else:
                self.found.splits.append(whole)
                self.found.memory_bytes.append(memory_bytes)

    # --- values

    def _tried(self) -> dict[str, tuple[int | str, ...]]:
        space, divisors = self.space, divisors_of(self.job.accelerators)
        edges = 2 * self.job.parallelism.edges_are_layers
        pipelines = tuple(n for n in divisors if n <= self.model.layers + edges)
        return {
            "tensor": space.tensor or tuple(n for n in divisors if n <= self.domain),
            "context": space.context or tuple(n for n in divisors if self._leaves_tokens(n)),
            "pipeline": space.pipeline or pipelines,
            "expert": space.expert or (divisors_of(self.model.experts.count) if self.model.experts else (1,)),
            "expert_tensor": space.expert_tensor or ("1 or tensor",),
            "virtual_stages": space.virtual_stages or ("all that deal the layers",),
            "micro_batch": self._micro_batches, "schedule": space.schedule, "recompute": space.recompute,
            "sharding": space.sharding or ("zero1", "fsdp without pipeline"),
        }  # fmt: skip

    def _leaves_tokens(self, context: int) -> bool:
        tokens = self.model.sequence
        return context == 1 or (tokens % (2 * context) == 0 and tokens // context >= _LEAST_TOKENS)

    @cached_property
    def _micro_batches(self) -> tuple[int, ...]:
        sensible = tuple(n for n in divisors_of(self.job.global_batch) if n <= _MOST_SEQUENCES)
        return self.space.micro_batch or sensible

    def _pipes(self, pipeline: int) -> list[tuple[str, int]]:
        """(schedule, virtual stages)."""
        found: list[tuple[str, int]] = []
        for schedule in self.space.schedule:
            if schedule in _PLAIN or pipeline == 1:
                found.append((schedule, 1))
            elif SCHEDULES[schedule].is_two_way:
                found.append((schedule, 2))
            else:
                found += [(schedule, chunks) for chunks in self._chunks(pipeline)]
        plain = next((name for name, _ in found if name in _PLAIN), "")
        return found if pipeline > 1 or not plain else [(plain, 1)]  # without a pipeline they are all alike

    def _chunks(self, pipeline: int) -> tuple[int, ...]:
        if self.space.virtual_stages:
            return tuple(chunks for chunks in self.space.virtual_stages if chunks > 1)
        edges = self.job.parallelism.edges_are_layers
        most = (self.model.layers + 2 * edges) // pipeline
        return tuple(n for n in range(2, most + 1) if edges or self.model.layers % (n * pipeline) == 0)

    def _experts(self, tensor: int) -> list[tuple[int, int]]:
        """(expert, expert_tensor)."""
        degrees = self.found.tried["expert"]
        inside = self.space.expert_tensor or ((1, tensor) if self.model.experts and tensor > 1 else (1,))
        return [(expert, each) for expert in degrees for each in inside if isinstance(expert, int)]

    def _shardings(self, pipeline: int) -> tuple[str, ...]:
        return self.space.sharding or (("zero1", "fsdp") if pipeline == 1 else ("zero1",))

    # --- reasons, as in Job and Parallelism

    def _why_not_degrees(self, tensor: int, context: int, pipeline: int) -> str:
        model = self.model
        if self.job.accelerators % (tensor * context * pipeline):
            return "tensor x context x pipeline does not divide the accelerators"
        if model.heads % tensor or model.num_kv_heads % tensor:
            return "tensor does not divide the heads"
        if model.sequence % context:
            return "context does not divide the sequence"
        if model.experts and tensor > 1 and not self.job.parallelism.sequence:
            return "experts behind tensor parallelism need sequence parallelism"
        return ""

    def _why_not_dealt(self, split: Split) -> str:
        return "layers cannot be dealt to the stages" if self.memory.layout(split) is None else ""

    def _why_no_experts(self, split: Split) -> str:
        model = self.model
        if split.expert > 1 and not (model.experts and model.experts.count % split.expert == 0):
            return "expert does not divide the experts"
        if split.expert_tensor > 1 and not (model.experts and model.experts.width % split.expert_tensor == 0):
            return "expert_tensor does not divide the experts' width"
        if split.tensor * split.context * split.data % (split.expert * split.expert_tensor):
            return "expert x expert_tensor does not divide the ranks of a stage"
        return ""

    def _why_not_shared(self, split: Split) -> str:
        shard, replicas = self.job.parallelism.shard, split.data * split.context
        copies = split.tensor * replicas // (split.expert * split.expert_tensor)
        if split.sharding == "hsdp" and (shard == 1 or replicas % shard or copies % min(shard, copies)):
            return "shard does not divide the replicas"
        return ""

    def _why_no_batch(self, split: Split) -> str:
        if self.job.global_batch % (split.micro_batch * split.data):
            return "micro_batch x data does not divide the global batch"
        num = self.job.global_batch // (split.micro_batch * split.data)
        if num > MOST_MICROBATCHES or num * self.job.model.num_layers_computed > MOST_LAYER_PASSES:
            return "too many microbatches"
        try:
            SCHEDULES[split.schedule].order(0, split.pipeline, _enough(num, split), split.virtual_stages)
        except InputError:
            return f"{split.schedule} does not exist for so many microbatches and stages"
        return ""


class _Memory:
    """Whether splits of a job fit."""

    def __init__(self, job: Job, share: float) -> None:
        self.job, self.available_bytes = job, share * job.accelerator_entry.memory.typical
        self._layouts: dict[tuple[object, ...], Layout | None] = {}
        self._stages: dict[tuple[object, ...], tuple[int, ...]] = {}
        self._activations: dict[tuple[object, ...], Activations] = {}

    def layout(self, split: Split) -> Layout | None:
        """Layers of each stage; None where they cannot be dealt."""
        key = self._key(split)
        if key not in self._layouts:
            schedule = SCHEDULES[split.schedule]
            parallel = Parallelism.model_construct(
                pipeline=split.pipeline, virtual_stages=split.virtual_stages,
                edges_are_layers=self.job.parallelism.edges_are_layers,
            )  # fmt: skip
            is_dealt = not why_not_dealt(self.job.model, parallel, schedule)
            self._layouts[key] = layers_of(self.job.model, parallel, schedule) if is_dealt else None
        return self._layouts[key]

    def why_no_state(self, split: Split) -> str:
        """Whether parameters, gradients and the optimiser alone are too large."""
        job = unchecked_job_with(self.job, split)
        for stage in self._each(job, split):
            state = stage.state_bytes()
            if sum(state.values()) > self.available_bytes:
                return _too_large(state)
        return ""

    def of(self, split: Split) -> tuple[dict[str, float], str]:
        """(bytes by kind on the fullest stage, why it does not fit)."""
        job = unchecked_job_with(self.job, split)
        num = _enough(job.num_microbatches, split)
        job = job.model_copy(update={"global_batch": num * split.micro_batch * split.data})
        fullest: dict[str, float] = {}
        for stage in self._each(job, split):
            needed = stage.memory_bytes()
            if sum(needed.values()) > self.available_bytes:
                return needed, _too_large(needed)
            fullest = max(fullest, needed, key=lambda kinds: sum(kinds.values()))
        return fullest, ""

    def _each(self, job: Job, split: Split) -> Iterator[StageMemory]:
        layout = self.layout(split)
        assert layout is not None, "splits whose layers cannot be dealt have fallen"
        key = (split.tensor, split.context, split.expert_tensor, split.micro_batch, split.recompute)
        if key not in self._activations:
            self._activations[key] = Activations(job)
        for stage in self._telling_stages(split, layout):
            yield StageMemory(job, layout, self._activations[key], stage)

    def _telling_stages(self, split: Split, layout: Layout) -> tuple[int, ...]:
        """Stages one of which is the fullest: of those that hold as many layers of each kind, the first and the last.

        What a stage holds of its microbatches grows or shrinks evenly from stage to stage.
        """
        key = self._key(split)
        if key not in self._stages:
            if SCHEDULES[split.schedule].is_two_way:
                self._stages[key] = tuple(range(split.pipeline))
            else:
                alike: dict[object, list[int]] = {}
                for stage in range(split.pipeline):
                    alike.setdefault(self._content(layout, stage), []).append(stage)
                self._stages[key] = tuple(sorted({stage for same in alike.values() for stage in (same[0], same[-1])}))
        return self._stages[key]

    def _content(self, layout: Layout, stage: int) -> tuple[object, ...]:
        mixed = self.job.model.has_experts
        return tuple(
            (
                len(layout.layers(stage, chunk)), sum(map(mixed, layout.layers(stage, chunk))),
                layout.has_input(stage, chunk), layout.has_output(stage, chunk),
            )
            for chunk in layout.chunks(stage)
        )  # fmt: skip

    @staticmethod
    def _key(split: Split) -> tuple[object, ...]:
        return split.pipeline, split.virtual_stages, SCHEDULES[split.schedule].is_two_way


def divisors_of(number: int) -> tuple[int, ...]:
    """All divisors, ascending."""
    small = [n for n in range(1, int(number**0.5) + 1) if number % n == 0]
    return tuple(sorted({*small, *(number // n for n in small)}))


def _enough(num_microbatches: int, split: Split) -> int:
    """Fewer microbatches with which a schedule exists just the same, and a stage holds as much."""
    p = split.pipeline
    if split.schedule not in _STEADY or num_microbatches < 6 * p:
        return num_microbatches
    return 4 * p + num_microbatches % (2 * p)


def _too_large(needed: dict[str, float]) -> str:
    return f"memory: mostly {max(needed, key=lambda kind: needed[kind])}"
