import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster_sim.backend import Backend, choose_backend
from cluster_sim.kernels import FlowState, FlowTable, advance, reroute, set_capacity, settle, tick_s, unfair_flows
from tests.kernels.exact import exact_finish_s
from tests.strategies import History, Network, flow_table, histories, networks

PEERS = Path(__file__).parents[3] / "shared" / "peers"
NEVER = float("inf")

Changes = Sequence[tuple[float, Sequence[float]]]


@pytest.fixture
def time_limit() -> Iterator[None]:
    """A loop that does not end is a failure, not a test run that does not end."""
    if not hasattr(signal, "SIGALRM"):
        pytest.skip("needs SIGALRM to interrupt an endless loop")
    previous = signal.signal(signal.SIGALRM, lambda *_: pytest.fail("did not end within 5 s"))
    signal.setitimer(signal.ITIMER_REAL, 5.0, 0.5)  # again and again: callbacks of the interpreter swallow exceptions
    yield
    signal.setitimer(signal.ITIMER_REAL, 0.0)
    signal.signal(signal.SIGALRM, previous)


def play(
    table: FlowTable,
    capacity: Sequence[float],
    start_s: Sequence[float],
    backend: Backend,
    changes: Changes = (),
    stops: Sequence[float] = (),
) -> tuple[list[float], FlowState]:
    """(when each pattern finished, state at the end): start patterns, change capacities, stop now and then."""
    state = FlowState.idle(table, np.array(capacity))
    finish_s = [NEVER] * len(start_s)
    now_s = 0.0
    for moment_s in [*sorted({*start_s, *stops, *(time_s for time_s, _ in changes)}), NEVER]:
        while finished := advance(table, state, now_s, moment_s, backend):
            now_s = state.now_s
            for pattern in finished:
                finish_s[pattern] = now_s
        if moment_s < NEVER:
            now_s = moment_s
            for pattern in (p for p, time_s in enumerate(start_s) if time_s == moment_s):
                state.start(table, pattern, now_s)
            for amounts in (amounts for time_s, amounts in changes if time_s == moment_s):
                set_capacity(table, state, np.array(amounts), now_s)
    settle(table, state, state.now_s)
    return finish_s, state


def stalled_s(state: FlowState) -> list[float]:
    """Of each pattern: how long its last class had no bandwidth."""
    has_finished = state.patterns["left"] == 0
    return [state.last_class(pattern)[0] if has_finished[pattern] else 0.0 for pattern in range(len(state.patterns))]


def one_by_one(
    flows: Sequence[dict[int, float]], size_bytes: Sequence[float], latency_s: Sequence[float] | None = None
) -> FlowTable:
    """Every flow a pattern of its own."""
    network = Network.of(flows, [1.0])
    return flow_table(network, range(len(flows)), size_bytes, latency_s or [0.0] * len(flows))


def replay(history: History, backend: Backend, stops: Sequence[float] = ()) -> tuple[list[float], FlowState]:
    capacity = history.network.capacity.tolist()
    return play(history.table, capacity, history.start_s, backend, history.changes, stops)


# Stories


def test_a_late_flow_slows_the_one_already_there(backend):
    """
    One link of 10 B/s. Flow a: 100 B at t=0. Flow b: 25 B at t=5.
    a sends 50 B alone, then both get 5 B/s: b ends at 10, a has 25 B left and ends at 12.5.
    """
    finish_s, state = play(one_by_one([{0: 1.0}, {0: 1.0}], [100.0, 25.0]), [10.0], [0.0, 5.0], backend)
    assert finish_s == [12.5, 10.0]
    assert state.carried["bytes"].tolist() == [125.0]
    assert state.carried["busy_s"].tolist() == state.carried["full_s"].tolist() == [12.5]
    assert state.carried["peak"].tolist() == [10.0]
    assert state.num_solves == 4  # a alone, both, a alone, nobody


