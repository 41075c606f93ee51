"""The CUDA kernels without a GPU: NVRTC compiles them, and g++ builds them so that the CPU can run them."""

import ctypes
import functools
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cluster_sim.kernels
from cluster_sim.backend import Backend, choose_backend
from cluster_sim.core import StalledFlowsError
from cluster_sim.engine.problem import run_problem
from cluster_sim.kernels import (
    FlowState,
    advance,
    maxmin_rates,
    on_device,
    refine,
    reroute,
    set_capacity,
    settle,
    unfair_flows,
)
from cluster_sim.routing import Ecmp, Spray
from cluster_sim.tables import FlowProblem, Traffic
from cluster_sim.topology.clos import ClosPaths
from tests.kernels.test_refine import by_capacity, coloured_networks
from tests.networks import KEY, SMALL, all_pairs, built, small_circuits, small_fabric
from tests.strategies import History, Network, flow_table, histories, networks

SOURCES = sorted(Path(cluster_sim.kernels.__file__).parent.glob("*.cu"))
NUMPY = choose_backend("numpy")


def test_there_are_sources():
    """Otherwise the tests below would say nothing."""
    assert [source.name for source in SOURCES] == ["advance.cu", "paths.cu", "scramble.cu"]


# NVRTC


def compile_with_nvrtc(code: str, architecture: str) -> str:
    """The compiler's messages, "" if it has none; NVRTCError if it cannot compile ``code``."""
    try:
        from cupy_backends.cuda.libs import nvrtc
    except ImportError as error:
        pytest.skip(f"CuPy is not installed ({error})")
    try:
        nvrtc.getVersion()
    except (RuntimeError, OSError) as error:
        pytest.skip(f"NVRTC is not installed ({error})")
    program = nvrtc.createProgram(code, "source.cu", [], [])
    try:
        nvrtc.compileProgram(program, ("-std=c++14", "-fmad=false", f"-arch={architecture}"))
        return nvrtc.getProgramLog(program)
    finally:
        nvrtc.destroyProgram(program)


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90", "sm_100"])
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_nvrtc_compiles_the_source_without_a_warning(source, architecture):
    """A100, H100 and B200; NVRTC needs no GPU, and finds no header, so nothing may be included."""
    assert compile_with_nvrtc(source.read_text(encoding="utf-8"), architecture).strip() == ""


@pytest.mark.parametrize(
    "mistake", [("rate_F[", "rat_F["), ("extern", "#include <vector>\nextern")], ids=["name", "include"]
)
def test_nvrtc_refuses_a_broken_source(mistake):
    """So that the test above can fail."""
    code = SOURCES[0].read_text(encoding="utf-8")
    assert mistake[0] in code
    with pytest.raises(Exception, match="NVRTC_ERROR_COMPILATION"):
        compile_with_nvrtc(code.replace(*mistake, 1), "sm_90")


# On the CPU

DTYPES = {
    "double": np.float64, "int": np.int32, "signed char": np.int8, "long long": np.int64, "unsigned int": np.uint32,
    "unsigned long long": np.uint64,
}  # fmt: skip
KERNEL = re.compile(r'extern "C" __global__ void (\w+)\(([^)]*)\)')


@dataclass(frozen=True)
class Parameter:
    """One of a kernel: its type in C, whether it points to an array, and whether the kernel may write there."""

    name: str
    dtype: Any
    is_array: bool
    is_constant: bool

    @classmethod
    def read(cls, text: str) -> "Parameter":
        is_constant, kind, star, name = re.fullmatch(r"(const )?([a-z ]+?)(\*?) (\w+)", " ".join(text.split())).groups()
        return cls(name, DTYPES[kind], bool(star), bool(is_constant))


