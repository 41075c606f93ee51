"""Switching circuits costs what it costs, and less where it hides behind compute."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.worlds import chain, message, ocs, simulate_by_hand

_POD = 64
_BYTES = 1e9


def _alternating(phases, gap_s=0.0):
    """Pod 0 talks to pod 1 in even phases and to pod 2 in odd ones, with ``gap_s`` of compute in between."""
    steps = []
    for phase in range(phases):
        if phase and gap_s:
            steps.append(gap_s)
        steps.append(message(0, _POD * (1 + phase % 2), _BYTES, phase))
    return chain(steps, phases)


@given(st.integers(2, 6), st.sampled_from([0.0, 1e-3, 15e-3, 40e-3]))
@settings(max_examples=25, deadline=None)
def test_n_switchings_add_what_compute_does_not_hide(phases, gap_s):
    """
    d = switching + re-acquisition. Each of n changes of circuits adds max(0, d - g) behind a gap g of compute.
    The step follows on a step: with an odd number of phases it ends as it begins, with an even number the
    first phase has to switch too, with nothing to hide behind.
    """
    fabric = ocs(3 * _POD, _POD, "per_phase")
    switched = simulate_by_hand(_alternating(phases, gap_s), fabric)
    still = simulate_by_hand(_alternating(phases, gap_s), ocs(3 * _POD, _POD, "per_job"))
    d_s = fabric.planner.switch_s
    first = 0 if phases % 2 else d_s
    assert len(switched.switchings) == phases - 1 + (phases % 2 == 0)
    assert not still.switchings
    waits_s = first + (phases - 1) * max(0.0, d_s - gap_s)
    assert switched.step_time_s == pytest.approx(still.step_time_s + waits_s, rel=1e-9)
    assert switched.stalled_s.sum() == pytest.approx(waits_s, rel=1e-9, abs=1e-12)


def test_switching_time_includes_re_acquisition():
    """Palomar switches in 15 ms, an 800G DSP module is back 6.2 ms later."""
    assert ocs(3 * _POD, _POD, "per_phase").planner.switch_s == pytest.approx(21.2e-3)


def test_circuits_that_stay_go_on_carrying_while_others_switch():
    """
    Pod 0 sends to pod 1 all the time, and to pod 2 in a second phase. The circuits that both settings have to
    pod 1 are never dark, so its message stalls for no time at all.
    """
    long = message(0, _POD, 20e9, 1)
    steps = [message(1, _POD + 1, _BYTES, 0), message(2, 2 * _POD, _BYTES, 1), long]
    schedule = chain([steps[0], long, steps[1]], 2)
    outcome = simulate_by_hand(schedule, ocs(3 * _POD, _POD, "per_phase"))
    to_pod_1 = np.flatnonzero(schedule.collective == 1)
    assert outcome.switchings
    assert outcome.stalled_s[to_pod_1] == 0.0


def test_more_traffic_gets_more_circuits():
    """Pod 0 sends three times as much to pod 1 as to pod 2: its 64 uplinks are shared 48 to 16."""
    fabric = ocs(3 * _POD, _POD, "per_job")
    circuits = fabric.planner.connect(np.array([[0.0, 3.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]))
    per_spine = np.bincount(circuits.dst_pod[circuits.src_pod == 0], minlength=3)
    assert per_spine[1] == 3 * per_spine[2] > 0


def test_symmetry_tells_links_that_go_dark_from_links_that_stay_lit():
    """
    Leaf bundles and trunks of equal capacity that carry the same flows are alike under every setting, but only the
    trunks go dark while the OCS switch: merged or not, the step takes as long.
    """
    from cluster_sim.engine import symmetry as module
    from cluster_sim.topology import OcsSpine
    from tests.engine.worlds import run_job, small_job

    job = small_job(accelerators=192, pipeline=2, data=12, layers=16, global_batch=96)
    topology = OcsSpine(pod_accelerators=64, reconfigure="per_phase")
    _, merged, _ = run_job(job, topology)
    original = module.refine
    try:
        module.refine = lambda starts, row, weight, flows, rows, backend: original(
            starts, row, weight, np.arange(len(flows)), np.arange(len(rows))
        )
        _, apart, _ = run_job(job, topology)
    finally:
        module.refine = original
    assert merged.switchings
    assert merged.step_time_s == pytest.approx(apart.step_time_s, rel=1e-9)
