"""Energy and dollars of a small cluster, by hand."""

import pytest

from cluster_sim.catalogue import given
from cluster_sim.economics import Economics, Work, count_pieces, economy, per_useful_token
from cluster_sim.topology import FatTree
from tests.economics.fixed import FIGURES, FOUR_YEARS, NETWORK_USD, NETWORK_W, SERVERS_USD, SERVERS_W
from tests.networks import equipment

#: A step of ten seconds on a million tokens.
STEP = {"step_s": 10.0, "step_tokens": 1e6, "cluster_ratio": 1.0, "utilisation": {}}
#: Millions of tokens in four years.
MTOKENS = 4 * 365 * 86400 / 10.0


def columns(economics=FOUR_YEARS, changes=None, **step):
    """Of the summary, for 8 accelerators on a fat-tree."""
    parts = equipment(8, per_host=2, **(changes or {}))
    with given(FIGURES):
        pieces = count_pieces(FatTree().build(parts), parts.interconnect)
        return economy(pieces, 8, parts.accelerator, Work(**(STEP | step)), economics).columns


def test_energy_of_a_step_is_power_times_time():
    found = columns()
    assert found["network_energy_j"] == pytest.approx(NETWORK_W * 10)
    assert found["cluster_energy_j"] == pytest.approx((NETWORK_W + SERVERS_W) * 10)
    assert found["facility_energy_j"] == pytest.approx((NETWORK_W + SERVERS_W) * 10 * 1.2)
    assert found["network_share_ratio"] == pytest.approx(31_088 / 41_088)


def test_joules_of_a_token():
    """493,056 J a step with cooling, 310,880 J of the network without, over a million tokens."""
    found = columns()
    assert found["energy_per_token_j"] == pytest.approx(0.493056)
    assert found["network_energy_per_token_j"] == pytest.approx(0.31088)


def test_a_year_of_energy():
    """49.3056 kW for 8,760 hours at 0.1 USD/kWh; of the network 37.3056 kW with its cooling."""
    found = columns()
    assert found["energy_usd_per_year"] == pytest.approx(49.3056 * 8760 * 0.1)
    assert found["network_energy_usd_per_year"] == pytest.approx(37.3056 * 8760 * 0.1)


def test_dollars_for_a_million_tokens():
    """Everything that is paid in four years over 12,614,400 million tokens."""
    found = columns()
    network_usd = 1_058_000 + 4 * 37.3056 * 876
    cluster_usd = 1_058_000 + 200_000 + 4 * 49.3056 * 876
    assert (found["capex_usd"], found["server_capex_usd"]) == pytest.approx((NETWORK_USD, SERVERS_USD))
    assert round(MTOKENS) == 12_614_400
    assert found["network_usd_per_mtoken"] == pytest.approx(network_usd / 12_614_400)
    assert found["cluster_usd_per_mtoken"] == pytest.approx(cluster_usd / 12_614_400)


def test_a_faster_network_saves_the_servers_time():
    """A network of the same price that makes steps a tenth shorter saves a tenth of everything but the energy rate."""
    slow, fast = columns(), columns(step_s=9.0)
    for name in ("network_usd_per_mtoken", "cluster_usd_per_mtoken", "energy_per_token_j"):
        assert fast[name] == pytest.approx(0.9 * slow[name])
    assert fast["energy_usd_per_year"] == pytest.approx(slow["energy_usd_per_year"])


def test_a_longer_life_spreads_the_price_and_not_the_energy():
    """Twice the years: half the capital for a token, the same energy."""
    four, eight = columns(), columns(FOUR_YEARS.model_copy(update={"lifetime_s": 2 * FOUR_YEARS.lifetime_s}))
    energy_usd = four["energy_usd_per_year"] * 4 / MTOKENS
    capital = [found["cluster_usd_per_mtoken"] - energy_usd for found in (four, eight)]
    assert capital[1] == pytest.approx(capital[0] / 2)


def test_pue_and_electricity_are_the_catalogues_where_none_is_given():
    """41.088 kW x 1.25, at 0.08 USD/kWh."""
    found = columns(Economics())
    assert found["facility_energy_j"] == pytest.approx(41_088 * 10 * 1.25)
    assert found["energy_usd_per_year"] == pytest.approx(41.088 * 1.25 * 8760 * 0.08)


def test_a_job_beside_others_pays_its_share():
    """A quarter of the accelerators in use: a quarter of the energy and the price for its tokens."""
    whole, part = columns(), columns(cluster_ratio=0.25)
    of_a_token = ("energy_per_token_j", "network_energy_per_token_j", "network_usd_per_mtoken")
    for name in (*of_a_token, "cluster_usd_per_mtoken"):
        assert part[name] == pytest.approx(whole[name] / 4)
    assert part["facility_energy_j"] == whole["facility_energy_j"]


def test_half_the_time_useful_makes_a_token_cost_twice_as_much():
    found = columns()
    half, none = per_useful_token(found, 0.5), per_useful_token(found, 0.0)
    assert half == {name: 2 * found[name] for name in half}
    assert set(half) == {name for name in found if "token" in name}
    assert set(none.values()) == {None}
