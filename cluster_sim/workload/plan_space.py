"""Which ways to split a model are searched, and one of them."""

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, Field, field_validator, model_validator

from cluster_sim.core import Ratio, Spec, raise_problems
from cluster_sim.workload.job import Job, ScheduleName
from cluster_sim.workload.parallel import Parallelism, Sharding

Recompute = Literal["none", "selective", "full"]


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    twice = [value for number, value in enumerate(values) if value in values[:number]]
    if twice:
        raise ValueError(f"{twice[0]} is there twice; keep one")
    return values


def _some(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values:
        raise ValueError(
            "an empty list leaves nothing to search; name values, or leave the key out for all sensible ones"
        )
    return _distinct(values)


Degrees = Annotated[tuple[Annotated[int, Field(ge=1, lt=2**31, strict=True)], ...], AfterValidator(_some)]


class PlanSpace(Spec):
    """Which plans are searched: lists of values; what is left out is searched over all sensible values.

    Attributes:
        tensor: by default divisors of the accelerators up to the scale-up domain.
        context: divisors of the accelerators that leave every rank 1024 tokens of a sequence, in two equal halves.
        pipeline: divisors of the accelerators up to the number of layers.
        expert: divisors of the number of experts.
        expert_tensor: 1, and as many as tensor ranks.
        virtual_stages: chunks of a stage for the schedules that have several: what deals the layers evenly.
        micro_batch: divisors of the global batch up to 16.
        schedule: ``1f1b`` and ``interleaved``.
        recompute: ``none``, ``selective`` (of the job's ``recompute_parts``) and ``full``.
        sharding: ``zero1``, and ``fsdp`` where there is no pipeline.
        memory_ratio: share of an accelerator's memory that a split may fill; drivers and libraries need some, too.
        keep: how many of the best by estimate are simulated at least.
        most: how many are simulated at most.
    """

    tensor: Degrees | None = None
    context: Degrees | None = None
    pipeline: Degrees | None = None
    expert: Degrees | None = None
    expert_tensor: Degrees | None = None
    virtual_stages: Degrees | None = None
    micro_batch: Degrees | None = None
    schedule: Annotated[tuple[ScheduleName, ...], AfterValidator(_some)] = ("1f1b", "interleaved")
    recompute: Annotated[tuple[Recompute, ...], AfterValidator(_some)] = ("none", "selective", "full")
    sharding: Annotated[tuple[Sharding, ...], AfterValidator(_some)] | None = None
    memory_ratio: Ratio = Field(1.0, gt=0, le=1)
    keep: int = Field(8, ge=1, le=10_000)
    most: int = Field(40, ge=1, le=10_000)

    @model_validator(mode="after")
    def _keeps_no_more_than_most(self) -> "PlanSpace":
        if self.keep > self.most:
            what = f"{self.keep} is more than most {self.most}; lower it or raise most"
            raise_problems("PlanSpace", [(("keep",), what)])
        return self

    @field_validator(
        "tensor", "context", "pipeline", "expert", "expert_tensor", "virtual_stages", "micro_batch", "schedule",
        "recompute", "sharding", mode="before",
    )  # fmt: skip
    @classmethod
    def _one_is_a_list_too(cls, value: Any) -> Any:
        return [value] if isinstance(value, int | str) and not isinstance(value, bool) else value


class Split(NamedTuple):
    """One way to split a model: the fields of Parallelism and Job that a search chooses."""

    tensor: int
    context: int
    pipeline: int
    data: int
    expert: int
    expert_tensor: int
    virtual_stages: int
    micro_batch: int
    schedule: str
    recompute: str
    sharding: str

    @property
    def name(self) -> str:
        """``tp8 pp8 dp256 ep32 mb1 1f1b zero1``: degrees of 1 and recompute ``none`` are left out."""
        degrees = {
            "tp": self.tensor, "cp": self.context, "pp": self.pipeline, "dp": self.data, "ep": self.expert,
            "etp": self.expert_tensor, "vs": self.virtual_stages,
        }  # fmt: skip
        parts = [f"{name}{degree}" for name, degree in degrees.items() if degree > 1]
        again = [] if self.recompute == "none" else [f"re-{self.recompute}"]
        pipe = [self.schedule] if self.pipeline > 1 else []
        return " ".join([*parts, f"mb{self.micro_batch}", *pipe, *again, self.sharding])

    @classmethod
    def of(cls, job: Job) -> "Split":
        """How a job is split."""
        p = job.parallelism
        return cls(
            p.tensor, p.context, p.pipeline, p.data, p.expert, p.expert_tensor, p.virtual_stages, job.micro_batch,
            job.schedule, job.recompute, p.sharding,
        )  # fmt: skip


#: Fields of a Split that are Parallelism's; the others are the job's.
_DEGREES = ("tensor", "context", "pipeline", "data", "expert", "expert_tensor", "virtual_stages", "sharding")


def job_with(job: Job, split: Split) -> Job:
    """The job, split that way; checked as one from a file. All other choices stay.

    Raises:
        ValidationError: it cannot be split so.
    """
    return Job.model_validate(_fields(job, split, Parallelism(**_parallel_fields(job, split))))


def unchecked_job_with(job: Job, split: Split) -> Job:
    """The same in a hundredth of the time, and unchecked: for a search that has its own checks."""
    return Job.model_construct(**_fields(job, split, Parallelism.model_construct(**_parallel_fields(job, split))))


def _fields(job: Job, split: Split, parallelism: Parallelism) -> dict[str, Any]:
    layers = job.recompute_layers if split.recompute != "none" else 0
    chosen = {
        "micro_batch": split.micro_batch, "schedule": split.schedule, "recompute": split.recompute,
        "recompute_layers": layers,
    }  # fmt: skip
    return {name: getattr(job, name) for name in Job.model_fields} | chosen | {"parallelism": parallelism}


def _parallel_fields(job: Job, split: Split) -> dict[str, Any]:
    base = {name: getattr(job.parallelism, name) for name in Parallelism.model_fields}
    shard = base["shard"] if split.sharding == "hsdp" else 1
    return base | {name: getattr(split, name) for name in _DEGREES} | {"shard": shard}
