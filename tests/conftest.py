"""What all tests share: repeatable property tests, and every backend that this machine has."""

import pytest
from hypothesis import settings

from cluster_sim.backend import Backend, choose_backend
from cluster_sim.core import BackendError

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=60)
settings.load_profile("repeatable")


@pytest.fixture(scope="session", params=["numpy", "numba", pytest.param("cupy", marks=pytest.mark.gpu)])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Each backend in turn; CuPy is skipped, with the reason, where there is no GPU."""
    try:
        return choose_backend(request.param)
    except BackendError as error:
        if request.param != "cupy":
            raise
        pytest.skip(str(error))
