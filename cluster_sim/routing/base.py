"""What every routing is: it chooses among candidate paths, and weights them."""

from abc import abstractmethod
from typing import ClassVar, NamedTuple

import numpy as np

from cluster_sim.backend import Backend
from cluster_sim.core import Registry, Spec
from cluster_sim.kernels import segment_sum
from cluster_sim.routing.rows import Settings, rows_of_links
from cluster_sim.tables import NONE, Array, Circuits, Fabric, Flows, Rows, Traffic, starts_of


class Hops(NamedTuple):
    """What each edge of a traffic loads.

    Attributes:
        edge: int32[H], ascending.
        link: int32[H], each once for an edge.
        share: float64[H], what the link carries of the edge's traffic, > 0; more than 1 where it is crossed twice.
    """

    edge: Array
    link: Array
    share: Array


class Routing(Spec):
    """Base of all routings.

    ``is_even`` where every candidate path of a pair crosses the same rows, so that only rows tell flows apart.
    """

    is_even: ClassVar[bool] = False

    def rows_of_settings(self, fabric: Fabric, settings: Settings) -> tuple[Rows, ...]:
        """What the kernels take for a link, with its capacity under each setting of the OCS.

        A row number means the same under every setting; what a setting does not have has no capacity under it. See
        ``rows_of_links`` unless a strategy says otherwise.
        """
        return rows_of_links(fabric, settings)

    def rows(self, fabric: Fabric, circuits: Circuits | None) -> Rows:
        """The rows of a single setting."""
        return self.rows_of_settings(fabric, (circuits,))[0]

    @abstractmethod
    def hops(
        self, traffic: Traffic, fabric: Fabric, circuits: Circuits | None, key: int, backend: Backend | None
    ) -> Hops:  # fmt: skip
        """The links that each edge of a traffic without groups loads; arguments as in ``route``."""

    def route(
        self, traffic: Traffic, fabric: Fabric, circuits: Circuits | None, key: int, rows: Rows | None = None,
        backend: Backend | None = None,
    ) -> Flows:  # fmt: skip
        """Traffic as flows over rows, round after round.

        Args:
            traffic: F transfers.
            fabric: where they go.
            circuits: how the OCS are set; None without OCS.
            key: 64 random bits of this job, for hashes.
            rows: the rows of these circuits; None where they are the only setting.
            backend: what chooses paths and writes them out; None for NumPy.

        Raises:
            NotBuildableError: a pair of endpoints has no path.
        """
        traffic = traffic.written_out()
        hop_edge, hop_link, share = self.hops(traffic, fabric, circuits, key, backend)
        hop_row = (rows or self.rows(fabric, circuits)).link_row[hop_link]
        assert not (hop_row == NONE).any(), "a path crosses a dark link"
        hop_starts = starts_of(np.bincount(hop_edge, minlength=len(traffic.edge_src)))
        latency_s = segment_sum(fabric.links.latency_s[hop_link] * share, hop_starts)
        return _in_order(_flows(traffic, hop_edge, hop_row, share, latency_s))


def _in_order(flows: Flows) -> Flows:
    """Round after round, each in the order given."""
    is_in_order = not (flows.round[1:] < flows.round[:-1]).any()
    return flows if is_in_order else flows.chosen(np.argsort(flows.round, kind="stable"))


def _flows(traffic: Traffic, hop_edge: Array, hop_row: Array, share: Array, edge_latency_s: Array) -> Flows:
    """Add up the hops of each transfer: a row that several of its edges cross has the sum of their shares as weight."""
    num_rows = int(hop_row.max(initial=0)) + 1
    pair = traffic.edge_transfer[hop_edge].astype(np.int64) * num_rows + hop_row
    # A transfer over a trunk of links crosses it twice, in and out of the OCS, but loads it once.
    _, first = np.unique(hop_edge.astype(np.int64) * num_rows + hop_row, return_index=True)
    pairs, number = np.unique(pair[first], return_inverse=True)
    return Flows(
        size_bytes=traffic.size_bytes,
        latency_s=traffic.latency_s(edge_latency_s),
        round=traffic.round,
        hop_row=(pairs % num_rows).astype(np.int32),
        hop_weight=np.bincount(number.ravel(), weights=share[first], minlength=len(pairs)).astype(np.float64),
        hop_starts=starts_of(np.bincount(pairs // num_rows, minlength=len(traffic))),
    )


ROUTINGS: Registry[type[Routing]] = Registry("routing")
