"""How sure a comparison is: draws, places, and what they hang on."""

import json
import math
import warnings
from functools import partial

import numpy as np
import pytest
from pydantic import ValidationError

from cluster_sim.catalogue import open_figures
from cluster_sim.config import Rank
from cluster_sim.studies import Sampling, compare
from cluster_sim.studies.draws import Uncertain, entries_in
from cluster_sim.studies.drivers import driver_rows, rank_correlation
from cluster_sim.studies.ranking import rank
from cluster_sim.studies.sampled import Option, Sample, interval_rows, places
from cluster_sim.studies.uncertainty import _buildable
from tests.small import small_comparison

_ROTOR = "compare.topologies={{rotor: {{kind: ocs_rotor, pod_accelerators: 32, slot: {}}}}}"
_TABLES = ("uncertainty", "drivers")


def _drawn(folder, *settings, num=20, resimulate=False, workers=1):
    config = small_comparison(folder, *settings)
    return compare(config, "x", folder / "out", True, workers, sampling=Sampling(num=num, resimulate=resimulate))


def _rows(done, quantity="capex_usd"):
    return {row["scenario"]: row for row in done.tables["uncertainty"].to_pylist() if row["quantity"] == quantity}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return _drawn(tmp_path_factory.mktemp("drawn"), num=150)


def test_every_option_that_can_be_built_has_intervals_of_what_its_row_has(done):
    ok = [row["scenario"] for row in done.summary.to_pylist() if row["status"] == "ok"]
    assert list(_rows(done)) == ok
    quantities = {row["quantity"] for row in done.tables["uncertainty"].to_pylist()}
    assert {"step_time_s", "network_energy_j", "facility_energy_j", "capex_usd", "cluster_usd_per_mtoken"} <= quantities
    assert "goodput_ratio" not in quantities
    for row in done.tables["uncertainty"].to_pylist():
        assert row["low"] <= row["median"] <= row["high"]
        assert row["draws"] == 150
    assert _rows(done, "step_time_s")[ok[0]]["typical"] == done.summary.to_pylist()[0]["step_time_s"]


def test_every_draw_has_one_winner(done):
    assert sum(row["wins_ratio"] for row in _rows(done).values()) == pytest.approx(1)  # the others have no copper


def test_an_option_is_not_buildable_in_the_draws_in_which_its_copper_is_too_short(done):
    """
    Links of 1.5 m; the reach of a DAC is triangular between 0.5 and 3 m with the mode at 2 m: below 1.5 m in
    (1.5 - 0.5)**2 / (2.5 x 1.5) = 26.7 % of the draws.
    """
    row = _rows(done)["tiny / dac / clos"]
    share = 1 - 1 / 3.75
    assert row["buildable_ratio"] == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / 150))
    assert row["wins_ratio"] <= row["buildable_ratio"]
    assert _rows(done)["tiny / dsp / clos"]["buildable_ratio"] == 1


def test_the_manifest_says_how_step_times_were_found_and_how_far_off(done):
    notes = done.manifest["uncertainty"]
    assert notes["draws"] == 150
    assert notes["method"] == "response"
    assert notes["draws_simulated"] == 2  # a Clos and an OCS spine: two classes that answer alike
    assert 0 <= notes["largest_step_error_ratio"] < 1e-4


def test_the_same_tables_whatever_the_number_of_workers(tmp_path):
    files = []
    for workers in (1, 2):
        folder = _drawn(tmp_path, num=3, workers=workers).folder
        files.append([(folder / f"{name}.arrow").read_bytes() for name in _TABLES])
    assert files[0] == files[1]


def test_backends_agree(tmp_path):
    numpy, numba = (
        _drawn(tmp_path, f"backend={name}", num=4).tables["uncertainty"].to_pylist() for name in ("numpy", "numba")
    )
    for one, other in zip(numpy, numba, strict=True):
        assert one["wins_ratio"] == other["wins_ratio"]
        assert one["median"] == pytest.approx(other["median"], rel=1e-9)


def test_simulating_every_draw_gives_what_the_response_gives(tmp_path):
    """Costs that rest on no times are equal to rounding; step times of this quiet network nearly so."""
    quick, full = (_drawn(tmp_path, num=3, resimulate=resimulate) for resimulate in (False, True))
    assert full.manifest["uncertainty"]["method"] == "simulated"
    assert full.manifest["uncertainty"]["draws_simulated"] == 3 * 5
    assert full.manifest["uncertainty"]["largest_step_error_ratio"] < 1e-4
    for one, other in zip(*(each.tables["uncertainty"].to_pylist() for each in (quick, full)), strict=True):
        assert (one["scenario"], one["quantity"]) == (other["scenario"], other["quantity"])
        exact = one["quantity"] == "capex_usd"
        assert one["median"] == pytest.approx(other["median"], rel=1e-12 if exact else 1e-4)
        assert {one["method"], other["method"]} == {"response", "simulated"}


