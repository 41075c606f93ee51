"""Model, plan, schedule: what a training job computes and sends, task by task."""

from cluster_sim.workload.assemble import assemble
from cluster_sim.workload.buckets import input_bucket, layer_bucket, output_bucket
from cluster_sim.workload.busy import Load
from cluster_sim.workload.cluster import Wanted, plan_jobs
from cluster_sim.workload.exchanges import activation_bytes
from cluster_sim.workload.experts import Experts
from cluster_sim.workload.job import MOST_ACCELERATORS, Algorithms, Job
from cluster_sim.workload.jobs import Jobs, steps_of
from cluster_sim.workload.latent import Latent
from cluster_sim.workload.layer_times import PASS_PARTS, LayerTimes, beside
from cluster_sim.workload.layout import Layout
from cluster_sim.workload.memory import fullest_stage, stages_memory_bytes
from cluster_sim.workload.model import Model
from cluster_sim.workload.parallel import Parallelism
from cluster_sim.workload.placement import PLACEMENTS, place
from cluster_sim.workload.plan import plan
from cluster_sim.workload.plan_space import PlanSpace, Split, job_with, unchecked_job_with
from cluster_sim.workload.program import PHASES, Program
from cluster_sim.workload.replicas import Replicas, runs_of, split
from cluster_sim.workload.roofline import Roofline, step_ratio
from cluster_sim.workload.schedules import BACKWARD, FORWARD, INPUT, SCHEDULES, WEIGHT
from cluster_sim.workload.search import Found, search
from cluster_sim.workload.segments import Segment, fuse
from cluster_sim.workload.stragglers import Stragglers

__all__ = [
    "BACKWARD",
    "FORWARD",
    "INPUT",
    "MOST_ACCELERATORS",
    "PASS_PARTS",
    "PHASES",
    "PLACEMENTS",
    "SCHEDULES",
    "WEIGHT",
    "Algorithms",
    "Experts",
    "Found",
    "Job",
    "Jobs",
    "Latent",
    "LayerTimes",
    "Layout",
    "Load",
    "Model",
    "Parallelism",
    "PlanSpace",
    "Program",
    "Replicas",
    "Roofline",
    "Segment",
    "Split",
    "Stragglers",
    "Wanted",
    "activation_bytes",
    "assemble",
    "beside",
    "fullest_stage",
    "fuse",
    "input_bucket",
    "job_with",
    "layer_bucket",
    "output_bucket",
    "place",
    "plan",
    "plan_jobs",
    "runs_of",
    "search",
    "split",
    "stages_memory_bytes",
    "step_ratio",
    "steps_of",
    "unchecked_job_with",
]
