import importlib.util
import logging
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from cluster_sim.backend import available_backends, choose_backend
from cluster_sim.core import BackendError, ClusterSimError


@pytest.fixture
def without_numba(monkeypatch):
    """As if numba had never been installed."""
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "numba" else find_spec(name, *rest)
    )


def fake_cupy(num_gpus: int, error: str = ""):
    """A module with just enough of CuPy to be asked for GPUs."""

    class CUDARuntimeError(RuntimeError):
        pass

    def count() -> int:
        if error:
            raise CUDARuntimeError(error)
        return num_gpus

    runtime = SimpleNamespace(
        CUDARuntimeError=CUDARuntimeError,
        getDeviceCount=count,
        getDeviceProperties=lambda device: {"name": b"Fake GPU %d" % device},
    )
    return SimpleNamespace(cuda=SimpleNamespace(runtime=runtime))


def test_auto_takes_the_compiled_kernels_and_says_why(caplog):
    with caplog.at_level(logging.INFO, logger="cluster_sim.backend"):
        backend = choose_backend("auto")
    assert backend.name == "numba"
    assert "compiled CPU kernels are installed" in backend.why
    assert "no GPU was looked for" in backend.why
    assert backend.why in caplog.text


def test_auto_is_the_default():
    assert choose_backend() == choose_backend("auto")


def test_auto_falls_back_on_numpy_and_says_why(without_numba, caplog):
    with caplog.at_level(logging.INFO, logger="cluster_sim.backend"):
        backend = choose_backend("auto")
    assert backend.name == "numpy"
    assert "numba is not installed" in caplog.text


def test_numpy_is_always_there(without_numba):
    backend = choose_backend("numpy")
    assert (backend.name, backend.xp, backend.device) == ("numpy", np, "CPU")


def test_numba_asked_for_by_name_does_not_fall_back(without_numba):
    with pytest.raises(BackendError, match=r"backend 'numba' is not available.*pip install numba"):
        choose_backend("numba")


def test_cupy_without_the_package_says_how_to_get_it(monkeypatch):
    """``None`` in sys.modules makes the import fail."""
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(BackendError, match=r"backend 'cupy' is not available.*cannot be imported.*'gpu'.*'gpu-cuda12'"):
        choose_backend("cupy")


def test_cupy_without_a_gpu_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy(num_gpus=0))
    with pytest.raises(BackendError, match=r"no NVIDIA GPU is visible.*or use numba"):
        choose_backend("cupy")


def test_cupy_without_a_driver_repeats_what_cuda_says(monkeypatch):
    """Without a driver CuPy imports, and counting the GPUs raises; the reason must reach the user."""
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy(0, error="driver version is insufficient"))
    with pytest.raises(BackendError, match=r"CUDA says: driver version is insufficient.*'gpu'"):
        choose_backend("cupy")


def test_cupy_with_a_gpu_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy(num_gpus=1))
    backend = choose_backend("cupy")
    assert (backend.name, backend.device) == ("cupy", "Fake GPU 0")


def test_an_unknown_backend_is_named_with_those_there_are():
    with pytest.raises(ClusterSimError, match=r"nunba.*numba.*numpy"):
        choose_backend("nunba")


def test_every_backend_is_listed_with_its_reason(without_numba, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy(num_gpus=1))
    found = available_backends()
    assert list(found) == ["numpy", "numba", "cupy"]
    assert found["numpy"] == "available on CPU"
    assert "pip install numba" in found["numba"]
    assert found["cupy"] == "available on Fake GPU 0"


def test_arrays_go_there_and_back(backend):
    values = np.array([1.0, 2.0, 3.0])
    there = backend.asarray(values)
    assert isinstance(there, backend.xp.ndarray)
    back = backend.to_host(there)
    assert isinstance(back, np.ndarray)
    assert back.tolist() == [1.0, 2.0, 3.0]
