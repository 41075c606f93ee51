"""Which accelerators of a cluster a job gets, in the order of its ranks.

Policies but ``packed`` hand out blocks: servers, or whole scale-up domains where tensor parallelism needs more than a
server. Blocks of which a part is taken come last, in order.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cluster_sim.core import InputError, Registry
from cluster_sim.tables import NONE, Array, Fabric, is_scale_up


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """What is free in a cluster, in blocks.

    Attributes:
        free: int64[...], free endpoints, ascending.
        block: int64[endpoints], block of each.
        leaf: int64[blocks], switch that its first accelerator hangs from; NONE where there is none.
        pod: int64[blocks].
        whole: int64[...], blocks that are free altogether, ascending.
        num_blocks: how many of them the job fills.
    """

    free: Array
    block: Array
    leaf: Array
    pod: Array
    whole: Array
    num_blocks: int

    def filled(self, order: Array) -> Array:
        """int64[...]: free endpoints block by block, those of ``order`` first, then the others."""
        turn = np.full(len(self.leaf), len(order))
        turn[order] = np.arange(len(order))
        return np.asarray(self.free[np.argsort(turn[self.block[self.free]], kind="stable")])


#: Free endpoints in the order in which a job's ranks take them. Args: the site, what draws.
Policy = Callable[[Site, np.random.Generator], Array]

PLACEMENTS: Registry[Policy] = Registry("placement")


def place(
    name: str, fabric: Fabric, num_ranks: int, tensor: int, is_taken: Array, random: np.random.Generator
) -> Array:
    """int32[ranks]: the endpoint of each rank of a job, all different and none taken.

    Args:
        name: of the policy.
        fabric: where.
        num_ranks: of the job.
        tensor: its tensor degree, whose ranks are neighbours.
        is_taken: bool[endpoints], by jobs that were placed before; not modified.
        random: what draws.

    Raises:
        InputError: too few accelerators are free.
    """
    num_free = int(np.count_nonzero(~is_taken))
    if num_free < num_ranks:
        raise InputError(
            f"a job of {num_ranks} accelerators where {num_free} are free; give the cluster more (cluster_accelerators)"
        )
    site = _site(fabric, num_ranks, tensor, is_taken)
    return np.asarray(PLACEMENTS[name](site, random)[:num_ranks], dtype=np.int32)


def _site(fabric: Fabric, num_ranks: int, tensor: int, is_taken: Array) -> Site:
    parts = fabric.endpoint_host
    if np.bincount(parts).max() < tensor:
        parts = fabric.endpoint_domain
    _, first, block, size = np.unique(parts, return_index=True, return_inverse=True, return_counts=True)
    block = block.ravel().astype(np.int64)
    return Site(
        free=np.flatnonzero(~is_taken), block=block, leaf=_leaf_of(fabric)[first],
        pod=fabric.endpoint_pod[first].astype(np.int64),
        whole=np.flatnonzero(np.bincount(block, weights=is_taken) == 0), num_blocks=-(-num_ranks // int(size.max())),
    )  # fmt: skip


@PLACEMENTS.register("packed")
def packed(site: Site, random: np.random.Generator) -> Array:
    """The next free accelerators in order, parts of blocks too."""
    return site.free


@PLACEMENTS.register("scattered")
def scattered(site: Site, random: np.random.Generator) -> Array:
    """Blocks by turns from every pod, and in a pod from every leaf: as far apart as can be."""
    leaf, pod = site.leaf[site.whole], site.pod[site.whole]
    in_pod = np.lexsort((leaf, _turn(leaf), pod))
    order = in_pod[np.lexsort((pod[in_pod], _turn(pod[in_pod])))]
    return site.filled(site.whole[order])


@PLACEMENTS.register("rail_aligned")
def rail_aligned(site: Site, random: np.random.Generator) -> Array:
    """Blocks that share their leaves, so that on a rail-optimised fabric the i-th accelerators of all do.

    The smallest set of such blocks that is enough; where none is, the largest ones.
    """
    _, group, num = np.unique(site.leaf[site.whole], return_inverse=True, return_counts=True)
    enough, group = num >= site.num_blocks, group.ravel()
    size = np.where(enough, num, -num)
    return site.filled(site.whole[np.lexsort((group, size[group], ~enough[group]))])


@PLACEMENTS.register("random")
def random_blocks(site: Site, random: np.random.Generator) -> Array:
    """Blocks in an order drawn with the seed."""
    return site.filled(random.permutation(site.whole))


def _turn(key: Array) -> Array:
    """int64[n]: how many before each have the same key."""
    order = np.argsort(key, kind="stable")
    starts = np.searchsorted(key[order], key[order])
    turn = np.empty(len(key), np.int64)
    turn[order] = np.arange(len(key)) - starts
    return turn


def _leaf_of(fabric: Fabric) -> Array:
    """int64[endpoints]: what its first link out of its scale-up domain leads to; NONE for none."""
    leaf = np.full(fabric.num_endpoints, NONE, np.int64)
    inside = np.array([is_scale_up(tier) for tier in fabric.tiers], bool)
    links = np.flatnonzero((fabric.links.src < fabric.num_endpoints) & ~inside[fabric.links.tier])[::-1]
    leaf[fabric.links.src[links]] = fabric.links.dst[links]
    return leaf
