import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster_sim.core import SimulationError, StalledFlowsError
from cluster_sim.engine import TRANSPORTS, run_problem
from cluster_sim.kernels import parts
from cluster_sim.routing import Ecmp
from cluster_sim.tables import FlowProblem, Traffic
from tests.engine.worlds import clos
from tests.kernels.exact import exact_finish_s
from tests.strategies import Network, networks


def problem_of(network, start_s=None, size_bytes=None, latency_s=None):
    num = len(network)
    return FlowProblem(
        capacity_bytes_per_s=network.capacity.copy(),
        start_s=np.array([0.0] * num if start_s is None else start_s, np.float64),
        latency_s=np.array([0.0] * num if latency_s is None else latency_s, np.float64),
        size_bytes=np.array([1.0] * num if size_bytes is None else size_bytes, np.float64),
        hop_link=network.hop_row.copy(),
        hop_weight=network.hop_weight.copy(),
        hop_starts=network.hop_starts.copy(),
    )


@st.composite
def problems(draw):
    """Links with capacity, flows that start and end at odd times."""
    network = draw(networks(max_rows=6, max_flows=6).filter(lambda network: network.capacity.min() > 0))
    num = len(network)
    times = st.integers(0, 40).map(lambda quarters: quarters / 4)
    return problem_of(
        network,
        draw(st.lists(times, min_size=num, max_size=num)),
        draw(st.lists(st.integers(0, 40).map(float), min_size=num, max_size=num)),
        draw(st.lists(st.sampled_from((0.0, 0.125, 1.0)), min_size=num, max_size=num)),
    )


def network_of(problem):
    return Network(problem.hop_starts, problem.hop_link, problem.hop_weight, problem.capacity_bytes_per_s)


@given(problem=problems())
def test_finish_times_are_exact(backend, problem):
    """Against progressive filling from scratch at every event, in rational numbers; in one part and in many."""
    network = network_of(problem)
    expected = exact_finish_s(
        network.flows, problem.capacity_bytes_per_s.tolist(), problem.start_s.tolist(), problem.latency_s.tolist(),
        problem.size_bytes.tolist(),
    )  # fmt: skip
    np.testing.assert_allclose(run_problem(problem, backend).finish_s, expected, rtol=1e-9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "_ENOUGH", 1)
        np.testing.assert_allclose(run_problem(problem, backend).finish_s, expected, rtol=1e-9)


@given(problem=problems(), factor=st.sampled_from([2.0, 1e9]))
def test_twice_the_capacity_takes_half_the_time(backend, problem, factor):
    """Where everything starts at once and latencies are none."""
    network, zeros = network_of(problem), np.zeros(len(problem))
    slow = run_problem(problem_of(network, zeros, problem.size_bytes), backend)
    faster = Network(network.hop_starts, network.hop_row, network.hop_weight, network.capacity * factor)
    fast = run_problem(problem_of(faster, zeros, problem.size_bytes), backend)
    np.testing.assert_allclose(fast.finish_s * factor, slow.finish_s, rtol=1e-9)


@given(problem=problems(), data=st.data())
def test_names_of_flows_and_links_do_not_matter(backend, problem, data):
    network = network_of(problem)
    order = data.draw(st.permutations(range(len(network))))
    name = data.draw(st.permutations(range(len(network.capacity))))
    capacity = np.empty_like(network.capacity)
    capacity[name] = network.capacity
    flows = [{name[row]: weight for row, weight in reversed(network.flows[flow].items())} for flow in order]
    columns = (column[list(order)] for column in (problem.start_s, problem.size_bytes, problem.latency_s))
    shuffled = run_problem(problem_of(Network.of(flows, capacity.tolist()), *columns), backend)
    np.testing.assert_allclose(shuffled.finish_s, run_problem(problem, backend).finish_s[list(order)], rtol=1e-9)


def test_a_tolerance_merges_what_finishes_almost_together(backend):
    """
    A link of 10 B/s for each: 100 B, 101 B and 200 B end at 10, 10.1 and 20 s. Within 2 % of its own 10.1 s of
    sending, the second ends with the first, 0.1 s early. Nobody waits for the third.
    """
    network = Network.of([{0: 1.0}, {1: 1.0}, {2: 1.0}], [10.0] * 3)
    done = run_problem(problem_of(network, size_bytes=[100.0, 101.0, 200.0]), backend, time_tolerance=0.02)
    assert done.finish_s.tolist() == [10.0, 10.0, 20.0]
    assert done.largest_shift_s == pytest.approx(0.1, rel=1e-12)
    assert done.num_events == 3
    exact = run_problem(problem_of(network, size_bytes=[100.0, 101.0, 200.0]), backend)
    np.testing.assert_allclose(exact.finish_s, [10.0, 10.1, 20.0], rtol=1e-12)
    assert (exact.largest_shift_s, exact.num_events) == (0.0, 4)