def test_a_pattern_finishes_with_its_last_class(backend):
    """10 B/s; 10 B and 30 B in one pattern: 5 B/s each until 2, then 20 B at 10 B/s until 4. Nobody is told at 2."""
    table = flow_table(Network.of([{0: 1.0}, {0: 1.0}], [10.0]), [0, 0], [10.0, 30.0], [0.0, 0.0])
    state = FlowState.idle(table, np.array([10.0]))
    state.start(table, 0, 0.0)
    assert advance(table, state, 0.0, NEVER, backend) == [0]
    assert state.now_s == state.next_s == 4.0
    settle(table, state, 4.0)
    assert len(state.flying) == 0


def test_patterns_that_finish_together_are_told_together_in_order(backend):
    """Three flows of 10 B over three links of 10 B/s, started in the order 2, 0, 1: all end at 1."""
    table = one_by_one([{0: 1.0}, {1: 1.0}, {2: 1.0}], [10.0] * 3)
    state = FlowState.idle(table, np.full(3, 10.0))
    for pattern in (2, 0, 1):
        state.start(table, pattern, 0.0)
    assert advance(table, state, 0.0, NEVER, backend) == [0, 1, 2]
    assert state.now_s == 1.0


def test_latency_delays_the_first_byte_and_takes_no_bandwidth(backend):
    """
    10 B/s. a: 20 B after 3 s of latency; b: 30 B at once. b is alone until 3 and ends just then; a ends at 5.
    """
    finish_s, state = play(one_by_one([{0: 1.0}] * 2, [20.0, 30.0], [3.0, 0.0]), [10.0], [0.0, 0.0], backend)
    assert finish_s == [5.0, 3.0]
    assert state.past["stalled_s"].tolist() == [0.0, 0.0]


def test_a_flow_without_hops_takes_its_latency_only(backend, time_limit):
    """Nothing limits it; with half a second of latency it ends at 1.5 after a start at 1."""
    finish_s, state = play(one_by_one([{}], [1e12], [0.5]), [10.0], [1.0], backend)
    assert finish_s == [1.5]
    assert state.carried["bytes"].tolist() == [0.0]


def test_a_pattern_can_be_run_again_at_another_scale(backend):
    """10 B at 10 B/s ends at 1; three times as much from 1 on ends at 4."""
    table = one_by_one([{0: 1.0}], [10.0])
    state = FlowState.idle(table, np.array([10.0]))
    state.start(table, 0, 0.0)
    assert (advance(table, state, 0.0, NEVER, backend), state.now_s) == ([0], 1.0)
    state.start(table, 0, 1.0, scale=3.0)
    assert (advance(table, state, 1.0, NEVER, backend), state.now_s) == ([0], 4.0)


def test_a_pattern_in_flight_cannot_be_started_again():
    table = one_by_one([{0: 1.0}], [10.0])
    state = FlowState.idle(table, np.array([10.0]))
    state.start(table, 0, 0.0)
    with pytest.raises(AssertionError, match="already in flight"):
        state.start(table, 0, 0.5)


def test_nothing_happens_before_the_horizon(backend):
    """100 B at 10 B/s. Up to 4 nothing ends: no finish, the next is at 10. From 4 on the rest takes until 10."""
    table = one_by_one([{0: 1.0}], [100.0])
    state = FlowState.idle(table, np.array([10.0]))
    state.start(table, 0, 0.0)
    assert advance(table, state, 0.0, 4.0, backend) == []
    assert (state.now_s, state.next_s) == (0.0, 10.0)
    assert advance(table, state, 4.0, 6.0, backend) == []
    assert (state.now_s, state.next_s) == (4.0, 10.0)
    settle(table, state, 4.0)
    assert state.classes["left_bytes"].tolist() == [60.0]
    assert state.num_solves == 1  # nothing changed at 4
    assert advance(table, state, 6.0, 10.0, backend) == [0]
    assert state.now_s == 10.0


def test_a_finish_within_a_tick_of_the_horizon_belongs_to_it(backend, time_limit):
    """100 B at 10 B/s end at 10, half a tick after the horizon: whoever acts then goes first; done at that instant."""
    table = one_by_one([{0: 1.0}], [100.0])
    state = FlowState.idle(table, np.array([10.0]))
    state.start(table, 0, 0.0)
    until_s = 10.0 - tick_s(10.0) / 2
    assert until_s < 10.0
    assert advance(table, state, 0.0, until_s, backend) == []
    assert advance(table, state, until_s, until_s, backend) == [0]
    assert state.now_s == until_s


