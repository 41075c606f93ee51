"""Processes that work side by side, and what becomes of them."""

import os
import subprocess
import sys
import time
from pathlib import Path

from cluster_sim.studies.workers import side_by_side

ROOT = Path(__file__).parents[2]

#: Prints the numbers of two workers, then keeps them.
KEEPS = """
import os, time
from cluster_sim.studies.workers import Workers

if __name__ == "__main__":
    with Workers(2) as pool:
        for number in pool.results(os.path.getsize, ["."] * 2):
            pass
        print(*(child.pid for child in __import__("multiprocessing").active_children()), flush=True)
        time.sleep(60)
"""


def test_results_come_in_the_order_of_the_items():
    assert list(side_by_side(abs, [-3, -1, -2], 2)) == [3, 1, 2]


def test_workers_end_with_the_process_that_started_them(tmp_path):
    script = tmp_path / "keeps.py"
    script.write_text(KEEPS)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout is not None
        workers = [int(number) for number in parent.stdout.readline().split()]
        parent.kill()
    assert len(workers) == 2
    ends = time.monotonic() + 10
    while any(map(_is_there, workers)) and time.monotonic() < ends:
        time.sleep(0.05)
    assert not any(map(_is_there, workers))


def _is_there(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{number}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"  # none has waited for it yet
