"""``flows``: a raw flow problem in, one JSON line out."""

import json
from pathlib import Path
from typing import Any

import click

from cluster_sim.run import simulate_flows

_TOLD = ("read_s", "compile_s", "sim_s", "num_events", "num_solves", "backend", "largest_shift_s")


def run_flows(path: Path, quiet: bool, **options: Any) -> None:
    """``cluster-sim flows``."""
    done = simulate_flows(path, **options)
    if not quiet:
        finish_s = done.tables["flows"]["finish_s"]
        told = {name: done.manifest[name] for name in _TOLD}
        if done.manifest["transport"]:
            told["transport"] = done.manifest["transport"]["kind"]
        last_s = max(finish_s.to_pylist(), default=0.0)
        click.echo(json.dumps({**told, "num_flows": len(finish_s), "makespan_s": last_s, "folder": str(done.folder)}))