def test_a_flow_on_a_dead_row_waits_for_capacity(backend):
    """
    Row 0 is dead until 7, then has 10 B/s: 50 B started at 2 end at 12, after standing still for 5 s. The flow on row
    1 does not notice. Without the change there is no next event.
    """
    table = one_by_one([{0: 1.0, 1: 1.0}, {1: 1.0}], [50.0, 10.0])
    finish_s, state = play(table, [0.0, 10.0], [2.0, 2.0], backend, changes=[(7.0, [10.0, 10.0])])
    assert finish_s == [12.0, 3.0]
    assert stalled_s(state) == [5.0, 0.0]
    assert state.carried["bytes"].tolist() == [50.0, 60.0]
    assert state.carried["busy_s"].tolist() == [5.0, 6.0]
    finish_s, state = play(table, [0.0, 10.0], [2.0, 2.0], backend, stops=[9.0])
    assert finish_s == [NEVER, 3.0]
    assert state.next_s == NEVER
    assert state.past["stalled_s"].tolist() == [7.0, 0.0]
    assert state.bottleneck[0] == 0


def test_a_row_that_dies_on_the_way_keeps_what_was_sent(backend):
    """100 B at 10 B/s; dead from 3 to 5: 30 B before, 70 B after, so 12, and 2 s of standing still."""
    finish_s, state = play(
        one_by_one([{0: 1.0}], [100.0]), [10.0], [0.0], backend, changes=[(3.0, [0.0]), (5.0, [10.0])]
    )
    assert finish_s == [12.0]
    assert stalled_s(state) == [2.0]
    assert state.carried["bytes"].tolist() == [100.0]
    assert state.carried["busy_s"].tolist() == [10.0]


def test_a_row_was_full_even_if_its_capacity_grows_afterwards(backend):
    """100 B at 10 B/s, at 20 B/s from 5 on: 50 B in 5 s, 50 B in 2.5 s; the row was full for all 7.5 s."""
    finish_s, state = play(one_by_one([{0: 1.0}], [100.0]), [10.0], [0.0], backend, changes=[(5.0, [20.0])])
    assert finish_s == [7.5]
    assert state.carried["full_s"].tolist() == [7.5]


def test_a_row_was_not_full_even_if_it_dies_afterwards(backend):
    """
    A flow over rows of 10 and 100 B/s loads the second to a tenth; after 3 s the second dies, for good: it was never
    full while it carried anything.
    """
    table = one_by_one([{0: 1.0, 1: 1.0}], [100.0])
    finish_s, state = play(table, [10.0, 100.0], [0.0], backend, changes=[(3.0, [10.0, 0.0])])
    assert finish_s == [NEVER]
    assert state.carried["full_s"].tolist() == [3.0, 0.0]


# Where the path is dark at first


def test_the_latency_is_counted_from_the_light(backend):
    """
    Dark until 7, 2 s of latency, 50 B at 10 B/s: started at 1, the first byte leaves at 9, the last at 14. The 6 s in
    the dark count as stalled.
    """
    table = one_by_one([{0: 1.0}], [50.0], [2.0])
    finish_s, state = play(table, [0.0], [1.0], backend, changes=[(7.0, [10.0])])
    assert finish_s == [14.0]
    assert stalled_s(state) == [6.0]


def test_the_light_may_come_within_the_latency(backend):
    """Dark until 2, 5 s of latency from a start at 1: counted anew from 2, so 7, and 50 B at 10 B/s take until 12."""
    table = one_by_one([{0: 1.0}], [50.0], [5.0])
    finish_s, state = play(table, [0.0], [1.0], backend, changes=[(2.0, [10.0])])
    assert finish_s == [12.0]
    assert stalled_s(state) == [1.0]


