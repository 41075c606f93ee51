"""Figures that are drawn between low and high."""

import numpy as np
import pytest

from cluster_sim.catalogue import Given, constants, given, open_figures, technology
from cluster_sim.studies.draws import Uncertain, draws, entries_in, given_values, uncertain_figures
from tests.small import small_comparison


@pytest.fixture
def scenarios(tmp_path):
    return {scenario.name: scenario for scenario in small_comparison(tmp_path).scenarios}


@pytest.fixture
def scenario(scenarios):
    return scenarios["tiny / dsp / ocs"]


def _figure(low, typical, high, unit="W", name="power"):
    return Uncertain("switch", "tomahawk6", name, low, typical, high, unit, "V1")


def test_a_scenario_rests_on_what_it_names_and_on_what_that_names(scenario):
    assert set(entries_in(scenario)) == {
        "constants", "h100-sxm", "hopper", "nvlink4", "connectx8-800g", "tomahawk5", "800g-dsp-dr8", "800g-dsp-2xfr4",
        "palomar-mems",
    }  # fmt: skip


def test_lasers_that_feed_an_engine_are_among_them(scenario):
    ends = scenario.interconnect.model_copy(update={"host_leaf": scenario.interconnect.host_leaf})
    engine = type(ends.host_leaf)(lower="cpo-800g", upper="cpo-800g")
    changed = scenario.model_copy(update={"interconnect": ends.model_copy(update={"host_leaf": engine})})
    assert technology("cpo-800g").external_laser in entries_in(changed)


def test_figures_without_a_range_and_those_that_say_what_fits_stay(scenario):
    drawn = {figure.key for figure in uncertain_figures(scenario)}
    assert ("800g-dsp-dr8", "price") in drawn
    assert ("800g-dsp-dr8", "rate") not in drawn
    assert ("constants", "hours_per_year") not in drawn
    assert all(figure.low < figure.high for figure in uncertain_figures(scenario))


def test_figures_that_the_user_gives_stay(scenario):
    mine = Given({"800g-dsp-dr8": {"price": 1.0}})
    changed = scenario.model_copy(update={"catalogue": mine})
    assert ("800g-dsp-dr8", "price") not in {figure.key for figure in uncertain_figures(changed)}
    with given(given_values(changed, {("constants", "pue"): 1.1})):
        assert technology("800g-dsp-dr8").price.typical == 1.0
        assert constants().pue.typical == 1.1


def test_one_draw_holds_for_all_options(scenarios):
    """Whatever two options share has the same value in the same draw, and different ones in different draws."""
    of_each = [list(draws(uncertain_figures(scenario), 3, seed=7)) for scenario in scenarios.values()]
    for number in range(3):
        seen = {}
        for mine in of_each:
            for key, value in mine[number].items():
                assert seen.setdefault(key, value) == value
    assert of_each[0][0] != of_each[0][1]
    key = ("constants", "pue")
    assert all(mine[0][key] == of_each[0][0][key] for mine in of_each)


def test_another_seed_draws_other_values(scenario):
    figures = uncertain_figures(scenario)
    assert list(draws(figures, 2, 1)) == list(draws(figures, 2, 1))
    assert list(draws(figures, 2, 1)) != list(draws(figures, 2, 2))


def test_draws_are_triangular():
    """Between 0 and 10 with the mode at 2: mean (0 + 2 + 10) / 3 = 4, variance (0 + 4 + 100 - 0 - 0 - 20) / 18."""
    values = _figure(0.0, 2.0, 10.0).drawn(20_000, 3)
    assert values.min() >= 0
    assert values.max() <= 10
    assert values.mean() == pytest.approx(4, abs=5 * np.sqrt(84 / 18 / 20_000))
    assert (values < 2).mean() == pytest.approx(2 / 10, abs=0.02)


def test_the_mode_may_be_at_an_end():
    values = _figure(1.0, 3.0, 3.0).drawn(1000, 3)
    assert (values > 2).mean() == pytest.approx(0.75, abs=0.07)


def test_what_is_counted_is_whole():
    assert set(_figure(2.0, 4.0, 8.0, unit="", name="laser_count").drawn(200, 1)) <= {2.0, 3, 4, 5, 6, 7, 8}
    assert not _figure(0.0, 1.0, 1.0, unit="", name="laser_share").is_whole
    assert not _figure(2.0, 4.0, 8.0).is_whole


def test_figures_of_the_same_name_are_drawn_apart():
    one, other = _figure(0.0, 1.0, 2.0), Uncertain("switch", "tomahawk5", "power", 0.0, 1.0, 2.0, "W", "V1")
    assert abs(np.corrcoef(one.drawn(1000, 1), other.drawn(1000, 1))[0, 1]) < 0.12


def test_values_that_are_drawn_can_all_be_given(scenario):
    """What is drawn skips the checks of what a user writes: it must pass them."""
    for values in draws(uncertain_figures(scenario), 5, 1):
        root = given_values(scenario, values).root
        assert Given(root).root == root
        assert all(figure in open_figures(entry) for entry, figure in values)
