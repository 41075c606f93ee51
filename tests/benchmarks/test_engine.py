"""How fast the engine is: ratios between backends in one run, on one machine.

``make bench`` runs these in about a minute; ``make bench-full`` adds the whole comparison, and what is very large.
"""

import os
import resource

import numpy as np
import pytest

from cluster_sim.backend import choose_backend
from cluster_sim.catalogue import Interconnect, accelerator
from cluster_sim.collectives import COLLECTIVES, Groups
from cluster_sim.config import load_config
from cluster_sim.core import BackendError
from cluster_sim.engine import alone_s, route_collectives
from cluster_sim.kernels import maxmin_rates
from cluster_sim.routing import Spray
from cluster_sim.run import evaluate
from cluster_sim.tables import DP, NONE, Collective, starts_of
from cluster_sim.topology import Clos, Equipment
from cluster_sim.topology.floor_plan import FloorPlan

BACKENDS = ("numpy", "numba", pytest.param("cupy", marks=pytest.mark.gpu))


def _backend(name):
    try:
        return choose_backend(name)
    except BackendError as error:
        pytest.skip(str(error))


@pytest.mark.benchmark(group="max-min rates of 20,000 random flows over 4,000 rows")
@pytest.mark.parametrize("name", BACKENDS)
def test_one_solve(benchmark, name):
    backend, rng = _backend(name), np.random.default_rng(1)
    starts = starts_of(np.full(20_000, 6))
    rows = np.concatenate([rng.choice(4_000, 6, replace=False) for _ in range(20_000)]).astype(np.int32)
    arrays = [backend.asarray(a) for a in (starts, rows, np.ones(len(rows)), np.full(4_000, 1e11))]
    maxmin_rates(*arrays, backend)
    benchmark.pedantic(maxmin_rates, args=(*arrays, backend), rounds=5)


@pytest.mark.benchmark(group="one step of the mixture of experts on 16,384 accelerators, set-up included")
@pytest.mark.parametrize("name", BACKENDS)
def test_one_step(benchmark, name):
    backend = _backend(name)
    scenario = load_config("configs/moe-1t-on-circuits.yaml", ("record=summary",)).scenario
    if name == "numba":
        evaluate(scenario, backend)
    benchmark.pedantic(evaluate, args=(scenario, backend), rounds=3 if name == "numba" else 1)


@pytest.mark.benchmark(group="one step of the trillion-parameter GPT on 3,072 accelerators, set-up included")
@pytest.mark.parametrize("routing", ["spray", "ecmp"])
def test_one_step_by_routing(benchmark, routing):
    config = load_config("configs/compare-trillion.yaml", (f"routing={routing}",))
    scenario = next(s for s in config.scenarios if s.name == "gpt-1t / dsp-800g / fat-tree")
    backend = choose_backend("numba")
    benchmark.pedantic(evaluate, args=(scenario, backend), rounds=1, warmup_rounds=1)


full = pytest.mark.skipif(os.environ.get("CLUSTER_SIM_BENCH") != "full", reason="only in make bench-full")


@full
@pytest.mark.benchmark(
    group="a collective on 1,048,576 accelerators, fabric included (peak GiB of the process beside it)"
)
@pytest.mark.parametrize(("name", "size"), [("ring_all_reduce", 1024), ("all_to_all", 64)])
def test_a_million_accelerators(benchmark, name, size):
    """Sprayed, in groups of neighbours, at 400G in a hall that is dense enough for DR4."""
    optic, num = "400g-dsp-dr4", 1 << 20
    interconnect = Interconnect(
        port_rate_bytes_per_s=50e9, nic="connectx7-400g", switch="tomahawk6", host_leaf=optic, leaf_spine=optic,
        spine_core=optic,
    )  # fmt: skip
    hall = FloorPlan(accelerators_per_rack=576, racks_per_row=64)

    def run():
        fabric = Clos(floor=hall).build(Equipment(num, accelerator("h100-sxm"), interconnect))
        groups = Groups(np.arange(num, dtype=np.int32).reshape(-1, size), fabric.endpoint_domain)
        traffic = COLLECTIVES[name](groups, 1.0)
        collective = Collective(name, DP, name, NONE, 0, traffic, 1e9, size)
        routes = route_collectives((collective,), np.ones(1), fabric, Spray(), 7, 1)
        return alone_s(collective, 0, routes, choose_backend("numba"))

    benchmark.pedantic(run, rounds=3)
    benchmark.extra_info["peak_gib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"\n{name}: peak {benchmark.extra_info['peak_gib']:.2f} GiB")


@full
@pytest.mark.benchmark(group="one step on 131,072 accelerators, set-up included")
@pytest.mark.parametrize(
    "job",
    [
        ("moe-1t", "job.parallelism.data=2048", "job.global_batch=65536"),
        ("gpt-1t", "job.parallelism.data=256", "job.global_batch=131072"),
    ],
    ids=["moe-1t", "gpt-1t"],
)
def test_one_large_step(benchmark, job):
    name, *changes = job
    longer = [f"interconnect.{tier}=800g-dsp-2xfr4" for tier in ("leaf_spine", "spine_core")]
    settings = (f"job=configs/jobs/{name}.yaml", "job.accelerators=131072", *changes, *longer)
    fat_tree = ("topology=topologies/fat-tree.yaml", "record=summary")
    scenario = load_config("configs/moe-1t-on-circuits.yaml", (*fat_tree, *settings)).scenario
    benchmark.pedantic(evaluate, args=(scenario, choose_backend("numba")), rounds=1)


@full
@pytest.mark.benchmark(group="the whole comparison")
def test_the_whole_comparison(benchmark, tmp_path):
    from cluster_sim.studies import compare

    config = load_config("configs/compare-trillion.yaml")
    benchmark.pedantic(compare, args=(config,), kwargs={"output": tmp_path / "run"}, rounds=1)
