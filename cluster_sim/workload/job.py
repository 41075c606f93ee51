"""A training job: a model, how it is split, and what runs it."""

from collections.abc import Sequence
from math import ceil
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator, model_validator

from cluster_sim.catalogue import Accelerator, Compute, accelerator, compute, scale_up
from cluster_sim.collectives import AUTO, COLLECTIVES, NETWORKS, Library
from cluster_sim.core import InputError, Problem, Ratio, Spec, UnknownNameError, raise_problems
from cluster_sim.tables import Array
from cluster_sim.workload.checkpoint import Checkpoint
from cluster_sim.workload.layout import Layout, layers_of, why_not_dealt
from cluster_sim.workload.memory import fullest_stage, stages_memory_bytes, why_not_fitting
from cluster_sim.workload.model import Model
from cluster_sim.workload.operations import Precision
from cluster_sim.workload.parallel import Parallelism
from cluster_sim.workload.recomputed import recomputed_flop_per_token, recomputes_nothing
from cluster_sim.workload.roofline import Launches, Roofline
from cluster_sim.workload.schedules import SCHEDULES
from cluster_sim.workload.stragglers import Stragglers, compute_factors

#: More than any job has; the order of passes is an array.
MOST_MICROBATCHES = 2**20
#: Of layers by microbatches, of one replica: minutes and a dozen gigabytes.
MOST_LAYER_PASSES = 2**19
#: Of a job, and so of a fabric.
MOST_ACCELERATORS = 2**24
#: Operations that an algorithm is chosen for.
_OPERATIONS = ("all_reduce", "reduce_scatter", "all_gather", "all_to_all")
_GRADIENT_BYTES = {"fp32": 4, "bf16": 2}

NetworkName = Annotated[str, AfterValidator(lambda name: _known_network(name))]
RecomputePart = Literal["core", "latent", "norm", "activation", "mlp", "experts"]
AcceleratorName = Annotated[str, AfterValidator(lambda name: accelerator(name) and name)]
CollectiveName = Annotated[str, AfterValidator(lambda name: name if name == AUTO else COLLECTIVES[name].name)]
ScheduleName = Annotated[str, AfterValidator(lambda name: SCHEDULES[name] and name)]


def _known_network(name: str) -> str:
    if name not in NETWORKS:
        raise UnknownNameError("kind of network", name, NETWORKS)
    return name


class Algorithms(Spec):
    """Which algorithm each collective of a job uses, and what runs it.

    Attributes:
        all_reduce, reduce_scatter, all_gather, all_to_all: names of the registry of collectives, or ``auto`` for what a
            cost model expects to be fastest, by size and ranks.
        detail: ``lockstep`` sends what goes in lockstep as one transfer; ``steps`` sends every message of every step,
            and nobody starts a step before all have ended the one before.
        fuse: tensor-parallel collectives are put into the compute around them where that changes nothing (``exact``),
            or wherever they stay in a scale-up domain, as if nothing else were on its links (``tensor``): faster.
        library: what runs them: ``nccl`` takes time to launch and for every step; ``none`` takes none.
        network: kind of network between scale-up domains, which sets the time of a step.
    """

    all_reduce: CollectiveName = "hierarchical_all_reduce"
    reduce_scatter: CollectiveName = "hierarchical_reduce_scatter"
    all_gather: CollectiveName = "hierarchical_all_gather"
    all_to_all: CollectiveName = "all_to_all"
    detail: Literal["lockstep", "steps"] = "lockstep"
    fuse: Literal["exact", "tensor"] = "exact"
    library: Literal["nccl", "none"] = "nccl"
    network: NetworkName = "infiniband"

    @model_validator(mode="after")
    def _do_what_they_stand_for(self) -> "Algorithms":
        raise_problems("Algorithms", [
            ((operation,), f"{name!r} is no {operation}; use {AUTO} or one of "
             f"{', '.join(known for known in COLLECTIVES if COLLECTIVES[known].operation == operation)}")
            for operation, name in self.chosen.items()
            if name != AUTO and COLLECTIVES[name].operation != operation
        ])  # fmt: skip
        raise_problems("Algorithms", [
            ((operation,), problem) for operation, name in self.chosen.items() if (problem := self._why_not(name))
        ])  # fmt: skip
        return self

    def _why_not(self, name: str) -> str:
        """Why a job cannot use an algorithm; "" where it can."""
        if self.detail == "steps" and name != AUTO and COLLECTIVES[name].reducing:
            return f"{name} has no steps between ranks: switches reduce; use detail: lockstep"
        return ""

    @property
    def chosen(self) -> dict[str, str]:
        """Names by operation."""
        return {name: getattr(self, name) for name in _OPERATIONS}

    @property
    def has_auto(self) -> bool:
        """Whether any is left to the cost model."""
        return AUTO in self.chosen.values()


