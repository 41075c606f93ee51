"""numpy | numba | cupy: chosen once, passed on, and the only place that imports cupy."""

from cluster_sim.backend.choose import Backend, BackendName, available_backends, choose_backend
from cluster_sim.backend.cuda import launch, launch_together

__all__ = ["Backend", "BackendName", "available_backends", "choose_backend", "launch", "launch_together"]
