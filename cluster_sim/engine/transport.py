"""What a transport protocol adds to fair rates: headers, round trips, queues, windows. Off unless asked for."""

from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from cluster_sim.core import Bytes, Ratio, Registry, Spec
from cluster_sim.kernels import segment_min, segment_sum
from cluster_sim.tables import Array, FlowProblem, grouped

TRANSPORTS: Registry[type["Transport"]] = Registry("transport")


class Transport(Spec):
    """Base of all transports: a flow problem in, the problem that its packets pose out; the engine stays as it is.

    Every flow goes from one host to another, on one path or sprayed over many, so that its weights add up to the links
    of a path. All values are means: they shift mean completion times, and say nothing of which flow is the unlucky one.
    Queues and windows are those of the start, when all flows are there, whatever their ``start_s``.

    Attributes:
        packet_bytes: full packet on the wire.
        header_bytes: of it, what is no payload.
        is_acknowledged: True where a flow is complete when its last acknowledgement is back, one more latency.
        startup_round_trips: round trips without load that pass before a flow sends at its fair rate.
        utilisation_ratio: share of a link's rate that the protocol fills with packets that arrive.
        window_packets: most that a flow has in flight; 0 for no limit. It holds back what its round trip outlasts.
        queue_packets: mean queue before a link that is full of packets of others; in proportion less where they take
            less of it, so that a flow alone never queues. It empties at the rate that the flow has alone.
    """

    packet_bytes: Bytes = Field(4096, gt=0)
    header_bytes: Bytes = Field(0, ge=0)
    is_acknowledged: bool = False
    startup_round_trips: float = Field(0, ge=0)
    utilisation_ratio: Ratio = Field(1, gt=0, le=1)
    window_packets: float = Field(0, ge=0)
    queue_packets: float = Field(0, ge=0)

    @model_validator(mode="after")
    def _packets_carry_something(self) -> "Transport":
        if self.header_bytes >= self.packet_bytes:
            raise ValueError(
                f"a packet of {self.packet_bytes:g} B with a header of {self.header_bytes:g} B carries nothing; "
                "expected header < packet"
            )
        return self

    def carry(self, problem: FlowProblem) -> FlowProblem:
        """The same flows in the same order, as packets; ``size_bytes`` becomes bytes on the wire.

        A window that holds a flow back becomes a link of its own, behind those of ``problem``.
        """
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused by run_problem
            return self._carried(problem)

    def _carried(self, problem: FlowProblem) -> FlowProblem:
        capacity = problem.capacity_bytes_per_s * self.utilisation_ratio
        alone = _rates_alone(problem, capacity)
        queueing_s, round_trip_s = self._queueing_s(problem, capacity, alone), 2 * problem.latency_s
        loaded_s = round_trip_s + queueing_s
        hop_link, hop_weight, hop_starts, windows = self._windows(problem, len(capacity), alone, loaded_s)
        around_s = self.startup_round_trips * round_trip_s + self.is_acknowledged * problem.latency_s
        return FlowProblem(
            capacity_bytes_per_s=np.concatenate([capacity, windows]),
            start_s=problem.start_s,
            latency_s=problem.latency_s + queueing_s + around_s,
            size_bytes=problem.size_bytes * (self.packet_bytes / (self.packet_bytes - self.header_bytes)),
            hop_link=hop_link, hop_weight=hop_weight, hop_starts=hop_starts,
        )  # fmt: skip

    def _queueing_s(self, problem: FlowProblem, capacity: Array, alone: Array) -> Array:
        """float64[F]: what the last packet waits in queues.

        Whole packets, so that flows that are alike stay alike: starts that differ by nothing but rounding are events.
        """
        num_queues = segment_sum(problem.hop_weight * _load_of_others(problem, capacity, alone), problem.hop_starts)
        packet_s = np.divide(self.packet_bytes, alone, out=np.zeros(len(problem)), where=alone > 0)
        return np.asarray(np.rint(num_queues * self.queue_packets) * packet_s)

    def _windows(
        self, problem: FlowProblem, num_links: int, alone: Array, round_trip_s: Array
    ) -> tuple[Array, Array, Array, Array]:
        """(link, weight, starts) of all hops with one more for each flow that its window holds back; its rate then."""
        window_bytes = self.window_packets * self.packet_bytes
        held = np.flatnonzero((alone * round_trip_s > window_bytes) & (window_bytes > 0))
        flow = np.concatenate([np.repeat(np.arange(len(problem)), np.diff(problem.hop_starts)), held])
        own_link = np.arange(num_links, num_links + len(held), dtype=np.int32)
        link, starts = grouped(flow, np.concatenate([problem.hop_link, own_link]), len(problem))
        weight, _ = grouped(flow, np.concatenate([problem.hop_weight, np.ones(len(held))]), len(problem))
        return link, weight, starts, window_bytes / round_trip_s[held]


