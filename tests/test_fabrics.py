"""Every kind of fabric carries a whole job, from the configuration to the summary."""

import networkx as nx
import pytest

from cluster_sim.backend import choose_backend
from cluster_sim.run import evaluate
from tests.small import small_run

FABRICS = {
    "fat tree": "{kind: fat_tree}",
    "two planes": "{kind: clos, tiers: 2, planes: 2}",
    "rail only": "{kind: rail_only}",
    "torus": "{kind: torus, shape: [4, 4, 4]}",
    "torus of two sizes": "{kind: torus, shape: [8, 4, 2], cube: 2}",
    "torus of cubes": "{kind: ocs_torus, shape: [4, 4, 4]}",
    "hyperx": "{kind: hyperx, shape: [2, 4]}",
    "full mesh": "{kind: full_mesh, accelerators_per_switch: 16}",
    "dragonfly": "{kind: dragonfly, accelerators_per_switch: 4, switches_per_group: 4, global_links: 2}",
    "slim fly": "{kind: slim_fly, q: 5, accelerators_per_switch: 2}",
}


@pytest.mark.parametrize("routing", ["spray", "ecmp"])
@pytest.mark.parametrize("name", FABRICS)
def test_a_job_runs_on_every_fabric(tmp_path, name, routing):
    """The parts of the step sum to it, and the network costs something and carries something."""
    spine_ocs = ("interconnect.spine_ocs=800g-dsp-2xfr4",)
    run = small_run(tmp_path, f"topology={FABRICS[name]}", f"routing={routing}", "record=tasks", *spine_ocs)
    tables = evaluate(run.scenario, choose_backend("numpy"))
    (row,) = tables["summary"].to_pylist()
    parts = (
        "compute",
        "bubble",
        "switching",
        "optimizer",
        *(f"exposed_{kind}" for kind in ("tp", "cp", "ep", "pp", "dp")),
    )
    assert sum(row[f"{part}_s"] for part in parts) == pytest.approx(row["step_time_s"])
    assert row["capex_usd"] > 0
    assert sum(tables["links"]["carried_bytes"].to_pylist()) > 0


def test_backends_agree_on_a_custom_graph(tmp_path):
    """A ring of four leaves with 16 accelerators each, and one thin link."""
    graph = nx.cycle_graph(4)
    nx.set_node_attributes(graph, "leaf", "kind")
    nx.set_edge_attributes(graph, 8, "count")
    graph.edges[0, 3].update(bandwidth="200 Gbps", count=1)
    for number in range(64):
        graph.add_node(f"gpu{number}", kind="endpoint")
        graph.add_edge(f"gpu{number}", number // 16)
    nx.write_graphml(graph, tmp_path / "ring.graphml")
    settings = (f"topology={{kind: custom, graph: {tmp_path / 'ring.graphml'}}}", "routing=ecmp")
    steps_s = [
        evaluate(small_run(tmp_path, *settings).scenario, choose_backend(name))["summary"]["step_time_s"][0].as_py()
        for name in ("numpy", "numba")
    ]
    assert steps_s[0] == pytest.approx(steps_s[1], rel=1e-9)
