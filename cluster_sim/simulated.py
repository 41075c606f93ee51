"""What the simulation of a scenario has found, and the tables that say so."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cluster_sim.catalogue import OCS_TIERS, Entry, constants, scale_up
from cluster_sim.config import Scenario
from cluster_sim.economics import Cooling, Economy, bill_table, power_table, supply_table
from cluster_sim.engine import Outcome, Routes, hidden_switching_s, step_parts
from cluster_sim.results import NEIGHBOUR, REPLICA, table_of_columns, table_of_rows
from cluster_sim.tables import NONE, PASS_KINDS, TASK_KINDS, Array, Fabric, Schedule, is_scale_up
from cluster_sim.workload import Jobs, runs_of, steps_of


@dataclass(frozen=True, slots=True)
class Simulated:
    """All there is to know about a scenario."""

    scenario: Scenario
    fabric: Fabric
    jobs: Jobs
    schedule: Schedule
    routes: Routes
    outcome: Outcome
    economy: Economy
    cooling: Cooling


def tables_of(done: Simulated) -> dict[str, pa.Table]:
    """Every table of a run by name; tasks, collectives and links where they are recorded."""
    name, costs = done.scenario.name, done.economy
    tables = {"summary": _summary(done), "bom": bill_table(name, costs), "events": _events(done)}
    tables |= {"power": power_table(name, costs.burners), "supply": supply_table(name, costs.needs)}
    if done.scenario.record == "tasks":
        tables |= {"tasks": _tasks(done), "collectives": _collectives(done), "links": _links(done)}
    return tables


def _summary(done: Simulated) -> pa.Table:
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


def _unverified(done: Simulated) -> tuple[str, ...]:
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


def _events(done: Simulated) -> pa.Table:
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


def _neighbour_steps(done: Simulated) -> list[dict[str, object]]:
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


def _replicas(done: Simulated) -> list[dict[str, object]]:
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


def _tasks(done: Simulated) -> pa.Table:
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


def _collectives(done: Simulated) -> pa.Table:
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


def _links(done: Simulated) -> pa.Table:
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


def _technologies(done: Simulated) -> Array:
    inside, interconnect = done.scenario.job.accelerator_entry.scale_up, done.scenario.interconnect
    is_own = [interconnect.inside(tier) is not None or not is_scale_up(tier) for tier in done.fabric.tiers]
    names = zip(done.fabric.tiers, is_own, strict=True)
    return np.array([interconnect.ends(tier).label if own else inside for tier, own in names])
