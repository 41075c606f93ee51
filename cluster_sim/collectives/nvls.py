"""In-network reduction in the switches of a scale-up domain (NVLink SHARP).

Switches add up what is loaded from a multicast address, and copy what is stored to one [NVIDIA, PTX ISA, multimem.
ld_reduce and multimem.st]. In an all-reduce each of n ranks loads the sum of its n-th, for which everybody sends it up
once, and stores it to all: S + S/n up and S/n + S down at every rank [NVIDIA, Hopper architecture in depth, 2022: half
the traffic of reading and writing]. That is one transfer with an edge from every rank to itself, up its link and down
again. A reduce-scatter loads only: S up, S/n down; an all-gather stores only: S/n up, S down. Their edges carry S both
ways, since an edge cannot carry less on one side: right for the time, too much on the lighter side.
"""

from collections.abc import Callable

import numpy as np

from cluster_sim.collectives.base import Groups, lockstep
from cluster_sim.collectives.steps import Plan, Sends, one_after_another
from cluster_sim.core import InputError
from cluster_sim.tables import Array, Traffic

#: Ways from rank to rank: a load is a request and its answer, a store is one way.
_LOAD, _STORE = 2, 1


def _reduce_scatter_plan(groups: Groups) -> Plan:
    """All up to the switch, which adds; each part down to its rank."""
    size = groups.size
    up = _sends(size, size, lambda: _everything(size), is_up=True, reduces=True)
    down = _sends(size, 1, lambda: np.arange(size)[:, None], is_up=False, reduces=False)
    return Plan(size, ((up,), (down,)))


def _all_gather_plan(groups: Groups) -> Plan:
    """Each part up to the switch; all down to everybody."""
    size = groups.size
    up = _sends(size, 1, lambda: np.arange(size)[:, None], is_up=True, reduces=False)
    down = _sends(size, size, lambda: _everything(size), is_up=False, reduces=False)
    return Plan(size, ((up,), (down,)))


def _all_reduce_plan(groups: Groups) -> Plan:
    return one_after_another(_reduce_scatter_plan(groups), _all_gather_plan(groups))


@lockstep("nvls_all_reduce", _all_reduce_plan, reducing="scale_up")
def nvls_all_reduce(groups: Groups, size_bytes: float) -> Traffic:
    """(n+1)/n of the buffer up and down every rank's scale-up link."""
    return _up_and_down(groups, "nvls_all_reduce", size_bytes * (groups.size + 1) / groups.size, _LOAD + _STORE)


@lockstep("nvls_reduce_scatter", _reduce_scatter_plan, reducing="scale_up")
def nvls_reduce_scatter(groups: Groups, size_bytes: float) -> Traffic:
    """The buffer up every rank's scale-up link."""
    return _up_and_down(groups, "nvls_reduce_scatter", size_bytes, _LOAD)


@lockstep("nvls_all_gather", _all_gather_plan, reducing="scale_up")
def nvls_all_gather(groups: Groups, size_bytes: float) -> Traffic:
    """The buffer down every rank's scale-up link."""
    return _up_and_down(groups, "nvls_all_gather", size_bytes, _STORE)


def _up_and_down(groups: Groups, name: str, size_bytes: float, steps: int) -> Traffic:
    domain = groups.domain[groups.ranks]
    if (domain != domain[:, :1]).any():
        group = int(np.flatnonzero((domain != domain[:, :1]).any(axis=1))[0])
        raise InputError(f"{name}: group {group} spans several scale-up domains; use hierarchical_{name}")
    ends, num = groups.ranks.ravel().astype(np.int32), len(groups.ranks)
    return Traffic(
        size_bytes=np.full(num, size_bytes), steps=np.full(num, steps, np.int32), round=np.zeros(num, np.int32),
        edge_src=ends, edge_dst=ends.copy(), edge_starts=np.arange(num + 1, dtype=np.int64) * groups.size,
    )  # fmt: skip


def _sends(size: int, num_chunks: int, chunks: Callable[[], Array], is_up: bool, reduces: bool) -> Sends:
    rank, switch = np.arange(size, dtype=np.int32), np.full(size, size, np.int32)
    ends = (rank, switch) if is_up else (switch, rank)
    return Sends(*ends, num_chunks, chunks, reduces)


def _everything(size: int) -> Array:
    return np.broadcast_to(np.arange(size), (size, size))
