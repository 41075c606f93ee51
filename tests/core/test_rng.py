import subprocess
import sys

import numpy as np

from cluster_sim.core import stream, stream_key


def test_the_same_names_give_the_same_numbers():
    assert np.array_equal(stream(1, "ecmp", 3).random(100), stream(1, "ecmp", 3).random(100))


def test_other_seeds_and_other_names_give_other_numbers():
    keys = [stream_key(1, "a"), stream_key(2, "a"), stream_key(1, "b"), stream_key(1, "a", "b"), stream_key(1, "ab"),
            stream_key(1), stream_key(1, "a", 1), stream_key(11, "a")]  # fmt: skip
    assert len(set(keys)) == len(keys)


def test_a_new_consumer_disturbs_nobody():
    alone = stream(1, "failures").random(10)
    first, other = stream(1, "failures"), stream(1, "new consumer")
    mixed = []
    for _ in range(10):
        other.random(7)
        mixed.append(first.random())
    assert np.array_equal(alone, mixed)


def test_numbers_never_change():
    """Written down once: results of different versions, processes and machines can be compared."""
    assert stream_key(1, "routing", "job") == 12053927135680784959
    assert stream(1, "routing", "job").integers(0, 1000, 5).tolist() == [226, 645, 748, 736, 182]


def test_another_process_gets_the_same_key():
    code = "from cluster_sim.core import stream_key; print(stream_key(7, 'a', 2))"
    keys = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert keys == {f"{stream_key(7, 'a', 2)}\n"}


def test_a_key_fits_into_64_bits():
    assert all(0 <= stream_key(seed, "x") < 2**64 for seed in (0, 1, 2**80))
