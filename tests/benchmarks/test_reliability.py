"""How long months of failures take: a job of 16,384 accelerators over 60 days, one history after the other."""

import numpy as np
import pytest

from cluster_sim.config import load_config
from cluster_sim.reliability import Checkpoints, Conditions, hazards_of, live_all, take_inventory
from cluster_sim.topology import Equipment

NUM = 20


@pytest.mark.benchmark(group=f"{NUM} histories of 60 days of 16,384 accelerators, on one core")
def test_histories(benchmark):
    """A thousand take fifty times as long, and are spread over all cores; no step is simulated."""
    scenario = load_config("configs/llama3-405b-16k.yaml").scenario
    chip, settings = scenario.job.accelerator_entry, scenario.reliability
    fabric = scenario.topology.fabric(Equipment(scenario.num_endpoints, chip, scenario.interconnect))
    used = np.ones(len(fabric.links), bool)
    found = take_inventory(fabric, used, scenario.interconnect, chip, scenario.job.accelerators, settings)
    names = tuple(state.name for state in found.states)
    conditions = Conditions(
        hazards=hazards_of(list(found.rows), names), checkpoints=Checkpoints(7.0, 36, 2.8),
        state_step_s=(7.1,) * len(names), servers=2048, spares=21, detection_s=300.0,
        restart_s=390.0, retry_s=30.0, span_s=60 * 86400.0,
    )  # fmt: skip
    histories = benchmark.pedantic(live_all, args=(conditions, 1, range(NUM)), rounds=3, warmup_rounds=1)
    assert histories.interruptions.sum(axis=1).mean() > 300
