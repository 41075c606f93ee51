"""What a collective sends, before and after routing."""

from dataclasses import dataclass

import numpy as np

from cluster_sim.tables.columns import NONE, Array, check_columns, check_groups, ragged_ranges, same_length, starts_of


@dataclass(frozen=True, slots=True, eq=False)
class Traffic:
    """F transfers between endpoints, not yet routed; row i of every column describes transfer i.

    A transfer has one edge (src to dst) or, when many endpoints send in lockstep, one edge for each of them: all edges
    of a transfer carry ``size_bytes`` at one common rate. Groups that all do the same need not be written out: where
    ``ranks`` is given, endpoints are positions in a group, and every group has all the transfers.

    Attributes:
        size_bytes: float64[F], payload over each edge, > 0.
        steps: int32[F], latencies that add up before the last byte can arrive: of consecutive edges around the ring,
            or one of each of the steps in ``edge_step``.
        round: int32[F], transfers of round k start when every transfer of round k-1 has arrived.
        edge_src: int32[E], sending endpoint, grouped by transfer.
        edge_dst: int32[E], receiving endpoint.
        edge_starts: int64[F+1], where each transfer's edges start.
        ranks: int32[G, n], endpoint at each position of each group; None where edges name endpoints.
        edge_step: int32[E], for trees: the step, < steps, at which the first bytes cross an edge; NONE for the edges of
            a ring, which follow each other; None where all are of rings.
    """

    size_bytes: Array
    steps: Array
    round: Array
    edge_src: Array
    edge_dst: Array
    edge_starts: Array
    ranks: Array | None = None
    edge_step: Array | None = None

    def __post_init__(self) -> None:
        check_columns(
            self, size_bytes="float64", steps="int32", round="int32", edge_src="int32", edge_dst="int32",
            edge_starts="int64",
        )  # fmt: skip
        if self.edge_step is not None:
            check_columns(self, edge_step="int32")
            same_length(self, "edge_src", "edge_step")
        same_length(self, "size_bytes", "steps", "round")
        same_length(self, "edge_src", "edge_dst")
        check_groups(self, "edge_starts", len(self), len(self.edge_src))

    @classmethod
    def between(cls, src: Array, dst: Array, size_bytes: float) -> "Traffic":
        """One independent transfer of ``size_bytes`` for each pair of endpoints."""
        num = len(src)
        return cls(
            size_bytes=np.full(num, float(size_bytes)), steps=np.ones(num, np.int32), round=np.zeros(num, np.int32),
            edge_src=src.astype(np.int32), edge_dst=dst.astype(np.int32),
            edge_starts=np.arange(num + 1, dtype=np.int64),
        )  # fmt: skip

    @classmethod
    def around(cls, rings: Array, size_bytes: float, steps: int) -> "Traffic":
        """One lockstep transfer for each ring, int32[G, n]: member i sends to i+1, the last to the first."""
        num, members = rings.shape
        return cls(
            size_bytes=np.full(num, float(size_bytes)), steps=np.full(num, steps, np.int32),
            round=np.zeros(num, np.int32), edge_src=rings.ravel().astype(np.int32),
            edge_dst=np.roll(rings, -1, axis=1).ravel().astype(np.int32),
            edge_starts=np.arange(num + 1, dtype=np.int64) * members,
        )  # fmt: skip

    @classmethod
    def none(cls) -> "Traffic":
        """No transfers."""
        return cls.between(np.zeros(0, np.int32), np.zeros(0, np.int32), 0.0)

    @classmethod
    def in_rounds(cls, *parts: "Traffic") -> "Traffic":
        """The given traffics one after the other."""
        parts = tuple(part.written_out() for part in parts)
        return cls._joined(parts, np.cumsum([0] + [int(part.round.max(initial=-1)) + 1 for part in parts]))

    @classmethod
    def at_once(cls, *parts: "Traffic") -> "Traffic":
        """The given traffics of one round each, beside one another."""
        assert not any(part.round.any() for part in parts), "traffics of several rounds would mix them"
        return cls._joined(tuple(part.written_out() for part in parts), np.zeros(len(parts), np.int64))

    @classmethod
    def _joined(cls, parts: tuple["Traffic", ...], first_round: Array) -> "Traffic":
        has_trees = any(part.edge_step is not None for part in parts)
        return cls(
            size_bytes=np.concatenate([part.size_bytes for part in parts]),
            steps=np.concatenate([part.steps for part in parts]),
            round=np.concatenate([part.round + np.int32(first_round[k]) for k, part in enumerate(parts)]),
            edge_src=np.concatenate([part.edge_src for part in parts]),
            edge_dst=np.concatenate([part.edge_dst for part in parts]),
            edge_starts=starts_of(np.concatenate([np.diff(part.edge_starts) for part in parts])),
            edge_step=np.concatenate([part._edge_step_or_none for part in parts]) if has_trees else None,
        )

    def written_out(self, groups: Array | None = None) -> "Traffic":
        """The same with endpoints, group after group; ``groups``, int64[...], are the groups to take, None for all.

        Rounds are then in order within each group only.
        """
        if self.ranks is None:
            return self
        ranks = self.ranks if groups is None else self.ranks[groups]
        num = len(ranks)
        return Traffic(
            size_bytes=np.tile(self.size_bytes, num), steps=np.tile(self.steps, num), round=np.tile(self.round, num),
            edge_src=ranks[:, self.edge_src].ravel(), edge_dst=ranks[:, self.edge_dst].ravel(),
            edge_starts=starts_of(np.tile(np.diff(self.edge_starts), num)),
            edge_step=None if self.edge_step is None else np.tile(self.edge_step, num),
        )  # fmt: skip

    def latency_s(self, edge_latency_s: Array) -> Array:
        """float64[F]: when the last byte arrives, beyond the time of sending.

        Around a ring that is the largest sum of latencies over ``steps`` consecutive edges, going round as often as
        needed; in a tree the sum over its steps of the slowest edge of each, the longest way where edges of a step are
        alike.

        Args:
            edge_latency_s: float64[E], of each edge.
        """
        counts, result = np.diff(self.edge_starts), np.zeros(len(self))
        is_tree = np.zeros(len(self), bool)
        if self.edge_step is not None:
            is_tree[self.edge_transfer[self.edge_step != NONE]] = True
            result[is_tree] = self._tree_latency_s(edge_latency_s)[is_tree]
        is_single = (counts == 1) & ~is_tree
        result[is_single] = self.steps[is_single] * edge_latency_s[self.edge_starts[:-1][is_single]]
        left = ~is_tree & ~is_single
        kinds = np.unique(np.stack([counts, self.steps], axis=1)[left], axis=0).tolist()
        for edges, steps in kinds:
            alike = np.flatnonzero(left & (counts == edges) & (self.steps == steps))
            result[alike] = _slowest_window_s(
                edge_latency_s[self.edge_starts[alike][:, None] + np.arange(edges)], steps
            )
        return result

    def _tree_latency_s(self, edge_latency_s: Array) -> Array:
        assert self.edge_step is not None
        starts, is_hop = starts_of(self.steps), self.edge_step != NONE
        slowest_s = np.zeros(starts[-1])
        step = (starts[:-1][self.edge_transfer] + self.edge_step)[is_hop]
        np.maximum.at(slowest_s, step, edge_latency_s[is_hop])
        return np.bincount(np.repeat(np.arange(len(self)), self.steps), weights=slowest_s, minlength=len(self))

    @property
    def _edge_step_or_none(self) -> Array:
        return np.full(len(self.edge_src), NONE, np.int32) if self.edge_step is None else self.edge_step

    def __len__(self) -> int:
        return len(self.size_bytes)

    @property
    def num_transfers(self) -> int:
        """Transfers of all groups together."""
        return len(self) * (1 if self.ranks is None else len(self.ranks))

    @property
    def edge_transfer(self) -> Array:
        """int32[E]: the transfer each edge belongs to."""
        return np.repeat(np.arange(len(self), dtype=np.int32), np.diff(self.edge_starts))


