"""What all tests share: repeatable property tests, and every backend that this machine has."""

from pathlib import Path

import pytest
from hypothesis import settings

import cluster_sim.kernels
from cluster_sim.backend import Backend, choose_backend
from cluster_sim.core import BackendError

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=60)
settings.load_profile("repeatable")


def pytest_configure() -> None:
    """Forget compiled kernels that are older than any of their sources.

    Numba looks only at the file a function is in; a kernel that calls one of another file would go on with the old one.
    """
    folder = Path(cluster_sim.kernels.__file__).parent
    newest_s = max(source.stat().st_mtime for source in folder.glob("*_numba.py"))
    for index in (folder / "__pycache__").glob("*.nbi"):
        if index.stat().st_mtime < newest_s:
            index.unlink(missing_ok=True)


@pytest.fixture(scope="session", params=["numpy", "numba", pytest.param("cupy", marks=pytest.mark.gpu)])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Each backend in turn; CuPy is skipped, with the reason, where there is no GPU."""
    try:
        return choose_backend(request.param)
    except BackendError as error:
        if request.param != "cupy":
            raise
        pytest.skip(str(error))
