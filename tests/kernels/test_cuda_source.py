"""The CUDA kernels without a GPU: NVRTC compiles them, and g++ builds them so that the CPU can run them."""

import ctypes
import functools
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given

import cluster_sim.kernels
from cluster_sim.backend import Backend, choose_backend
from cluster_sim.kernels import maxmin, maxmin_rates, unfair_flows
from tests.strategies import Network, networks

SOURCES = sorted(Path(cluster_sim.kernels.__file__).parent.glob("*.cu"))
NUMPY = choose_backend("numpy")


def test_there_are_sources():
    """Otherwise the tests below would say nothing."""
    assert [source.name for source in SOURCES] == ["maxmin.cu"]


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
        nvrtc.compileProgram(program, ("-std=c++14", f"-arch={architecture}"))
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

DTYPES = {"double": np.float64, "int": np.int32, "signed char": np.int8, "long long": np.int64}
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


def kernels_in(source: Path) -> dict[str, list[Parameter]]:
    """The signature of every kernel."""
    found = KERNEL.findall(source.read_text(encoding="utf-8"))
    return {name: [Parameter.read(text) for text in parameters.split(",")] for name, parameters in found}


@functools.cache
def built(source: Path, folder: Path) -> ctypes.CDLL:
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
            f"    IN_EVERY_THREAD(blocks, threads, backwards, {name}({arguments}));",
            "}",
        ]
    program, library = folder / f"{source.stem}.cpp", folder / f"{source.stem}.so"
    program.write_text("\n".join(lines), encoding="utf-8")
    options = ("-std=c++14", "-O1", "-ffp-contract=off", "-shared", "-fPIC")
    subprocess.run([compiler, *options, program, "-o", library], check=True)
    return ctypes.CDLL(str(library))


@dataclass(frozen=True)
class OnCpu:
    """Stands in for ``launch``: the same arguments, checked more strictly than CUDA would, on a grid of this shape."""

    folder: Path
    blocks: int
    threads: int
    backwards: bool

    def launch(self, source: Path, kernel: str, num_threads: int, *arguments: Any) -> None:
        parameters = kernels_in(source)[kernel]
        assert len(arguments) == len(parameters), f"{kernel} takes {len(parameters)} arguments"
        if num_threads:
            passed = [self._passed(*pair, kernel) for pair in zip(parameters, arguments, strict=True)]
            run = getattr(built(source, self.folder), f"run_{kernel}")
            grid = ctypes.c_uint(self.blocks), ctypes.c_uint(self.threads), ctypes.c_int(self.backwards)
            if kernel == "freeze_flows":
                self._freeze(
                    lambda: run(*grid, *passed), dict(zip((p.name for p in parameters), arguments, strict=True))
                )
            else:
                run(*grid, *passed)

    def _freeze(self, run: Callable[[], None], arguments: dict[str, Any]) -> None:
        """A round that freezes nobody would be repeated for ever; a flow that two threads take is counted twice."""
        is_open, num_open = arguments["is_open_F"], arguments["num_open"]
        before = np.count_nonzero(is_open)
        run()
        assert np.count_nonzero(is_open) < before
        assert num_open[0] == np.count_nonzero(is_open)

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

    def to_host(self, values: Any) -> Any:
        return values


GRIDS = [(1, 1, False), (2, 3, False), (2, 3, True), (4, 64, True)]


@pytest.fixture(scope="module", params=GRIDS, ids=lambda grid: f"{grid[0]}x{grid[1]}{' backwards' if grid[2] else ''}")
def cupy_on_cpu(request, tmp_path_factory):
    """The CuPy backend on an emulated grid, smaller or larger than the problem, threads in this or that order."""
    grid = OnCpu(tmp_path_factory.mktemp("cuda"), *request.param)
    built(SOURCES[0], grid.folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(maxmin, "launch", grid.launch)
        yield CupyOnCpu("cupy", "emulated", np, "CPU")


@given(network=networks(max_rows=10, max_flows=10))
def test_the_cuda_kernels_are_the_specification(cupy_on_cpu, network):
    """Their own loop of rounds, launched thread by thread: rates and bottlenecks as in NumPy."""
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


def test_the_emulation_notices_a_wrong_type(cupy_on_cpu):
    """CUDA would read the bytes of an int64 as two int32 and say nothing."""
    network = Network.of([{0: 1.0}], [10.0])
    with pytest.raises(AssertionError, match="hop_row_H"):
        maxmin_rates(network.hop_starts, network.hop_row.astype(np.int64), *network.arrays[2:], cupy_on_cpu)
