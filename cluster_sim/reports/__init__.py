"""Results for people: tables and figures."""

from cluster_sim.reports.drawing import draw_fabric
from cluster_sim.reports.errors import errors
from cluster_sim.reports.fabric import fabric_table, findings
from cluster_sim.reports.failures import draw_reliability, failures
from cluster_sim.reports.figure import draw_comparison
from cluster_sim.reports.intervals import draw_uncertainty
from cluster_sim.reports.pareto import draw_pareto
from cluster_sim.reports.pipeline import draw_pipeline, pipeline_figure
from cluster_sim.reports.plans import plans
from cluster_sim.reports.ranking import ranking
from cluster_sim.reports.scale import draw_scale, scaling
from cluster_sim.reports.step_errors import step_errors
from cluster_sim.reports.table import step
from cluster_sim.reports.text import engineering, percent, seconds
from cluster_sim.reports.uncertainty import uncertainty

__all__ = [
    "draw_comparison",
    "draw_fabric",
    "draw_pareto",
    "draw_pipeline",
    "draw_reliability",
    "draw_scale",
    "draw_uncertainty",
    "engineering",
    "errors",
    "fabric_table",
    "failures",
    "findings",
    "percent",
    "pipeline_figure",
    "plans",
    "ranking",
    "scaling",
    "seconds",
    "step",
    "step_errors",
    "uncertainty",
]