def test_a_flow_that_has_sent_something_goes_on_without_latency(backend):
    """1 s of latency, 50 B at 10 B/s: 20 B until 3, dark until 5, the other 30 B until 8."""
    table = one_by_one([{0: 1.0}], [50.0], [1.0])
    finish_s, state = play(table, [10.0], [0.0], backend, changes=[(3.0, [0.0]), (5.0, [10.0])])
    assert finish_s == [8.0]
    assert stalled_s(state) == [2.0]


def test_light_on_half_of_the_path_is_no_light(backend):
    """Row 0 gets light at 2, row 1 at 4; with 1 s of latency 10 B at 10 B/s take from 5 to 6."""
    table = one_by_one([{0: 1.0, 1: 1.0}], [10.0], [1.0])
    finish_s, state = play(table, [0.0, 0.0], [0.0], backend, changes=[(2.0, [10.0, 0.0]), (4.0, [10.0, 10.0])])
    assert finish_s == [6.0]
    assert stalled_s(state) == [4.0]


def test_a_flow_that_found_its_path_dark_and_then_sent_something_goes_on_without_latency(backend):
    """
    Dark until 10, 1 s of latency: 20 B at 10 B/s from 11. 10 B are sent at 12, when it is dark until 12.5. The rest
    takes until 13.5. Stalled for 10.5 s.
    """
    table = one_by_one([{0: 1.0}], [20.0], [1.0])
    changes = [(10.0, [10.0]), (12.0, [0.0]), (12.5, [10.0])]
    finish_s, state = play(table, [0.0], [0.0], backend, changes)
    assert finish_s == [13.5]
    assert stalled_s(state) == [10.5]


def test_all_the_time_before_the_last_light_counts_as_stalled(backend):
    """Dark until 2, light for half a second, which is less than the latency of 1 s, dark until 4: 10 B from 5 to 6."""
    table = one_by_one([{0: 1.0}], [10.0], [1.0])
    changes = [(2.0, [10.0]), (2.5, [0.0]), (4.0, [10.0])]
    finish_s, state = play(table, [0.0], [0.0], backend, changes)
    assert finish_s == [6.0]
    assert stalled_s(state) == [4.0]


def test_dark_and_light_within_one_instant_change_nothing(backend):
    """100 B at 10 B/s end at 10, whatever happens to the row at 5 for no time at all."""
    table = one_by_one([{0: 1.0}], [100.0])
    finish_s, state = play(table, [10.0], [0.0], backend, changes=[(5.0, [0.0]), (5.0, [10.0])])
    assert finish_s == [10.0]
    assert state.carried["bytes"].tolist() == [100.0]


def test_dark_and_light_within_one_instant_do_not_restart_the_latency(backend):
    """3 s of latency, then 100 B at 10 B/s: ends at 13, whatever happens to the row at 1 for no time at all."""
    table = one_by_one([{0: 1.0}], [100.0], [3.0])
    finish_s, state = play(table, [10.0], [0.0], backend, changes=[(1.0, [0.0]), (1.0, [10.0])])
    assert finish_s == [13.0]
    assert stalled_s(state) == [0.0]


def test_a_change_concerns_only_who_crosses_the_row(backend):
    """Rows 0 and 1; row 1 is dark until 3. The flow on row 0 has 1 s of latency and ends at 11 with its 100 B."""
    table = one_by_one([{0: 1.0}, {1: 1.0}], [100.0, 10.0], [1.0, 1.0])
    finish_s, _ = play(table, [10.0, 0.0], [0.0, 0.0], backend, changes=[(3.0, [10.0, 10.0])])
    assert finish_s == [11.0, 5.0]


# Flows that are led elsewhere while they run


