"""Candidate paths of pairs of endpoints: one of each, or a few, all or sampled."""

from collections.abc import Callable
from typing import Any

import numpy as np

from cluster_sim.backend import Backend
from cluster_sim.core import NotBuildableError
from cluster_sim.kernels import PathsOnDevice, hashed, scrambled
from cluster_sim.tables import Array, Circuits, Fabric

#: (num_paths int64[E], src int32[E], dst int32[E], backend) -> int64[E], on the device where the backend is one.
Choose = Callable[[Any, Any, Any, Backend | None], Any]


def one_path(
    src: Array, dst: Array, fabric: Fabric, circuits: Circuits | None, choose: Choose, backend: Backend | None
) -> tuple[Array, Array]:  # fmt: skip
    """(edge int32[H], link int32[H]) of the candidate that ``choose`` picks for each pair, in order from src to dst.

    Raises:
        NotBuildableError: a pair of endpoints has no path.
    """
    forms = fabric.paths.forms()
    if forms is not None and backend is not None and backend.name == "cupy":
        paths = PathsOnDevice.between(src, dst, forms, backend)
        edge, link = paths.links(choose(paths.num_paths, paths.src, paths.dst, backend))
        return backend.to_host(edge), backend.to_host(link)
    num_paths = num_paths_of(src, dst, fabric, circuits)
    return fabric.paths.links(src, dst, choose(num_paths, src, dst, None), circuits)


def num_paths_of(src: Array, dst: Array, fabric: Fabric, circuits: Circuits | None) -> Array:
    """int64[E]: candidate paths of each pair, at least one.

    Raises:
        NotBuildableError: a pair of endpoints has no path.
    """
    num_paths = fabric.paths.count(src, dst, circuits)
    if len(num_paths) and num_paths.min() == 0:
        edge = int(num_paths.argmin())
        why = "every one lacks a circuit or crosses a failed link, or the graph is in parts"
        pairs = f"{np.count_nonzero(num_paths == 0)} of {len(num_paths)} pairs have none"
        raise NotBuildableError((f"endpoint {src[edge]} has no path to endpoint {dst[edge]} ({pairs}): {why}",))
    return num_paths


def some_paths(num_paths: Array, src: Array, dst: Array, key: int, most: int) -> Array:
    """int64[E, k]: candidates of each pair, ascending, where k is ``most``, or less if no pair has as many.

    Pairs with up to k candidates have them all, some of them repeatedly; others have one out of each of k equal parts
    of them, by a hash.

    Args:
        num_paths: int64[E], > 0, at most 2**53.
        src: int32[E].
        dst: int32[E].
        key: 64 random bits.
        most: 1 to 1024.
    """
    part = np.arange(min(most, int(num_paths.max(initial=1))))
    first = num_paths[:, None] * part // len(part)
    width = np.maximum(num_paths[:, None] * (part + 1) // len(part) - first, 1).astype(np.uint64)
    pair = hashed(src, dst, key)
    chosen: Array = first + (scrambled(pair[:, None] + part.astype(np.uint64)) % width).astype(np.int64)
    return chosen


def key_of(key: int, number: int) -> int:
    """64 random bits for the ``number``-th use of a key; use 0 is the key itself."""
    if number == 0:
        return key
    return int(scrambled(scrambled(np.array([number], np.uint64)) ^ np.uint64(key))[0])