def test_the_same_option_twice_never_parts(tmp_path):
    """
    One draw is common to all: an option and its twin have equal prices in every draw, so that the name alone decides,
    always alike. Were every option drawn by itself each would win half of the draws.
    """
    twin = (
        "compare.interconnects={a: {port_rate: 800 Gbps, nic: connectx8-800g, switch: tomahawk5, host_leaf: npo-800g, "
        "leaf_spine: npo-800g, spine_core: npo-800g}, b: {port_rate: 800 Gbps, nic: connectx8-800g, switch: tomahawk5, "
        "host_leaf: npo-800g, leaf_spine: npo-800g, spine_core: npo-800g}}"
    )
    found = _drawn(tmp_path, twin, "compare.topologies={clos: {kind: clos, pod_accelerators: 32}}", num=30)
    wins = {row["interconnect"]: row["wins_ratio"] for row in _rows(found).values()}
    assert wins == {"a": 1.0, "b": 0.0}
    a, b = ([row["low"], row["median"], row["high"]] for row in _rows(found).values())
    assert a == b
    assert a[0] < a[2]
    assert found.tables["drivers"].num_rows == 0  # no figure parts the two


def test_draws_in_which_nothing_can_be_built_have_no_winner_and_count_for_nobody(tmp_path):
    """The DAC alone is too short in a quarter of the draws; it wins all others."""
    alone = (
        "compare.interconnects={dac: {port_rate: 800 Gbps, nic: connectx8-800g, switch: tomahawk5, "
        "host_leaf: dac-800g, leaf_spine: dac-800g, spine_core: dac-800g}}"
    )
    (row,) = _rows(_drawn(tmp_path, alone, "compare.topologies={clos: {kind: clos, pod_accelerators: 32}}")).values()
    assert 0 < row["buildable_ratio"] < 1
    assert row["wins_ratio"] == 1


def test_circuits_that_are_too_slow_in_some_draws_cannot_be_built_in_these(tmp_path):
    """
    Slots of 0.4 s: mirrors take some 15 ms and transceivers 6 ms to see light again, but up to a second by one source.
    """
    done = _drawn(tmp_path, _ROTOR.format("400 ms"), num=40)
    row = _rows(done)["tiny / dsp / rotor"]
    assert 0 < row["buildable_ratio"] < 1
    late = {row["figure"] for row in done.tables["drivers"].to_pylist() if row["gap_high_ratio"] is None}
    assert "800g-dsp-2xfr4 reacquisition" in late


def test_a_draw_that_can_be_built_is_simulated_in_full():
    sample = _sample("a", 10.0, [None, None, 3.0, None], {})
    assert [_buildable(sample, draw) for draw in range(4)] == [2, 2, 2, 2]
    assert _buildable(_sample("a", 10.0, [None, None], {}), 1) == 1


def test_given_figures_stay_in_all_draws(tmp_path):
    """With the prices of all its parts given, an option's price has no spread."""
    prices = (
        "catalogue={800g-dsp-dr8: {price: 500 USD}, tomahawk5: {price: 80 kUSD}, connectx8-800g: {price: 2 kUSD}, "
        "constants: {fibre_trunk_price: 100 USD}}"
    )
    row = _rows(_drawn(tmp_path, prices, num=10))["tiny / dsp / clos"]
    assert row["low"] == row["high"] == row["typical"]


def test_one_draw_is_enough(tmp_path):
    done = _drawn(tmp_path, "record=tasks", num=1)
    assert all(row["low"] == row["high"] for row in _rows(done).values())
    assert {row["influence"] for row in done.tables["drivers"].to_pylist()} <= {None, 0.0, 1.0, -1.0}


def test_nothing_buildable_has_no_intervals(tmp_path):
    wrong = [f"compare.topologies.{name}.pod_accelerators=48" for name in ("clos", "ocs")]
    done = _drawn(tmp_path, *wrong, num=3)
    assert [done.tables[name].num_rows for name in _TABLES] == [0, 0]
    assert done.manifest["uncertainty"]["largest_step_error_ratio"] is None


