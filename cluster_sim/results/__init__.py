"""Results as Arrow files: schema, recorder, provenance, and opening them again."""

from cluster_sim.results.provenance import provenance
from cluster_sim.results.recorder import Recorder, check_output, claim_folder
from cluster_sim.results.run import Run, read_table
from cluster_sim.results.schema import NEIGHBOUR, REPLICA, SCHEMAS, table_of_columns, table_of_rows

__all__ = [
    "NEIGHBOUR",
    "REPLICA",
    "SCHEMAS",
    "Recorder",
    "Run",
    "check_output",
    "claim_folder",
    "provenance",
    "read_table",
    "table_of_columns",
    "table_of_rows",
]
