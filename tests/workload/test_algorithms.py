"""Which algorithms a job may name."""

import pytest
from pydantic import ValidationError

from cluster_sim.workload import Algorithms
from tests.engine.worlds import small_job


def refused(make, **fields):
    """The message of what is wrong."""
    with pytest.raises(ValidationError) as error:
        make(**fields)
    return str(error.value)


def test_a_job_that_names_nothing_uses_what_it_always_has():
    assert Algorithms().chosen == {
        "all_reduce": "hierarchical_all_reduce",
        "reduce_scatter": "hierarchical_reduce_scatter",
        "all_gather": "hierarchical_all_gather",
        "all_to_all": "all_to_all",
    }
    assert not Algorithms().has_auto
    assert Algorithms().detail == "lockstep"
    assert Algorithms(all_gather="auto").has_auto


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        ("all_reduce", "ring_all_gather"),
        ("all_reduce", "double_tree_reduce"),
        ("all_reduce", "point_to_point"),
        ("reduce_scatter", "all_to_all"),
        ("all_to_all", "chain_broadcast"),
    ],
)
def test_an_algorithm_does_what_it_is_named_for(operation, name):
    said = refused(Algorithms, **{operation: name})
    assert f"{name!r} is no {operation}; use auto or one of " in said
    assert f"ring_{operation}" in said or operation == "all_to_all"


def test_an_algorithm_that_nobody_knows_is_an_error():
    assert "did you mean 'ring_all_reduce'" in refused(Algorithms, all_reduce="ring_allreduce")
    assert "'lockstep' or 'steps'" in refused(Algorithms, detail="step")


def test_switches_that_cannot_reduce_are_not_asked_to():
    """NVLink 3 has no in-network reduction, NVLink 4 has."""
    algorithms = Algorithms(all_reduce="hierarchical_nvls_all_reduce", all_gather="nvls_all_gather")
    assert small_job(accelerator="h100-sxm", algorithms=algorithms).reduces_inside
    said = refused(small_job, accelerator="a100-80gb", algorithms=algorithms)
    for operation, name in (("all_reduce", "hierarchical_nvls_all_reduce"), ("all_gather", "nvls_all_gather")):
        assert f"algorithms.{operation}" in said
        assert f"{name} needs scale-up switches that reduce; those of a100-80gb (nvlink3) do not" in said
