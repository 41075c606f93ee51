"""Many runs: comparisons and their ranking; measured tables against simulated ones, and fits to them."""

from cluster_sim.studies.calibrate import calibrate, calibrate_table
from cluster_sim.studies.calibrate_steps import calibrate_steps
from cluster_sim.studies.compare import compare
from cluster_sim.studies.measured_steps import is_table_of_steps
from cluster_sim.studies.ranking import rank
from cluster_sim.studies.verify import error_summary, verify
from cluster_sim.studies.verify_steps import step_error_summary, verify_steps

__all__ = [
    "calibrate",
    "calibrate_steps",
    "calibrate_table",
    "compare",
    "error_summary",
    "is_table_of_steps",
    "rank",
    "step_error_summary",
    "verify",
    "verify_steps",
]
