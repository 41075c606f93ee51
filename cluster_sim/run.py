"""The whole story in one place: what happens between a configuration and its results."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from cluster_sim.backend import Backend, BackendName, choose_backend
from cluster_sim.catalogue import OCS_TIERS, Entry, constants, given, scale_up
from cluster_sim.config import RunConfig, Scenario, read_problem, read_transport
from cluster_sim.core import InputError, stream, stream_key
from cluster_sim.economics import (
    Cooling,
    Economy,
    Pieces,
    Work,
    bill_table,
    cooling_of,
    count_pieces,
    economy,
    power_table,
    supply_table,
)
from cluster_sim.engine import (
    Outcome,
    Routes,
    Simulation,
    fusible,
    hidden_switching_s,
    mean_utilisation,
    route_collectives,
    run_problem,
    step_parts,
)
from cluster_sim.results import (
    NEIGHBOUR,
    REPLICA,
    Recorder,
    Run,
    check_output,
    claim_folder,
    provenance,
    table_of_columns,
    table_of_rows,
)
from cluster_sim.tables import (
    NONE,
    PASS_KINDS,
    TASK_KINDS,
    Array,
    Fabric,
    FlowProblem,
    Schedule,
    is_scale_up,
)
from cluster_sim.topology import Equipment, access_classes
from cluster_sim.workload import PHASES, Job, Jobs, Wanted, plan_jobs, runs_of, steps_of

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
        recorder.note(
            config=config.model_dump(mode="json"), seed=config.seed, backend=backend.name, backend_reason=backend.why,
            wall_s=round(time.perf_counter() - began_s, 3), **_placement(config.job),
        )  # fmt: skip
    return Run.open(folder)


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
        return _tables(_simulated(scenario, backend, announce))


def _simulated(scenario: Scenario, backend: Backend, announce: Announce) -> "_Simulated":
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
    return _Simulated(scenario, fabric, jobs, schedule, routes, outcome, costs, cooling)


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
    tokens = scenario.job.global_batch * scenario.job.model.sequence
    ratio = scenario.job.accelerators / sum(job.accelerators for job in jobs)
    work = Work(step_s=step_s, step_tokens=tokens, cluster_ratio=ratio, utilisation=utilisation)
    return economy(pieces, num, scenario.job.accelerator_entry, work, scenario.economics)


@dataclass(frozen=True, slots=True)
class _Simulated:
    """All there is to know about a scenario."""

    scenario: Scenario
    fabric: Fabric
    jobs: Jobs
    schedule: Schedule
    routes: Routes
    outcome: Outcome
    economy: Economy
    cooling: Cooling


def _tables(done: _Simulated) -> dict[str, pa.Table]:
    name, costs = done.scenario.name, done.economy
    tables = {"summary": _summary(done), "bom": bill_table(name, costs), "events": _events(done)}
    tables |= {"power": power_table(name, costs.burners), "supply": supply_table(name, costs.needs)}
    if done.scenario.record == "tasks":
        tables |= {"tasks": _tasks(done), "collectives": _collectives(done), "links": _links(done)}
    return tables


def _summary(done: _Simulated) -> pa.Table:
    job, step_s, parts = done.scenario.job, done.outcome.step_time_s, step_parts(done.schedule, done.outcome)
    peak_flop = job.accelerators * job.peak_flop_per_s * step_s
    row = {
        **identity(done.scenario),
        "status": "ok",
        "reason": "",
        "step_time_s": step_s,
        "mfu_ratio": job.step_flop / peak_flop,
        "hfu_ratio": job.hardware_flop / peak_flop,
        **{f"exposed_{kind}_s": parts[kind] for kind in ("tp", "cp", "ep", "pp", "dp")},
        **{f"{part}_s": parts[part] for part in ("compute", "bubble", "switching", "optimizer")},
        "bubble_ratio": parts["bubble"] / step_s,
        "checkpoint_s": job.checkpoint_s(step_s),
        **done.economy.columns,
        "cooling": done.cooling.by,
        "cooling_reason": done.cooling.reason,
        "unverified": ", ".join(_unverified(done)),
    }
    return table_of_rows("summary", [row])


def _unverified(done: _Simulated) -> tuple[str, ...]:
    """Figures without a retrieved source that prices, power or step time rest on, each once."""
    job, interconnect = done.scenario.job, done.scenario.interconnect
    others: list[tuple[str, Entry, tuple[str, ...]]] = []
    others += [(job.accelerator_entry.compute, job.reached, tuple(job.reached.figures))]
    others += [(job.accelerator, job.accelerator_entry, ("price", "host_power"))]
    others += [(interconnect.switch, interconnect.switch_entry, ("latency",))]
    others += [(interconnect.nic, interconnect.nic_entry, ("latency",))]
    for tier in (tier for tier in done.fabric.tiers if interconnect.inside(tier) or not is_scale_up(tier)):
        used = ("latency", "reach", "optical_margin") if tier in OCS_TIERS else ("latency", "reach")
        others += [(name, entry, used) for name, entry in interconnect.ends(tier).by_name.items()]
    link = job.accelerator_entry.scale_up
    others += [(link, scale_up(link), ("latency", "efficiency"))]
    found = [f"{name} {figure}" for name, entry, used in others for figure in used if figure in entry.unverified]
    if interconnect.circulators and not set(OCS_TIERS).isdisjoint(done.fabric.tiers):
        found += ["circulator loss"] * constants().circulator_loss.is_unverified
    return tuple(dict.fromkeys((*done.economy.account.unverified, *found)))


def identity(scenario: Scenario) -> dict[str, object]:
    """The columns of the summary that name a scenario."""
    return {
        "scenario": scenario.name,
        "job": scenario.job_name,
        "interconnect": scenario.interconnect_name,
        "topology": scenario.topology_name,
        "line_rate_bytes_per_s": scenario.interconnect.port_rate_bytes_per_s,
        "accelerator": scenario.job.accelerator,
        "num_accelerators": scenario.job.accelerators,
        "num_parameters": scenario.job.model.parameters,
    }


def _events(done: _Simulated) -> pa.Table:
    all_hidden_s = hidden_switching_s(done.schedule, done.outcome, done.routes.light.collective_setting)
    rows = [
        {
            "scenario": done.scenario.name, "time_s": switching.start_s, "end_s": switching.end_s,
            "event": "ocs_switching", "hidden_s": hidden_s,
            "detail": f"{switching.num_circuits} circuits, setting {switching.setting}",
        }
        for switching, hidden_s in zip(done.outcome.switchings, all_hidden_s.tolist(), strict=True)
    ]  # fmt: skip
    return table_of_rows("events", [*rows, *_neighbour_steps(done), *_replicas(done)])


def _neighbour_steps(done: _Simulated) -> list[dict[str, object]]:
    """When each step of each neighbour began and ended."""
    rows: list[dict[str, object]] = []
    for number, (name, neighbour) in enumerate(done.scenario.neighbours.items(), start=1):
        ends_s = done.outcome.end_s[steps_of(done.schedule, neighbour.steps, number)].max(axis=1).tolist()
        rows += [
            {
                "scenario": done.scenario.name, "time_s": start_s, "end_s": end_s, "event": "neighbour_step",
                "detail": f"{name}, step {step} of {neighbour.steps}",
            }
            for step, (start_s, end_s) in enumerate(zip([0.0, *ends_s], ends_s, strict=False), start=1)
        ]  # fmt: skip
    return rows


def _replicas(done: _Simulated) -> list[dict[str, object]]:
    """Who is in each class of replicas, and when it has computed everything; nothing where all are of one."""
    schedule, rows = done.schedule, list[dict[str, object]]()
    for number, program in enumerate(done.jobs.programs):
        name = f"{done.jobs.names[number - 1]}, " if number else ""
        of_job = schedule.is_lane & (schedule.lanes.job[schedule.lane] == number)
        for replica, data in enumerate(program.replicas.data if len(program.replicas) > 1 else ()):
            mine = of_job & (schedule.lanes.replica[schedule.lane] == replica)
            slowest = program.replicas.factor[replica].max()
            rows.append({
                "scenario": done.scenario.name, "time_s": 0.0, "end_s": float(done.outcome.end_s[mine].max()),
                "event": "replica",
                "detail": f"{name}replica {replica}: data ranks {runs_of(data)}; computes {slowest:.4g} times as long",
            })  # fmt: skip
    return rows


def _tasks(done: _Simulated) -> pa.Table:
    schedule, outcome = done.schedule, done.outcome
    table = table_of_columns("tasks", {
        "scenario": [done.scenario.name] * len(schedule),
        "task": np.arange(len(schedule)),
        "kind": np.array(TASK_KINDS)[schedule.kind],
        "stage": schedule.stage, "chunk": schedule.chunk, "microbatch": schedule.microbatch,
        "pass": np.array([*PASS_KINDS, ""])[schedule.pass_kind],
        "start_s": outcome.start_s, "end_s": outcome.end_s,
        "fused_s": schedule.fused_s, "released_by": outcome.released_by,
    })  # fmt: skip
    replica = schedule.lanes.replica[schedule.lane]
    if replica.any():
        table = table.append_column(REPLICA, pa.array(replica, REPLICA.type))
    if done.scenario.neighbours:
        names = np.array(["", *done.scenario.neighbours])[schedule.lanes.job[schedule.lane]]
        table = table.append_column(NEIGHBOUR, pa.array(names, NEIGHBOUR.type))
    return table


def _collectives(done: _Simulated) -> pa.Table:
    schedule, outcome = done.schedule, done.outcome
    task = np.flatnonzero(schedule.collective != NONE)
    used = [schedule.collectives[number] for number in schedule.collective[task]]
    links = {int(row): done.routes.link_of(int(row)) for row in np.unique(outcome.bottleneck[task])}
    return table_of_columns("collectives", {
        "scenario": [done.scenario.name] * len(task),
        "task": task,
        "collective": [collective.name for collective in used],
        "kind": np.array(TASK_KINDS)[schedule.kind[task]],
        "algorithm": [collective.algorithm for collective in used],
        "num_ranks": [collective.num_ranks for collective in used],
        "size_bytes": [collective.size_bytes for collective in used],
        "start_s": outcome.start_s[task], "end_s": outcome.end_s[task], "stalled_s": outcome.stalled_s[task],
        "bottleneck_link": [links[int(row)] for row in outcome.bottleneck[task]],
    })  # fmt: skip


def _links(done: _Simulated) -> pa.Table:
    links, end_s = done.fabric.links, float(done.outcome.end_s.max())
    carried = done.routes.carried_by_links(done.outcome.carried)
    capacity = links.capacity_bytes_per_s
    per_capacity = np.divide(1.0, capacity, out=np.zeros(len(links)), where=capacity > 0)  # failed links carry nothing
    return table_of_columns("links", {
        "scenario": [done.scenario.name] * len(links),
        "link": np.arange(len(links)),
        "tier": np.array(done.fabric.tiers)[links.tier],
        "src": links.src, "dst": links.dst,
        "technology": _technologies(done)[links.tier],
        "length_m": links.length_m, "latency_s": links.latency_s, "capacity_bytes_per_s": capacity,
        "window_start_s": np.zeros(len(links)), "window_end_s": np.full(len(links), end_s),
        "carried_bytes": carried[0], "busy_s": carried[1], "full_s": carried[2],
        "peak_ratio": carried[3] * per_capacity, "mean_ratio": carried[0] * per_capacity / end_s,
    })  # fmt: skip


def _technologies(done: _Simulated) -> Array:
    inside, interconnect = done.scenario.job.accelerator_entry.scale_up, done.scenario.interconnect
    is_own = [interconnect.inside(tier) is not None or not is_scale_up(tier) for tier in done.fabric.tiers]
    names = zip(done.fabric.tiers, is_own, strict=True)
    return np.array([interconnect.ends(tier).label if own else inside for tier, own in names])
