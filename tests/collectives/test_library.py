"""What software adds to collectives: launch, steps inside and between domains, peers."""

import numpy as np
import pytest

from cluster_sim.collectives import NETWORKS, Groups, Library

SOFTWARE = Library(
    launch_s=8e-6, inside_step_s=1e-6, across_step_s=10e-6, inside_tree_s=3e-6, across_tree_s=20e-6, inside_peer_s=2e-6,
    across_peer_s=5e-6,
)  # fmt: skip


def groups(num_domains, per_domain):
    """One group over whole domains."""
    size = num_domains * per_domain
    return Groups(np.arange(size, dtype=np.int32)[None], np.repeat(np.arange(num_domains), per_domain))


@pytest.mark.parametrize(
    ("operation", "expected_s"),
    [
        ("all_gather", 8e-6 + 14 * 1e-6 + 1 * 10e-6), ("reduce_scatter", 8e-6 + 14 * 1e-6 + 1 * 10e-6),
        ("all_reduce", 8e-6 + 2 * (14 * 1e-6 + 1 * 10e-6)), ("all_to_all", 8e-6 + 7 * 2e-6 + 8 * 5e-6),
        ("point_to_point", 8e-6 + 5e-6),
    ],
)  # fmt: skip
def test_two_domains_of_eight(operation, expected_s):
    assert SOFTWARE.overhead_s(operation, groups(2, 8)) == pytest.approx(expected_s)


def test_all_reduces_over_many_domains_go_up_and_down_a_tree():
    """32 domains: 5 levels and 7 ranks of a chain, twice, instead of 31 steps and 224."""
    assert SOFTWARE.overhead_s("all_reduce", groups(32, 8)) == pytest.approx(8e-6 + 2 * (7 * 3e-6 + 5 * 20e-6))


def test_one_domain_has_no_steps_over_the_network_and_one_rank_has_none_at_all():
    assert SOFTWARE.overhead_s("all_gather", groups(1, 8)) == pytest.approx(8e-6 + 7 * 1e-6)
    assert SOFTWARE.overhead_s("point_to_point", groups(1, 2)) == pytest.approx(10e-6)
    assert SOFTWARE.overhead_s("all_reduce", groups(1, 1)) == 0.0


@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_has_figures(network):
    found = Library.nccl("nvlink4", network)
    assert 1e-6 < found.launch_s < 1e-4
    assert found.across_step_s > found.inside_step_s > 0
    assert Library.nccl("nvlink6", network).launch_s == Library.nccl("nvlink5", network).launch_s
