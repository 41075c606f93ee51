"""A raw flow problem: links, and flows that start at given times over given links."""

from dataclasses import dataclass

from cluster_sim.tables.columns import Array, check_columns, check_groups, same_length


@dataclass(frozen=True, slots=True, eq=False)
class FlowProblem:
    """F flows over L links; flow i starts sending at ``start_s[i] + latency_s[i]``.

    Attributes:
        capacity_bytes_per_s: float64[L], >= 0.
        start_s: float64[F], >= 0.
        latency_s: float64[F], sum over the links it crosses.
        size_bytes: float64[F], >= 0.
        hop_link: int32[H], links crossed, grouped by flow, each at most once.
        hop_weight: float64[H], load on the link per unit of the flow's rate, > 0.
        hop_starts: int64[F+1], where each flow's hops start.
    """

    capacity_bytes_per_s: Array
    start_s: Array
    latency_s: Array
    size_bytes: Array
    hop_link: Array
    hop_weight: Array
    hop_starts: Array

    def __post_init__(self) -> None:
        check_columns(
            self, capacity_bytes_per_s="float64", start_s="float64", latency_s="float64", size_bytes="float64",
            hop_link="int32", hop_weight="float64", hop_starts="int64",
        )  # fmt: skip
        same_length(self, "start_s", "latency_s", "size_bytes")
        same_length(self, "hop_link", "hop_weight")
        check_groups(self, "hop_starts", len(self), len(self.hop_link))

    def __len__(self) -> int:
        return len(self.size_bytes)
