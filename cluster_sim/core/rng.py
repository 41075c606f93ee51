"""Random numbers by name, so that a new consumer never disturbs the others."""

import hashlib

import numpy as np


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """A generator of its own for every (seed, names); the same everywhere and in every version of Python."""
    return np.random.default_rng(stream_key(seed, *names))


def stream_key(seed: int, *names: str | int) -> int:
    """A 64-bit number that depends on the seed and every name."""
    text = "\x1f".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
