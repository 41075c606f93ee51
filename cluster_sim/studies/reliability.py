"""What breaks: a job over months of failures, with step times of the healthy and of the degraded network."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from math import inf
from pathlib import Path

import pyarrow as pa

from cluster_sim.backend import BackendName, choose_backend
from cluster_sim.catalogue import given
from cluster_sim.config import RunConfig, Scenario
from cluster_sim.core import YEAR_S, InputError, NotBuildableError, SimulationError, stream
from cluster_sim.economics import per_useful_token
from cluster_sim.reliability import (
    PARTS,
    Checkpoints,
    Conditions,
    Degraded,
    Event,
    Histories,
    Inventory,
    Reliability,
    bounds,
    hazards_of,
    live_all,
    stays_spread,
    take_inventory,
    young_daly_steps,
)
from cluster_sim.results import Recorder, Run, check_output, claim_folder, provenance, table_of_rows
from cluster_sim.routing import Spray
from cluster_sim.run import evaluate, facts_of, network_of, routed
from cluster_sim.studies.workers import side_by_side
from cluster_sim.tables import Array, Fabric
from cluster_sim.topology import FailedLinks, SlowLinks
from cluster_sim.workload import Job

Tables = dict[str, pa.Table]
Announce = Callable[[str], None]

#: What a cable that has failed keeps of its capacity, where bundles take care of it: nothing worth mentioning.
_KEPT_RATIO = 1e-6
#: Histories that a worker simulates at once.
_CHUNK = 25


def reliability(
    config: RunConfig, output: Path | None = None, overwrite: bool = False, workers: int | None = None,
    announce: Announce = lambda phase: None,
) -> Run:  # fmt: skip
    """Simulate a run and its histories, and write their results.

    Args:
        config: what to run; without ``reliability`` that has its defaults.
        output: folder; None for the next free ``results/<name>-NNN``.
        overwrite: replace what an earlier run left in ``output``.
        workers: processes; None for as many as there are cores. The results do not depend on it.
        announce: told what is going on.

    Raises:
        NotBuildableError, SimulationError: the healthy network cannot be built or simulated. BackendError, OutputError,
            InputError.
    """
    began_s = time.perf_counter()
    backend = choose_backend(config.backend)
    check_output(output, overwrite)
    scenario = config.scenario
    checkpoints_of(scenario.job, scenario.reliability or Reliability(), 1.0, 0.0)  # bad input is told before the work
    announce("healthy network")
    tables = assess(scenario, backend.name, evaluate(scenario, backend), workers, announce)
    folder = claim_folder(output, config.name, overwrite)
    with Recorder(folder, provenance()) as recorder:
        for name, table in tables.items():
            recorder.write(name, table)
        recorder.note(**facts_of(config, backend, began_s))
    return Run.open(folder)


def assess(
    scenario: Scenario, backend: BackendName, tables: Tables, workers: int | None = 1,
    announce: Announce = lambda phase: None,
) -> Tables:  # fmt: skip
    """The results of a scenario with what becomes of it over many histories.

    Args:
        scenario: with ``reliability``; the defaults where it has none.
        backend: for the steps of degraded networks.
        tables: its results, as ``evaluate`` gives them; returned as they are where it could not be simulated.
        workers: processes for the histories.
        announce: told what is going on.

    Returns:
        ``tables`` with more columns in the summary, more events, and the tables ``interruptions`` and ``goodput``.
        Where failures leave no progress the status is ``failed``, with the reason, and the results are of what there
        was.

    Raises:
        InputError: there are no checkpoints, and nothing says what one costs.
    """
    row = tables["summary"].to_pylist()[0]
    if row["status"] != "ok":
        return tables
    settings = scenario.reliability or Reliability()
    with given(scenario.catalogue):
        inventory, conditions = _conditions(scenario, settings, backend, row["step_time_s"], announce)
    announce(f"{settings.histories} histories")
    numbers = [range(n, min(n + _CHUNK, settings.histories)) for n in range(0, settings.histories, _CHUNK)]
    live_some = partial(live_all, conditions, scenario.seed, num_recorded=settings.record_histories)
    histories = Histories.joined(list(side_by_side(live_some, numbers, workers)))
    summary = row | _summary(scenario, conditions, histories) | _told(row, inventory, histories)
    summary |= per_useful_token(row, histories.goodput_ratio)
    events = _events(scenario.name, conditions, histories)
    return tables | {
        "summary": table_of_rows("summary", [summary]),
        "events": pa.concat_tables([tables["events"], events]),
        "interruptions": _interruptions(scenario.name, conditions, histories),
        "goodput": _goodput(scenario.name, histories),
    }


def _conditions(
    scenario: Scenario, settings: Reliability, backend: BackendName, step_s: float, announce: Announce
) -> tuple[Inventory, Conditions]:
    """What can fail, and what histories run under."""
    job, chip = scenario.job, scenario.job.accelerator_entry
    fabric, is_used = whole_network(scenario, backend)
    inventory = take_inventory(fabric, is_used, scenario.interconnect, chip, job.accelerators, settings)
    hazards = hazards_of(list(inventory.rows), tuple(state.name for state in inventory.states))
    retry_s, servers = settings.used_s("retry"), job.num_servers
    return inventory, Conditions(
        hazards=hazards, checkpoints=checkpoints_of(job, settings, step_s, hazards.stops_per_s(retry_s)),
        state_step_s=_degraded_steps_s(scenario, backend, fabric, is_used, inventory.states, announce),
        servers=servers, spares=settings.num_spares(servers), detection_s=settings.used_s("detection"),
        restart_s=settings.used_s("restart"), retry_s=retry_s, span_s=settings.span_s,
    )  # fmt: skip


def whole_network(scenario: Scenario, backend: BackendName) -> tuple[Fabric, Array]:
    """(the fabric as built, bool[L] links that collectives of the job cross in it); neighbours may lose what they use.

    Nothing is simulated.
    """
    alone = scenario.model_copy(update={"neighbours": {}, "cluster_accelerators": scenario.num_endpoints})
    built, fabric, _ = network_of(alone)
    return built, routed(alone, built, fabric, choose_backend(backend))[1].used_links()


def _degraded_steps_s(
    scenario: Scenario, backend: BackendName, fabric: Fabric, is_used: Array, states: Sequence[Degraded],
    announce: Announce,
) -> tuple[float, ...]:  # fmt: skip
    """Time of a step in each state; inf where the network no longer joins everybody."""
    found: list[float] = []
    for state in states:
        announce(f"network without {state.name}")
        cables = state.links(fabric, is_used, stream(scenario.seed, "reliability", "state", state.name))
        changed = without_cables(scenario, fabric, cables)
        try:
            done = evaluate(changed, choose_backend(backend))
            found.append(done["summary"]["step_time_s"][0].as_py())
        except (NotBuildableError, SimulationError):
            found.append(inf)
    return tuple(found)


def without_cables(scenario: Scenario, fabric: Fabric, cables: Array) -> Scenario:
    """The scenario with failed cables.

    Where traffic is sprayed over bundles, a failed cable is one that keeps a millionth of its capacity: its bundle
    gives it as much less, and everything stays in closed form. Below a spine that is as good as paths that avoid the
    cable. Above, where a bundle is all uplinks of a pod, it is what leaves could do that knew of the failure; for those
    that do not, a step is too short by at most the cable's share of these uplinks. Candidate paths that avoid it would
    be sampled, 256 of a pair, which makes a step of 16,384 accelerators take 8 % longer for no reason, and ten to
    twenty times as long to simulate. Where paths are drawn or searched one by one they do avoid it.

    Args:
        scenario: before they fail.
        fabric: as built.
        cables: int64[...], numbers of their links that go up.
    """
    links, changes = tuple(int(link) for link in cables), {"record": "summary", "reliability": None}
    is_spread = isinstance(scenario.routing, Spray) and fabric.paths.is_bundled and stays_spread(fabric, cables)
    if is_spread and scenario.slow_links == SlowLinks():
        return scenario.model_copy(update=changes | {"slow_links": SlowLinks(links=links, capacity_ratio=_KEPT_RATIO)})
    failed: FailedLinks = scenario.failed_links
    more = failed.model_copy(update={"links": (*failed.links, *links)})
    return scenario.model_copy(update=changes | {"failed_links": more})


def checkpoints_of(job: Job, settings: Reliability, step_s: float, stops_per_s: float) -> Checkpoints:
    """When a job saves its state, and what it waits for.

    Args:
        job: whose checkpoints say what one costs, unless ``settings`` do.
        settings: how often.
        step_s: time of a step.
        stops_per_s: failures that stop the job.

    Raises:
        InputError: nothing says what a checkpoint costs.
    """
    plan, writes = settings.checkpoint, job.checkpoint
    if plan is not None and plan.cost_s is not None:
        cost_s, lag_s = plan.cost_s, 0.0
    elif writes is None:
        raise InputError(
            "reliability: nothing says what a checkpoint costs; give reliability.checkpoint.cost, or job.checkpoint"
        )
    else:
        cost_s, lag_s = writes.once_s(job.model, job.parallelism, job.accelerator_entry)
    if plan is None and writes is not None:
        every = writes.every
    else:
        every = (plan.every if plan else None) or young_daly_steps(step_s, cost_s, stops_per_s)
    late_s = max(lag_s - every * step_s - cost_s, 0.0)
    return Checkpoints(step_s, every, cost_s + late_s, lag_s)


def _summary(scenario: Scenario, conditions: Conditions, histories: Histories) -> dict[str, object]:
    low, high = histories.goodput_bounds
    goodput, step_s = histories.goodput_ratio, conditions.checkpoints.step_s
    is_done = bool(goodput and not histories.reason)
    return {
        "goodput_ratio": goodput, "goodput_low_ratio": low, "goodput_high_ratio": high,
        "availability_ratio": histories.availability_ratio,
        "interruptions_per_day": float(histories.interruptions.sum() / histories.wall_s.sum() * 86400.0),
        "time_to_train_s": time_to_train_s(scenario, step_s, goodput) if is_done else None,
        "checkpoint_every": conditions.checkpoints.every,
    }  # fmt: skip


def time_to_train_s(scenario: Scenario, step_s: float, goodput_ratio: float) -> float | None:
    """Until all tokens are trained on; None where nobody asks how long that takes."""
    tokens = scenario.economics.tokens
    return tokens / scenario.job.step_tokens * step_s / goodput_ratio if tokens else None


def _told(row: dict[str, object], inventory: Inventory, histories: Histories) -> dict[str, object]:
    """What else the summary says: what it rests on, and why there is no progress."""
    names = filter(None, [*str(row["unverified"] or "").split(", "), *inventory.unverified])
    told: dict[str, object] = {"unverified": ", ".join(dict.fromkeys(names))}
    return told | ({"status": "failed", "reason": histories.reason} if histories.reason else {})


def _events(scenario: str, conditions: Conditions, histories: Histories) -> pa.Table:
    """What happened in the histories that are recorded."""
    rows = [
        {
            "scenario": scenario, "time_s": event.start_s, "end_s": event.end_s, "event": event.what,
            "detail": _detail(number, event, conditions),
        }
        for number, events in enumerate(histories.events)
        for event in events
    ]  # fmt: skip
    return table_of_rows("events", rows)


def _detail(number: int, event: Event, conditions: Conditions) -> str:
    lost = f"; {event.lost_s:.1f} s of work lost" if event.what == "interruption" else ""
    return f"history {number}: {conditions.hazards.name[event.cause]}{lost}"


def _interruptions(scenario: str, conditions: Conditions, histories: Histories) -> pa.Table:
    """One row for each cause."""
    hazards, num = conditions.hazards, max(int(histories.interruptions.sum()), 1)
    rows = []
    for cause in range(len(hazards)):
        counts = histories.interruptions[:, cause]
        low, high = bounds(counts)
        rows.append({
            "scenario": scenario, "cause": hazards.name[cause], "group": hazards.group[cause],
            "part": hazards.part[cause], "tier": hazards.tier[cause], "num_pieces": int(hazards.num_pieces[cause]),
            "failures_per_year": float(hazards.rate_per_s[cause] * YEAR_S), "effect": hazards.effect(cause),
            "repair_s": float(hazards.repair_s[cause]), "failures_mean": float(histories.failures[:, cause].mean()),
            "interruptions_mean": float(counts.mean()), "interruptions_low": low, "interruptions_high": high,
            "share_ratio": float(counts.sum() / num), "lost_s": float(histories.lost_s[:, cause].mean()),
        })  # fmt: skip
    return table_of_rows("interruptions", rows)


def _goodput(scenario: str, histories: Histories) -> pa.Table:
    """One row for each part of the wall time."""
    rows = []
    for number, part in enumerate(PARTS):
        low, high = bounds(histories.parts_s[:, number])
        mean_s, share = float(histories.parts_s[:, number].mean()), histories.part_ratio(part)
        rows.append({"scenario": scenario, "part": part, "mean_s": mean_s, "low_s": low, "high_s": high,
                     "share_ratio": share})  # fmt: skip
    return table_of_rows("goodput", rows)
