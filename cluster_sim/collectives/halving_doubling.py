"""Recursive halving and doubling: ranks 1, 2, 4, ... apart exchange, the largest messages between neighbours.

[Rabenseifner 2004; Thakur, Rabenseifner and Gropp 2005.]
"""

import numpy as np

from cluster_sim.collectives.base import Groups, stepwise
from cluster_sim.collectives.steps import Plan, Sends, one_after_another
from cluster_sim.core import InputError
from cluster_sim.tables import Array


@stepwise("halving_doubling_all_reduce")
def halving_doubling_all_reduce(groups: Groups) -> Plan:
    """Halving, then doubling: 2(p-1)/p of the buffer in 2 log2 p steps, p the largest power of two <= n.

    The other n - p ranks hand their whole buffer to one of the p before, and get the result afterwards.
    """
    power = 1 << (groups.size.bit_length() - 1)
    rest = np.arange(power, groups.size, dtype=np.int32)
    both = one_after_another(_halving(power), _doubling(power))
    if not len(rest):
        return both
    partner = (rest - power).astype(np.int32)
    fold = Sends(rest, partner, power, lambda: _all(power, len(rest)), reduces=True)
    unfold = Sends(partner, rest, power, lambda: _all(power, len(rest)), reduces=False)
    return Plan(power, ((fold,), *both.steps, (unfold,)))


@stepwise("halving_doubling_reduce_scatter")
def halving_doubling_reduce_scatter(groups: Groups) -> Plan:
    """(n-1)/n of the buffer in log2 n steps; n must be a power of two."""
    return _halving(_power_of_two("halving_doubling_reduce_scatter", groups))


@stepwise("halving_doubling_all_gather")
def halving_doubling_all_gather(groups: Groups) -> Plan:
    """(n-1)/n of the buffer in log2 n steps; n must be a power of two."""
    return _doubling(_power_of_two("halving_doubling_all_gather", groups))


def _power_of_two(name: str, groups: Groups) -> int:
    if groups.size & (groups.size - 1):
        raise InputError(f"{name} needs a power of two of ranks, not {groups.size}; use a ring, or bruck_all_gather")
    return groups.size


def _all(parts: int, num: int) -> Array:
    """int64[num, parts]: the whole buffer in each message."""
    return np.broadcast_to(np.arange(parts), (num, parts))


def _halving(num: int) -> Plan:
    """A rank keeps the parts whose numbers agree with its own in one bit more, and sends the others."""
    return Plan(num, tuple((_exchange(num, bit, reduces=True),) for bit in range(num.bit_length() - 1)))


def _doubling(num: int) -> Plan:
    """The same backwards."""
    return Plan(num, tuple((_exchange(num, bit, reduces=False),) for bit in reversed(range(num.bit_length() - 1))))


def _exchange(num: int, bit: int, reduces: bool) -> Sends:
    """With the rank that differs in ``bit``: reducing what that rank keeps, gathering what this one has."""
    rank, apart = np.arange(num, dtype=np.int32), 1 << bit
    lowest = (rank ^ apart if reduces else rank) & (2 * apart - 1)
    count = num // (2 * apart)
    return Sends(
        rank, rank ^ np.int32(apart), count, lambda: lowest[:, None] + 2 * apart * np.arange(count), reduces
    )  # fmt: skip