@functools.cache
def kernels_in(source: Path) -> dict[str, list[Parameter]]:
    """The signature of every kernel."""
    found = KERNEL.findall(source.read_text(encoding="utf-8"))
    return {name: [Parameter.read(text) for text in parameters.split(",")] for name, parameters in found}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where libraries are built, once for all grids."""
    return tmp_path_factory.mktemp("cuda")


@functools.cache
def library_of(source: Path, folder: Path) -> ctypes.CDLL:
    """The source as a library, with ``run_<kernel>(blocks, threads, backwards, ...)`` for each of its kernels."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("g++ is not installed")
    lines = [f'#include "{Path(__file__).with_name("cuda_on_cpu.h")}"', f'#include "{source}"']
    for name, parameters in KERNEL.findall(source.read_text(encoding="utf-8")):
        arguments = ", ".join(text.split()[-1] for text in parameters.split(","))
        grid = "unsigned blocks, unsigned threads, int backwards"
        lines += [
            f'extern "C" void run_{name}({grid}, {" ".join(parameters.split())}) {{',
            f"    ON_GRID(blocks, threads, backwards, {name}({arguments}));",
            "}",
        ]
    program, library = folder / f"{source.stem}.cpp", folder / f"{source.stem}.so"
    program.write_text("\n".join(lines), encoding="utf-8")
    options = ("-std=c++14", "-O1", "-ffp-contract=off", "-Wall", "-Werror", "-shared", "-fPIC", "-pthread")
    own_names_first = "-Wl,-Bsymbolic"  # the library of C has a function called advance, too
    subprocess.run([compiler, *options, own_names_first, program, "-o", library], check=True)
    return ctypes.CDLL(str(library))


@dataclass(frozen=True)
class OnCpu:
    """Stands in for a launch: the same arguments, checked more strictly than CUDA would, on a grid of this shape."""

    folder: Path
    blocks: int
    threads: int
    backwards: bool

    def launch(self, source: Path, kernel: str, num_threads: int, *arguments: Any) -> None:
        if num_threads:
            self.launch_together(source, kernel, num_threads, *arguments)

    def launch_together(self, source: Path, kernel: str, num_items: int, *arguments: Any) -> None:
        parameters = kernels_in(source)[kernel]
        assert len(arguments) == len(parameters), f"{kernel} takes {len(parameters)} arguments"
        passed = [self._passed(*pair, kernel) for pair in zip(parameters, arguments, strict=True)]
        run = getattr(library_of(source, self.folder), f"run_{kernel}")
        run(ctypes.c_uint(self.blocks), ctypes.c_uint(self.threads), ctypes.c_int(self.backwards), *passed)

    def _passed(self, parameter: Parameter, value: Any, kernel: str) -> Any:
        what = f"{kernel}({parameter.name})"
        assert value.dtype == parameter.dtype, f"{what} is {value.dtype}, not {np.dtype(parameter.dtype)}"
        assert (value.ndim == 1) == parameter.is_array, f"{what}: an array where a number belongs, or the reverse"
        if not parameter.is_array:
            return np.ctypeslib.as_ctypes_type(parameter.dtype)(value.item())
        assert value.flags.c_contiguous, f"{what} is not contiguous"
        return ctypes.c_void_p(value.ctypes.data)


class CupyOnCpu(Backend):
    """Called cupy, so that the kernels take that way, but its arrays are NumPy's."""

    def asarray(self, values: Any) -> Any:
        return np.array(values)

    def to_host(self, values: Any) -> Any:
        return np.array(values)


#: Blocks, threads of each, last thread first, and from how many members on a row belongs to a block.
GRIDS = [(1, 1, False, 128), (1, 4, True, 1), (2, 2, False, 2), (3, 1, False, 1), (2, 64, True, 128)]
CUPY = CupyOnCpu("cupy", "emulated", np, "CPU")


@pytest.fixture(params=GRIDS, ids=lambda grid: f"{grid[0]}x{grid[1]}{' backwards' if grid[2] else ''}", scope="module")
def cupy_on_cpu(request, folder) -> Iterator[Backend]:
    """The CuPy backend on an emulated grid, smaller or larger than the problem, threads in this or that order."""
    *shape, most_members = request.param
    grid = OnCpu(folder, *shape)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(on_device, "launch", grid.launch)
        patch.setattr(on_device, "launch_together", grid.launch_together)
        patch.setattr(on_device, "_MOST_MEMBERS", most_members)
        for module in ("paths", "refine", "scramble"):
            patch.setattr(import_module(f"cluster_sim.kernels.{module}"), "launch", grid.launch)
        yield CUPY


# Symmetry


@given(coloured=coloured_networks())
def test_refinement_on_the_device_is_the_specification(cupy_on_cpu, coloured):
    """The same classes with the same numbers."""
    network, colour = coloured
    arguments = (*network.arrays[:3], np.array(colour, np.int64), by_capacity(network))
    found, expected = refine(*arguments, cupy_on_cpu), refine(*arguments)
    for column in fields(expected):
        np.testing.assert_array_equal(getattr(found, column.name), getattr(expected, column.name), column.name)


# Paths


