"""Published training steps against simulated ones. Rows of the split "test" have set no parameter.

By default a few rows of every family are simulated; CLUSTER_SIM_VERIFY=full simulates the whole table, as ``make
verify`` does.
What is reached, and why not more, stands in the README, "How good are the step times?".
"""

import os
from pathlib import Path

import pytest

TABLE = Path(__file__).parents[3] / "shared" / "data" / "measured" / "training_steps.csv"
IS_FULL = os.environ.get("CLUSTER_SIM_VERIFY") == "full"

pytestmark = pytest.mark.skipif(not TABLE.is_file(), reason="no table shared/data/measured/training_steps.csv")

#: Rows of a sample: all of megatron_sc21, megatron_seqpar, megatron_h100 and others that have few, some of the rest.
_SAMPLE = 70
