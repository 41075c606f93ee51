"""Many simulations side by side, in processes of their own."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Self, TypeVar

from cluster_sim.core import SimulationError

T = TypeVar("T")
U = TypeVar("U")


class Workers:
    """A pool of processes that is kept for several rounds; with one worker there is none, and all is done here.

    Args:
        num: of processes; None for as many as there are cores.
    """

    def __init__(self, num: int | None = None) -> None:
        self.num = num or os.cpu_count() or 1
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        """Start them: they import what they need while the caller goes on."""
        if self.num > 1:
            spawn = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.num, mp_context=spawn, initializer=_end_with_parent)
            for _ in range(self.num):
                self._pool.submit(os.getpid)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def results(self, work: Callable[[T], U], items: Sequence[T]) -> Iterator[U]:
        """``work`` of each item, in their order; processes can be sent both.

        Raises:
            SimulationError: a worker was killed.
        """
        if not self._pool:
            yield from map(work, items)
            return
        try:
            yield from self._pool.map(work, items)
        except BrokenProcessPool as error:
            raise SimulationError(
                "a worker process ended early: killed, for instance for want of memory (use fewer workers, or 1), or "
                "started from a script that calls a study outside of 'if __name__ == \"__main__\":'"
            ) from error


def _end_with_parent() -> None:
    """In a worker: end where the parent was killed, instead of waiting for work for ever."""
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def side_by_side(work: Callable[[T], U], items: Sequence[T], workers: int | None = None) -> Iterator[U]:
    """One round: ``work`` of each item, in their order, by so many processes; None for as many as there are cores."""
    with Workers(min(workers or os.cpu_count() or 1, max(len(items), 1))) as pool:
        yield from pool.results(work, items)
