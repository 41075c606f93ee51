"""What every pipeline schedule is: the order of a stage's passes, and the way of a microbatch through the stages."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cluster_sim.core import Registry
from cluster_sim.tables import Array

#: What a pass computes: forward; backward; or its two halves, gradients of its inputs and gradients of its weights.
FORWARD, BACKWARD, INPUT, WEIGHT = range(4)


class Order(Protocol):
    """The order in which a stage does its passes."""

    def __call__(self, stage: int, num_stages: int, num_microbatches: int, num_chunks: int) -> Array:
        """int32[passes, 4]: (kind, chunk, microbatch, joined) in the order they run on ``stage``.

        ``kind`` is FORWARD, BACKWARD, INPUT or WEIGHT. A pass with ``joined`` 1 runs together with the one before it:
        each computes while the other communicates. Every (chunk, microbatch) that goes over the stage has one FORWARD
        and either one BACKWARD, or one INPUT and later one WEIGHT.

        Raises:
            InputError: the schedule does not exist for these numbers; says which do.
        """
        ...


@dataclass(frozen=True, slots=True)
class PipelineSchedule:
    """A pipeline schedule.

    Attributes:
        order: of each stage.
        is_two_way: chunk 1 of the stages goes from the last stage to the first, with the second half of microbatches
            and a copy of the parameters of its own; otherwise chunks follow one another, each from first to last.
    """

    order: Order
    is_two_way: bool = False

    def ways(self, num_stages: int, num_chunks: int) -> tuple[tuple[tuple[int, int], ...], ...]:
        """Ways through the model: the (stage, chunk) of every virtual stage, in the order of the forward pass."""
        if self.is_two_way:
            down = tuple((stage, 0) for stage in range(num_stages))
            return down, tuple((stage, 1) for stage in reversed(range(num_stages)))
        return (tuple((stage, chunk) for chunk in range(num_chunks) for stage in range(num_stages)),)


SCHEDULES: Registry[PipelineSchedule] = Registry("pipeline schedule")


def pipeline_schedule(name: str, is_two_way: bool = False) -> Callable[[Order], Order]:
    """Decorator: make the order below known as the schedule ``name``."""

    def add(order: Order) -> Order:
        SCHEDULES.register(name)(PipelineSchedule(order, is_two_way))
        return order

    return add


def passes(kind: int, chunk: Array, microbatch: Array) -> Array:
    """int32[n, 4]: passes of one kind, none joined."""
    return np.stack([np.full_like(chunk, kind), chunk, microbatch, np.zeros_like(chunk)], axis=1).astype(np.int32)