def rerouted(
    flows: Sequence[dict[int, float]],
    others: Sequence[dict[int, float]],
    size_bytes: Sequence[float],
    capacity: Sequence[float],
    when_s: float,
    backend: Backend,
    latency_s: Sequence[float] | None = None,
) -> tuple[list[float], FlowState]:
    """(when each flow has finished, state) of flows that start at 0 and cross other rows from ``when_s`` on."""
    before, after = one_by_one(flows, size_bytes, latency_s), one_by_one(others, size_bytes, latency_s)
    state, finish_s, now_s = FlowState.idle(before, np.array(capacity)), [NEVER] * len(flows), 0.0
    for pattern in range(len(flows)):
        state.start(before, pattern, 0.0)
    for table, until_s in ((before, when_s), (after, NEVER)):
        while finished := advance(table, state, now_s, until_s, backend):
            now_s = state.now_s
            for pattern in finished:
                finish_s[pattern] = now_s
        if table is before:
            now_s = when_s
            reroute(before, after, state, when_s)
    settle(after, state, state.now_s)
    return finish_s, state


def test_a_flow_goes_on_over_other_rows_where_it_was(backend):
    """100 B at 10 B/s; from 4 on over a row of 30 B/s: the other 60 B take 2 s, without another latency."""
    finish_s, state = rerouted([{0: 1.0}], [{1: 1.0}], [100.0], [10.0, 30.0], 5.0, backend, [1.0])
    assert finish_s == [7.0]
    assert state.carried["bytes"].tolist() == [40.0, 60.0]


def test_who_stays_gets_what_the_other_leaves(backend):
    """
    Two flows of 100 B share 10 B/s until 4, when one goes to a row of 40 B/s: its 80 B end at 6, the other's, now at
    10 B/s, at 12.
    """
    finish_s, state = rerouted([{0: 1.0}] * 2, [{1: 1.0}, {0: 1.0}], [100.0] * 2, [10.0, 40.0], 4.0, backend)
    assert finish_s == [6.0, 12.0]
    assert state.carried["bytes"].tolist() == [120.0, 80.0]


def test_a_flow_led_around_a_dead_row_stops_waiting(backend):
    """Row 0 is dead; after 3 s of standing still 20 B take 2 s over row 1."""
    finish_s, state = rerouted([{0: 1.0}], [{1: 1.0}], [20.0], [0.0, 10.0], 3.0, backend)
    assert finish_s == [5.0]
    assert state.past["stalled_s"].tolist() == [3.0]


def test_a_flow_that_waits_begins_when_it_would_have(backend):
    """2 s of latency; led elsewhere at 1: 20 B at 10 B/s from 2 to 4."""
    assert rerouted([{0: 1.0}], [{1: 1.0}], [20.0], [5.0, 10.0], 1.0, backend, [2.0])[0] == [4.0]


@given(network=networks(max_rows=4, max_flows=6).filter(len), when_s=st.floats(0.1, 5.0), data=st.data())
def test_a_new_start_with_what_is_left_is_the_same(backend, network, when_s, data):
    """Flows that cross other rows from some time on end like flows of what they have left that start then."""
    names = data.draw(st.permutations(range(len(network.capacity))))
    others = [{names[row]: weight for row, weight in hops.items()} for hops in network.flows]
    sizes, capacity = [5.0 + k for k in range(len(network))], network.capacity.tolist()
    finish_s, _ = rerouted(network.flows, others, sizes, capacity, when_s, backend)
    table = one_by_one(network.flows, sizes)
    halfway = FlowState.idle(table, network.capacity)
    for pattern in range(len(network)):
        halfway.start(table, pattern, 0.0)
    now_s = 0.0
    while advance(table, halfway, now_s, when_s, backend):
        now_s = halfway.now_s
    settle(table, halfway, when_s)
    left = np.flatnonzero(halfway.classes["left_bytes"] > 0)
    if len(left):
        rest = one_by_one([others[flow] for flow in left], halfway.classes["left_bytes"][left].tolist())
        again, _ = play(rest, capacity, [when_s] * len(left), backend)
        np.testing.assert_allclose(np.array(finish_s)[left], again, rtol=1e-9)


# What the rows remember


def test_rows_are_full_only_at_capacity(backend):
    """10 B over rows of 10 and 20 B/s: full and half full for one second, and a third row carries nothing."""
    _, state = play(one_by_one([{0: 1.0, 1: 1.0}], [10.0]), [10.0, 20.0, 5.0], [0.0], backend)
    assert state.carried["busy_s"].tolist() == [1.0, 1.0, 0.0]
    assert state.carried["full_s"].tolist() == [1.0, 0.0, 0.0]
    assert state.carried["peak"].tolist() == [10.0, 10.0, 0.0]


