"""Step times and costs with other figures, against simulations with them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster_sim.catalogue import Given, known_names, open_figures
from cluster_sim.config import load_config
from cluster_sim.studies.compare import compare
from cluster_sim.studies.draws import draws, entries_in
from cluster_sim.studies.redone import Redoing, amounts_with, simulated
from cluster_sim.studies.response import Response, alike, aspect_of, probes
from cluster_sim.studies.sampled import options_of
from cluster_sim.studies.uncertainty import _response
from tests.small import write_comparison

#: Engines with lasers of their own, idle power, a scale-up technology, slow links and neighbours: all that a bill has.
_EDITS = (
    ("    npo:\n", "    cpo:\n      scale_up: cpo-scale-up-1.6t\n"),
    ("host_leaf: npo-800g", "host_leaf: {lower: 800g-dsp-dr8, upper: cpo-800g}"),
    ("leaf_spine: npo-800g", "leaf_spine: cpo-800g"),
    ("spine_core: npo-800g", "spine_core: cpo-800g"),
    ("seed: 1\n", "seed: 1\nslow_links: {ratio: 10 %}\neconomics: {lifetime: 3 years}\n"),
)


def _options(folder, *edits, settings=()):
    config = load_config(write_comparison(folder, *edits), settings)
    done = compare(config, "x", folder / "out", workers=1)
    return options_of(config.scenarios, done.tables)


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    return _options(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def rich(tmp_path_factory):
    return _options(tmp_path_factory.mktemp("rich"), *_EDITS)


def _redoing(option):
    asked = probes(option.scenario, option.figures, switches=True)
    return Redoing.of(option, _response(option, asked, [simulated(option, one.values, "numpy") for one in asked]))


def _largest_difference(redone, truth):
    assert set(redone) <= set(truth)
    return max(abs(value - truth[name]) / abs(truth[name]) for name, value in redone.items() if truth[name])


@given(seed=st.integers(0, 2**32), number=st.integers(0, 4))
@settings(max_examples=12, deadline=None)
def test_what_sets_no_times_gives_the_very_numbers_of_a_run(rich, seed, number):
    """Prices, powers, margins, failure rates, PUE: cost and energy as the simulation with these figures has them."""
    option = rich[number % len(rich)]
    still = [figure for figure in option.figures if aspect_of(figure, option.scenario) is None]
    values = next(draws(still, 1, seed))
    redone, truth = Redoing.of(option, Response({})).row(values), simulated(option, values, "numpy")
    assert (redone is None) == (truth is None)
    if redone is not None:
        assert redone["step_time_s"] == truth["step_time_s"]
        assert _largest_difference(redone, truth) <= 1e-12


def test_figures_of_no_aspect_set_no_times(rich):
    """Every such figure at its ends, all together: the step takes as long to the last bit."""
    for option in rich:
        still = [figure for figure in option.figures if aspect_of(figure, option.scenario) is None]
        for end in ("low", "high"):
            found = simulated(option, {f.key: getattr(f, end) for f in still if f.figure not in _FITS}, "numpy")
            assert found["step_time_s"] == option.row["step_time_s"]


#: Figures that decide whether something can be built at all.
_FITS = ("reach", "optical_margin", "insertion_loss", "circulator_loss", "cage_power", "liquid_cage_power", "max_power")


def test_entries_that_a_scenario_does_not_name_change_nothing(rich):
    for option in rich[:2]:
        others = {name: open_figures(name) for name in known_names() if name not in entries_in(option.scenario)}
        values = {
            (entry, name): figure.low
            for entry, figures in others.items()
            for name, figure in figures.items()
            if figure.low is not None
        }
        assert len(values) > 50
        found = simulated(option, values, "numpy")
        assert {**found, "rank": None} == {**option.row, **dict.fromkeys(_RANKED), "rank": None}


#: Columns that come with the comparison.
_RANKED = ("is_tie", "score_ratio", "is_pareto_cost", "is_pareto_energy")


def test_step_times_answer_as_simulations_do(options):
    """Every figure drawn: within a tenth of a tie of this job, whose network is hardly busy."""
    for option in options:
        redoing = _redoing(option)
        for values in draws(option.figures, 4, 5):
            redone, truth = redoing.row(values), simulated(option, values, "numpy")
            if truth is not None:
                assert _largest_difference(redone, truth) < 1e-4


def test_times_of_a_busy_network_move_with_its_rate(options, tmp_path):
    """A batch so large that links matter: the response is not just the typical time."""
    more = _options(tmp_path, settings=["compare.jobs.tiny.model.hidden=4096", "compare.jobs.tiny.model.layers=8"])
    option, key = more[0], ("constants", "link_efficiency")
    high = next(figure.high for figure in option.figures if figure.key == key)
    redone, truth = _redoing(option).row({key: high}), simulated(option, {key: high}, "numpy")
    assert truth["step_time_s"] < option.row["step_time_s"] * (1 - 1e-4)
    assert redone["step_time_s"] == pytest.approx(truth["step_time_s"], rel=1e-9)


def test_a_response_is_piecewise_linear_and_goes_on_beyond_its_points():
    """Latency 2 s at typical: 1 s more costs 3 s, 1 s less saves 1 s; rates count apart."""
    response = Response.through(
        ({"latency": 2.0, "rate": 5.0}, 10.0),
        [("latency", {"latency": 1.0, "rate": 5.0}, 9.0), ("latency", {"latency": 3.0, "rate": 5.0}, 13.0),
         ("rate", {"latency": 2.0, "rate": 4.0}, 8.0)],
    )  # fmt: skip
    at = {"latency": 2.0, "rate": 5.0}
    assert response.change_s(at, at) == 0
    assert response.change_s(at, {"latency": 2.5, "rate": 5.0}) == pytest.approx(1.5)
    assert response.change_s(at, {"latency": 1.5, "rate": 5.0}) == pytest.approx(-0.5)
    assert response.change_s(at, {"latency": 4.0, "rate": 5.0}) == pytest.approx(6.0)
    assert response.change_s(at, {"latency": 0.0, "rate": 4.5}) == pytest.approx(-2.0 - 1.0)
    assert response.change_s({"latency": 3.0, "rate": 5.0}, at) == pytest.approx(-3.0)


def test_options_that_differ_in_modules_alone_answer_alike(options, rich):
    plain = {option.scenario.name: alike(option.scenario) for option in options}
    assert plain["tiny / dsp / clos"] == plain["tiny / npo / clos"]
    assert plain["tiny / dsp / clos"] != plain["tiny / dsp / ocs"]
    assert len({alike(option.scenario) for option in rich}) == 4  # a scale-up technology of its own sets times


def test_an_option_that_answers_like_another_gets_its_own_latencies(options):
    """One response for both; what parts them is how much longer light takes in their modules."""
    dsp, npo = (next(one for one in options if one.scenario.name == f"tiny / {name} / clos") for name in ("dsp", "npo"))
    shared = _redoing(dsp).response
    for values in draws(npo.figures, 3, 1):
        redone = Redoing.of(npo, shared).row(values)
        assert redone["step_time_s"] == pytest.approx(simulated(npo, values, "numpy")["step_time_s"], rel=1e-6)


def test_given_figures_hold_in_every_draw(tmp_path):
    mine = _options(tmp_path, settings=["catalogue={800g-dsp-dr8: {price: 1 USD}}"])
    option = next(one for one in mine if one.scenario.interconnect_name == "dsp")
    assert option.scenario.catalogue == Given({"800g-dsp-dr8": {"price": 1.0}})
    redone, truth = Redoing.of(option, Response({})).row({}), option.row
    assert redone["capex_usd"] == truth["capex_usd"]


def test_amounts_are_of_the_fabric_as_it_is_with_the_figures(options):
    option = next(one for one in options if one.scenario.name == "tiny / dsp / clos")
    typical = amounts_with(option, {})
    slower = amounts_with(option, {("nvlink4", "efficiency"): 0.41})
    assert slower["scale-up rate"] == pytest.approx(2 * typical["scale-up rate"])
    assert slower["network latency"] == typical["network latency"]
    nic = amounts_with(option, {("connectx8-800g", "latency"): 1e-6})
    assert nic["NIC latency"] == 1e-6
    assert nic["network latency"] == pytest.approx(typical["network latency"], rel=1e-12)


def test_a_nic_that_no_link_has_in_its_latency_moves_nothing(tmp_path):
    """A torus of scale-up links and circuits: a step of the simulation takes as long with any NIC."""
    option = _options(tmp_path, settings=("compare.topologies={torus: {kind: ocs_torus, shape: [4, 4, 4]}}",))[0]
    values = {("connectx8-800g", "latency"): 2e-6}
    step_s = simulated(option, values, "numpy")["step_time_s"]
    assert step_s == option.row["step_time_s"]
    assert _redoing(option).row(values)["step_time_s"] == step_s


def test_what_a_guard_time_leaves_of_a_rotors_slots_is_that_of_the_draw(tmp_path):
    """
    Slots of 1.1 s and half a second until transceivers see light again: bytes take one over what is left, about twice
    as long; with every figure at its high end the step takes what the simulation says.
    """
    rotor = "compare.topologies={rotor: {kind: ocs_rotor, pod_accelerators: 32, slot: 1.1 s}}"
    option = _options(tmp_path, settings=(rotor,))[0]
    values = {("800g-dsp-2xfr4", "reacquisition"): 0.5, ("800g-dsp-dr8", "reacquisition"): 0.5}
    assert amounts_with(option, values)["circuits"] == pytest.approx(1.1 / (1.1 - 0.515))
    late = {figure.key: figure.high for figure in option.figures if figure.figure in ("switch_time", "reacquisition")}
    truth = simulated(option, late, "numpy")["step_time_s"]
    assert truth > option.row["step_time_s"]
    assert _redoing(option).row(late)["step_time_s"] == pytest.approx(truth, rel=1e-9)