@given(problem=problems(), tolerance=st.sampled_from([1e-6, 1e-2, 0.3]))
def test_no_flow_is_shifted_by_more_than_is_told(backend, problem, tolerance):
    """On links of their own flows do not meet, so the shift is the whole error, and within the tolerance."""
    num = len(problem)
    alone = Network.of([{flow: 1.0} for flow in range(num)], [7.0] * num)
    own = problem_of(alone, problem.start_s, problem.size_bytes, problem.latency_s)
    exact = run_problem(own, backend).finish_s
    merged = run_problem(own, backend, tolerance)
    sending_s = problem.size_bytes / 7.0
    assert np.all(exact - merged.finish_s <= tolerance * sending_s * (1 + 1e-9) + 1e-12)
    assert np.all(merged.finish_s <= exact * (1 + 1e-12))
    assert (exact - merged.finish_s).max(initial=0.0) == pytest.approx(merged.largest_shift_s, rel=1e-6, abs=1e-12)


def test_flows_that_can_never_finish_are_named(backend):
    """Flow 0 ends at 1 s; flows 1 and 3 cross link 1, which is dead; flow 2 has nothing to send there, and ends."""
    network = Network.of([{0: 1.0}, {0: 1.0, 1: 1.0}, {1: 1.0}, {1: 1.0}], [10.0, 0.0])
    with pytest.raises(StalledFlowsError) as caught:
        run_problem(problem_of(network, size_bytes=[10.0, 5.0, 0.0, 1.0]), backend)
    assert caught.value.args == (("flow 1", "flow 3"), "link 1", 1.0)
    assert "t=1 s: flow 1, flow 3 can never finish, because link 1 has no capacity" in str(caught.value)


def test_nothing_to_do(backend):
    assert run_problem(problem_of(Network.of([], [10.0])), backend).finish_s.tolist() == []
    done = run_problem(problem_of(Network.of([{}, {}], []), start_s=[1.0, 2.0], latency_s=[0.5, 0.0]), backend)
    assert done.finish_s.tolist() == [1.5, 2.0]


def hashed_all_to_all():
    """64 endpoints under ECMP in a three-tier Clos, all to all in groups of 16, sizes over a factor of 16."""
    rng = np.random.default_rng(5)
    fabric = clos(192, pod_accelerators=64)
    ranks = rng.permutation(192)[:64].reshape(4, 16)
    src, dst = np.nonzero(~np.eye(16, dtype=bool))
    traffic = Traffic.between(ranks[:, src].ravel(), ranks[:, dst].ravel(), 1.0)
    flows, capacity = Ecmp().route(traffic, fabric, None, 7), Ecmp().rows(fabric, None).capacity_bytes_per_s
    return FlowProblem(
        capacity_bytes_per_s=capacity, start_s=np.zeros(len(flows)), latency_s=flows.latency_s,
        size_bytes=16e6 * 2.0 ** rng.uniform(-2, 2, len(flows)), hop_link=flows.hop_row, hop_weight=flows.hop_weight,
        hop_starts=flows.hop_starts,
    )  # fmt: skip


@pytest.mark.parametrize("transport", [None, *TRANSPORTS])
@pytest.mark.parametrize(
    ("capacity", "start_s", "latency_s", "size_bytes"), [(1e-300, 0, 0, 1e300), (1, 1e308, 1e308, 1), (1, 0, 1e300, 1)]
)
@pytest.mark.filterwarnings("error")
def test_times_beyond_all_numbers_are_refused(backend, transport, capacity, start_s, latency_s, size_bytes):
    """With numbers whose sums or ratios no float64 holds; the clock would stand still at infinity."""
    one = np.ones(1)
    problem = FlowProblem(
        capacity_bytes_per_s=capacity * one, start_s=start_s * one, latency_s=latency_s * one,
        size_bytes=size_bytes * one, hop_link=np.zeros(1, np.int32), hop_weight=one, hop_starts=np.array([0, 1]),
    )  # fmt: skip
    with pytest.raises(SimulationError, match="end beyond all numbers"):
        run_problem(problem if transport is None else TRANSPORTS[transport]().carry(problem), backend)


@pytest.mark.parametrize(("tolerance", "events"), [(1e-3, 0.9), (1e-2, 0.5), (0.1, 0.1)])
def test_what_a_tolerance_costs_and_saves(backend, tolerance, events):
    """Measured where flows meet: finish times are off by up to twice the tolerance, for that part of the events."""
    problem = hashed_all_to_all()
    exact, merged = run_problem(problem, backend), run_problem(problem, backend, tolerance)
    off = np.abs(merged.finish_s / exact.finish_s - 1)
    print(f"tolerance {tolerance:g}: off by {off.max():.2g}, {merged.num_events} of {exact.num_events} events")
    assert 0 < off.max() < 2 * tolerance
    assert merged.num_events < events * exact.num_events
    assert merged.largest_shift_s <= tolerance * exact.finish_s.max()
