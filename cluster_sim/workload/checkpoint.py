"""Checkpoints: what is written to storage over the front-end network, and how long training waits for it."""

from math import ceil

from pydantic import Field, model_validator

from cluster_sim.catalogue import Accelerator
from cluster_sim.core import BytesPerSecond, Spec, raise_problems
from cluster_sim.workload.model import Model
from cluster_sim.workload.parallel import Parallelism

#: Weights in 16 bit; master weights and two moments in 32.
_BYTES_PER_PARAMETER = 2 + 12


class Checkpoint(Spec):
    """Weights and the optimiser's state, written every so many steps.

    The front-end network is one of its own: each server writes at its rate, all of them at most at that of the storage.

    Attributes:
        every: steps from one to the next.
        front_end_bytes_per_s: of a server, into the front-end network.
        storage_bytes_per_s: of the whole storage.
        asynchronous: training waits only until the state has been copied to the hosts' memory, and for the checkpoint
            before, where that is still being written.
        host_copy_bytes_per_s: of an accelerator, into its host's memory; matters to asynchronous ones only.
    """

    every: int = Field(ge=1)
    front_end_bytes_per_s: BytesPerSecond = Field(gt=0)
    storage_bytes_per_s: BytesPerSecond = Field(gt=0)
    asynchronous: bool = False
    host_copy_bytes_per_s: BytesPerSecond = Field(25e9, gt=0)

    @model_validator(mode="after")
    def _copies_ahead(self) -> "Checkpoint":
        if "host_copy_bytes_per_s" in self.model_fields_set and not self.asynchronous:
            is_default = self.host_copy_bytes_per_s == type(self).model_fields["host_copy_bytes_per_s"].default
            what = "is given, but only asynchronous checkpoints copy to hosts first; add asynchronous: true"
            raise_problems("Checkpoint", [] if is_default else [(("host_copy",), what)])
        return self

    def once_s(self, model: Model, parallel: Parallelism, accelerator: Accelerator) -> tuple[float, float]:
        """(time that training waits for one, time from there until it is whole).

        Args:
            model: what is written, once.
            parallel: which accelerators hold what is written; each shard is written by one that holds it.
            accelerator: how many are in a server.
        """
        total_bytes = float(_BYTES_PER_PARAMETER * model.parameters)
        writers = parallel.num_ranks // (1 if parallel.sharding != "none" else parallel.num_replicas)
        servers = ceil(writers / accelerator.accelerators_per_host.typical)
        write_s = total_bytes / min(self.storage_bytes_per_s, servers * self.front_end_bytes_per_s)
        if not self.asynchronous:
            return write_s, 0.0
        return total_bytes / writers / self.host_copy_bytes_per_s, write_s

    def mean_s(self, model: Model, parallel: Parallelism, accelerator: Accelerator, step_s: float) -> float:
        """Time that training waits for checkpoints, on average for each step.

        Args:
            model: as in ``once_s``.
            parallel: likewise.
            accelerator: likewise.
            step_s: time of a step.
        """
        wait_s, lag_s = self.once_s(model, parallel, accelerator)
        late_s = max(0.0, lag_s - self.every * step_s)
        return (wait_s + late_s) / self.every
