"""One way to make numbers look random, for signatures and for hashes of paths."""

import numpy as np

from cluster_sim.tables import Array


def scrambled(value: Array) -> Array:
    """uint64: each value mixed so that every input bit moves every output bit [splitmix64, Steele et al. 2014]."""
    value = value.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Array = value ^ (value >> np.uint64(31))
    return mixed
