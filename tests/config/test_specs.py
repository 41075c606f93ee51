from tests.small import small_comparison, small_run


def test_a_comparison_is_everything_with_everything_jobs_outermost(tmp_path):
    config = small_comparison(tmp_path)
    assert [scenario.name for scenario in config.scenarios] == [
        f"tiny / {interconnect} / {topology}" for topology in ("clos", "ocs") for interconnect in ("dsp", "npo", "dac")
    ]


def test_a_scenario_has_what_its_study_has(tmp_path):
    config = small_comparison(tmp_path, "seed=7", "routing=ecmp", "record=tasks")
    for scenario in config.scenarios:
        assert (scenario.seed, scenario.routing.kind, scenario.record) == (7, "ecmp", "tasks")


def test_a_run_records_tasks_and_a_comparison_does_not(tmp_path):
    assert small_run(tmp_path).record == "tasks"
    assert small_comparison(tmp_path).record == "summary"


def test_the_scenario_of_a_run_is_named_after_run_and_topology(tmp_path):
    assert small_run(tmp_path).scenario.name == "small / interconnect / clos"


def test_step_times_tie_within_a_thousandth_by_default(tmp_path):
    assert small_comparison(tmp_path).tie_ratio == 0.001
    assert small_comparison(tmp_path, "tie=0.5 %").tie_ratio == 0.005
