import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster_sim.backend import Backend, choose_backend
from cluster_sim.kernels import maxmin_rates, unfair_flows
from cluster_sim.tables import NONE, Array
from tests.kernels.exact import exact_rates
from tests.strategies import Network, networks


def solve(network: Network, backend: Backend) -> tuple[Array, Array]:
    """(rate, bottleneck) on the host."""
    rate, bottleneck = maxmin_rates(*map(backend.asarray, network.arrays), backend)
    return backend.to_host(rate), backend.to_host(bottleneck)


def rates(flows: list[dict[int, float]], capacity: list[float], backend: Backend) -> list[float]:
    return solve(Network.of(flows, capacity), backend)[0].tolist()


# Closed forms


def test_flows_share_a_link_equally(backend):
    """10 B/s, four flows: 2.5 B/s each."""
    assert rates([{0: 1.0}] * 4, [10.0], backend) == [2.5] * 4


def test_equal_rates_not_equal_loads(backend):
    """12 B/s; weights 1, 2 and 3: r + 2r + 3r = 12, so all get 2 B/s."""
    assert rates([{0: 1.0}, {0: 2.0}, {0: 3.0}], [12.0], backend) == [2.0, 2.0, 2.0]


def test_a_sprayed_flow_is_as_fast_as_its_paths_together(backend):
    """A flow over three links of 10 B/s, a third on each: r / 3 = 10, so 30 B/s."""
    assert rates([{0: 1 / 3, 1: 1 / 3, 2: 1 / 3}], [10.0, 10.0, 10.0], backend) == pytest.approx([30.0], rel=1e-15)


def test_a_line_of_two_links_gives_the_long_flow_the_share_of_the_narrower(backend):
    """
    Links of 10 and 20 B/s in a line; long crosses both, a the first, b the second.
    The first gives 5 B/s to long and a; the second has 15 B/s left, all for b.
    """
    assert rates([{0: 1.0, 1: 1.0}, {0: 1.0}, {1: 1.0}], [10.0, 20.0], backend) == [5.0, 5.0, 15.0]


def test_bottlenecks_far_apart_are_found_one_after_the_other(backend):
    """
    Links of 1, 10 and 100 B/s; flow k crosses links k and k+1, the last flow link 2 alone.
    Link 0 holds flow 0 at 1 B/s; link 1 leaves 9 B/s for flow 1; link 2 leaves 91 B/s for flow 2.
    """
    assert rates([{0: 1.0, 1: 1.0}, {1: 1.0, 2: 1.0}, {2: 1.0}], [1.0, 10.0, 100.0], backend) == [1.0, 9.0, 91.0]


def test_a_row_without_capacity_stops_its_flows_only(backend):
    """Row 0 is dead: the flow over rows 0 and 1 gets nothing and leaves all 10 B/s of row 1 to the other."""
    rate, bottleneck = solve(Network.of([{0: 1.0, 1: 1.0}, {1: 1.0}], [0.0, 10.0]), backend)
    assert rate.tolist() == [0.0, 10.0]
    assert bottleneck.tolist() == [0, 1]


def test_a_flow_without_hops_is_infinitely_fast(backend):
    """Nothing holds it back, and it takes nothing from the other: 10 B/s."""
    rate, bottleneck = solve(Network.of([{}, {0: 1.0}, {}], [10.0]), backend)
    assert rate.tolist() == [np.inf, 10.0, np.inf]
    assert bottleneck.tolist() == [NONE, 0, NONE]


@pytest.mark.parametrize("flows", [[], [{}, {}]], ids=["no flows", "no hops"])
def test_nothing_to_share(backend, flows):
    """No flow crosses a row: every rate, if there is one, is infinite."""
    assert rates(flows, [10.0], backend) == [np.inf] * len(flows)
    assert rates(flows, [], backend) == [np.inf] * len(flows)


def test_the_first_of_several_bottlenecks_is_named(backend):
    """Two links of 10 B/s in a row, one flow: both are full, the one it crosses first is the answer."""
    assert solve(Network.of([{1: 1.0, 0: 1.0}], [10.0, 10.0]), backend)[1].tolist() == [1]


def test_the_arguments_are_not_modified(backend):
    network = Network.of([{0: 1.0, 1: 1 / 3}, {1: 1.0}], [10.0, 5.0])
    copies = [column.copy() for column in network.arrays]
    given_arrays = [backend.asarray(column) for column in network.arrays]
    maxmin_rates(*given_arrays, backend)
    for column, copy in zip(given_arrays, copies, strict=True):
        np.testing.assert_array_equal(backend.to_host(column), copy)


# Properties


@given(network=networks())
def test_every_flow_has_a_bottleneck(backend, network):
    """The certificate of fairness, on every backend."""
    rate, _ = solve(network, backend)
    assert unfair_flows(*network.arrays, rate).tolist() == []


@given(network=networks())
def test_the_bottleneck_is_a_full_row_on_which_nobody_is_faster(backend, network):
    rate, bottleneck = solve(network, backend)
    for flow, hops in enumerate(network.flows):
        row = int(bottleneck[flow])
        assert (row == NONE) == (not hops)
        if hops:
            sharing = [other for other, others in enumerate(network.flows) if row in others]
            load = sum(rate[other] * network.flows[other][row] for other in sharing)
            assert row in hops
            assert load == pytest.approx(network.capacity[row], rel=1e-9)
            assert rate[flow] >= max(rate[other] for other in sharing) * (1 - 1e-9)


