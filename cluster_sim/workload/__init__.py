"""Model, plan, schedule: what a training job computes and sends, task by task."""

from cluster_sim.workload.assemble import assemble
from cluster_sim.workload.busy import busiest_s
from cluster_sim.workload.cluster import Wanted, plan_jobs
from cluster_sim.workload.experts import Experts
from cluster_sim.workload.job import MOST_ACCELERATORS, Algorithms, Job
from cluster_sim.workload.jobs import Jobs, steps_of
from cluster_sim.workload.latent import Latent
from cluster_sim.workload.layout import Layout
from cluster_sim.workload.memory import fullest_stage, stages_memory_bytes
from cluster_sim.workload.model import Model
from cluster_sim.workload.parallel import Parallelism
from cluster_sim.workload.placement import PLACEMENTS, place
from cluster_sim.workload.plan import plan
from cluster_sim.workload.program import PHASES, Program
from cluster_sim.workload.replicas import Replicas, runs_of, split
from cluster_sim.workload.roofline import Roofline
from cluster_sim.workload.schedules import SCHEDULES
from cluster_sim.workload.segments import Segment, fuse
from cluster_sim.workload.stragglers import Stragglers

__all__ = [
    "MOST_ACCELERATORS",
    "PHASES",
    "PLACEMENTS",
    "SCHEDULES",
    "Algorithms",
    "Experts",
    "Job",
    "Jobs",
    "Latent",
    "Layout",
    "Model",
    "Parallelism",
    "Program",
    "Replicas",
    "Roofline",
    "Segment",
    "Stragglers",
    "Wanted",
    "assemble",
    "busiest_s",
    "fullest_stage",
    "fuse",
    "place",
    "plan",
    "plan_jobs",
    "runs_of",
    "split",
    "stages_memory_bytes",
    "steps_of",
]
