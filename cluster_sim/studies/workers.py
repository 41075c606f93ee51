"""Many simulations side by side, in processes of their own."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from cluster_sim.core import SimulationError

T = TypeVar("T")
U = TypeVar("U")


def side_by_side(work: Callable[[T], U], items: Sequence[T], workers: int) -> Iterator[U]:
    """Results in the order of the items.

    Args:
        work: a function that processes can be sent.
        items: what it is called with.
        workers: most processes; 1 works in this one.

    Raises:
        SimulationError: a process ended early.
    """
    num = min(workers, len(items))
    if num <= 1:
        yield from map(work, items)
        return
    with ProcessPoolExecutor(num, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            yield from pool.map(work, items)
        except BrokenProcessPool as error:
            raise SimulationError(
                "a worker process ended early: killed, for instance for want of memory (use fewer workers, or 1), or "
                "started from a script that calls a study outside of 'if __name__ == \"__main__\":'"
            ) from error