def _rates_alone(problem: FlowProblem, capacity: Array) -> Array:
    """float64[F]: bytes/s of each flow with nobody else there; 0.0 also for one that crosses nothing."""
    rate = segment_min(capacity[problem.hop_link] / problem.hop_weight, problem.hop_starts)
    return np.where(np.isinf(rate), 0.0, rate)


def _load_of_others(problem: FlowProblem, capacity: Array, alone: Array) -> Array:
    """float64[H]: the share of each hop's link that other flows take, all flows being there and all cut alike on it."""
    flow, link = np.repeat(np.arange(len(problem)), np.diff(problem.hop_starts)), problem.hop_link
    asked = np.bincount(link, weights=alone[flow] * problem.hop_weight, minlength=len(capacity))
    granted = np.divide(capacity, asked, out=np.ones(len(capacity)), where=asked > capacity)
    rate = alone * np.minimum(segment_min(granted[link], problem.hop_starts), 1.0)
    own = rate[flow] * problem.hop_weight
    others = np.bincount(link, weights=own, minlength=len(capacity))[link] - own
    shares: Array = np.divide(
        np.maximum(others, 0.0), capacity[link], out=np.zeros(len(link)), where=capacity[link] > 0
    )
    return shares


@TRANSPORTS.register("custom")
class Custom(Transport):
    """Nothing but what is written: without any value a flow problem stays what it is."""

    kind: Literal["custom"] = "custom"


class _Eqds(Transport):
    """EQDS [Olteanu et al. 2022]: receivers hand out credit for what follows the first window, full queues trim.

    From csg-htsim: packets of 4150 B with 64 B of header, no wait for credit at the start. The window of 200 packets is
    that of the runs the queue was fitted to: four sprayed permutations of 128 and 1024 hosts, 2 and 16 MB per flow,
    400 Gb/s, buffers of 100 packets. For other buffers take 0.22 of them.
    """

    packet_bytes: Bytes = Field(4150, gt=0)
    header_bytes: Bytes = Field(64, ge=0)
    is_acknowledged: bool = True
    window_packets: float = Field(200, ge=0)
    queue_packets: float = Field(22, ge=0)


@TRANSPORTS.register("eqds_spray")
class EqdsSpray(_Eqds):
    """EQDS with every packet on another path. Receivers ask for 0.99 of the line rate (csg-htsim, main_eqds.cpp)."""

    kind: Literal["eqds_spray"] = "eqds_spray"
    utilisation_ratio: Ratio = Field(0.99, gt=0, le=1)


@TRANSPORTS.register("eqds_single_path")
class EqdsSinglePath(_Eqds):
    """EQDS with one path per flow: credit is also spent on packets that are trimmed where flows collide.

    The share that is left was fitted to two permutations of 128 hosts, 2 and 16 MB per flow.
    """

    kind: Literal["eqds_single_path"] = "eqds_single_path"
    utilisation_ratio: Ratio = Field(0.93, gt=0, le=1)


@TRANSPORTS.register("hpcc")
class Hpcc(Transport):
    """HPCC [Li et al. 2019]: senders keep links at eta = 0.95 and queues near zero, on one path per flow.

    From csg-htsim: 4000 B of payload and 64 B of header (hpccpacket.h). All flows start at line rate at once; what that
    costs until rates have settled was fitted to one permutation of 128 hosts with 2 MB each: two round trips.
    """

    kind: Literal["hpcc"] = "hpcc"
    packet_bytes: Bytes = Field(4064, gt=0)
    header_bytes: Bytes = Field(64, ge=0)
    is_acknowledged: bool = True
    startup_round_trips: float = Field(2, ge=0)
    utilisation_ratio: Ratio = Field(0.95, gt=0, le=1)