def _width_of(model: Model) -> str:
    """What ranks that share an expert would have to divide."""
    return f"experts are {model.experts.width} wide, no multiple of it" if model.experts else "the model has no experts"


class Job(Spec):
    """One training job.

    Read with ``is_open`` in the context, its split may be left open: nothing that depends on it is checked.

    Attributes:
        accelerators: how many; must equal tensor x context x pipeline x data.
        accelerator: name in the catalogue.
        model: the transformer.
        parallelism: how it is split.
        global_batch: sequences per optimiser step.
        micro_batch: sequences that go through the pipeline together.
        schedule: order of the passes of a pipeline stage.
        precision: of the factors of matrix products; master weights and the optimiser's state have 32 bit.
        recompute: activations computed again in the backward pass: ``none``, ``selective`` (``recompute_parts`` of a
            layer) or ``full`` (all of it).
        recompute_parts: parts that selective recomputation repeats: ``core`` of the attention, its ``latent``
            projections up, ``norm``, ``activation`` of MLP or experts, the whole ``mlp``, the ``experts``.
        recompute_layers: layers of each stage that are computed again, its first ones; 0: all of them.
        launches: how kernels are launched: ``fused`` ones as Megatron-LM's, ``eager`` half as many again as plain
            PyTorch, ``graph`` by CUDA graphs, which cost the host nothing.
        clock_ratio: clock of the accelerators over the one their figures hold for, where power is capped.
        kernels: what kernels reach of the peaks, as ``cluster-sim calibrate`` writes it for a generation of
            accelerators; None: the catalogue's figures.
        slowdown_ratio: how much longer accelerators compute while a collective beside them takes processors and memory
            bandwidth; None: the catalogue's figure.
        stragglers: accelerators that compute more slowly; None for none.
        jitter_ratio: every accelerator computes longer by |z| times this, z normal, drawn with the seed.
        replicas: which data-parallel replicas are simulated together, as one in lockstep: ``auto`` those that nothing
            can tell apart, ``together`` all (the slowest sets the pace), ``apart`` none.
        gradients: number format in which gradients are reduced.
        algorithms: collective algorithms.
        checkpoint: what is written to storage, and how often; None for nothing.
        force: go on although memory is short.
    """

    accelerators: int = Field(ge=1, le=MOST_ACCELERATORS)
    accelerator: AcceleratorName
    model: Model
    parallelism: Parallelism
    global_batch: int = Field(ge=1)
    micro_batch: int = Field(1, ge=1)
    schedule: ScheduleName = "1f1b"
    precision: Precision = "bf16"
    recompute: Literal["none", "selective", "full"] = "none"
    recompute_parts: tuple[RecomputePart, ...] = ("core",)
    recompute_layers: int = Field(0, ge=0)
    launches: Launches = "fused"
    clock_ratio: Ratio = Field(1.0, gt=0, le=1.5)
    kernels: Compute | None = None
    slowdown_ratio: Ratio | None = Field(None, ge=0, le=10)
    stragglers: Stragglers | None = None
    jitter_ratio: Ratio = Field(0.0, ge=0, le=10)
    replicas: Literal["auto", "together", "apart"] = "auto"
    gradients: Literal["fp32", "bf16"] = "fp32"
    algorithms: Algorithms = Algorithms()
    checkpoint: Checkpoint | None = None
    force: bool = False

    @field_validator("parallelism")
    @classmethod
    def _knows_domain(cls, parallelism: Parallelism, info: ValidationInfo) -> Parallelism:
        if not parallelism.is_placed_by_size or parallelism.domain or "accelerator" not in info.data:
            return parallelism
        domain = accelerator(info.data["accelerator"]).scale_up_domain.typical
        return parallelism.model_copy(update={"domain": int(domain)})

    @model_validator(mode="after")
    def _fits_together(self, info: ValidationInfo) -> "Job":
        is_open = bool((info.context or {}).get("is_open"))
        of_split = [] if is_open else [*self._indivisible(), *self._unschedulable(), *self._too_large()]
        of_split += recomputes_nothing(self, is_open)
        besides = [*self._irreducible(), *self._unmixable(), *self._uncomputable(), *self._unknown_stragglers()]
        raise_problems("Job", [*of_split, *besides])
        return self

    @classmethod
    def problems_besides(cls, data: Any, context: Any) -> Sequence[Problem]:
        """Sizes that do not divide, where the model, the split and the numbers can be read."""
        if (context or {}).get("is_open"):
            return ()
        numbers = {"accelerators": 0, "global_batch": 0, "micro_batch": 1}
        try:
            given = {name: data.get(name, default) for name, default in numbers.items()}
            if any(type(number) is not int or number < 1 for number in given.values()):
                return ()
            model = Model.model_validate(data["model"], context=context)
            parallelism = Parallelism.model_validate(data["parallelism"], context=context)
        except (AttributeError, KeyError, TypeError, ValidationError):
            return ()
        return cls.model_construct(**given, model=model, parallelism=parallelism)._indivisible()

    @property
    def accelerator_entry(self) -> Accelerator:
        """The catalogue's figures of its accelerator."""
        return accelerator(self.accelerator)

    @property
    def reduces_inside(self) -> bool:
        """Whether the switches of its scale-up domains reduce."""
        return scale_up(self.accelerator_entry.scale_up).reduces

    @property
    def library(self) -> Library | None:
        """What runs its collectives; None for nothing that takes time."""
        if self.algorithms.library == "none":
            return None
        return Library.nccl(self.accelerator_entry.scale_up, self.algorithms.network)

    @property
    def num_microbatches(self) -> int:
        """Microbatches per step and data rank."""
        return self.global_batch // (self.micro_batch * self.parallelism.data)

    @property
    def repeated_parts(self) -> frozenset[str]:
        """Parts of a layer that selective recomputation repeats."""
        return frozenset(self.recompute_parts if self.recompute == "selective" else ())

    @property
    def reached(self) -> Compute:
        """What kernels reach of its accelerators' peaks: as given, or the catalogue's figures."""
        return self.kernels or compute(self.accelerator_entry.compute)

    def roofline(self, repeated: frozenset[str] = frozenset()) -> Roofline:
        """Times of its parts on its accelerator, with the parts of a layer that the backward pass computes again."""
        return Roofline(
            self.accelerator_entry, self.model, self.parallelism, self.micro_batch, self.precision, self.launches,
            self.clock_ratio, self.reached, repeated,
        )  # fmt: skip

    @property
    def compute_slowdown_ratio(self) -> float:
        """How much longer its accelerators compute beside a collective: as given, or the catalogue's figure."""
        if self.slowdown_ratio is not None:
            return self.slowdown_ratio
        return self.reached.sm_slowdown.typical

    def compute_factors(self, seed: int) -> Array:
        """float64[ranks], >= 1: how many times as long each accelerator computes; see Stragglers."""
        return compute_factors(self.accelerators, self.stragglers, self.jitter_ratio, seed)

    @property
    def gradient_bytes(self) -> int:
        """Bytes per gradient."""
        return _GRADIENT_BYTES[self.gradients]

    @property
    def layout(self) -> Layout:
        """Which layers each chunk of each stage holds."""
        return layers_of(self.model, self.parallelism, SCHEDULES[self.schedule])

    @property
    def memory_bytes(self) -> dict[str, float]:
        """Bytes on an accelerator of the fullest stage, by kind."""
        stages = stages_memory_bytes(self)
        return stages[fullest_stage(stages)]

    def checkpoint_s(self, step_s: float) -> float:
        """Time that training waits for checkpoints, on average for each step of ``step_s``; 0 where none is written."""
        if self.checkpoint is None:
            return 0.0
        return self.checkpoint.mean_s(self.model, self.parallelism, self.accelerator_entry, step_s)

    @property
    def peak_flop_per_s(self) -> float:
        """Dense peak of an accelerator in the number format of its products."""
        chip = self.accelerator_entry
        peaks = {"fp8": chip.peak_fp8, "mxfp8": chip.peak_fp8, "nvfp4": chip.peak_fp4}
        return (peaks.get(self.precision) or chip.peak_bf16).typical

    @property
    def num_servers(self) -> int:
        """That its accelerators are in."""
        return ceil(self.accelerators / self.accelerator_entry.accelerators_per_host.typical)

    @property
    def step_tokens(self) -> int:
        """That it is trained on in a step."""
        return self.global_batch * self.model.sequence

    @property
    def step_flop(self) -> float:
        """Model FLOPs of a step, without recomputation."""
        return self.step_tokens * self.model.flop_per_token

    @property
    def hardware_flop(self) -> float:
        """FLOPs of a step with what is computed again."""
        return self.step_flop + self.step_tokens * recomputed_flop_per_token(self)

    def _indivisible(self) -> list[Problem]:
        p, m = self.parallelism, self.model
        experts = m.experts.count if m.experts else 0
        sizes = f"tensor {p.tensor} x context {p.context} x pipeline {p.pipeline} x data {p.data}"
        rows, undealt = self.micro_batch * p.data, why_not_dealt(m, p, SCHEDULES[self.schedule])
        checks = [
            (p.num_ranks == self.accelerators, "accelerators",
             f"{sizes} is {p.num_ranks}, not {self.accelerators}; change a degree or the number of accelerators"),
            (not undealt, "parallelism.pipeline", undealt),
            (m.heads % p.tensor == 0, "parallelism.tensor", f"heads {m.heads} is not a multiple of tensor {p.tensor}"),
            (m.num_kv_heads % p.tensor == 0, "parallelism.tensor",
             f"kv_heads {m.num_kv_heads} is not a multiple of tensor {p.tensor}"),
            (m.sequence % p.context == 0, "parallelism.context",
             f"sequence {m.sequence} is not a multiple of context {p.context}"),
            (p.expert_tensor == 1 or bool(m.experts and m.experts.width % p.expert_tensor == 0),
             "parallelism.expert_tensor",
             f"is {p.expert_tensor}, but {_width_of(m)}"),
            (p.expert == 1 or bool(experts), "parallelism.expert", f"is {p.expert}, but the model has no experts"),
            (not experts or p.tensor == 1 or p.sequence, "parallelism.sequence",
             "experts behind tensor parallelism need it: tokens are split over the tensor ranks"),
            (not experts or experts % p.expert == 0, "parallelism.expert",
             f"experts {experts} is not a multiple of expert {p.expert}"),
            (self.num_microbatches * p.virtual_stages <= MOST_MICROBATCHES, "global_batch",
             f"{self.num_microbatches} microbatches x virtual_stages {p.virtual_stages} are too many passes of a step; "
             f"at most {MOST_MICROBATCHES}"),
            (self.num_microbatches * m.num_layers_computed <= MOST_LAYER_PASSES
             or self.num_microbatches * p.virtual_stages > MOST_MICROBATCHES, "global_batch",
             f"{self.num_microbatches} microbatches x {m.num_layers_computed} layers are too many passes to simulate; "
             f"at most {MOST_LAYER_PASSES}: lower it, raise micro_batch or data, or take fewer layers"),
            (self.global_batch % rows == 0, "global_batch",
             f"{self.global_batch} is not a multiple of micro_batch {self.micro_batch} x data {p.data}"),
        ]  # fmt: skip
        return [(tuple(field.split(".")), message) for holds, field, message in checks if not holds]

    def _unschedulable(self) -> list[Problem]:
        p = self.parallelism
        if not 1 <= self.num_microbatches * p.virtual_stages <= MOST_MICROBATCHES:
            return []
        try:
            SCHEDULES[self.schedule].order(0, p.pipeline, self.num_microbatches, p.virtual_stages)
        except InputError as error:
            return [(("schedule",), str(error))]
        return []

    def _irreducible(self) -> list[Problem]:
        if self.reduces_inside:
            return []
        return [
            (("algorithms", operation), f"{name} needs scale-up switches that reduce; those of {self.accelerator} "
             f"({self.accelerator_entry.scale_up}) do not")
            for operation, name in self.algorithms.chosen.items()
            if name != AUTO and COLLECTIVES[name].reducing == "scale_up"
        ]  # fmt: skip

    def _unknown_stragglers(self) -> list[Problem]:
        beyond = [rank for rank in (self.stragglers.ranks if self.stragglers else ()) if rank >= self.accelerators]
        if not beyond:
            return []
        reason = f"rank {beyond[0]} is not there; the job has ranks 0 to {self.accelerators - 1}"
        return [(("stragglers", "ranks"), reason)]

    def _unmixable(self) -> list[Problem]:
        experts, name = self.model.experts, self.algorithms.all_to_all
        chosen = {
            "dispatch": self.parallelism.dispatch != "each_expert",
            "overlap_experts": self.parallelism.overlap_experts,
        }
        if not experts:
            without = "is given, but the model has no experts; leave it out"
            return [(("parallelism", key), without) for key, is_given in chosen.items() if is_given]
        if not experts.popularity or name in ("all_to_all", AUTO):
            return []
        reason = f"{name} sends equal parts; experts of uneven popularity need all_to_all (or popularity 0)"
        return [(("algorithms", "all_to_all"), reason)]

    def _uncomputable(self) -> list[Problem]:
        chip, precision = self.accelerator_entry, self.precision
        peaks = {"fp8": chip.peak_fp8, "mxfp8": chip.peak_fp8, "nvfp4": chip.peak_fp4}
        if precision not in peaks or peaks[precision]:
            return []
        others = ", ".join(["bf16", "fp16", *(name for name, peak in peaks.items() if peak)])
        return [(("precision",), f"{self.accelerator} has no products in {precision}; use {others}")]

    def _too_large(self) -> list[Problem]:
        if self.force or self._indivisible() or self._unschedulable():
            return []
        reason = why_not_fitting(self)
        return [(("accelerator",), f"memory: {reason}")] if reason else []