@pytest.mark.parametrize("routing", [Ecmp(), Spray()], ids=lambda routing: routing.kind)
@pytest.mark.parametrize("name", SMALL)
def test_routes_on_the_device_are_the_specification(cupy_on_cpu, name, routing):
    """All pairs of every small fabric: the same rows, weights and latencies."""
    fabric, circuits = small_fabric(name), small_circuits(name)
    traffic = Traffic.between(*all_pairs(fabric), 1.0)
    if isinstance(fabric.paths, ClosPaths):
        assert fabric.paths.forms() is not None, "nothing went over the device"
    found, expected = (routing.route(traffic, fabric, circuits, KEY, backend=b) for b in (cupy_on_cpu, None))
    for column in fields(expected):
        np.testing.assert_array_equal(getattr(found, column.name), getattr(expected, column.name), column.name)


@given(fabric_and_circuits=built(), key=st.integers(0, 2**64 - 1))
def test_routes_on_the_device_are_the_specification_in_any_fabric(cupy_on_cpu, fabric_and_circuits, key):
    """ECMP over all pairs, if there are any."""
    fabric, circuits = fabric_and_circuits
    traffic = Traffic.between(*all_pairs(fabric), 1.0)
    found, expected = (Ecmp().route(traffic, fabric, circuits, key, backend=b) for b in (cupy_on_cpu, None))
    np.testing.assert_array_equal(found.hop_row, expected.hop_row)
    np.testing.assert_array_equal(found.hop_starts, expected.hop_starts)


# Rates


@given(network=networks(max_rows=10, max_flows=10))
def test_the_cuda_kernels_are_the_specification(cupy_on_cpu, network):
    """Rates and bottlenecks as in NumPy."""
    rate, bottleneck = maxmin_rates(*network.arrays, cupy_on_cpu)
    expected_rate, expected_bottleneck = maxmin_rates(*network.arrays, NUMPY)
    np.testing.assert_allclose(rate, expected_rate, rtol=1e-12)
    np.testing.assert_array_equal(bottleneck, expected_bottleneck)
    assert unfair_flows(*network.arrays, rate).tolist() == []


@given(network=networks())
def test_the_cuda_kernels_leave_their_arguments_alone(cupy_on_cpu, network):
    copies = [column.copy() for column in network.arrays]
    maxmin_rates(*network.arrays, cupy_on_cpu)
    for column, copy in zip(network.arrays, copies, strict=True):
        np.testing.assert_array_equal(column, copy)


def test_bottlenecks_are_found_over_many_rounds(cupy_on_cpu):
    """
    A chain: flow k crosses links k and k+1, link k carries 2**k B/s. Link 0 holds flow 0 at 1 B/s, link 1 leaves
    2 - 1 = 1 B/s for flow 1, link 2 leaves 4 - 1 = 3 for flow 2: rate k is 2**k minus rate k-1.
    """
    flows = [{k: 1.0, k + 1: 1.0} for k in range(20)]
    rate, bottleneck = maxmin_rates(*Network.of(flows, [2.0**k for k in range(21)]).arrays, cupy_on_cpu)
    expected = [1.0]
    for k in range(1, 20):
        expected.append(2.0**k - expected[-1])
    assert rate.tolist() == expected
    assert bottleneck.tolist() == list(range(20))


def test_a_flow_that_nothing_limits_ends_the_filling(cupy_on_cpu):
    """A row of infinite capacity holds nobody back; a loop on the device could not even be interrupted."""
    network = Network.of([{0: 1.0}, {0: 1.0, 1: 1.0}], [np.inf, 10.0])
    assert maxmin_rates(*network.arrays, cupy_on_cpu)[0].tolist() == [np.inf, 10.0]


def test_the_emulation_notices_a_wrong_type(cupy_on_cpu):
    """CUDA would read the bytes of an int64 as two int32 and say nothing."""
    network = Network.of([{0: 1.0}], [10.0])
    with pytest.raises(AssertionError, match="hop_row_H"):
        maxmin_rates(network.hop_starts, network.hop_row.astype(np.int64), *network.arrays[2:], cupy_on_cpu)


# The passage of time


def random_network(num_flows: int, num_rows: int, seed: int) -> Network:
    """Flows over three different rows each, weights and capacities all different."""
    rng = np.random.default_rng(seed)
    return Network(
        hop_starts=np.arange(0, 3 * num_flows + 1, 3, dtype=np.int64),
        hop_row=np.argsort(rng.random((num_flows, num_rows)), axis=1)[:, :3].ravel().astype(np.int32),
        hop_weight=rng.uniform(0.1, 3.0, 3 * num_flows),
        capacity=rng.uniform(1.0, 100.0, num_rows),
    )


