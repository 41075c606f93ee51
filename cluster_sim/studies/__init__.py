"""Many runs: comparisons and their ranking; the best plan; failures; measured tables against simulated, and fits."""

from cluster_sim.studies.calibrate import calibrate, calibrate_table
from cluster_sim.studies.calibrate_steps import calibrate_steps
from cluster_sim.studies.compare import compare
from cluster_sim.studies.measured_steps import is_table_of_steps
from cluster_sim.studies.plan import plan
from cluster_sim.studies.plan_reasons import NoPlanError
from cluster_sim.studies.ranking import rank
from cluster_sim.studies.reliability import assess, reliability
from cluster_sim.studies.uncertainty import Sampling
from cluster_sim.studies.verify import error_summary, verify
from cluster_sim.studies.verify_steps import step_error_summary, verify_steps

__all__ = [
    "NoPlanError",
    "Sampling",
    "assess",
    "calibrate",
    "calibrate_steps",
    "calibrate_table",
    "compare",
    "error_summary",
    "is_table_of_steps",
    "plan",
    "rank",
    "reliability",
    "step_error_summary",
    "verify",
    "verify_steps",
]
