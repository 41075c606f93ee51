import copy
import pickle

import pytest

from cluster_sim.core import errors
from cluster_sim.core.errors import ClusterSimError, did_you_mean

EXAMPLES = [
    errors.ClusterSimError("something"),
    errors.InputError("something given"),
    errors.ConfigError(("a.yaml:1: no unit", "a.yaml:2: unknown name")),
    errors.FieldsError(("slow_links: link 9 is not there", "failed_links: no tier 'x'")),
    errors.UnknownNameError("routing", "emcp", ("ecmp", "spray")),
    errors.PlanError("needs a torus"),
    errors.OutputError("results/a", "is not empty", "choose another"),
    errors.NotBuildableError(("a link is too long", "a path loses too much")),
    errors.BackendError("cupy", "there is no GPU", "Use numba."),
    errors.SimulationError("cannot go on"),
    errors.StalledFlowsError(("task 1", "task 2"), "link 7", 1.5),
]


def all_errors(base: type[ClusterSimError] = ClusterSimError) -> set[type[ClusterSimError]]:
    """Every error in the file."""
    found = {base}.union(*(all_errors(child) for child in base.__subclasses__()))
    return {error for error in found if error.__module__ == errors.__name__}


def test_every_error_has_an_example():
    assert {type(error) for error in EXAMPLES} == all_errors()


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    "rebuilt",
    [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, lambda e: type(e)(*e.args)],
    ids=["pickle", "copy", "args"],
)
def test_an_error_survives_being_rebuilt(error, rebuilt):
    """As by process pools, Dask and SimPy."""
    again = rebuilt(error)
    assert type(again) is type(error)
    assert again.args == error.args
    assert str(again) == str(error)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_the_text_tells_every_part(error):
    """Nothing that was passed is lost on the reader."""
    parts = [part for arg in error.args for part in (arg if isinstance(arg, tuple) else (arg,))]
    if isinstance(error, errors.StalledFlowsError):
        parts.remove("task 2")  # counted, not named
    assert all(str(part) in str(error) for part in parts)


def test_errors_about_input_are_value_errors():
    """So that pydantic collects them."""
    for kind in (errors.InputError, errors.ConfigError, errors.UnknownNameError, errors.OutputError):
        assert issubclass(kind, ValueError)
    assert not issubclass(errors.BackendError, ValueError)


def test_a_stalled_simulation_says_how_many_where_and_when():
    assert str(EXAMPLES[-1]).startswith("stalled at t=1.5 s: task 1, task 2 can never finish, because link 7")
    assert "link 7 has no capacity" in str(EXAMPLES[-1])


@pytest.mark.parametrize(("name", "hint"), [("emcp", "; did you mean 'ecmp'?"), ("zzzzzz", "")])
def test_the_nearest_name_is_suggested(name, hint):
    assert did_you_mean(name, ("ecmp", "spray")) == hint