def test_the_last_class_says_what_held_the_pattern_back(backend):
    """10 B on row 0 (10 B/s) end at 1, 10 B on row 1 (2 B/s) at 5: row 1 it was."""
    table = flow_table(Network.of([{0: 1.0}, {1: 1.0}], [1.0]), [0, 0], [10.0, 10.0], [0.0, 0.0])
    finish_s, state = play(table, [10.0, 2.0], [0.0], backend)
    assert finish_s == [5.0]
    assert state.last_class(0)[1] == 1


# Where the clock is coarse


@pytest.mark.parametrize("size_bytes", [1e-9, 1e-7, 1e-6, 4e-6, 1e-5, 1e-3])
def test_less_than_a_tick_of_sending_ends(backend, time_limit, size_bytes):
    """At t=1e9 s the clock moves in steps of 1.2e-7 s; 1e-7 B at 10 B/s take 1e-8 s, which the clock cannot show."""
    start_s = 1e9
    finish_s, _ = play(one_by_one([{0: 1.0}], [size_bytes]), [10.0], [start_s], backend)
    assert start_s <= finish_s[0] <= start_s + size_bytes / 10.0 + tick_s(start_s)


def test_many_late_flows_end(backend, time_limit):
    """A hundred flows of a tick or so of sending each, at t=1e9 s: together 1e-4 B at 10 B/s."""
    sizes = np.linspace(1e-8, 2e-6, 100).tolist()
    finish_s, _ = play(one_by_one([{0: 1.0}] * 100, sizes), [10.0], [1e9] * 100, backend)
    assert max(finish_s) == pytest.approx(1e9 + sum(sizes) / 10.0, abs=2 * tick_s(1e9))


def test_a_latency_below_a_tick_is_no_latency(backend, time_limit):
    """1e-8 s at t=1e9 s cannot be waited for."""
    finish_s, _ = play(one_by_one([{0: 1.0}], [100.0], [1e-8]), [10.0], [1e9], backend)
    assert finish_s == [1e9 + 10.0]


def test_a_flow_whose_latency_ends_within_a_tick_begins_now(backend):
    """At t=1e9 s a tick is 4.8e-7 s: a latency of 2e-7 s costs no event of its own, one of 2e-6 s does."""
    table = one_by_one([{0: 1.0}] * 3, [100.0] * 3, [0.0, 2e-7, 2e-6])
    state = FlowState.idle(table, np.array([10.0]))
    for pattern in range(3):
        state.start(table, pattern, 1e9)
    assert advance(table, state, 1e9, 1e9, backend) == []
    settle(table, state, 1e9)
    assert state.sending.tolist() == [0, 1]
    assert state.next_s == state.begin_s[2]


@pytest.mark.parametrize("now_s", [0.0, 1e-12, 1.0, 1e9])
def test_a_tick_moves_the_clock(now_s):
    assert now_s + tick_s(now_s) > now_s
    assert now_s + tick_s(now_s) - now_s <= 1e-15 * max(now_s, 1e-9)


def test_an_empty_flow_ends_when_it_begins(backend, time_limit):
    """Nothing to send over a live row."""
    assert play(one_by_one([{0: 1.0}], [0.0]), [10.0], [2.0], backend)[0] == [2.0]


@pytest.mark.filterwarnings("ignore:invalid value")
def test_an_empty_flow_ends_on_a_dead_row_too(backend, time_limit):
    """Nothing to send over a row that can send nothing."""
    assert play(one_by_one([{0: 1.0}], [0.0]), [0.0], [2.0], backend)[0] == [2.0]


# Properties


