"""One job at several sizes: more data-parallel replicas, everything else as it is."""

from typing import Any, Literal

from pydantic import ValidationError

from cluster_sim.core import InputError
from cluster_sim.workload import Job, Parallelism

Batch = Literal["fixed", "proportional"]
#: Between the name of a job and its size; no name of a file has it.
AT = "@"


def scaled(job: Job, accelerators: int, batch: Batch) -> Job:
    """A job on so many accelerators; tensor, context, pipeline and expert parallelism stay, and so do all choices.

    Args:
        job: at its own size.
        accelerators: how many it gets.
        batch: ``fixed`` keeps the global batch, so that each replica has less to do (strong scaling);
            ``proportional`` keeps what each replica does (weak scaling).

    Raises:
        InputError: it cannot be that size, with every reason.
    """
    replica = job.parallelism.num_ranks // job.parallelism.data
    sequences, rest = divmod(job.global_batch * accelerators, job.accelerators)
    reasons = []
    if accelerators % replica:
        reasons.append(f"is not a multiple of tensor x context x pipeline = {replica}")
    if batch == "proportional" and rest:
        reasons.append(f"{accelerators} of {job.accelerators} have no whole part of global_batch {job.global_batch}")
    if reasons:
        raise InputError("; ".join(reasons))
    fields: dict[str, Any] = {name: getattr(job, name) for name in Job.model_fields}
    degrees = {name: getattr(job.parallelism, name) for name in Parallelism.model_fields}
    fields |= {"accelerators": accelerators, "global_batch": sequences if batch == "proportional" else job.global_batch}
    try:
        parallelism = Parallelism(**(degrees | {"data": accelerators // replica}))
        return Job.model_validate(fields | {"parallelism": parallelism})
    except ValidationError as error:
        raise InputError("; ".join(_reason(detail) for detail in error.errors())) from None


def job_at(name: str, accelerators: int) -> str:
    """What a job of that size is called: ``moe-1t@4096``."""
    return f"{name}{AT}{accelerators}"


def name_and_size(called: str) -> tuple[str, int | None]:
    """The name of a job, and its size where that is part of what it is called."""
    name, at, size = called.rpartition(AT)
    return (name, int(size)) if at else (called, None)


def _reason(detail: Any) -> str:
    field = ".".join(str(part) for part in detail["loc"])
    return f"{field}: {detail['ctx']['error'] if 'error' in detail.get('ctx', {}) else detail['msg']}"
