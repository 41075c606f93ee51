"""What a GPU is asked for, measured there; needs nothing but this repository and an NVIDIA GPU.

    python -m tests.benchmarks.gpu --record tests/benchmarks/records/DATE-DEVICE.json [--comparison]

Full solves of a random permutation and of dense all-to-alls under ECMP with the arrays on the device (median of the
runs, and the share of the memory's bandwidth if every round read the whole problem once), a whole all-to-all event by
event, NumPy and Numba beside it, from which problem size on the GPU wins, and with --comparison the main comparison on
two backends. ``--backend numba --hosts 4096`` goes through the same steps on a CPU.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cluster_sim.backend import Backend, choose_backend
from cluster_sim.catalogue import Interconnect, accelerator
from cluster_sim.config import load_config
from cluster_sim.kernels import FlowState, FlowTable, PathsOnDevice, advance, maxmin_rates, settle
from cluster_sim.routing import Ecmp
from cluster_sim.studies import compare
from cluster_sim.tables import Fabric, Flows, Traffic
from cluster_sim.topology import Clos, Equipment
from cluster_sim.topology.floor_plan import FloorPlan

_OPTIC = "400g-dsp-dr4"


def main() -> None:
    """Measure everything, print it, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default="cupy")
    parser.add_argument("--hosts", type=int, default=1 << 20, help="of the permutation")
    parser.add_argument("--comparison", action="store_true", help="run configs/compare-trillion.yaml on two backends")
    parser.add_argument("--record", type=Path, help="write the figures to this JSON file")
    arguments = parser.parse_args()
    backend = choose_backend(arguments.backend)
    facts: dict[str, Any] = {"date": time.strftime("%Y-%m-%d"), "device": backend.device, "backend": backend.name}
    facts["solves"] = [_solve(hosts, traffic, backend) for hosts, traffic in _problems(arguments.hosts)]
    facts["paths"] = _paths(arguments.hosts, backend)
    facts["all_to_all_64512"] = _all_to_all(backend)
    facts["crossover"] = _crossover(backend, arguments.hosts)
    if arguments.comparison:
        facts["comparison"] = _comparison(backend)
    print(json.dumps(facts, indent=1))
    if arguments.record:
        arguments.record.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def _problems(hosts: int) -> list[tuple[int, Traffic]]:
    """A random permutation, and all-to-alls of 64 under random placement with about as many flows."""
    groups = max(hosts // (64 * 63), 1)
    return [(hosts, _permutation(hosts)), (groups * 64, _groups(groups * 64))]


def _permutation(hosts: int) -> Traffic:
    order = np.random.default_rng(1).permutation(hosts)
    return Traffic.between(order, np.roll(order, 1), 16e6)


def _groups(hosts: int) -> Traffic:
    """All-to-alls in groups of 64 endpoints anywhere."""
    ranks = np.random.default_rng(1).permutation(hosts).reshape(-1, 64)
    src, dst = np.nonzero(~np.eye(64, dtype=bool))
    return Traffic.between(ranks[:, src].ravel(), ranks[:, dst].ravel(), 16e6)


def _routed(hosts: int, traffic: Traffic) -> tuple[Flows, np.ndarray]:
    """(flows, capacity of each row) under ECMP in a three-tier Clos at 400G."""
    fabric, routing = _fabric(hosts), Ecmp()
    return routing.route(traffic, fabric, None, 7), routing.rows(fabric, None).capacity_bytes_per_s


def _fabric(hosts: int) -> Fabric:
    interconnect = Interconnect(
        port_rate_bytes_per_s=50e9, nic="connectx7-400g", switch="tomahawk6", host_leaf=_OPTIC, leaf_spine=_OPTIC,
        spine_core=_OPTIC,
    )  # fmt: skip
    hall = FloorPlan(accelerators_per_rack=576, racks_per_row=64)
    return Clos(floor=hall).build(Equipment(hosts, accelerator("h100-sxm"), interconnect))


def _paths(hosts: int, backend: Backend) -> dict[str, Any]:
    """Choosing and writing out a path for every flow of a permutation, and whole routes, here and with NumPy."""
    fabric, traffic, numpy = _fabric(hosts), _permutation(hosts), choose_backend("numpy")
    facts: dict[str, Any] = {"flows": hosts}
    for name, chosen in {backend.name: backend, "numpy": numpy}.items():
        route = partial(Ecmp().route, traffic, fabric, None, 7, backend=chosen)
        facts[f"{name}_route_s"], _ = _timed(route, chosen, 5)
    forms = fabric.paths.forms()
    if backend.name == "cupy" and forms is not None:
        paths = PathsOnDevice.between(traffic.edge_src, traffic.edge_dst, forms, backend)
        facts["choose_and_write_s"], _ = _timed(
            lambda: paths.links(Ecmp().choose(paths.num_paths, paths.src, paths.dst, 7, backend)), backend
        )
    return facts


def _solve(hosts: int, traffic: Traffic, backend: Backend) -> dict[str, Any]:
    flows, capacity = _routed(hosts, traffic)
    arrays = [backend.asarray(column) for column in (flows.hop_starts, flows.hop_row, flows.hop_weight, capacity)]
    solve = _solver(arrays, backend)
    median_s, least_s = _timed(solve, backend)
    whole_s, _ = _timed(lambda: maxmin_rates(*arrays, backend), backend)
    problem_bytes = sum(int(column.nbytes) for column in arrays)
    numba = choose_backend("numba")
    host = (flows.hop_starts, flows.hop_row, flows.hop_weight, capacity)
    numba_s, _ = _timed(lambda: maxmin_rates(*host, numba), numba, runs=3)
    began_s = time.perf_counter()
    expected, _ = maxmin_rates(*host, choose_backend("numpy"))
    numpy_s = time.perf_counter() - began_s
    found = backend.to_host(maxmin_rates(*arrays, backend)[0])
    return {
        "flows": len(flows), "hops": len(flows.hop_row), "median_s": median_s, "least_s": least_s,
        "with_transpose_s": whole_s, "problem_bytes": problem_bytes,
        "problem_bytes_per_s": problem_bytes / median_s, "numba_s": numba_s, "numpy_s": numpy_s,
        "largest_relative_difference": float(np.max(np.abs(found / expected - 1))),
    }  # fmt: skip


def _solver(arrays: list[Any], backend: Backend) -> Callable[[], Any]:
    """A full solve with everything on the device that does not change while capacities do."""
    if backend.name != "cupy":
        return lambda: maxmin_rates(*arrays, backend)
    from cluster_sim.kernels.on_device import members_of_rows, rates_of_members

    hop_starts, hop_row, hop_weight, capacity = arrays
    members = members_of_rows(hop_starts, hop_row, hop_weight, len(capacity), backend)
    return lambda: rates_of_members(hop_starts, hop_row, members, capacity, backend)


def _timed(what: Callable[[], Any], backend: Backend, runs: int = 20) -> tuple[float, float]:
    """(median, least) seconds, after one run that compiles."""
    times_s = []
    for _ in range(runs + 1):
        began_s = time.perf_counter()
        what()
        if backend.name == "cupy":
            backend.xp.cuda.Device().synchronize()
        times_s.append(time.perf_counter() - began_s)
    return statistics.median(times_s[1:]), min(times_s[1:])


def _all_to_all(backend: Backend) -> dict[str, Any]:
    """Event by event: 1,024 hosts in groups of 64, random placement, equal sizes, ECMP."""
    flows, capacity = _routed(1024, _groups(1024))
    ends, times_s = {}, {}
    for name in dict.fromkeys((backend.name, "numba")):
        chosen = choose_backend(name)
        for _ in range(2):
            began_s = time.perf_counter()
            ends[name], num_events = _to_the_end(flows, capacity, chosen)
            times_s[name] = time.perf_counter() - began_s
    difference = np.max(np.abs(ends[backend.name] / ends["numba"] - 1))
    return {"s": times_s, "events": num_events, "largest_relative_difference": float(difference)}


def _to_the_end(flows: Flows, capacity: np.ndarray, backend: Backend) -> tuple[np.ndarray, int]:
    table = FlowTable(
        pattern=np.zeros(len(flows), np.int32), pattern_starts=np.array([0, len(flows)]), size_bytes=flows.size_bytes,
        latency_s=flows.latency_s, hop_starts=flows.hop_starts, hop_row=flows.hop_row, hop_weight=flows.hop_weight,
    )  # fmt: skip
    state = FlowState.idle(table, capacity, counts_bytes=False)
    state.start(table, 0, 0.0)
    advance(table, state, 0.0, np.inf, backend)
    settle(table, state, state.now_s)
    return state.classes["end_s"].copy(), state.num_events


def _crossover(backend: Backend, most: int) -> list[dict[str, Any]]:
    """One full solve of a permutation here and with Numba, larger and larger."""
    found = []
    for hosts in (1 << power for power in range(10, 21, 2)):
        if hosts <= most:
            flows, capacity = _routed(hosts, _permutation(hosts))
            host = (flows.hop_starts, flows.hop_row, flows.hop_weight, capacity)
            numba = choose_backend("numba")
            mine_s, _ = _timed(_solver([backend.asarray(column) for column in host], backend), backend)
            numba_s, _ = _timed(lambda host=host, numba=numba: maxmin_rates(*host, numba), numba, runs=5)
            found.append({"flows": hosts, "s": mine_s, "numba_s": numba_s})
    return found


def _comparison(backend: Backend) -> dict[str, Any]:
    """The main comparison here and with NumPy: step times within 1e-9, and how long both take."""
    steps, times_s = {}, {}
    for name in (backend.name, "numpy"):
        began_s = time.perf_counter()
        run = compare(load_config("configs/compare-trillion.yaml", (f"backend={name}",)))
        times_s[name] = time.perf_counter() - began_s
        steps[name] = np.array([value or 0.0 for value in run.summary["step_time_s"].to_pylist()])
    mine, numpy = steps[backend.name], steps["numpy"]
    assert np.allclose(mine, numpy, rtol=1e-9, atol=0.0), "the backends disagree"
    return {"s": times_s, "largest_relative_difference": float(np.max(np.abs(mine - numpy) / np.maximum(numpy, 1e-99)))}


if __name__ == "__main__":
    main()
