"""Where a result comes from: versions and machine, for the manifest."""

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

_PACKAGES = ("cluster-sim", "numpy", "numba", "simpy", "pyarrow", "networkx", "pydantic", "cupy-cuda13x")


def provenance() -> dict[str, Any]:
    """Versions of this program and of what it computes with, and what it runs on."""
    return {
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}},
        "machine": f"{platform.system()} {platform.machine()}",
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
