"""How busy tiers are on average, against the table of links."""

import numpy as np
import pytest

from cluster_sim.backend import choose_backend
from cluster_sim.run import _simulated
from tests.small import small_run


@pytest.mark.parametrize("topology", ["clos", "ocs_spine"])
def test_the_utilisation_of_a_tier_is_what_its_links_carried_over_what_they_could(tmp_path, topology):
    """All links of a tier are alike here: the mean of their ratios, without any record of tasks."""
    settings = ("record=summary", f"topology={{kind: {topology}, pod_accelerators: 32}}")
    done = _simulated(small_run(tmp_path, *settings).scenario, choose_backend("numpy"), lambda phase: None)
    fabric, found = done.fabric, done.economy.work.utilisation
    carried = done.routes.carried_by_links(done.outcome.carried)[0]
    ratio = carried / fabric.links.capacity_bytes_per_s / done.outcome.end_s.max()
    for number, tier in enumerate(fabric.tiers):
        assert found[tier] == pytest.approx(ratio[fabric.links.tier == number].mean())
    assert 0 < found["host_leaf"] < 1
    entering = fabric.node_kind[fabric.links.dst] == 2
    assert found["leaf"] == pytest.approx(
        np.average(ratio[entering], weights=fabric.links.capacity_bytes_per_s[entering])
    )
    assert ("core" in found) == (topology == "clos")
