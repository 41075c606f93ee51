"""Processes that simulate scenarios, kept for several rounds."""

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Self

from cluster_sim.backend import BackendName
from cluster_sim.config import Scenario
from cluster_sim.core import SimulationError
from cluster_sim.studies.compare import Tables, simulate_one


class Workers:
    """A pool of processes; with one worker there is none, and all is done here.

    Args:
        num: of processes; None for as many as there are cores.
    """

    def __init__(self, num: int | None = None) -> None:
        self.num = num or os.cpu_count() or 1
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        """Start them: they import what they need while the caller goes on."""
        if self.num > 1:
            self._pool = ProcessPoolExecutor(self.num, mp_context=multiprocessing.get_context("spawn"))
            for _ in range(self.num):
                self._pool.submit(os.getpid)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def results(self, scenarios: Sequence[Scenario], backend: BackendName) -> Iterator[tuple[Tables, float]]:
        """(tables, wall time) of each scenario, in their order.

        Raises:
            SimulationError: a worker was killed.
        """
        if not self._pool:
            yield from (simulate_one(scenario, backend) for scenario in scenarios)
            return
        try:
            yield from self._pool.map(simulate_one, scenarios, [backend] * len(scenarios))
        except BrokenProcessPool as error:
            raise SimulationError(
                "a worker process ended early: killed, for instance for want of memory (use fewer workers, or 1), or "
                "started from a script that calls plan outside of 'if __name__ == \"__main__\":'"
            ) from error
