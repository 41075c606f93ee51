"""What every room needs: units, errors, registries, Specs, random streams."""

from cluster_sim.core.documents import Document, problems_of, read_document, read_spec
from cluster_sim.core.errors import (
    BackendError,
    ClusterSimError,
    ConfigError,
    FieldsError,
    InputError,
    NotBuildableError,
    OutputError,
    PlanError,
    SimulationError,
    StalledFlowsError,
    UnknownNameError,
    did_you_mean,
)
from cluster_sim.core.registry import Registry, one_of
from cluster_sim.core.rng import stream, stream_key
from cluster_sim.core.spec import Problem, Spec, raise_problems, whole_numbers
from cluster_sim.core.units import (
    Bytes,
    BytesPerSecond,
    Dollars,
    FlopPerSecond,
    Kelvin,
    Metres,
    Ratio,
    Seconds,
    Watts,
    bit_rate,
)

__all__ = [
    "BackendError",
    "Bytes",
    "BytesPerSecond",
    "ClusterSimError",
    "ConfigError",
    "Document",
    "Dollars",
    "FieldsError",
    "FlopPerSecond",
    "InputError",
    "Kelvin",
    "Metres",
    "NotBuildableError",
    "OutputError",
    "PlanError",
    "Problem",
    "Ratio",
    "Registry",
    "Seconds",
    "SimulationError",
    "Spec",
    "StalledFlowsError",
    "UnknownNameError",
    "Watts",
    "bit_rate",
    "did_you_mean",
    "one_of",
    "problems_of",
    "raise_problems",
    "read_document",
    "read_spec",
    "stream",
    "stream_key",
    "whole_numbers",
]
