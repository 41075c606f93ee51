"""The whole story in one place: what happens between a configuration and its results."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from cluster_sim.backend import Backend, BackendName, choose_backend
from cluster_sim.catalogue import given
from cluster_sim.config import Common, RunConfig, Scenario, read_problem, read_transport
from cluster_sim.core import InputError, stream, stream_key
from cluster_sim.economics import (
    Cooling,
    Economy,
    Pieces,
    Work,
    cooling_of,
    count_pieces,
    economy,
)
from cluster_sim.engine import (
    Routes,
    Simulation,
    fusible,
    mean_utilisation,
    route_collectives,
    run_problem,
)
from cluster_sim.results import (
    Recorder,
    Run,
    check_output,
    claim_folder,
    provenance,
    table_of_columns,
)
from cluster_sim.simulated import Simulated, tables_of
from cluster_sim.tables import (
    Fabric,
    FlowProblem,
)
from cluster_sim.topology import Equipment, access_classes
from cluster_sim.workload import PHASES, Job, Jobs, Wanted, plan_jobs

#: Called with what is going on, now and then.
Announce = Callable[[str], None]


def simulate(
    config: RunConfig,
    output: Path | None = None,
    overwrite: bool = False,
    announce: Announce = lambda phase: None,
) -> Run:
    """Simulate one configuration and write its results.

    Args:
        config: what to run.
        output: folder; None for the next free ``results/<name>-NNN``.
        overwrite: replace what an earlier run left in ``output``.
        announce: told what is going on, for progress.

    Raises:
        NotBuildableError: the fabric cannot be built; BackendError, OutputError, SimulationError.
    """
    if not isinstance(config, RunConfig):
        raise InputError("simulate takes a RunConfig; use cluster_sim.compare for a comparison")
    began_s = time.perf_counter()
    backend = choose_backend(config.backend)
    check_output(output, overwrite)
    tables = evaluate(config.scenario, backend, announce)
    folder = claim_folder(output, config.name, overwrite)
    with Recorder(folder, provenance()) as recorder:
        for name, table in tables.items():
            recorder.write(name, table)
        recorder.note(**facts_of(config, backend, began_s), **_placement(config.job))
    return Run.open(folder)


def facts_of(config: Common, backend: Backend, began_s: float) -> dict[str, object]:
    """What every manifest of a configuration says; ``began_s`` is when work on it began, on the performance counter."""
    return {
        "config": config.model_dump(mode="json"), "seed": config.seed, "backend": backend.name,
        "backend_reason": backend.why, "wall_s": round(time.perf_counter() - began_s, 3),
    }  # fmt: skip


def _placement(job: Job) -> dict[str, object]:
    """Where the dimensions of a job lie, from neighbours to the farthest, and why."""
    order, why = job.parallelism.placement
    return {"order": list(order), "order_reason": why}


def simulate_flows(
    path: Path,
    output: Path | None = None,
    overwrite: bool = False,
    backend: BackendName = "auto",
    time_tolerance: float = 0.0,
    transport: str | None = None,
) -> Run:
    """Simulate a raw flow problem and write ``flows.arrow``.

    Args:
        path: the problem, a text file as in ``config.problem``.
        output: folder; None for the next free ``results/<name>-NNN``.
        overwrite: replace what an earlier run left in ``output``.
        backend: as in ``choose_backend``.
        time_tolerance: a flow may finish early by this fraction of its own time of sending; 0 is exact.
        transport: name or file of a transport, as in ``config.read_transport``; None for fair rates and nothing else.

    Returns:
        The run; its manifest holds ``read_s``, ``compile_s``, ``sim_s`` (from arrays in memory to finish times),
        ``num_events``, ``num_solves`` and ``largest_shift_s``.

    Raises:
        ConfigError: mistakes in a file; UnknownNameError, BackendError, OutputError, StalledFlowsError.
    """
    chosen, clock = choose_backend(backend), time.perf_counter
    model = None if transport is None else read_transport(transport)
    check_output(output, overwrite)
    began_s = clock()
    problem = read_problem(path)
    read_s = clock()
    run_problem(_smallest_problem(), chosen)
    compiled_s = clock()
    done = run_problem(problem if model is None else model.carry(problem), chosen, time_tolerance)
    simulated_s = clock()
    with Recorder(claim_folder(output, path.stem, overwrite), provenance()) as recorder:
        columns = {"flow": np.arange(len(problem)), "start_s": problem.start_s, "finish_s": done.finish_s}
        recorder.write("flows", table_of_columns("flows", {**columns, "size_bytes": problem.size_bytes}))
        recorder.note(
            problem=path.name, transport=None if model is None else model.model_dump(mode="json"),
            time_tolerance=time_tolerance, backend=chosen.name, backend_reason=chosen.why,
            read_s=read_s - began_s, compile_s=compiled_s - read_s, sim_s=simulated_s - compiled_s,
            num_events=done.num_events, num_solves=done.num_solves, largest_shift_s=done.largest_shift_s,
        )  # fmt: skip
    return Run.open(recorder.folder)


def _smallest_problem() -> FlowProblem:
    """Two flows over a link, for which everything is compiled that has to be."""
    return FlowProblem(
        capacity_bytes_per_s=np.ones(1), start_s=np.zeros(2), latency_s=np.zeros(2), size_bytes=np.ones(2),
        hop_link=np.zeros(2, np.int32), hop_weight=np.ones(2), hop_starts=np.arange(3),
    )  # fmt: skip


def evaluate(scenario: Scenario, backend: Backend, announce: Announce = lambda phase: None) -> dict[str, pa.Table]:
    """Simulate one scenario; its results tables by name. The rank is left open.

    Raises:
        NotBuildableError: the fabric cannot be built; PlanError: a collective cannot be planned; SimulationError: the
            simulation cannot go on.
    """
    with given(scenario.catalogue):
        return tables_of(_simulated(scenario, backend, announce))


def _simulated(scenario: Scenario, backend: Backend, announce: Announce) -> Simulated:
    announce("building the fabric")
    built, fabric, cooling = network_of(scenario)
    announce("routing")
    jobs, routes = routed(scenario, built, fabric, backend)
    schedule = jobs.schedule(fusible(jobs.collectives, routes, backend))
    simulation = Simulation(schedule, routes, backend)
    outcome = simulation.run(lambda done: announce(f"simulating: {done:,} of {len(schedule):,} tasks"))
    pieces = count_pieces(built, scenario.interconnect, scenario.job.accelerator_entry.scale_up)
    busy = mean_utilisation(routes, outcome)
    costs = economy_of(scenario, pieces, built.num_endpoints, outcome.step_time_s, busy)
    return Simulated(scenario, fabric, jobs, schedule, routes, outcome, costs, cooling)


def network_of(scenario: Scenario) -> tuple[Fabric, Fabric, Cooling]:
    """The fabric as built, the same with failed and slow links, and its cooling; NotBuildableError says why not."""
    interconnect, accelerator = scenario.interconnect, scenario.job.accelerator_entry
    built = scenario.topology.fabric(Equipment(scenario.num_endpoints, accelerator, interconnect))
    per_rack = scenario.topology.hall.accelerators_per_rack if scenario.topology.hall else None
    cooling = cooling_of(built, interconnect, accelerator, per_rack, scenario.economics.limits)
    fabric = scenario.failed_links.removed_from(built, stream(scenario.seed, "failed_links"))
    return built, scenario.slow_links.slowed_in(fabric, stream(scenario.seed, "slow_links")), cooling


def routed(scenario: Scenario, built: Fabric, fabric: Fabric, backend: Backend) -> tuple[Jobs, Routes]:
    """What the jobs want, and the ways of their collectives through ``fabric``, which was ``built`` whole."""
    main = Wanted(scenario.job_name, scenario.job, scenario.placement)
    others = [Wanted(name, one.job, one.placement, one.steps) for name, one in scenario.neighbours.items()]
    jobs = plan_jobs(main, others, fabric, access_classes(built, fabric), scenario.seed)
    key, wanted = stream_key(scenario.seed, "routing", scenario.job_name), jobs.collectives
    return jobs, route_collectives(wanted, jobs.num_runs(), fabric, scenario.routing, key, len(PHASES), backend)


def economy_of(
    scenario: Scenario, pieces: tuple[Pieces, ...], num: int, step_s: float, utilisation: Mapping[str, float]
) -> Economy:
    """What a scenario burns and costs: the pieces of its network, ``num`` accelerators, the rest as in ``Work``."""
    jobs = (scenario.job, *(neighbour.job for neighbour in scenario.neighbours.values()))
    ratio = scenario.job.accelerators / sum(job.accelerators for job in jobs)
    work = Work(step_s=step_s, step_tokens=scenario.job.step_tokens, cluster_ratio=ratio, utilisation=utilisation)
    return economy(pieces, num, scenario.job.accelerator_entry, work, scenario.economics)
