"""Time and memory that large fabrics take to build, each in a process of its own."""

import json
import subprocess
import sys

import pytest

_BUILD = """
import json, resource, sys, time
from cluster_sim.catalogue import Interconnect, accelerator
from cluster_sim.topology import Equipment, FatTree
optics = dict.fromkeys(("host_leaf", "leaf_spine", "spine_core"), "800g-dsp-2xfr4")
parts = Interconnect(port_rate_bytes_per_s=50e9, nic="connectx8-800g", switch="tomahawk6", **optics)
began_s = time.perf_counter()
fabric = FatTree(planes=int(sys.argv[2])).build(Equipment(int(sys.argv[1]), accelerator("b300-sxm"), parts))
took_s = time.perf_counter() - began_s
peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps([fabric.num_endpoints, took_s, peak_bytes]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has other units elsewhere")
@pytest.mark.parametrize("planes", [1, 2])
@pytest.mark.parametrize(("num", "most_s", "most_bytes"), [(131_072, 5.0, 2 * 2**30), (1_048_576, 60.0, 16 * 2**30)])
def test_large_fat_trees_are_built_in_bounded_time_and_memory(num, planes, most_s, most_bytes):
    """Three tiers of 256-port switches at 400G (512 in two planes), 2 km optics."""
    told = subprocess.run(
        [sys.executable, "-c", _BUILD, str(num), str(planes)], capture_output=True, text=True, check=True
    )
    num_built, took_s, peak_bytes = json.loads(told.stdout)
    assert num_built == num
    assert took_s < most_s
    assert peak_bytes < most_bytes
