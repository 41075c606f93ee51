"""Pipeline schedules: one file each behind a registry."""

from cluster_sim.workload.schedules.base import (
    BACKWARD,
    FORWARD,
    INPUT,
    SCHEDULES,
    WEIGHT,
    PipelineSchedule,
)
from cluster_sim.workload.schedules.interleaved import interleaved
from cluster_sim.workload.schedules.one_f_one_b import one_f_one_b

__all__ = [
    "BACKWARD",
    "FORWARD",
    "INPUT",
    "SCHEDULES",
    "WEIGHT",
    "PipelineSchedule",
    "interleaved",
    "one_f_one_b",
]
