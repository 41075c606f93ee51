"""Circuits that follow the layers of experts, stage by stage."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster_sim.backend import choose_backend
from cluster_sim.catalogue import accelerator
from cluster_sim.core import NotBuildableError
from cluster_sim.engine import Simulation, Switching, fusible, hidden_switching_s, route_collectives, step_parts
from cluster_sim.routing import Spray
from cluster_sim.tables import EP, NONE, PP
from cluster_sim.topology import Clos, Equipment, OcsHybrid
from cluster_sim.workload import PHASES, Experts, assemble, plan
from tests.engine.worlds import INTERCONNECT, chain, message, run_job, simulate_by_hand, small_job

_SERVER, _BYTES = 8, 1e9
HYBRID = OcsHybrid(region_domains=4)


def fabric_of(topology, servers=4):
    return topology.build(Equipment(servers * _SERVER, accelerator("b300-sxm"), INTERCONNECT))


def experts_schedule(layers, gap_s):
    """Server 0 sends to server 1 in even layers and to server 2 in odd ones, with ``gap_s`` of compute in between."""
    steps = []
    for layer in range(layers):
        if layer and gap_s:
            steps.append(gap_s)
        sent = message(0, _SERVER * (1 + layer % 2), _BYTES)
        steps.append(replace(sent, kind=EP, layer=layer))
    schedule = chain(steps, 1)
    return replace(schedule, kind=np.where(schedule.kind == PP, np.int32(EP), schedule.kind).astype(np.int32))


@given(st.integers(2, 6), st.sampled_from([0.0, 1e-3, 15e-3, 40e-3]))
@settings(max_examples=15, deadline=None)
def test_switching_is_requested_ahead_and_hides_behind_compute(layers, gap_s):
    """
    d = switching + re-acquisition. A layer's circuits are asked for when those before are done with, so each of n
    changes adds max(0, d - g) behind a gap g of compute. The first layer finds the circuits of the last.
    """
    fabric = fabric_of(HYBRID)
    switched = simulate_by_hand(experts_schedule(layers, gap_s), fabric)
    d_s = fabric.planner.switch_s
    first = 0 if layers % 2 else d_s
    free = replace(fabric, planner=replace(fabric.planner, switch_s=0.0))
    still = simulate_by_hand(experts_schedule(layers, gap_s), free)
    assert len(switched.switchings) == layers - 1 + (layers % 2 == 0)
    waits_s = first + (layers - 1) * max(0.0, d_s - gap_s)
    assert switched.step_time_s == pytest.approx(still.step_time_s + waits_s, rel=1e-9)
    assert switched.stalled_s.sum() == pytest.approx(waits_s, rel=1e-9, abs=1e-12)


def moe(popularity=1.0, **changes):
    """64 ranks a stage, experts over 32 of them: two groups of four servers."""
    experts = Experts(count=64, per_token=4, width=2048, popularity=popularity)
    fields = {"accelerators": 128, "pipeline": 2, "data": 8, "hidden": 2048, "global_batch": 32}
    return small_job(experts=experts, expert=32, **(fields | changes))


def test_stages_switch_on_their_own():
    """8 layers over two stages: both switch, at times of their own, and the parts still sum to the step."""
    schedule, outcome, routes = run_job(moe(), HYBRID)
    assert routes.light.is_by_layer
    used = {stage: set() for stage in (0, 1)}
    for number, collective in enumerate(schedule.collectives):
        if collective.kind == EP:
            used[collective.lane].add(int(routes.light.collective_setting[number]))
        else:
            assert routes.light.collective_setting[number] == 0
    assert not used[0] & used[1]
    by_stage = [[s for s in outcome.switchings if s.setting in used[stage]] for stage in (0, 1)]
    assert all(by_stage)
    assert {s.start_s for s in by_stage[0]} != {s.start_s for s in by_stage[1]}
    parts = step_parts(schedule, outcome)
    assert sum(parts.values()) == pytest.approx(outcome.step_time_s, rel=1e-9)
    assert parts["switching"] > 0


def test_circuits_carry_the_share_that_they_are_to_carry_under_every_setting():
    """What the links into the OCS have carried is, over all runs, each collective's traffic times its pairs' share."""
    schedule, outcome, routes = run_job(moe(popularity=2.0), HYBRID)
    fabric, expected = routes.fabric, 0.0
    runs = np.bincount(schedule.collective[schedule.collective != NONE], minlength=len(schedule.collectives))
    for number, collective in enumerate(schedule.collectives):
        circuits = routes.light.circuits[number]
        if collective.kind == EP:
            traffic = collective.traffic.written_out()
            ratio = np.zeros((fabric.num_pods, fabric.num_pods))
            ratio[circuits.src_pod, circuits.dst_pod] = circuits.pair_ratio
            pods = fabric.endpoint_pod[traffic.edge_src], fabric.endpoint_pod[traffic.edge_dst]
            expected += runs[number] * collective.size_bytes * (traffic.size_bytes * ratio[pods]).sum()
    carried = routes.carried_by_links(outcome.carried)[0]
    into = fabric.links.tier == fabric.tiers.index("host_ocs")
    assert carried[into][::2].sum() == pytest.approx(expected, rel=1e-9)
    assert carried[into][1::2].sum() == pytest.approx(expected, rel=1e-9)
    assert expected > 0


def test_backends_agree():
    job = moe(global_batch=8)
    _, outcome, _ = run_job(job, HYBRID, backend="numpy")
    _, expected, _ = run_job(job, HYBRID, backend="numba")
    assert expected.switchings
    assert outcome.step_time_s == pytest.approx(expected.step_time_s, rel=1e-9)


def test_one_setting_per_job_never_switches():
    """The sum of all layers: what is heavy on the whole. All traffic may take it."""
    _, outcome, routes = run_job(moe(), HYBRID.model_copy(update={"reconfigure": "per_job"}))
    assert not outcome.switchings
    assert len(routes.light.settings) == 1
    ratios = [circuits.pair_ratio for circuits in routes.light.circuits]
    assert any((ratio > 0).any() for ratio in ratios)


def test_free_switching_to_circuits_of_each_layer_is_no_slower_than_circuits_for_all_of_them():
    """Experts so popular that every layer has a favourite: its own circuits serve it better than the mean's."""
    job = moe(popularity=4.0, tensor=1, data=64, global_batch=64, sharding="none")
    per_layer, per_job = (
        run_job_with_free_switching(job, OcsHybrid(region_domains=4, ports=4, ocs_ports=3, reconfigure=choice))
        for choice in ("per_layer", "per_job")
    )
    assert per_layer["ep"] < per_job["ep"]