@given(history=histories())
def test_finish_times_are_those_of_the_exact_event_loop(backend, history):
    """Against progressive filling from scratch at every event, in rational numbers."""
    start_s = [history.start_s[pattern] for pattern in history.pattern]
    capacity = history.network.capacity.tolist()
    flow_finish_s = exact_finish_s(
        history.network.flows, capacity, start_s, history.latency_s, history.size_bytes, history.changes
    )
    expected = [
        max(end for end, owner in zip(flow_finish_s, history.pattern, strict=True) if owner == pattern)
        for pattern in range(len(history.start_s))
    ]
    np.testing.assert_allclose(replay(history, backend)[0], expected, rtol=1e-9)


@given(history=histories(), stops=st.lists(st.floats(0.0, 60.0), max_size=6))
def test_stopping_on_the_way_changes_nothing(backend, history, stops):
    """The horizon only says when others may act; if they do not, nothing has happened."""
    straight, at_once = replay(history, backend)
    in_parts, in_steps = replay(history, backend, stops=stops)
    np.testing.assert_allclose(in_parts, straight, rtol=1e-9)
    np.testing.assert_allclose(in_steps.carried["bytes"], at_once.carried["bytes"], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(stalled_s(in_steps), stalled_s(at_once), rtol=1e-9, atol=1e-9)


@given(history=histories())
def test_rows_carry_what_the_flows_send(backend, history):
    """Bytes sent times weight, over all hops, also of flows that are still on their way; those may be on a dead row."""
    finish_s, state = replay(history, backend)
    flying = state.flying
    sent_bytes = np.array(history.size_bytes)
    sent_bytes[flying] -= state.classes["left_bytes"][flying]
    network = history.network
    hop_bytes = sent_bytes[network.hop_flow] * network.hop_weight
    expected = np.bincount(network.hop_row, hop_bytes, minlength=len(network.capacity))
    np.testing.assert_allclose(state.carried["bytes"], expected, rtol=1e-9, atol=1e-9)
    assert (max(finish_s) == NEVER) == (len(flying) > 0)


@given(history=histories(), stops=st.lists(st.floats(0.0, 60.0), max_size=3))
def test_all_backends_tell_the_same_story(backend, history, stops):
    """NumPy is the specification; everything the state keeps agrees."""
    expected_s, expected = replay(history, choose_backend("numpy"), stops)
    finish_s, state = replay(history, backend, stops)
    np.testing.assert_allclose(finish_s, expected_s, rtol=1e-9)
    for name in ("bytes", "busy_s", "full_s", "peak"):
        np.testing.assert_allclose(state.carried[name], expected.carried[name], rtol=1e-9, atol=1e-9, err_msg=name)
    np.testing.assert_allclose(state.past["stalled_s"], expected.past["stalled_s"], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(stalled_s(state), stalled_s(expected), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(state.rate, expected.rate, rtol=1e-9, atol=1e-9)
    assert state.flying.tolist() == expected.flying.tolist()
    assert state.num_events == expected.num_events
    assert state.next_s == pytest.approx(expected.next_s, rel=1e-9)


@given(history=histories(), factor=st.sampled_from([2.0, 1024.0]))
def test_a_faster_network_with_more_to_send_takes_as_long(backend, history, factor):
    """Bytes and bytes per second in another unit; a power of two, so that not even the last bit changes."""
    other = History(
        Network(*history.network.arrays[:3], history.network.capacity * factor), history.pattern,
        [size * factor for size in history.size_bytes], history.latency_s, history.start_s,
        [(time_s, [amount * factor for amount in capacity]) for time_s, capacity in history.changes],
    )  # fmt: skip
    assert replay(other, backend)[0] == replay(history, backend)[0]


@given(history=histories(), stops=st.lists(st.floats(0.0, 60.0), max_size=3))
def test_what_the_compiled_twin_keeps_beside_the_state_is_true(history, stops):
    """Lists of members, groups, loads, and the earliest finish of each group; nothing is left open."""
    _, state = replay(history, choose_backend("numba"), stops)
    net, network = state.index, history.network
    sending = np.isin(network.hop_flow, state.sending)
    for row in range(len(network.capacity)):
        crossing = network.hop_flow[sending & (network.hop_row == row)]
        first, num = net.rows["first_member"][row], net.rows["num_members"][row]
        assert sorted(net.members["flow"][first : first + num].tolist()) == crossing.tolist()
        held = [flow for flow in crossing if net.bottleneck[flow] == row]
        assert net.rows["num_held"][row] == len(held)
        assert net.end_s[row] <= min(net.flows["end_s"][held], default=np.inf)
        assert net.rows["num_flowing"][row] == np.count_nonzero(state.rate[crossing])
    load = np.bincount(
        network.hop_row[sending],
        (state.rate[network.hop_flow] * network.hop_weight)[sending],
        minlength=len(network.capacity),
    )
    np.testing.assert_allclose(net.rows["load"], load, rtol=1e-9, atol=1e-9)
    assert np.all(net.level == np.inf)
    assert np.all(np.isnan(net.next_end_s))
    assert not net.flows["is_changed"].any()
    assert not net.rows["num_open"].any()


@given(history=histories(), stops=st.lists(st.floats(0.0, 60.0), min_size=1, max_size=6))
def test_rates_are_fair_all_the_time(backend, history, stops):
    """The certificate, at every moment somebody looks, after departures, arrivals and changes of capacity."""
    table, network = history.table, history.network
    state = FlowState.idle(table, network.capacity)
    moments = sorted({*history.start_s, *stops, *(time_s for time_s, _ in history.changes)})
    for moment_s, next_s in pairwise([*moments, 61.0]):
        for pattern in (p for p, time_s in enumerate(history.start_s) if time_s == moment_s):
            state.start(table, pattern, moment_s)
        for amounts in (amounts for time_s, amounts in history.changes if time_s == moment_s):
            set_capacity(table, state, np.array(amounts), moment_s)
        now_s = moment_s
        while advance(table, state, now_s, next_s, backend):
            now_s = state.now_s
        settle(table, state, state.now_s)
        flows = [network.flows[flow] for flow in state.sending]
        sending = Network.of(flows, state.rows["capacity"].tolist())
        assert unfair_flows(*sending.arrays, state.rate[state.sending]).tolist() == []


# An implementation by others


@pytest.mark.parametrize(
    "options",
    [
        ("permutation", "--hosts", "16", "--sizes", "random"),
        ("ring", "--hosts", "16", "--placement", "random", "--bytes", "1e9", "--group", "8"),
        ("alltoall", "--hosts", "8", "--sizes", "random", "--stagger", "1e-3"),
        ("incast", "--hosts", "32", "--fan-in", "16", "--oversub", "2", "--stagger", "1e-3"),
    ],
    ids=lambda options: options[0],
)
@pytest.mark.skipif(not PEERS.is_dir(), reason="no folder shared/peers beside the checkout")
def test_finish_times_are_those_of_the_peers_reference(backend, options, tmp_path):
    """Traffic of collectives on small fat-trees; equal to their slow reference within 1e-9."""
    problem = tmp_path / "problem.txt"
    subprocess.run([sys.executable, PEERS / "make_problem.py", *options, "-o", problem], check=True)
    load = "import sys; sys.path.insert(0, sys.argv[1]); import reference as r; p = r.load(sys.argv[2]); "
    code = load + "print(*(v.hex() for v in r.simulate(*p)[0].tolist()))"
    answer = subprocess.run(
        [sys.executable, "-c", code, PEERS, problem], check=True, capture_output=True, text=True
    ).stdout
    lines = [line.split() for line in problem.read_text().splitlines()]
    num_links = int(lines[0][0])
    links = np.array(lines[1 : num_links + 1], float)
    flows = [[int(link) for link in line[3:]] for line in lines[num_links + 1 :]]
    table = one_by_one(
        [dict.fromkeys(links_of, 1.0) for links_of in flows],
        [float(line[1]) for line in lines[num_links + 1 :]],
        [links[links_of, 1].sum() for links_of in flows],
    )
    finish_s, _ = play(table, links[:, 0].tolist(), [float(line[0]) for line in lines[num_links + 1 :]], backend)
    np.testing.assert_allclose(finish_s, [float.fromhex(value) for value in answer.split()], rtol=1e-9)