@given(network=networks())
def test_rates_are_those_of_exact_progressive_filling(backend, network):
    """Max-min rates are unique; the reference finds them in rational numbers."""
    expected = [float(rate) for rate in exact_rates(network.flows, network.capacity.tolist())]
    np.testing.assert_allclose(solve(network, backend)[0], expected, rtol=1e-12)


@given(network=networks(max_rows=12, max_flows=12))
def test_all_backends_agree(backend, network):
    """NumPy is the specification."""
    expected, _ = solve(network, choose_backend("numpy"))
    np.testing.assert_allclose(solve(network, backend)[0], expected, rtol=1e-12)


@given(network=networks(), factor=st.sampled_from([2.0, 3.0, 1e9, 1e-6]))
def test_rates_scale_with_the_capacities(backend, network, factor):
    scaled = Network(network.hop_starts, network.hop_row, network.hop_weight, network.capacity * factor)
    np.testing.assert_allclose(solve(scaled, backend)[0], solve(network, backend)[0] * factor, rtol=1e-12)


@given(network=networks(), data=st.data())
def test_names_of_flows_and_rows_do_not_matter(backend, network, data):
    """Flows in another order, rows with other numbers, hops of a flow in another order."""
    flow_order = data.draw(st.permutations(range(len(network))))
    row_name = data.draw(st.permutations(range(len(network.capacity))))
    capacity = np.empty_like(network.capacity)
    capacity[row_name] = network.capacity
    flows = [{row_name[row]: weight for row, weight in reversed(network.flows[f].items())} for f in flow_order]
    shuffled = Network.of(flows, capacity.tolist())
    np.testing.assert_allclose(solve(shuffled, backend)[0], solve(network, backend)[0][list(flow_order)], rtol=1e-12)


@given(network=networks())
def test_solving_twice_gives_the_same_bits(backend, network):
    first, second = solve(network, backend), solve(network, backend)
    assert first[0].tobytes() == second[0].tobytes()
    assert first[1].tobytes() == second[1].tobytes()


@pytest.mark.parametrize("num", [300, 3000])
def test_many_flows_and_rows_are_fair(backend, num):
    """More items than one block of threads: random paths of four rows, capacities over a factor of 100."""
    rng = np.random.default_rng(num)
    rows = np.argsort(rng.random((num, 40)), axis=1)[:, :4] + 40 * rng.integers(0, num // 10, (num, 1))
    network = Network(
        hop_starts=np.arange(0, 4 * num + 1, 4, dtype=np.int64),
        hop_row=rows.ravel().astype(np.int32),
        hop_weight=rng.uniform(0.1, 3.0, 4 * num),
        capacity=rng.uniform(1.0, 100.0, 4 * num),
    )
    rate, _ = solve(network, backend)
    assert unfair_flows(*network.arrays, rate).tolist() == []
    np.testing.assert_allclose(rate, solve(network, choose_backend("numpy"))[0], rtol=1e-12)


# The certificate itself


def test_the_certificate_finds_whoever_is_slower_than_his_share():
    """10 B/s shared 6 : 4. The link is full, but the second flow is not the fastest on it."""
    assert unfair_flows(*Network.of([{0: 1.0}, {0: 1.0}], [10.0]).arrays, np.array([6.0, 4.0])).tolist() == [1]


def test_the_certificate_finds_an_overloaded_row():
    """5 + 5 + 5 B/s over 10 B/s; then nobody's rate means anything, nor that of a flow elsewhere."""
    network = Network.of([{0: 1.0}, {0: 1.0}, {0: 1.0}, {1: 1.0}], [10.0, 1.0])
    assert unfair_flows(*network.arrays, np.array([5.0, 5.0, 5.0, 1.0])).tolist() == [0, 1, 2, 3]


def test_the_certificate_counts_weights():
    """Weights 1 and 3 over 12 B/s: 3 and 3 B/s fill it; 6 and 6 are too much although 6 + 6 = 12."""
    network = Network.of([{0: 1.0}, {0: 3.0}], [12.0])
    assert unfair_flows(*network.arrays, np.array([3.0, 3.0])).tolist() == []
    assert unfair_flows(*network.arrays, np.array([6.0, 6.0])).tolist() == [0, 1]


@pytest.mark.filterwarnings("ignore:invalid value")
def test_the_certificate_refuses_what_is_not_a_number():
    assert unfair_flows(*Network.of([{0: 1.0}], [10.0]).arrays, np.array([np.nan])).tolist() == [0]


@given(network=networks(), wrong_by=st.sampled_from([1e-7, 1e-3, 0.5]), data=st.data())
def test_the_certificate_fails_on_any_other_rates(network, wrong_by, data):
    """One flow a little slower leaves it without a bottleneck; one a little faster overloads its bottleneck."""
    rate, _ = solve(network, choose_backend("numpy"))
    moving = np.flatnonzero((rate > 0) & np.isfinite(rate))
    if len(moving):
        flow = data.draw(st.sampled_from(moving.tolist()))
        slower, faster = rate.copy(), rate.copy()
        slower[flow] *= 1 - wrong_by
        faster[flow] *= 1 + wrong_by * 100
        assert flow in unfair_flows(*network.arrays, slower)
        assert len(unfair_flows(*network.arrays, faster)) == len(network)
