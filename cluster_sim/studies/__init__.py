"""Many runs: comparisons and their ranking; the best plan; measured tables against simulated ones, and fits."""

from cluster_sim.studies.calibrate import calibrate, calibrate_table
from cluster_sim.studies.compare import compare
from cluster_sim.studies.plan import plan
from cluster_sim.studies.plan_reasons import NoPlanError
from cluster_sim.studies.ranking import rank
from cluster_sim.studies.verify import error_summary, verify

__all__ = ["NoPlanError", "calibrate", "calibrate_table", "compare", "error_summary", "plan", "rank", "verify"]
