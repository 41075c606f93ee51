"""What every collective algorithm is: ranks and bytes in, Traffic out."""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite, prod
from typing import Literal

import numpy as np

from cluster_sim.collectives.steps import Plan, written_out
from cluster_sim.core import InputError, Registry
from cluster_sim.tables import Array, Traffic

#: What a collective can be for; an algorithm's name ends in what it does.
OPERATIONS = (
    "all_gather", "all_reduce", "all_to_all", "barrier", "broadcast", "point_to_point", "reduce", "reduce_scatter",
)  # fmt: skip

#: Switches that reduce: none, those of the scale-up domain, or those of the fabric.
Reducing = Literal["", "scale_up", "fabric"]


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """G groups of n ranks that run the same collective at the same time.

    Attributes:
        ranks: int32[G, n], endpoints in order.
        domain: int32[endpoints], scale-up domain of every endpoint.
        pod: int32[endpoints], pod of every endpoint, the third level; None where there is none.
        shape: sizes of the torus that each group is, the last varying fastest; () where it is none.
    """

    ranks: Array
    domain: Array
    pod: Array | None = None
    shape: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        """Ranks of a group."""
        return int(self.ranks.shape[1])

    @property
    def num_domains(self) -> int:
        """The most scale-up domains that a group lies in."""
        domain = np.sort(self.domain[self.ranks], axis=1)
        return 1 + int((domain[:, 1:] != domain[:, :-1]).sum(axis=1).max(initial=0))


def shape_on(torus: tuple[int, ...], ranks: Array) -> tuple[int, ...]:
    """Sizes of the grid that every group is on a torus of endpoints; () where groups are none, or different ones.

    Args:
        torus: sides, the last varying fastest with the endpoint; () for none.
        ranks: int32[G, n], as in Groups.
    """
    if not torus:
        return ()
    place = np.stack(np.unravel_index(ranks, torus))
    sizes = tuple(len(np.unique(of_first)) for of_first in place[:, 0])
    if prod(sizes) != ranks.shape[1]:
        return ()
    grid = place.reshape(len(torus), -1, *sizes)
    for axis in range(len(torus)):
        lines = np.moveaxis(grid[axis], 1 + axis, -1).reshape(len(ranks), -1, sizes[axis])
        if (lines != lines[:, :1]).any():
            return ()
    return sizes


@dataclass(frozen=True, slots=True)
class Algorithm:
    """A collective algorithm.

    Every algorithm has two forms: what it sends as a whole, where all who send in lockstep are one transfer, and step
    by step, where every message is one. They are the same where nothing goes in lockstep.

    Attributes:
        name: in the registry.
        sends: Traffic of groups of two ranks or more and a buffer of more than nothing.
        plan: what a group does step by step.
        reducing: switches it needs.
        is_quadratic: whether every rank sends to every other although it need not.
    """

    name: str
    sends: Callable[[Groups, float], Traffic]
    plan: Callable[[Groups], Plan]
    reducing: Reducing = ""
    is_quadratic: bool = False

    @property
    def operation(self) -> str:
        """What it does, one of OPERATIONS."""
        return next(operation for operation in OPERATIONS if f"_{self.name}".endswith(f"_{operation}"))

    def __call__(self, groups: Groups, size_bytes: float) -> Traffic:
        """What is sent.

        Args:
            groups: who takes part; every group does the same on its own.
            size_bytes: the whole buffer: what each rank holds before an all-reduce, reduce or reduce-scatter, after an
                all-gather or a broadcast; what each rank sends in total, its own part included, in an all-to-all; the
                message from each first to each second rank in point-to-point; one notice in a barrier. The root of a
                broadcast or reduce is the first rank.

        Returns:
            Nothing for one rank or an empty buffer.

        Raises:
            InputError: a rank is not there or takes part twice, the size is no size, or the algorithm cannot do it.
        """
        check(self.name, groups, size_bytes)
        return self.sends(groups, float(size_bytes)) if groups.size > 1 and size_bytes > 0 else Traffic.none()

    def step_by_step(self, groups: Groups, size_bytes: float) -> Traffic:
        """The same with every message a transfer and every step a round: nobody starts before all have arrived.

        That is exact where all edges are alike; elsewhere it is an upper bound, since a rank only waits for what it
        sends on and for its own last message.
        """
        check(self.name, groups, size_bytes)
        if groups.size < 2 or size_bytes == 0:
            return Traffic.none()
        return written_out(self.name, self.plan(groups), groups.ranks, float(size_bytes))


COLLECTIVES: Registry[Algorithm] = Registry("collective")


def lockstep(
    name: str, plan: Callable[[Groups], Plan], reducing: Reducing = "", is_quadratic: bool = False
) -> Callable[[Callable[[Groups, float], Traffic]], Algorithm]:
    """Decorator: the function below gives the Traffic of the algorithm ``name``, ``plan`` the same step by step."""
    return lambda sends: COLLECTIVES.register(name)(Algorithm(name, sends, plan, reducing, is_quadratic))


def stepwise(name: str, is_quadratic: bool = False) -> Callable[[Callable[[Groups], Plan]], Algorithm]:
    """Decorator: the function below gives the steps of the algorithm ``name``, and they are what is sent."""

    def add(plan: Callable[[Groups], Plan]) -> Algorithm:
        def sends(groups: Groups, size_bytes: float) -> Traffic:
            return written_out(name, plan(groups), groups.ranks, size_bytes)

        return COLLECTIVES.register(name)(Algorithm(name, sends, plan, "", is_quadratic))

    return add


def check(name: str, groups: Groups, size_bytes: float) -> None:
    """InputError unless the groups and the size can be those of a collective."""
    if not (isfinite(size_bytes) and size_bytes >= 0):
        raise InputError(f"{name}: a size of {size_bytes} bytes; expected a finite number, 0 or more")
    ranks = groups.ranks
    if ranks.size and not (ranks.min() >= 0 and ranks.max() < len(groups.domain)):
        raise InputError(f"{name}: ranks from {ranks.min()} to {ranks.max()}; there are endpoints 0 to "
                         f"{len(groups.domain) - 1}")  # fmt: skip
    ordered = np.sort(ranks, axis=1)
    is_twice = ordered[:, 1:] == ordered[:, :-1]
    if is_twice.any():
        group, place = np.argwhere(is_twice)[0]
        raise InputError(f"{name}: rank {ordered[group, place]} takes part twice in group {group}; name each rank once")
