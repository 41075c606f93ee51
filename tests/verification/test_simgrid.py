"""The same flow problems in SimGrid 3.32 (Debian's libsimgrid-dev), through the peers' driver and generator."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cluster_sim.config import read_problem
from cluster_sim.engine import run_problem

PEERS = Path(__file__).parents[3] / "shared" / "peers"

PROBLEMS = {
    "permutation": ("permutation", "--hosts", "1024", "--sizes", "random"),
    "permutation, staggered": ("permutation", "--hosts", "512", "--sizes", "random", "--stagger", "1e-3"),
    "ring": ("ring", "--hosts", "1024", "--placement", "random", "--bytes", "1e9", "--group", "128"),
    "all-to-all": ("alltoall", "--hosts", "64", "--group", "16", "--sizes", "random", "--placement", "random"),
    "all-to-all, oversubscribed": ("alltoall", "--hosts", "128", "--group", "16", "--oversub", "3"),
    "incast": ("incast", "--hosts", "512", "--fan-in", "64", "--sizes", "random", "--stagger", "1e-2"),
}


@pytest.fixture(scope="module")
def simgrid(tmp_path_factory):
    """The driver, built; skipped where SimGrid is not installed."""
    program = tmp_path_factory.mktemp("simgrid") / "simgrid_flows"
    if not PEERS.is_dir():
        pytest.skip("no folder shared/peers beside the checkout")
    if not (shutil.which("g++") and Path("/usr/include/simgrid/s4u.hpp").exists()):
        pytest.skip("SimGrid is not installed (Debian: apt-get install libsimgrid-dev)")
    subprocess.run(["g++", "-O1", "-std=c++17", PEERS / "simgrid_flows.cpp", "-o", program, "-lsimgrid"], check=True)
    return program


@pytest.mark.parametrize("options", PROBLEMS.values(), ids=PROBLEMS)
def test_finish_times_are_simgrids(backend, simgrid, options, tmp_path):
    """SimGrid takes steps of 1e-9 s: 2e-8 s or a millionth, whichever is larger."""
    problem, answer = tmp_path / "problem.txt", tmp_path / "finish.txt"
    subprocess.run([sys.executable, PEERS / "make_problem.py", *options, "-o", problem], check=True)
    subprocess.run([simgrid, problem, answer], check=True)
    finish_s, expected_s = run_problem(read_problem(problem), backend).finish_s, np.loadtxt(answer)
    assert len(finish_s) == len(expected_s) > 60
    assert np.all(np.abs(finish_s - expected_s) <= np.maximum(2e-8, 1e-6 * expected_s))
