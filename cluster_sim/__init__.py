"""cluster_sim: which interconnect should carry a trillion-parameter training job?

Public names are loaded on first use (PEP 562), so that importing the package stays fast.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "CompareConfig": "cluster_sim.config",
    "ConfigError": "cluster_sim.core",
    "RunConfig": "cluster_sim.config",
    "compare": "cluster_sim.studies",
    "load_config": "cluster_sim.config",
    "plan": "cluster_sim.studies",
    "simulate": "cluster_sim.run",
}

__all__ = ["CompareConfig", "ConfigError", "RunConfig", "__version__", "compare", "load_config", "plan", "simulate"]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