def _slowest_window_s(latency_s: Array, steps: int) -> Array:
    """float64[T]: the largest sum over ``steps`` consecutive columns of float64[T, edges], going round."""
    edges = latency_s.shape[1]
    rounds, rest = divmod(steps, edges)
    around = np.cumsum(np.concatenate([np.zeros((len(latency_s), 1)), latency_s, latency_s], axis=1), axis=1)
    window = around[:, rest : rest + edges] - around[:, :edges]
    return np.asarray(rounds * latency_s.sum(axis=1) + window.max(axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """What the max-min kernels call a link: R capacities, each a link or a bundle of links that are loaded alike.

    Attributes:
        capacity_bytes_per_s: float64[R], sum over the members.
        link_row: int32[L], row of every physical link; NONE for a link that carries nothing.
    """

    capacity_bytes_per_s: Array
    link_row: Array

    def __post_init__(self) -> None:
        check_columns(self, capacity_bytes_per_s="float64", link_row="int32")


@dataclass(frozen=True, slots=True, eq=False)
class Flows:
    """F routed flows: a flow at rate r loads row k with ``weight * r`` for each of its hops (k, weight).

    Attributes:
        size_bytes: float64[F], to send.
        latency_s: float64[F], between start and the first byte's arrival at full rate.
        round: int32[F], as in Traffic.
        hop_row: int32[H], rows crossed, grouped by flow, each at most once.
        hop_weight: float64[H], load per unit of rate, > 0.
        hop_starts: int64[F+1], where each flow's hops start.
    """

    size_bytes: Array
    latency_s: Array
    round: Array
    hop_row: Array
    hop_weight: Array
    hop_starts: Array

    def __post_init__(self) -> None:
        check_columns(
            self, size_bytes="float64", latency_s="float64", round="int32", hop_row="int32", hop_weight="float64",
            hop_starts="int64",
        )  # fmt: skip
        same_length(self, "size_bytes", "latency_s", "round")
        same_length(self, "hop_row", "hop_weight")
        check_groups(self, "hop_starts", len(self), len(self.hop_row))

    def __len__(self) -> int:
        return len(self.size_bytes)

    def chosen(self, flows: Array) -> "Flows":
        """Some of the flows, int64[...]."""
        counts = np.diff(self.hop_starts)[flows]
        hop = ragged_ranges(self.hop_starts[flows], counts)
        return Flows(
            size_bytes=self.size_bytes[flows], latency_s=self.latency_s[flows], round=self.round[flows],
            hop_row=self.hop_row[hop], hop_weight=self.hop_weight[hop], hop_starts=starts_of(counts),
        )  # fmt: skip

    @property
    def hop_flow(self) -> Array:
        """int32[H]: the flow each hop belongs to."""
        return np.repeat(np.arange(len(self), dtype=np.int32), np.diff(self.hop_starts))
