"""Results for people: tables and figures."""

from cluster_sim.reports.errors import errors
from cluster_sim.reports.figure import draw_comparison
from cluster_sim.reports.table import ranking, step
from cluster_sim.reports.text import engineering, percent, seconds

__all__ = ["draw_comparison", "engineering", "errors", "percent", "ranking", "seconds", "step"]
