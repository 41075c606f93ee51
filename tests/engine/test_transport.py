"""What a transport adds, in closed form; and that nothing is added where nothing is written."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cluster_sim.core import StalledFlowsError
from cluster_sim.engine import TRANSPORTS, run_problem
from cluster_sim.engine.transport import Custom
from cluster_sim.tables import FlowProblem
from tests.engine.test_problem import problem_of, problems
from tests.strategies import Network


def line(num_links, rate=10.0, latency_s=2.0, size=100.0, num_flows=1):
    """Flows of one size over the same row of links of one rate; ``latency_s`` of the whole path."""
    network = Network.of([dict.fromkeys(range(num_links), 1.0)] * num_flows, [rate] * num_links)
    return problem_of(network, size_bytes=[size] * num_flows, latency_s=[latency_s] * num_flows)


def finish_s(problem, backend, **values):
    return run_problem(Custom(**values).carry(problem), backend).finish_s.tolist()


@given(problem=problems())
def test_custom_without_values_changes_nothing(problem):
    carried = Custom().carry(problem)
    for name in FlowProblem.__slots__:
        np.testing.assert_array_equal(getattr(carried, name), getattr(problem, name))


def test_each_part_in_closed_form(backend):
    """
    100 B over four links of 10 B/s, 2 s away: 12 s. A fifth of each packet is header: 125 B on the wire, 14.5 s. The
    acknowledgement takes 2 s, one and a half round trips 6 s, links filled by half double the 10 s. A window of 2
    packets of 5 B in the 4 s of a round trip: 2.5 B/s. One of 8 is as fast as the links. Nobody else: no queue.
    """
    problem = line(4)
    assert finish_s(problem, backend, packet_bytes=5, header_bytes=1) == pytest.approx([14.5])
    assert finish_s(problem, backend, is_acknowledged=True) == pytest.approx([14.0])
    assert finish_s(problem, backend, startup_round_trips=1.5) == pytest.approx([18.0])
    assert finish_s(problem, backend, utilisation_ratio=0.5) == pytest.approx([22.0])
    assert finish_s(problem, backend, packet_bytes=5, window_packets=2) == pytest.approx([42.0])
    assert finish_s(problem, backend, packet_bytes=5, window_packets=8) == pytest.approx([12.0])
    assert finish_s(problem, backend, packet_bytes=5, queue_packets=3) == pytest.approx([12.0])


def test_queues_are_as_long_as_others_load_the_links(backend):
    """
    Four flows of 100 B from hosts of their own through one link of 20 B/s: 5 B/s each, 20 s. The others take three
    quarters of it: a queue of 0.75 x 8 packets of 5 B, 3 s at the 10 B/s that a flow has alone. With that in the round
    trip of 4 s a window of 4 packets allows 20/7 B/s, 35 s. Three quarters of a packet are a whole one, half a second.
    """
    network = Network.of([{flow: 1.0, 4: 1.0} for flow in range(4)], [10.0] * 4 + [20.0])
    problem = problem_of(network, size_bytes=[100.0] * 4, latency_s=[2.0] * 4)
    assert finish_s(problem, backend, packet_bytes=5, queue_packets=8) == pytest.approx([25.0] * 4)
    assert finish_s(problem, backend, packet_bytes=5, queue_packets=1) == pytest.approx([22.5] * 4)
    assert finish_s(problem, backend, packet_bytes=5, queue_packets=8, window_packets=4) == pytest.approx([40.0] * 4)


def test_queues_of_sprayed_packets_count_by_their_share_of_the_path(backend):
    """
    Two flows at 10 B/s over hosts' links and, half and half, two links of 10 B/s that both fill: each has one queue in
    the middle, half of it made by the other: 0.5 x 4 packets of 5 B at 10 B/s, 1 s.
    """
    flows = [{4 * flow: 1.0, 8: 0.5, 9: 0.5, 4 * flow + 1: 1.0} for flow in range(2)]
    problem = problem_of(Network.of(flows, [10.0] * 10), size_bytes=[100.0] * 2)
    assert finish_s(problem, backend, packet_bytes=5, queue_packets=4) == pytest.approx([11.0] * 2)


def test_a_window_holds_back_who_is_alone_and_not_who_shares(backend):
    """Window 20 B, round trip 4 s: 5 B/s. Alone on 10 B/s a flow takes twice its time; four of them share 2.5 B/s."""
    held = {"packet_bytes": 5, "window_packets": 4}
    assert finish_s(line(2), backend, **held) == pytest.approx([22.0])
    assert finish_s(line(2, num_flows=4), backend, **held) == pytest.approx([42.0] * 4)
    assert finish_s(line(2, num_flows=4), backend) == pytest.approx([42.0] * 4)


@given(problem=problems(), kind=st.sampled_from(TRANSPORTS.names))
def test_doubling_capacities_and_halving_latencies_halves_all_times(backend, problem, kind):
    """Nothing in a transport is a time of its own, so all of it scales with the network."""
    fast = problem_of(
        Network(problem.hop_starts, problem.hop_link, problem.hop_weight, problem.capacity_bytes_per_s * 2),
        problem.start_s / 2, problem.size_bytes, problem.latency_s / 2,
    )  # fmt: skip
    transport = TRANSPORTS[kind]()
    expected = run_problem(transport.carry(problem), backend).finish_s / 2
    np.testing.assert_allclose(run_problem(transport.carry(fast), backend).finish_s, expected, rtol=1e-9, atol=1e-15)


@given(problem=problems(), kind=st.sampled_from(TRANSPORTS.names))
def test_who_is_alone_is_never_faster_for_a_transport(backend, problem, kind):
    first = problem_of(
        Network(problem.hop_starts[:2], problem.hop_link[: problem.hop_starts[1]],
                problem.hop_weight[: problem.hop_starts[1]], problem.capacity_bytes_per_s),
        problem.start_s[:1], problem.size_bytes[:1], problem.latency_s[:1],
    ) if len(problem) else problem  # fmt: skip
    plain, carried = run_problem(first, backend), run_problem(TRANSPORTS[kind]().carry(first), backend)
    assert np.all(carried.finish_s >= plain.finish_s * (1 - 1e-12))


def test_dead_links_and_flows_without_links_stay_what_they_are(backend):
    """Flow 0 crosses nothing; flow 1 has nothing to send over a dead link; flow 2 has, and is named with that link."""
    network = Network.of([{}, {0: 1.0, 1: 1.0, 2: 1.0}, {0: 1.0, 1: 1.0, 2: 1.0}], [10.0, 0.0, 10.0])
    transport = TRANSPORTS["eqds_spray"]()
    done = run_problem(transport.carry(problem_of(network, size_bytes=[9.0, 0.0, 0.0], latency_s=[0, 1, 1])), backend)
    assert done.finish_s.tolist() == [0.0, 2.0, 2.0]
    with pytest.raises(StalledFlowsError) as caught:
        run_problem(transport.carry(problem_of(network, size_bytes=[9.0, 0.0, 5.0])), backend)
    assert caught.value.args[:2] == (("flow 2",), "link 1")


def test_no_flows():
    assert len(TRANSPORTS["eqds_spray"]().carry(problem_of(Network.of([], [10.0])))) == 0


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"packet_bytes": 64, "header_bytes": 64}, "carries nothing; expected header < packet"),
        ({"utilisation_ratio": 0}, "greater than 0"),
        ({"utilisation_ratio": 1.01}, "less than or equal to 1"),
        ({"window_packets": -1}, "greater than or equal to 0"),
        ({"queue_packets": float("inf")}, "finite"),
        ({"startup_round_trips": True}, "valid number"),
    ],
)
def test_values_that_make_no_sense_are_refused(values, expected):
    with pytest.raises(ValidationError, match=expected):
        Custom(**values)
