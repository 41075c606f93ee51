"""Where things stand in the hall, and so how long the cables are."""

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from cluster_sim.core import Metres, Spec
from cluster_sim.tables import Array


@dataclass(frozen=True, slots=True, eq=False)
class Racks:
    """Position of things: int64 columns ``row`` and ``rack`` (within the row)."""

    row: Array
    rack: Array


class FloorPlan(Spec):
    """Rows of racks. A cable runs along the row and across rows, and has slack at its ends.

    The defaults are a liquid-cooled hall with eight 8-GPU servers a rack; they are choices, not measurements.
    """

    accelerators_per_rack: int = Field(64, ge=1)
    racks_per_row: int = Field(16, ge=1)
    rack_pitch_m: Metres = Field(0.6, gt=0)
    row_pitch_m: Metres = Field(3.0, gt=0)
    slack_m: Metres = Field(1.5, ge=0, description="from a port to the rack's edge and back, both ends together")

    def of_endpoints(self, endpoint: Array) -> Racks:
        """Racks filled with accelerators in order."""
        rack = endpoint.astype(np.int64) // self.accelerators_per_rack
        return Racks(rack // self.racks_per_row, rack % self.racks_per_row)

    def length_m(self, near: Racks, far: Racks) -> Array:
        """float64[N]: cable from each ``near`` to each ``far`` position."""
        along = np.abs(near.rack - far.rack) * self.rack_pitch_m
        across = np.abs(near.row - far.row) * self.row_pitch_m
        return np.asarray(self.slack_m + along + across, dtype=np.float64)
