"""Step times and costs with other figures, against simulations with them."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster_sim.backend import choose_backend
from cluster_sim.catalogue import Given, entries, known_names
from cluster_sim.catalogue import SECTIONS
from cluster_sim.config import load_config
from cluster_sim.run import evaluate
from cluster_sim.studies.draws import entries_in, given_values, uncertain_figures
from cluster_sim.studies.redone import Redoing
from cluster_sim.studies.response import Response, alike, aspect_of, probes
from cluster_sim.studies.sampled import Option
from tests.small import small_comparison, write_comparison
