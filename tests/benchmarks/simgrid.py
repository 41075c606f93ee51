"""Raw flow problems here and in SimGrid 3.32, in one run on one machine: seconds of user time, and their ratio.

    python -m tests.benchmarks.simgrid [--full] [--record FILE]

Problems and driver are the peers' (`shared/peers` beside the checkout, SimGrid from Debian's libsimgrid-dev); without
them only this program is timed. Here: from arrays in memory to finish times, all set-up included, median of the runs;
SimGrid: its user seconds without reading and building the platform, one run.
"""

import argparse
import json
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from cluster_sim.backend import choose_backend
from cluster_sim.config import read_problem
from cluster_sim.engine import run_problem

PEERS = Path(__file__).parents[3] / "shared" / "peers"


@dataclass(frozen=True)
class Problem:
    """What to simulate, and what is asked: a ratio to SimGrid, or seconds where SimGrid does not finish."""

    name: str
    options: tuple[str, ...]
    ratio: float | None = None
    limit_s: float | None = None
    simgrid_limit_s: float = 600.0
    is_short: bool = False


def _permutation(hosts: int, ratio: float | None, is_short: bool = True, sizes: str = "random") -> Problem:
    name = f"permutation, {sizes} sizes, {hosts:,} hosts"
    return Problem(name, ("permutation", "--hosts", str(hosts), "--sizes", sizes), ratio, is_short=is_short)


def _all_to_all(hosts: int, placement: str, sizes: str, **asked: float) -> Problem:
    name = f"all-to-all of 64, {hosts:,} hosts, {placement} placement, {sizes} sizes"
    options = ("alltoall", "--group", "64", "--hosts", str(hosts), "--placement", placement, "--sizes", sizes)
    return Problem(name, options, **asked)


_RING = ("ring", "--hosts", "8192", "--placement", "random", "--bytes", "1e9")

PROBLEMS = (
    _permutation(1024, None),
    _permutation(8192, 150),
    _permutation(16384, 250),
    _permutation(65536, 1500, is_short=False),
    _permutation(65536, 1000, is_short=False, sizes="equal"),
    Problem("ring, random placement, 8,192 hosts", _RING, 80, is_short=True),
    _all_to_all(1024, "linear", "equal", ratio=150),
    _all_to_all(1024, "linear", "random", ratio=30),
    _all_to_all(1024, "random", "equal", limit_s=1.5, simgrid_limit_s=380),
    _all_to_all(8192, "linear", "equal", limit_s=60, simgrid_limit_s=410),
)


def main() -> None:
    """Time every problem and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="the problems for which SimGrid takes minutes too")
    parser.add_argument("--record", type=Path, help="write the figures to this JSON file")
    arguments = parser.parse_args()
    if not PEERS.is_dir():
        sys.exit("no folder shared/peers beside the checkout: there is nothing to make the problems with")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        driver = _driver(Path(folder))
        for problem in PROBLEMS:
            if problem.is_short or arguments.full:
                rows.append(_measured(problem, Path(folder) / "problem.txt", driver))
                print(_line(rows[-1]), flush=True)
    growth = _growth(rows)
    print(f"time per event, most hosts over fewest: {growth:.2f}")
    if arguments.record:
        facts = {"date": time.strftime("%Y-%m-%d"), "machine": platform.platform(), "growth": growth, "problems": rows}
        arguments.record.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def _driver(folder: Path) -> Path | None:
    if not (shutil.which("g++") and Path("/usr/include/simgrid/s4u.hpp").exists()):
        print("SimGrid is not installed (Debian: apt-get install libsimgrid-dev): no ratios")
        return None
    program = folder / "simgrid_flows"
    source = PEERS / "simgrid_flows.cpp"
    subprocess.run(["g++", "-O2", "-std=c++17", source, "-o", program, "-lsimgrid"], check=True)
    return program


def _measured(problem: Problem, path: Path, driver: Path | None) -> dict[str, object]:
    make = [sys.executable, PEERS / "make_problem.py", *problem.options, "-o", path]
    subprocess.run(make, check=True, stderr=subprocess.DEVNULL)
    backend, given, runs_s = choose_backend("numba"), read_problem(path), []
    done = run_problem(given, backend)  # compiled or loaded from the cache
    while len(runs_s) < 3 or (sum(runs_s) < 2.0 and len(runs_s) < 15):
        began_s = time.process_time()
        done = run_problem(given, backend)
        runs_s.append(time.process_time() - began_s)
    median_s = statistics.median(runs_s)
    return {
        "name": problem.name, "flows": len(given), "median_s": median_s, "min_s": min(runs_s), "max_s": max(runs_s),
        "runs": len(runs_s), "us_per_event": median_s / done.num_events * 1e6, "asked_ratio": problem.ratio,
        "asked_s": problem.limit_s, **_simgrid(problem, path, driver, median_s),
    }  # fmt: skip


def _simgrid(problem: Problem, path: Path, driver: Path | None, median_s: float) -> dict[str, float | None]:
    if driver is None:
        return {"simgrid_s": None, "ratio": None}
    command = ["timeout", str(problem.simgrid_limit_s), driver, path, path.with_suffix(".answer")]
    told = subprocess.run(command, capture_output=True, text=True).stderr.splitlines()[-1]
    facts = json.loads(told)
    if "stopped" in facts:
        return {"simgrid_s": None, "stopped_s": problem.simgrid_limit_s, "ratio": None}
    user_s = facts["user_s"] - facts["read_s"] - facts["platform_s"]
    return {"simgrid_s": user_s, "ratio": user_s / median_s}


def _line(row: dict[str, object]) -> str:
    simgrid = f"{row['simgrid_s']:8.2f}" if row["simgrid_s"] else f"{'> ' + str(row.get('stopped_s', '?')):>8}"
    ratio = f"{row['ratio']:7.0f}x" if row["ratio"] else f"{'':8}"
    asked = f"{row['asked_ratio']}x" if row["asked_ratio"] else f"{row['asked_s']} s" if row["asked_s"] else "-"
    spread = f"{row['median_s']:.4f} ({row['min_s']:.4f} to {row['max_s']:.4f}, {row['runs']} runs)"
    return f"{row['name']:<62} simgrid {simgrid} s  here {spread} s  {ratio}  asked {asked}"


def _growth(rows: list[dict[str, object]]) -> float:
    """Of the time per event, over permutations of random sizes."""
    found = [float(str(row["us_per_event"])) for row in rows if str(row["name"]).startswith("permutation, random")]
    return found[-1] / found[0]


if __name__ == "__main__":
    main()
