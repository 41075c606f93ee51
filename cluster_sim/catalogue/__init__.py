"""Parts and their figures, each with its source; interconnect options put together from them."""

from cluster_sim.catalogue.compute import Compute
from cluster_sim.catalogue.entries import (
    Accelerator,
    Constants,
    Entry,
    Nic,
    Ocs,
    ScaleUp,
    Switch,
)
from cluster_sim.catalogue.figure import Figure
from cluster_sim.catalogue.given import Given, given, open_figures
from cluster_sim.catalogue.interconnect import OCS_TIERS, Interconnect, LinkEnds
from cluster_sim.catalogue.library import NcclNetwork, NcclProtocol, NcclRates, NcclScaleUp
from cluster_sim.catalogue.load import (
    SECTIONS,
    accelerator,
    compute,
    constants,
    entries,
    figures_of,
    known_names,
    laser,
    models,
    nic,
    ocs,
    scale_up,
    supply,
    switch,
    technology,
)
from cluster_sim.catalogue.models import ModelFacts
from cluster_sim.catalogue.parts import fit_by_part, lasers_per_end
from cluster_sim.catalogue.technology import FIT_PER_YEARLY_FAILURE, Laser, Supply, Technology

__all__ = [
    "FIT_PER_YEARLY_FAILURE",
    "OCS_TIERS",
    "SECTIONS",
    "Accelerator",
    "Compute",
    "Constants",
    "Entry",
    "Figure",
    "Given",
    "Interconnect",
    "Laser",
    "LinkEnds",
    "ModelFacts",
    "NcclNetwork",
    "NcclProtocol",
    "NcclRates",
    "NcclScaleUp",
    "Nic",
    "Ocs",
    "ScaleUp",
    "Supply",
    "Switch",
    "Technology",
    "accelerator",
    "compute",
    "constants",
    "entries",
    "figures_of",
    "fit_by_part",
    "given",
    "known_names",
    "laser",
    "lasers_per_end",
    "models",
    "nic",
    "ocs",
    "open_figures",
    "scale_up",
    "supply",
    "switch",
    "technology",
]
