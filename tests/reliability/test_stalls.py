import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster_sim.reliability.stalls import Stalls


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 30)), max_size=20), st.integers(0, 20), st.floats(0, 140))
def test_it_is_the_time_in_which_anything_is_down(outages, split, time_s):
    """Second by second: an outage of whole seconds covers those from its start to its end."""
    outages = sorted(outages)
    stalls = Stalls()
    for some in (outages[:split], outages[split:]):
        starts_s = np.array([start for start, _ in some], float)
        stalls.add(starts_s, starts_s + np.array([length for _, length in some], float))
    down = [any(start <= second < start + length for start, length in outages) for second in range(140)]
    whole, part = int(time_s), time_s - int(time_s)
    expected = sum(down[:whole]) + (part * down[whole] if whole < 140 else 0)
    assert stalls.until(time_s) == pytest.approx(expected)