def told(history: History, backend: Backend, stops: Sequence[float], tolerance: float) -> tuple[list[Any], FlowState]:
    """(what ``advance`` says on the way, state at the end), also of patterns that have just finished."""
    table = history.table
    state = FlowState.idle(table, history.network.capacity, tolerance)
    story: list[Any] = []
    moments = sorted({*history.start_s, *stops, *(time_s for time_s, _ in history.changes)})
    now_s = 0.0
    for moment_s in [*moments, np.inf]:
        while finished := advance(table, state, now_s, moment_s, backend):
            now_s = state.now_s
            story.append((finished, now_s, [state.last_class(pattern) for pattern in finished]))
        story.append((state.now_s, state.next_s, state.num_events, state.num_solves, state.largest_shift_s))
        if moment_s < np.inf:
            now_s = moment_s
            for pattern in (p for p, time_s in enumerate(history.start_s) if time_s == moment_s):
                state.start(table, pattern, now_s)
            for amounts in (amounts for time_s, amounts in history.changes if time_s == moment_s):
                set_capacity(table, state, np.array(amounts), now_s)
    settle(table, state, state.now_s)
    return story, state


def flat(story: Any) -> list[float]:
    """All numbers in it, in order."""
    return [number for part in story for number in flat(part)] if isinstance(story, (list, tuple)) else [float(story)]