def run_job_with_free_switching(job, topology):
    fabric = topology.build(Equipment(job.accelerators, job.accelerator_entry, INTERCONNECT))
    fabric = replace(fabric, planner=replace(fabric.planner, switch_s=0.0))
    program, chosen = plan(job, fabric.endpoint_domain), choose_backend("numba")
    collectives = tuple(program.collectives)
    routes = route_collectives(collectives, program.num_runs(), fabric, Spray(), 7, len(PHASES))
    schedule = assemble(program, fusible(collectives, routes, chosen))
    return step_parts(schedule, Simulation(schedule, routes, chosen).run())


def test_stages_in_one_domain_cannot_both_set_its_circuits():
    """Pipeline stages next to each other inside every server."""
    job = small_job(
        accelerators=64, tensor=1, pipeline=2, data=32, order=("pipeline", "tensor", "context", "data"), expert=32,
        experts=Experts(count=64, per_token=4, width=512, popularity=1.0),
    )  # fmt: skip
    with pytest.raises(NotBuildableError, match="stage 0 and stage 1 both have experts in pod 0"):
        run_job(job, OcsHybrid(packet=Clos()))


@given(st.integers(2, 5), st.sampled_from([0.0, 1e-3, 15e-3, 40e-3]))
@settings(max_examples=15, deadline=None)
def test_what_is_hidden_of_a_switching_is_the_compute_before_its_layer(layers, gap_s):
    """Of d, a gap g hides min(g, d); the first switching of a step has no compute before it."""
    fabric, schedule = fabric_of(HYBRID), experts_schedule(layers, gap_s)
    routes = route_collectives(schedule.collectives, np.ones(layers), fabric, Spray(), 7, 1)
    outcome = Simulation(schedule, routes, choose_backend("numba")).run()
    hidden_s = hidden_switching_s(schedule, outcome, routes.light.collective_setting)
    first = [] if layers % 2 else [0.0]
    assert hidden_s == pytest.approx(first + [min(gap_s, fabric.planner.switch_s)] * (layers - 1), rel=1e-9, abs=1e-12)


def test_a_switching_that_several_wait_for_is_exposed_once():
    """
    Switching from 1 to 5 s; collectives of its setting stand still from 2 to 4, 3 to 4.5 and of another all the time:
    2.5 s are exposed, 1.5 hidden.
    """
    steps = [replace(message(0, 8, 1.0), kind=EP, layer=layer) for layer in (0, 0, 1)]
    schedule = chain(steps, 1)
    outcome = SimpleNamespace(
        switchings=(Switching(1.0, 5.0, 1, 3),), start_s=np.array([2.0, 3.0, 0.0]), stalled_s=np.array([2.0, 1.5, 9.0])
    )
    assert hidden_switching_s(schedule, outcome, np.array([1, 1, 2])).tolist() == [1.5]
