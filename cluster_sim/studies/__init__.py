"""Many runs: comparisons and their ranking."""

from cluster_sim.studies.compare import compare
from cluster_sim.studies.ranking import rank

__all__ = ["compare", "rank"]
