from pathlib import Path

import pytest

from cluster_sim.backend import cuda, launch

SOURCE = Path("some.cu")


class Launches:
    """Stands in for a compiled module; keeps (kernel, blocks, threads, arguments) of every launch."""

    def __init__(self) -> None:
        self.seen = []

    def get_function(self, kernel: str):
        return lambda grid, block, arguments: self.seen.append((kernel, *grid, *block, arguments))


@pytest.fixture
def launches(monkeypatch):
    module = Launches()
    monkeypatch.setattr(cuda, "_module", lambda path: module)
    return module.seen


@pytest.mark.parametrize("num_threads", [1, 255, 256, 257, 1_000_000, 16_776_960])
def test_there_is_a_thread_for_every_item_and_no_block_too_many(launches, num_threads):
    """Below 65535 blocks of 256 threads, as many blocks as the items need."""
    launch(SOURCE, "kernel", num_threads, 1, 2.0)
    [(kernel, blocks, threads, arguments)] = launches
    assert (kernel, arguments) == ("kernel", (1, 2.0))
    assert (blocks - 1) * threads < num_threads <= blocks * threads


def test_the_grid_is_never_larger_than_cuda_allows(launches):
    """Beyond that each thread strides over several items."""
    launch(SOURCE, "kernel", 10**9)
    assert launches[0][1] == 65535


def test_nothing_is_launched_for_nothing(launches):
    """CUDA refuses a grid without blocks."""
    launch(SOURCE, "kernel", 0)
    assert launches == []
