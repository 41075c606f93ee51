"""What every pipeline schedule is: the order of a stage's passes."""

from typing import Protocol

from cluster_sim.core import Registry
from cluster_sim.tables import Array


class Order(Protocol):
    """A pipeline schedule."""

    def __call__(self, stage: int, num_stages: int, num_microbatches: int, num_chunks: int) -> Array:
        """int32[2 * microbatches * chunks, 3]: (1 for backward, chunk, microbatch) in the order they run on ``stage``.

        Raises:
            InputError: the schedule does not exist for these numbers; says which do.
        """
        ...


SCHEDULES: Registry[Order] = Registry("pipeline schedule")
