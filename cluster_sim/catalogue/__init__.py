"""Parts and their figures, each with its source; interconnect options put together from them."""

from cluster_sim.catalogue.compute import Compute
from cluster_sim.catalogue.entries import Accelerator, Constants, Entry, Nic, Ocs, ScaleUp, Switch, Technology
from cluster_sim.catalogue.figure import Figure
from cluster_sim.catalogue.interconnect import OCS_TIERS, Interconnect, LinkEnds
from cluster_sim.catalogue.library import NcclNetwork, NcclProtocol, NcclRates, NcclScaleUp
from cluster_sim.catalogue.load import (
    SECTIONS,
    accelerator,
    compute,
    constants,
    entries,
    models,
    nic,
    ocs,
    scale_up,
    switch,
    technology,
)
from cluster_sim.catalogue.models import ModelFacts

__all__ = [
    "OCS_TIERS",
    "SECTIONS",
    "Accelerator",
    "Compute",
    "Constants",
    "Entry",
    "Figure",
    "Interconnect",
    "LinkEnds",
    "ModelFacts",
    "NcclNetwork",
    "NcclProtocol",
    "NcclRates",
    "NcclScaleUp",
    "Nic",
    "Ocs",
    "ScaleUp",
    "Switch",
    "Technology",
    "accelerator",
    "compute",
    "constants",
    "entries",
    "models",
    "nic",
    "ocs",
    "scale_up",
    "switch",
    "technology",
]
