"""Which library computes the rates: numpy, numba or cupy."""

import importlib.util
import logging
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

import numpy as np

from cluster_sim.core import BackendError, UnknownNameError

logger = logging.getLogger(__name__)

BackendName = Literal["auto", "numpy", "numba", "cupy"]


@dataclass(frozen=True, slots=True)
class Backend:
    """A way to run kernels.

    Attributes:
        name: ``numpy`` | ``numba`` | ``cupy``.
        why: the reason it was chosen, for the log and the manifest.
        xp: the array module whose arrays its kernels take: numpy, or cupy on a GPU.
        device: what it runs on.
    """

    name: Literal["numpy", "numba", "cupy"]
    why: str
    xp: ModuleType
    device: str

    def asarray(self, values: Any) -> Any:
        """``values`` as an array of this backend, copied only when it has to move."""
        return self.xp.asarray(values)

    def to_host(self, values: Any) -> Any:
        """``values`` as a numpy array."""
        return values.get() if self.name == "cupy" else np.asarray(values)


def choose_backend(name: BackendName = "auto") -> Backend:
    """The backend called ``name``, or the best one there is for ``auto``, with the reason logged.

    Raises:
        BackendError: a backend asked for by name is missing; says how to get it.
    """
    if name == "auto":
        backend = _automatic()
        logger.info("backend: %s (%s)", backend.name, backend.why)
        return backend
    if name not in _NAMED:
        raise UnknownNameError("backend", name, ("auto", *_NAMED))
    return _NAMED[name]("asked for by name")


def available_backends() -> dict[str, str]:
    """Every backend with the reason why it is there or is not, for ``cluster-sim doctor``."""
    found = {}
    for name, make in _NAMED.items():
        try:
            found[name] = f"available on {make('').device}"
        except BackendError as error:
            found[name] = str(error)
    return found


def _automatic() -> Backend:
    """Numba before NumPy; CuPy only by name, until the problem size from which it wins has been measured."""
    gpu = "no GPU was looked for: the size from which CuPy beats Numba has not been measured yet"
    try:
        return _numba(f"compiled CPU kernels are installed; {gpu}")
    except BackendError:
        return _numpy(f"numba is not installed; {gpu}")


def _numpy(why: str) -> Backend:
    return Backend("numpy", why, np, "CPU")


def _numba(why: str) -> Backend:
    if importlib.util.find_spec("numba") is None:
        raise BackendError("numba", "the package numba is not installed", "Run 'pip install numba'.")
    return Backend("numba", why, np, "CPU, compiled")


def _cupy(why: str) -> Backend:
    advice = "Install the extra 'gpu' (CUDA 13) or 'gpu-cuda12' on a machine with an NVIDIA GPU, or use numba."
    try:
        import cupy
    except ImportError as error:
        raise BackendError("cupy", f"the package cupy cannot be imported ({error})", advice) from error
    try:
        if cupy.cuda.runtime.getDeviceCount() == 0:
            raise BackendError("cupy", "no NVIDIA GPU is visible", advice)
        properties = cupy.cuda.runtime.getDeviceProperties(0)
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise BackendError("cupy", f"CUDA says: {error}", advice) from error
    return Backend("cupy", why, cupy, properties["name"].decode())


_NAMED = {"numpy": _numpy, "numba": _numba, "cupy": _cupy}