def test_the_ranking_in_use_decides_who_wins(tmp_path):
    """By price the DAC loses no draw that it can be built in; its power does not matter then."""
    done = _drawn(tmp_path, "rank=capex", num=40)
    dac = _rows(done)["tiny / dac / clos"]
    assert dac["wins_ratio"] == dac["buildable_ratio"]  # the others can always be built
    deciding = {row["figure"] for row in done.tables["drivers"].to_pylist() if row["quantity"] == "capex_usd"}
    assert all(figure.endswith(("price", "per_port", "reach")) for figure in deciding)


@pytest.mark.parametrize("num", [0, -3, 10**9])
def test_draws_are_at_least_one_and_not_so_many_that_memory_ends(num):
    with pytest.raises(ValidationError):
        Sampling(num=num)


# Places and drivers by hand: options whose rows are made up.

_PRICE = Uncertain("switch", "x", "price", 1.0, 2.0, 4.0, "USD", "M")
_POWER = Uncertain("switch", "x", "power", 1.0, 2.0, 4.0, "W", "V1")


def _sample(name, typical, drawn, moved):
    row = {
        "scenario": name, "job": "j", "interconnect": name, "topology": "t", "line_rate_bytes_per_s": 1e11,
        "status": "ok", "step_time_s": 1.0, "network_energy_j": 1.0, "capex_usd": typical, "rank": None,
    }  # fmt: skip
    changes = tuple(None if value is None else {"capex_usd": value} for value in drawn)
    return Sample(Option(None, row, (_PRICE, _POWER), {}), changes, {
        (_PRICE.key, end): None if value is None else {"capex_usd": value} for end, value in moved.items()
    })  # fmt: skip


@pytest.fixture
def ranking():
    return partial(rank, tie_ratio=0.0, by=Rank(by="capex"))


@pytest.fixture
def group(ranking):
    """With typical figures a is first, 10 against 12; it wins draws 0 and 2 of 4, and in the last it is not there."""
    a = _sample("a", 10.0, [9.0, 11.0, 10.0, None], {"low": 5.0, "high": 15.0})
    b = _sample("b", 12.0, [12.0, 10.0, 12.0, 12.0], {"low": 12.0, "high": 12.0})
    for place, sample in enumerate((a, b), start=1):
        sample.option.row["rank"] = place
    return [a, b]


def test_places_of_every_draw(group, ranking):
    np.testing.assert_array_equal(places(group, ranking), [[1, 2, 1, np.nan], [2, 1, 2, 1]])


def test_how_often_an_option_wins(group, ranking):
    rows = interval_rows(group, places(group, ranking), "response", Rank().group)
    a, b = (next(row for row in rows if row["scenario"] == name and row["quantity"] == "capex_usd") for name in "ab")
    assert (a["wins_ratio"], a["mean_rank"], a["buildable_ratio"]) == (0.5, pytest.approx(4 / 3), 0.75)
    assert (b["wins_ratio"], b["mean_rank"], b["buildable_ratio"]) == (0.5, 1.5, 1.0)
    assert (a["median"], b["median"]) == (10.0, 12.0)
    assert a["low"] == pytest.approx(9.1)  # 5 % of the way from 9 to 11 in two steps
    assert a["group"] == "j, 800G"


def test_a_figure_drives_what_it_changes(group, ranking):
    """The price alone moves a from 5 to 15 and its gap to b, 12, from 140 % to -20 %; the power moves nothing."""
    drawn = {_PRICE.key: np.array([1.0, 3.0, 2.0, 4.0]), _POWER.key: np.array([4.0, 3.0, 1.0, 2.0])}
    rows = driver_rows("g", group, places(group, ranking), ranking, drawn)
    assert [(row["figure"], row["quantity"]) for row in rows] == [("x price", "capex_usd"), ("x price", "rank")]
    gap, who = rows
    assert (gap["gap_low_ratio"], gap["gap_ratio"], gap["gap_high_ratio"]) == pytest.approx((1.4, 0.2, -0.2))
    assert gap["influence"] == pytest.approx(-1)  # dearer, less of a lead: 12/9, 12/10, 10/11
    assert (who["winner_low"], who["winner_high"]) == ("a", "b")
    assert who["influence"] == -1  # wins both draws of the lower half, none of the upper
    assert {row["status"] for row in rows} == {"M"}
    assert {(row["scenario"], row["second"]) for row in rows} == {("a", "b")}


