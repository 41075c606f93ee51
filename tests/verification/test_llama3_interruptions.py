"""
The run of Llama 3 405B [arXiv:2407.21783, sec. 3.3 and table 5]: 16,384 H100 for 54 days, 419 unexpected interruptions,
35 of them by network switches and cables (8.4 %), more than 90 % effective training time.

Every rate is from elsewhere: servers from two research clusters of A100 and one of H200, links between NICs and first
switches and the switches from Alibaba, modules from a fleet of 400G; those without a source are the catalogue's
assumptions. Nothing is fitted to the table.
"""

import csv
from pathlib import Path

import pytest

from cluster_sim.backend import choose_backend
from cluster_sim.catalogue import constants, given
from cluster_sim.config import load_config
from cluster_sim.reliability import hazards_of, take_inventory
from cluster_sim.run import evaluate
from cluster_sim.studies import assess
from cluster_sim.topology import Equipment

CONFIG = Path(__file__).parents[2] / "configs" / "llama3-405b-16k.yaml"
CLAIMS = Path(__file__).parents[3] / "shared" / "data" / "published_claims.csv"
DAYS = 54
PUBLISHED, PUBLISHED_NETWORK = 419, 35 / 419
#: Rows of their table by what the model tells apart; NICs and unplanned maintenance count as theirs do.
ROWS = {
    "GPU": ("gpu", ("089", "090", "094", "095", "098", "099")),
    "host": ("host", ("100", "101", "102", "103", "105", "106")),
    "NIC": ("nic", ("096",)),
    "software, maintenance, unknown": ("software", ("091", "093", "097", "104")),
    "network switch or cable": ("network", ("092",)),
}
NETWORK = ("link", "laser", "flap", "switch")


@pytest.fixture(scope="module")
def scenario():
    config = load_config(CONFIG)
    return config.scenario.model_copy(
        update={"record": "tasks", "reliability": config.reliability.model_copy(update={"histories": 100})}
    )


@pytest.fixture(scope="module")
def healthy(scenario):
    return evaluate(scenario, choose_backend("auto"))


@pytest.fixture(scope="module")
def assessed(scenario, healthy):
    return assess(scenario, choose_backend("auto").name, healthy)


def by_group(rows):
    """Mean interruptions of a history by group, those of the network together."""
    found = {"network": sum(row["interruptions_mean"] for row in rows if row["group"] in NETWORK)}
    for row in rows:
        found[row["group"]] = found.get(row["group"], 0.0) + row["interruptions_mean"]
    return found


def network_share(scenario, healthy, figures=None, **times):
    """(expected interruptions, share of the network) with other figures and times, without their histories."""
    settings = scenario.reliability.model_copy(update=times)
    is_used = healthy["links"]["carried_bytes"].to_numpy() > 0
    with given(scenario.catalogue), given(type(scenario.catalogue)(figures or {})):
        chip = scenario.job.accelerator_entry
        fabric = scenario.topology.fabric(Equipment(scenario.num_endpoints, chip, scenario.interconnect))
        found = take_inventory(fabric, is_used, scenario.interconnect, chip, scenario.job.accelerators, settings)
        hazards = hazards_of(list(found.rows), tuple(state.name for state in found.states))
        stops = hazards.failures_per_s * hazards.stop_ratio(settings.used_s("retry")) * DAYS * 86400.0
    network = sum(stop for stop, group in zip(stops, hazards.group, strict=True) if group in NETWORK)
    return stops.sum(), network / stops.sum()


def test_the_network_is_theirs(scenario):
    """24,576 accelerators in 8 pods of 192 racks of 16; full bisection in a pod, 1:7 above."""
    fabric = scenario.topology.fabric(
        Equipment(scenario.num_endpoints, scenario.job.accelerator_entry, scenario.interconnect)
    )
    num = {tier: int((fabric.links.tier == number).sum()) // 2 for number, tier in enumerate(fabric.tiers)}
    assert (fabric.num_endpoints, fabric.num_pods) == (24_576, 8)
    assert num["host_leaf"] == num["leaf_spine"] == 24_576
    assert num["leaf_spine"] / num["spine_core"] == pytest.approx(7, rel=0.03)


def test_interruptions_within_a_quarter_and_effective_training_time(assessed):
    """Ours beside theirs, by cause."""
    ours = by_group(assessed["interruptions"].to_pylist())
    if CLAIMS.exists():
        with CLAIMS.open(encoding="utf-8") as file:
            value = {row["claim_id"]: row["value"] for row in csv.DictReader(file)}
        theirs = {name: sum(int(value[f"claim-{row}"]) for row in rows) for name, (_, rows) in ROWS.items()}
        assert sum(theirs.values()) == PUBLISHED
        for name, (group, _) in ROWS.items():
            print(f"{name}: {ours[group]:.0f}, published {theirs[name]}")
    row = assessed["summary"].to_pylist()[0]
    interruptions = row["interruptions_per_day"] * DAYS
    print(f"all: {interruptions:.0f}, published {PUBLISHED}; goodput {row['goodput_ratio']:.3f}, published over 0.9")
    assert interruptions == pytest.approx(PUBLISHED, rel=0.25)
    assert row["goodput_ratio"] > 0.9


def test_the_share_of_the_network_is_half_of_theirs(scenario, healthy, assessed):
    """
    NOT REPRODUCED: 4.7 % against 8.4 % (a third more or less would be 5.6 to 12.6 %). The share goes back to links that
    cut off an accelerator; inside the network traffic is around a failure before anybody gives up. It hangs on figures
    that nobody publishes for this run. How long transports wait is NCCL's default of today, 30 s (time-out 20, seven
    retries); with that of its time, 7.5 s (time-out 18 before version 2.23, NCCL's documentation, NCCL_IB_TIMEOUT), it
    would be 16 %. How often copper in a rack flaps is an assumption: with that of optics, ten times as much, it is 6 %.
    So theirs lies between what the two defaults give, and nothing here is chosen to meet it.
    """
    groups = by_group(assessed["interruptions"].to_pylist())
    share = groups["network"] / (sum(groups.values()) - groups["network"])
    _, expected = network_share(scenario, healthy)
    print(f"network: {100 * share:.1f} % ({100 * expected:.1f} % expected), published {100 * PUBLISHED_NETWORK:.1f} %")
    assert share == pytest.approx(expected, abs=0.005)
    assert 0.04 < expected < 0.056
    others = {
        "copper fails as the catalogue assumes": network_share(
            scenario, healthy, {"dac-400g": {"annual_failure": 0.001}}
        ),
        "copper flaps as optics do": network_share(scenario, healthy, {"dac-400g": {"flaps": 1.0}}),
        "transports wait for 7.5 s": network_share(scenario, healthy, retry_s=7.5),
        "transports wait as briefly as can be": network_share(scenario, healthy, retry_s=constants().retry_time.low),
        "traffic goes around failures as late as can be": network_share(
            scenario, healthy, reroute_s=constants().reroute_time.high
        ),
    }
    for name, (number, part) in others.items():
        print(f"  {name}: {100 * part:.1f} % of {number:.0f}")
    assert expected < PUBLISHED_NETWORK < others["transports wait for 7.5 s"][1]
