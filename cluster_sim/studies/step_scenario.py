"""From a row of a table of measured training steps to a scenario that can be simulated, or a reason why there is none.

What a row leaves empty is assumed, and every assumption is told. What no column holds comes from three places: notes
that are understood (``step_notes``), habits of the software (``software``), facts about the model (``model_facts``).
"""

from dataclasses import dataclass

from pydantic import ValidationError

from cluster_sim.config import Scenario
from cluster_sim.economics import Economics
from cluster_sim.studies.measured_steps import MeasuredStep
from cluster_sim.studies.model_facts import Facts, facts_of
from cluster_sim.studies.software import Software, software_of
from cluster_sim.studies.step_fabric import StepFabric, step_fabric
from cluster_sim.studies.step_job import is_about_memory, job_of
from cluster_sim.studies.step_notes import hints_of
from cluster_sim.workload import SCHEDULES, Job


@dataclass(frozen=True, slots=True)
class StepScenario:
    """A row, ready to be simulated.

    Attributes:
        row: as measured.
        scenario: None where it cannot be simulated.
        network: entry of "nccl network"; "" in a single scale-up domain, and where there is no scenario.
        software: what trained.
        assumptions: what the row does not say.
        why_not: why there is no scenario; "" where there is one.
    """

    row: MeasuredStep
    scenario: Scenario | None
    network: str
    software: str
    assumptions: tuple[str, ...]
    why_not: str = ""

    @property
    def note(self) -> str:
        """What a user should know about the row."""
        return "; ".join(filter(None, (self.why_not, *self.assumptions)))


def scenario_of(row: MeasuredStep, beside: Facts | None = None) -> StepScenario:
    """The job of a row on its fabric.

    Args:
        row: as measured.
        beside: facts about models that stand beside the table; the catalogue's where a model is not among them.
    """
    hints = hints_of(row.notes)
    software = software_of(row.source_family, hints.software)
    facts, assumed = facts_of(row, beside or {})
    told = (*_unknown(row, software), *assumed, *hints.remarks)
    fabric = step_fabric(row, hints.reached_bytes_per_s, software.network)
    if isinstance(fabric, str):
        return StepScenario(row, None, "", software.title, told, fabric)
    told = (*told, *fabric.assumptions)
    if hints.schedule and hints.schedule not in SCHEDULES.names:
        return StepScenario(row, None, "", software.title, told, f"the schedule {hints.schedule!r} is not known")
    try:
        job, more = job_of(row, hints, software, facts, fabric.network.removeprefix("nccl-"))
    except ValidationError as error:
        return StepScenario(row, None, "", software.title, told, _reasons(error))
    return StepScenario(row, _scenario(row, job, fabric), fabric.network, software.title, (*told, *more))


def _unknown(row: MeasuredStep, software: Software) -> tuple[str, ...]:
    told = []
    if not software.is_known:
        said = f"source_family {row.source_family!r} names no software that is known" if row.source_family else ""
        told.append(f"{said or 'source_family is empty'}: habits of {software.title}")
    if row.accelerator == "gh200":
        told.append("gh200: figures of h100-sxm")
    return tuple(told)


def _scenario(row: MeasuredStep, job: Job, fabric: StepFabric) -> Scenario:
    """Not checked again, as a job of which more memory is expected than there is would not pass."""
    return Scenario.model_construct(
        job_name=row.row_id, interconnect_name=fabric.interconnect.nic, topology_name="clos", job=job,
        interconnect=fabric.interconnect, topology=fabric.topology,
        economics=Economics(limits=False),  # it stands; its parts here stand in for others
    )  # fmt: skip


def _reasons(error: ValidationError) -> str:
    """Every reason but memory, which is none."""
    return "; ".join(
        f"{'.'.join(map(str, detail['loc']))}: {detail['msg'].removeprefix('Value error, ')}"
        for detail in error.errors(include_url=False)
        if not is_about_memory(detail)
    )
