"""Configurations: Specs of the rooms below put together, read from YAML with file and line for every mistake."""

from cluster_sim.config.comparison import Comparison
from cluster_sim.config.fabric import FabricConfig, read_fabric
from cluster_sim.config.load import load_config, read_config, read_plan, read_whole
from cluster_sim.config.problem import read_problem
from cluster_sim.config.rank import CRITERIA, Criterion, Rank, time_column
from cluster_sim.config.scaled import Batch, job_at, name_and_size, scaled
from cluster_sim.config.specs import Common, CompareConfig, RunConfig, Scenario
from cluster_sim.config.transport import read_transport

__all__ = [
    "CRITERIA",
    "Batch",
    "Common",
    "CompareConfig",
    "Comparison",
    "Criterion",
    "FabricConfig",
    "Rank",
    "RunConfig",
    "Scenario",
    "job_at",
    "load_config",
    "name_and_size",
    "read_config",
    "read_fabric",
    "read_plan",
    "read_problem",
    "read_transport",
    "read_whole",
    "scaled",
    "time_column",
]
