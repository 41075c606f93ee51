"""One way to make numbers look random, for signatures and for hashes of paths."""

from pathlib import Path
from typing import Any

import numpy as np

from cluster_sim.backend import Backend, launch
from cluster_sim.tables import Array

_SOURCE = Path(__file__).with_name("scramble.cu")


def scrambled(value: Array) -> Array:
    """uint64: each value mixed so that every input bit moves every output bit [splitmix64, Steele et al. 2014]."""
    value = value.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Array = value ^ (value >> np.uint64(31))
    return mixed


def hashed(src: Array, dst: Array, key: int) -> Array:
    """uint64[E]: a hash of each pair, int32[E] each, and of 64 random bits."""
    return scrambled(scrambled(src.astype(np.uint64) + np.uint64(key)) ^ dst.astype(np.uint64))


def hashed_choice(num_paths: Any, src: Any, dst: Any, key: int, backend: Backend | None = None) -> Any:
    """int64[E]: a hash of (key, src, dst) modulo the number of paths, as a switch hashes the 5-tuple of a connection.

    Args:
        num_paths: int64[E], > 0.
        src: int32[E].
        dst: int32[E].
        key: 64 random bits.
        backend: whose arrays these are; None for NumPy.
    """
    if backend is not None and backend.name == "cupy":
        choice = backend.xp.empty(len(num_paths), np.int64)
        size = np.int32(len(num_paths))
        launch(_SOURCE, "hashed_choice", len(num_paths), choice, num_paths, src, dst, np.uint64(key), size)
        return choice
    return np.asarray(hashed(src, dst, key) % num_paths.astype(np.uint64), dtype=np.int64)
