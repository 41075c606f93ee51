"""What every collective algorithm is: ranks and bytes in, Traffic out."""

from dataclasses import dataclass
from typing import Protocol

from cluster_sim.core import Registry
from cluster_sim.tables import Array, Traffic


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """G groups of n ranks that run the same collective at the same time.

    Attributes:
        ranks: int32[G, n], endpoints in order.
        domain: int32[endpoints], scale-up domain of every endpoint.
    """

    ranks: Array
    domain: Array

    @property
    def size(self) -> int:
        """Ranks of a group."""
        return int(self.ranks.shape[1])


class Algorithm(Protocol):
    """A collective algorithm."""

    def __call__(self, groups: Groups, size_bytes: float) -> Traffic:
        """What is sent.

        Args:
            groups: who takes part; every group does the same on its own.
            size_bytes: the whole buffer: what each rank holds before an all-reduce or reduce-scatter, and after an
                all-gather; what each rank sends in total, its own part included, in an all-to-all; the message from
                each first to each second rank in point-to-point.
        """
        ...


COLLECTIVES: Registry[Algorithm] = Registry("collective")
