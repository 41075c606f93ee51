"""Small worlds for engine tests: fabrics, and schedules written down by hand."""

from itertools import pairwise

import numpy as np

from cluster_sim.backend import choose_backend
from cluster_sim.catalogue import Interconnect, accelerator
from cluster_sim.collectives import COLLECTIVES, Groups, LinkCosts
from cluster_sim.engine import Simulation, fusible, route_collectives
from cluster_sim.routing import Spray
from cluster_sim.tables import COMPUTE, NONE, PP, Collective, Lanes, Schedule, Traffic, grouped
from cluster_sim.topology import Clos, Equipment, OcsSpine, SlowLinks, access_classes
from cluster_sim.workload import PHASES, Experts, Job, Model, Parallelism, Program, Segment, assemble, plan, split

INTERCONNECT = Interconnect(
    port_rate_bytes_per_s=100e9,
    nic="connectx8-800g",
    switch="tomahawk6",
    host_leaf="800g-dsp-dr8",
    leaf_spine="800g-dsp-dr8",
    spine_core="800g-dsp-dr8",
)


def small_job(**changes):
    """64 accelerators, a transformer of 8 small layers; changes go to Job, Parallelism or Model by name."""
    model = {"layers": 8, "hidden": 1024, "heads": 16, "vocabulary": 4096, "sequence": 512}
    parallel = {"tensor": 8, "pipeline": 2, "data": 4}
    job = {"accelerators": 64, "accelerator": "b300-sxm", "global_batch": 32}
    for name, value in changes.items():
        target = next(
            d for d, spec in ((job, Job), (parallel, Parallelism), (model, Model)) if name in spec.model_fields
        )
        (model if name == "sequence" and not isinstance(value, bool) else target)[name] = value
    return Job(model=Model(**model), parallelism=Parallelism(**parallel), **job)


def moe_job(**changes):
    """The same with experts over 16 accelerators, two servers."""
    return small_job(experts=Experts(count=32, per_token=2, width=512), expert=16, **changes)


def run_job(job, topology=None, backend="numba", routing=None, fuse=True, slow=None, seed=1):
    """(schedule, outcome, routes) of a whole job on a small fabric, some of whose links may be ``slow``."""
    topology, routing = topology or Clos(), routing or Spray()
    built = topology.build(Equipment(job.accelerators, job.accelerator_entry, INTERCONNECT))
    fabric = (slow or SlowLinks()).slowed_in(built, np.random.default_rng(seed))
    costs = LinkCosts.of(fabric, ("", "scale_up"))
    replicas = split(job, job.compute_factors(seed), access_classes(built, fabric))
    program = plan(job, fabric.endpoint_domain, fabric.endpoint_pod, costs, replicas=replicas)
    collectives = tuple(program.collectives)
    routes = route_collectives(collectives, program.num_runs(), fabric, routing, 7, len(PHASES))
    chosen = choose_backend(backend)
    schedule = assemble(program, fusible(collectives, routes, chosen) if fuse else {})
    return schedule, Simulation(schedule, routes, chosen).run(), routes


def free_pipeline(num_stages, num_microbatches, times_s, schedule="1f1b", num_chunks=1):
    """(schedule, program) of a pipeline whose messages are empty; ``times_s`` of its passes by kind."""
    job = small_job(
        layers=num_stages * num_chunks,
        tensor=1,
        pipeline=num_stages,
        data=1,
        accelerators=num_stages,
        global_batch=num_microbatches,
        virtual_stages=num_chunks,
        schedule=schedule,
        sharding="none",
    )
    program = Program(job)
    for stage in range(num_stages):
        for chunk in range(num_chunks):
            for kind, seconds in times_s.items():
                for special in (0, 1):
                    program.passes[stage, chunk, kind, special] = (Segment(compute_s=seconds),)
        program.gathers[stage], program.reduces[stage] = [], []
        program.optimizer_s[stage] = 0.0
    for way in program.schedule.ways(num_stages, num_chunks):
        for (stage, _), (after, _) in pairwise(way):
            for hop in ((stage, after, 0), (after, stage, 1)):
                empty = Collective(f"empty {hop}", PP, "point_to_point", hop[0], 1, Traffic.none(), 0.0, 2)
                program.collectives.append(empty)
                program.sends[hop] = len(program.collectives) - 1
    return assemble(program, {}), program


def simulate_by_hand(schedule, fabric, num_runs=None, backend="numba"):
    """Outcome of a schedule that was put together by hand."""
    runs = np.ones(len(schedule.collectives)) if num_runs is None else num_runs
    routes = route_collectives(schedule.collectives, runs, fabric, Spray(), 7, len(schedule.phases))
    return Simulation(schedule, routes, choose_backend(backend)).run()


def chain(steps, phases):
    """A schedule on one stage whose tasks follow on one another: a float computes, a Collective runs."""
    collectives = tuple(step for step in steps if isinstance(step, Collective))
    numbers = iter(range(len(collectives)))
    num = len(steps)
    before = np.arange(num - 1, dtype=np.int32)
    unlocks, starts = grouped(before, before + np.int32(1), num)
    is_comm = [isinstance(step, Collective) for step in steps]
    return Schedule(
        kind=np.array([PP if comm else COMPUTE for comm in is_comm], np.int32),
        lane=np.zeros(num, np.int32),
        microbatch=np.full(num, NONE, np.int32),
        chunk=np.full(num, NONE, np.int32),
        pass_kind=np.full(num, NONE, np.int32),
        compute_s=np.array([0.0 if comm else step for comm, step in zip(is_comm, steps, strict=True)]),
        fused_s=np.zeros(num),
        collective=np.array([next(numbers) if comm else NONE for comm in is_comm], np.int32),
        unlocks=unlocks,
        unlocks_starts=starts,
        num_needs=np.minimum(np.arange(num), 1).astype(np.int32),
        collectives=collectives,
        lanes=Lanes.of_one_job(1),
        phases=tuple(f"phase {k}" for k in range(phases)),
    )


def message(src, dst, size_bytes, phase=0, host=None):
    """A point-to-point collective from one endpoint to another."""
    groups = Groups(np.array([[src, dst]], np.int32), np.zeros(max(src, dst) + 1, np.int32))
    traffic = COLLECTIVES["point_to_point"](groups, 1.0)
    return Collective(f"{src} to {dst}", PP, "point_to_point", NONE, phase, traffic, size_bytes, 2)


def clos(num_endpoints, **fields):
    """A three-tier Clos of B300 servers at 800G."""
    return Clos(**fields).build(Equipment(num_endpoints, accelerator("b300-sxm"), INTERCONNECT))


def ocs(num_endpoints, pod_accelerators, reconfigure):
    """Pods of B300 servers at 800G joined by circuits."""
    spec = OcsSpine(pod_accelerators=pod_accelerators, reconfigure=reconfigure)
    return spec.build(Equipment(num_endpoints, accelerator("b300-sxm"), INTERCONNECT))
