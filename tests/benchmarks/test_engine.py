"""How fast the engine is: ratios between backends in one run, on one machine.

``make bench`` runs these in about a minute; ``make bench-full`` adds the whole comparison.
"""

import os

import numpy as np
import pytest

from cluster_sim.backend import choose_backend
from cluster_sim.config import load_config
from cluster_sim.core import BackendError
from cluster_sim.kernels import maxmin_rates
from cluster_sim.run import evaluate
from cluster_sim.tables import starts_of

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


@pytest.mark.skipif(os.environ.get("CLUSTER_SIM_BENCH") != "full", reason="only in make bench-full")
@pytest.mark.benchmark(group="the whole comparison")
def test_the_whole_comparison(benchmark, tmp_path):
    from cluster_sim.studies import compare

    config = load_config("configs/compare-trillion.yaml")
    benchmark.pedantic(compare, args=(config,), kwargs={"output": tmp_path / "run"}, rounds=1)
