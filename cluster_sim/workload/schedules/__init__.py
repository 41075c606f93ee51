"""Pipeline schedules: one file each behind a registry."""

from cluster_sim.workload.schedules.base import (
    BACKWARD,
    FORWARD,
    INPUT,
    SCHEDULES,
    WEIGHT,
    PipelineSchedule,
)
from cluster_sim.workload.schedules.dualpipe import dualpipe
from cluster_sim.workload.schedules.gpipe import gpipe
from cluster_sim.workload.schedules.interleaved import interleaved
from cluster_sim.workload.schedules.one_f_one_b import one_f_one_b
from cluster_sim.workload.schedules.zero_bubble import zb_h1

__all__ = [
    "BACKWARD",
    "FORWARD",
    "INPUT",
    "SCHEDULES",
    "WEIGHT",
    "PipelineSchedule",
    "dualpipe",
    "gpipe",
    "interleaved",
    "one_f_one_b",
    "zb_h1",
]