def assert_same_state(state: FlowState, expected: FlowState) -> None:
    for name in ("bytes", "busy_s", "full_s", "peak"):
        np.testing.assert_allclose(state.carried[name], expected.carried[name], rtol=1e-9, atol=1e-9, err_msg=name)
    for name in ("left_bytes", "end_s"):
        np.testing.assert_allclose(state.classes[name], expected.classes[name], rtol=1e-9, atol=1e-9, err_msg=name)
    np.testing.assert_array_equal(state.classes["phase"], expected.classes["phase"])
    np.testing.assert_array_equal(state.bottleneck, expected.bottleneck)
    for name in ("left", "last", "last_s"):
        np.testing.assert_allclose(state.patterns[name], expected.patterns[name], rtol=1e-9, err_msg=name)
    np.testing.assert_allclose(state.rate, expected.rate, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(state.rows["load"], expected.rows["load"], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(state.past["stalled_s"], expected.past["stalled_s"], rtol=1e-9, atol=1e-9)


@given(
    history=histories(),
    stops=st.lists(st.floats(0.0, 60.0), max_size=3),
    tolerance=st.sampled_from([0.0, 0.0, 0.05]),
)
def test_the_loop_on_the_device_is_the_specification(cupy_on_cpu, history, stops, tolerance):
    """All that it says on the way and all that the state keeps: clock, counts, finishes, last classes, rows."""
    story, state = told(history, cupy_on_cpu, stops, tolerance)
    expected_story, expected = told(history, NUMPY, stops, tolerance)
    np.testing.assert_allclose(flat(story), flat(expected_story), rtol=1e-9, atol=1e-12)
    assert_same_state(state, expected)


@given(history=histories(), stops=st.lists(st.floats(0.0, 60.0), min_size=1, max_size=6))
@settings(max_examples=20)
def test_to_look_on_the_way_changes_nothing_on_the_device(cupy_on_cpu, history, stops):
    """The state comes home for that, and goes back with what was started and taken meanwhile."""
    table, taken = history.table, np.zeros(len(history.network.capacity))
    looked_at, left_alone = (FlowState.idle(table, history.network.capacity) for _ in range(2))
    for state in (looked_at, left_alone):
        for pattern in range(len(history.start_s)):
            state.start(table, pattern, 0.0)
    now_s = 0.0
    for stop_s in sorted(stops):
        finished = advance(table, looked_at, now_s, stop_s, cupy_on_cpu)
        assert finished == advance(table, left_alone, now_s, stop_s, cupy_on_cpu)
        now_s = looked_at.now_s if finished else stop_s
        settle(table, looked_at, now_s)
        taken += looked_at.carried["bytes"]
        looked_at.carried["bytes"] = 0.0
    for state in (looked_at, left_alone):
        settle(table, state, now_s)
    looked_at.carried["bytes"] += taken
    assert_same_state(looked_at, left_alone)


def test_a_started_pattern_is_known_when_the_state_comes_home(cupy_on_cpu):
    """100 B at 10 B/s from 0; the same again on another row from 4, settled before anything moves: 14 and not yet."""
    table = flow_table(Network.of([{0: 1.0}, {1: 1.0}], [1.0]), [0, 1], [100.0, 100.0], [0.0, 0.0])
    state = FlowState.idle(table, np.array([10.0, 10.0]))
    state.start(table, 0, 0.0)
    assert advance(table, state, 0.0, 4.0, cupy_on_cpu) == []
    state.start(table, 1, 4.0)
    settle(table, state, 4.0)
    assert state.classes["left_bytes"].tolist() == [60.0, 100.0]
    assert state.flying.tolist() == [0, 1]
    assert advance(table, state, 4.0, np.inf, cupy_on_cpu) == [0]
    assert advance(table, state, 10.0, np.inf, cupy_on_cpu) == [1]
    assert state.now_s == 14.0
    state.start(table, 0, 14.0, scale=2.0)
    assert advance(table, state, 14.0, np.inf, cupy_on_cpu) == [0]
    assert (state.now_s, state.patterns["last_s"][0]) == (34.0, 34.0)


def test_rerouted_classes_leave_the_old_table_behind(cupy_on_cpu):
    """100 B over 10 B/s until 4, the other 60 B over 30 B/s: 2 s more."""
    before, after = (flow_table(Network.of([{row: 1.0}], [1.0]), [0], [100.0], [0.0]) for row in (0, 1))
    state = FlowState.idle(before, np.array([10.0, 30.0]))
    state.start(before, 0, 0.0)
    assert advance(before, state, 0.0, 4.0, cupy_on_cpu) == []
    reroute(before, after, state, 4.0)
    assert advance(after, state, 4.0, np.inf, cupy_on_cpu) == [0]
    assert state.now_s == 6.0


def random_problem(num_flows: int, num_rows: int, seed: int) -> FlowProblem:
    """All sizes different, so that nearly every flow ends by itself; every fifth is empty."""
    rng, network = np.random.default_rng(seed), random_network(num_flows, num_rows, seed)
    size_bytes = rng.uniform(1.0, 100.0, num_flows)
    size_bytes[4::5] = 0.0
    return FlowProblem(
        capacity_bytes_per_s=network.capacity, start_s=rng.uniform(0.0, 5.0, num_flows).round(1),
        size_bytes=size_bytes, latency_s=np.full(num_flows, 0.25), hop_starts=network.hop_starts,
        hop_link=network.hop_row, hop_weight=network.hop_weight,
    )  # fmt: skip


@pytest.mark.parametrize(("num_flows", "num_rows"), [(1, 3), (60, 8), (60, 60)])
def test_a_whole_problem_on_the_device(cupy_on_cpu, num_flows, num_rows):
    """Also more classes and rows than threads, and rows with dozens of members."""
    problem = random_problem(num_flows, num_rows, seed=num_flows + num_rows)
    found, expected = run_problem(problem, cupy_on_cpu), run_problem(problem, NUMPY)
    np.testing.assert_allclose(found.finish_s, expected.finish_s, rtol=1e-9)
    assert (found.num_events, found.num_solves) == (expected.num_events, expected.num_solves)


def test_a_stalled_problem_is_told(cupy_on_cpu):
    """Every flow crosses all three links, one of them dead; only the empty one ends."""
    problem = random_problem(5, 3, seed=1)
    problem = replace(problem, capacity_bytes_per_s=problem.capacity_bytes_per_s * [1.0, 0.0, 1.0])
    with pytest.raises(StalledFlowsError) as error:
        run_problem(problem, cupy_on_cpu)
    with pytest.raises(StalledFlowsError) as expected:
        run_problem(problem, NUMPY)
    assert error.value.args == expected.value.args


def test_two_runs_on_the_device_are_equal_to_the_last_bit(cupy_on_cpu):
    problem = random_problem(40, 10, seed=7)
    first, second = (run_problem(problem, cupy_on_cpu).finish_s for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_the_number_of_blocks_cannot_be_seen_in_the_results(folder, monkeypatch):
    """Rows of one thread and rows of a block, whose tree has the same shape for 4 threads in 1, 2 or 3 blocks."""
    problem, found = random_problem(40, 10, seed=3), set()
    monkeypatch.setattr(on_device, "_MOST_MEMBERS", 12)
    for blocks in (1, 2, 3):
        grid = OnCpu(folder, blocks, 4, False)
        monkeypatch.setattr(on_device, "launch", grid.launch)
        monkeypatch.setattr(on_device, "launch_together", grid.launch_together)
        found.add(run_problem(problem, CUPY).finish_s.tobytes())
    assert len(found) == 1
