"""ECMP: every flow takes one of the equal paths, picked by a hash of who sends to whom."""

from dataclasses import replace
from typing import Any, Literal

import numpy as np
from pydantic import Field

from cluster_sim.backend import Backend
from cluster_sim.kernels import hashed_choice
from cluster_sim.routing.base import ROUTINGS, Hops, Routing
from cluster_sim.routing.candidates import key_of, one_path
from cluster_sim.tables import Circuits, Fabric, Flows, Rows, Traffic, starts_of


@ROUTINGS.register("ecmp")
class Ecmp(Routing):
    """One path per pair of endpoints for the whole run, as a switch hashes the 5-tuple of a connection.

    Queue pairs: every transfer is ``flows_per_pair`` flows of equal sizes, each hashed by itself. They are flows of
    their own, not one flow with several paths: each has the rate that is fair to it, and the transfer ends with the
    slowest. A lockstep transfer is as many lockstep transfers, each at the pace of its own slowest edge.

    Attributes:
        polarised: hash as if all switches did so alike: flows that meet at one tier because of their hash make the
            same choice again at the next, so that of n paths only about sqrt(n) are used: those whose number has the
            same digit for both tiers, where both have equally many ways on.
        flows_per_pair: queue pairs.
    """

    kind: Literal["ecmp"] = "ecmp"
    polarised: bool = False
    flows_per_pair: int = Field(1, ge=1, le=256)

    def route(
        self, traffic: Traffic, fabric: Fabric, circuits: Circuits | None, key: int, rows: Rows | None = None,
        backend: Backend | None = None,
    ) -> Flows:  # fmt: skip
        """See Routing.route; the flows of a round are in order of their queue pairs."""
        traffic = traffic.written_out()
        part = replace(traffic, size_bytes=traffic.size_bytes / self.flows_per_pair)
        keys = [key_of(key, number) for number in range(self.flows_per_pair)]
        return _joined([super(Ecmp, self).route(part, fabric, circuits, own, rows, backend) for own in keys])

    def hops(
        self, traffic: Traffic, fabric: Fabric, circuits: Circuits | None, key: int, backend: Backend | None
    ) -> Hops:  # fmt: skip
        """See Routing.hops."""
        edge, link = one_path(
            traffic.edge_src, traffic.edge_dst, fabric, circuits,
            lambda num_paths, src, dst, where: self.choose(num_paths, src, dst, key, where), backend,
        )  # fmt: skip
        return Hops(edge, link, np.ones(len(edge)))

    def choose(self, num_paths: Any, src: Any, dst: Any, key: int, backend: Backend | None = None) -> Any:
        """int64[E]: the candidate of each pair.

        Args:
            num_paths: int64[E], > 0.
            src: int32[E].
            dst: int32[E].
            key: 64 random bits of this job.
            backend: whose arrays these are; None for NumPy.
        """
        if not self.polarised:
            return hashed_choice(num_paths, src, dst, key, backend)
        ways = (num_paths**0.5).astype(np.int64)
        digit = hashed_choice(ways, src, dst, key, backend)
        return digit * (num_paths // ways) + digit


def _joined(parts: list[Flows]) -> Flows:
    """Flows of several routings of the same rounds, round by round."""
    if len(parts) == 1:
        return parts[0]
    names = ("size_bytes", "latency_s", "round", "hop_row", "hop_weight")
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    flows = Flows(**columns, hop_starts=starts_of(np.concatenate([np.diff(part.hop_starts) for part in parts])))
    return flows.chosen(np.argsort(flows.round, kind="stable"))