def test_a_figure_that_makes_an_option_impossible_drives(ranking, group):
    a = _sample("a", 10.0, [9.0, 11.0, 10.0, None], {"low": None, "high": 10.0})
    a.option.row["rank"] = 1
    both, drawn = [a, group[1]], dict.fromkeys((_PRICE.key, _POWER.key), np.arange(4.0))
    rows = driver_rows("g", both, places(both, ranking), ranking, drawn)
    assert [row["winner_low"] for row in rows if row["quantity"] == "rank"] == ["b"]
    assert [row["gap_low_ratio"] for row in rows if row["quantity"] == "capex_usd"] == [None]


def _costing(name, place, typical, drawn, low, high):
    sample = _sample(name, typical, drawn, {"low": low, "high": high})
    sample.option.row["rank"] = place
    return sample


@pytest.mark.filterwarnings("error")
def test_options_that_cost_nothing_have_no_gap(ranking):
    """Both are given away, whatever the price of a part that neither pays for."""
    both = [_costing(name, place, 0.0, [0.0, 0.0], 0.0, 0.0) for place, name in enumerate("ab", start=1)]
    drawn = dict.fromkeys((_PRICE.key, _POWER.key), np.arange(2.0))
    assert driver_rows("g", both, places(both, ranking), ranking, drawn) == []


@pytest.mark.filterwarnings("error")
def test_a_gap_to_an_option_that_costs_nothing_has_no_ratio_but_is_no_news_with_every_figure(ranking):
    both = [_costing("a", 1, 0.0, [0.0, 0.0], 0.0, 5.0), _costing("b", 2, 3.0, [2.0, 4.0], 2.0, 4.0)]
    drawn = dict.fromkeys((_PRICE.key, _POWER.key), np.arange(2.0))
    rows = driver_rows("g", both, places(both, ranking), ranking, drawn)
    assert {row["figure"] for row in rows} == {"x price"}  # at its high end a costs something
    gap, who = rows
    assert (gap["gap_low_ratio"], gap["gap_ratio"]) == (None, None)
    assert gap["gap_high_ratio"] == pytest.approx(-0.2)
    assert who["winner_high"] == "b"


def test_a_cluster_that_costs_and_burns_nothing_has_draws(tmp_path):
    """All prices and powers that are not given elsewhere are 0: nothing is divided by them."""
    free = {
        entry: {
            name: f"0 {figure.unit}"
            for name, figure in open_figures(entry).items()
            if figure.unit in ("USD", "W") and name != "vendor_cost"
        }
        for scenario in small_comparison(tmp_path).scenarios
        for entry in entries_in(scenario)
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        done = _drawn(tmp_path, f"catalogue={json.dumps(free)}", num=3)
    assert {row["status"] for row in done.summary.to_pylist() if row["topology"] == "clos"} == {"ok"}
    assert {row["high"] for row in _rows(done).values()} == {0.0}
    nothing = ("capex_usd", "network_energy_j", "facility_energy_j", "cluster_usd_per_mtoken")
    drivers = [row for row in done.tables["drivers"].to_pylist() if row["quantity"] in nothing]
    assert {row["figure"] for row in drivers} <= {"dac-800g reach"}  # with which there is none to compare with


def test_an_option_alone_hangs_on_what_keeps_it_from_being_built(ranking):
    alone = [_costing("a", 1, 10.0, [10.0, None], None, 10.0)]
    drawn = dict.fromkeys((_PRICE.key, _POWER.key), np.arange(2.0))
    (row,) = driver_rows("g", alone, places(alone, ranking), ranking, drawn)
    assert (row["figure"], row["quantity"], row["second"]) == ("x price", "rank", None)
    assert (row["winner_low"], row["winner_high"]) == (None, "a")


def test_one_option_alone_hangs_on_nothing(group, ranking):
    assert driver_rows("g", group[:1], places(group[:1], ranking), ranking, {}) == []


def test_rank_correlation():
    """Places 1 2 3 4 against 1 3 2 4: 1 - 6 x 2 / (4 x 15) = 0.8."""
    x = np.array([1.0, 2.0, 3.0, 10.0])
    assert rank_correlation(x, x**3) == pytest.approx(1)
    assert rank_correlation(x, -x) == pytest.approx(-1)
    assert rank_correlation(x, np.array([0.0, 5.0, 4.0, 6.0])) == pytest.approx(0.8)
    assert rank_correlation(x, np.array([1.0, np.nan, 2.0, 3.0])) == pytest.approx(1)
    assert rank_correlation(np.array([1.0, 1, 2, 2]), np.array([1.0, 1, 2, 2])) == pytest.approx(1)
    assert rank_correlation(x, np.ones(4)) is None
    assert rank_correlation(x[:1], x[:1]) is None
