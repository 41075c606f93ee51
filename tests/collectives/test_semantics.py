"""What collectives promise, by running their traffic on symbols: who holds which part, summed over whom."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster_sim.collectives import COLLECTIVES, Groups, point_to_point
from cluster_sim.collectives.ring import ranks_per_domain

#: What each round of a reducing or gathering algorithm does: R reduce-scatter, G all-gather, A both. With one level
#: the algorithm is the first entry alone.
ROUNDS = {
    "ring_all_reduce": ("A", "A"),
    "ring_reduce_scatter": ("R", "R"),
    "ring_all_gather": ("G", "G"),
    "hierarchical_all_reduce": ("A", "RAG"),
    "hierarchical_reduce_scatter": ("R", "RR"),
    "hierarchical_all_gather": ("G", "GG"),
}


@st.composite
def groups(draw, min_size=1):
    """1 to 3 groups of h servers with g ranks on each; ranks and servers need not be next to each other."""
    num, h, g = draw(st.integers(1, 3)), draw(st.integers(1, 4)), draw(st.integers(1, 4))
    if h * g < min_size:
        h = 2
    width = g + draw(st.integers(0, 2))  # accelerators of a server; the rest are in no group
    servers = np.array(draw(st.permutations(range(num * h)))).reshape(num, h)
    ranks = servers[:, :, None] * width + np.array(draw(st.permutations(range(width)))[:g])
    return Groups(ranks.reshape(num, -1).astype(np.int32), np.repeat(np.arange(num * h), width).astype(np.int32))


def rounds_of(traffic):
    """Per round, its transfers: (rows of edges, bytes of an edge, steps)."""
    for number in range(int(traffic.round.max()) + 1):
        yield [
            (
                list(zip(traffic.edge_src[a:b].tolist(), traffic.edge_dst[a:b].tolist(), strict=True)),
                traffic.size_bytes[i], int(traffic.steps[i]),
            )
            for i, (a, b) in enumerate(zip(traffic.edge_starts, traffic.edge_starts[1:], strict=False))
            if traffic.round[i] == number
        ]  # fmt: skip


def ring_of(edges):
    """Members of a ring in order; fails unless the edges are one."""
    follows = dict(edges)
    assert len(follows) == len(edges) == len(set(follows.values())), "each sends to one and receives from one"
    ring = [edges[0][0]]
    while follows[ring[-1]] != ring[0]:
        ring.append(follows[ring[-1]])
    assert len(ring) == len(edges), "one ring, not several"
    return ring


class Symbols:
    """Buffers of atoms. ``held[rank][atom]``: whose contributions the rank's copy of the atom sums up."""

    def __init__(self, group, size_bytes, kind):
        self.atoms = list(range(len(group) ** 2))
        self.bytes_per_atom = size_bytes / len(self.atoms)
        self.held = {rank: {atom: {rank} for atom in self.atoms} for rank in group}
        self.part = {rank: list(self.atoms) for rank in group}  # what a rank works on
        if kind.startswith("G"):
            for rank in group:
                self.held[rank], self.part[rank] = {}, []

    def reduce_scatter(self, ring, atoms, edge_bytes):
        """n-1 steps: in step t rank i passes on part i-t, which arrives with one contribution more."""
        n = len(ring)
        parts = [atoms[k * len(atoms) // n : (k + 1) * len(atoms) // n] for k in range(n)]
        sent = [0] * n
        for t in range(n - 1):
            moving = [[(atom, set(self.held[ring[i]][atom])) for atom in parts[(i - t) % n]] for i in range(n)]
            for i in range(n):
                sent[i] += len(moving[i])
                for atom, whose in moving[i]:
                    self.held[ring[(i + 1) % n]][atom] |= whose
        assert [amount * self.bytes_per_atom for amount in sent] == pytest.approx([edge_bytes] * n)
        return {ring[i]: parts[(i + 1) % n] for i in range(n)}

    def all_gather(self, ring, parts, edge_bytes):
        """n-1 steps: each passes on what it got last, its own part first."""
        n = len(ring)
        newest, sent = {i: list(parts[ring[i]]) for i in range(n)}, [0] * n
        for _ in range(n - 1):
            moving = {i: [(atom, self.held[ring[i]][atom]) for atom in newest[i]] for i in range(n)}
            for i in range(n):
                sent[i] += len(moving[i])
                self.held[ring[(i + 1) % n]].update(moving[i])
                newest[(i + 1) % n] = [atom for atom, _ in moving[i]]
        assert [amount * self.bytes_per_atom for amount in sent] == pytest.approx([edge_bytes] * n)
        return sorted(atom for rank in ring for atom in parts[rank])


def run_on_symbols(group, transfers_by_round, kinds, size_bytes):
    """Run one group's rings, round by round; returns the symbols."""
    state = Symbols(group, size_bytes, kinds)
    if kinds.startswith("G"):
        deal(state, group, transfers_by_round)
    for kind, transfers in zip(kinds, transfers_by_round, strict=True):
        rings = [(ring_of(edges), edge_bytes, steps) for edges, edge_bytes, steps in transfers]
        results = {rank: [] for rank in group}
        for ring, edge_bytes, steps in rings:
            channels = [other for other, _, _ in rings if set(other) == set(ring)]
            assert steps == (2 if kind == "A" else 1) * (len(ring) - 1)
            run_ring(state, kind, ring, (channels.index(ring), len(channels)), edge_bytes, results)
        state.part = {rank: sorted(atoms) for rank, atoms in results.items()}
    return state


def run_ring(state, kind, ring, channel, edge_bytes, results):
    """One ring, on its channel's share of what its members work on."""
    number, num_channels = channel
    if kind == "G":
        parts = {rank: state.part[rank][number::num_channels] for rank in ring}
    else:
        assert all(state.part[rank] == state.part[ring[0]] for rank in ring), "ranks of a ring reduce the same part"
        atoms = state.part[ring[0]][number::num_channels]
        parts = state.reduce_scatter(ring, atoms, edge_bytes / (2 if kind == "A" else 1))
    gathered = None
    if kind in "GA":
        gathered = state.all_gather(ring, parts, edge_bytes / (2 if kind == "A" else 1))
    for rank in ring:
        results[rank] += parts[rank] if gathered is None else gathered


def deal(state, group, transfers_by_round):
    """Before an all-gather every rank has its own n-th of the buffer, complete."""
    n = len(group)
    for k, rank in enumerate(group):
        state.part[rank] = state.atoms[k * len(state.atoms) // n : (k + 1) * len(state.atoms) // n]
        state.held[rank] = {atom: {rank} for atom in state.part[rank]}


def of_group(group, traffic):
    """Transfers among the members of one group, round by round."""
    return [
        [transfer for transfer in transfers if set(np.ravel(transfer[0])) <= set(group)]
        for transfers in rounds_of(traffic)
    ]


@given(groups(min_size=2), st.sampled_from(sorted(ROUNDS)))
@settings(deadline=None, max_examples=60)
def test_every_rank_ends_with_what_the_collective_promises(groups, name):
    """
    All-reduce: every atom of the buffer on every rank, summed over the whole group. Reduce-scatter: every atom on just
    one rank, equally many each, summed over the whole group. All-gather: every rank's part on every rank.
    """
    traffic = COLLECTIVES[name](groups, 1e6)
    num_rounds = int(traffic.round.max()) + 1
    kinds = ROUNDS[name][0] if num_rounds == 1 else ROUNDS[name][1]
    for group in groups.ranks.tolist():
        state = run_on_symbols(group, of_group(group, traffic), kinds, 1e6)
        if "G" in kinds or "A" in kinds:
            assert all(sorted(state.held[rank]) == state.atoms for rank in group)
        if kinds.startswith("G"):
            continue
        finished = [atom for rank in group for atom in state.part[rank]]
        copies = len(group) if "A" in kinds else 1
        assert sorted(finished) == sorted(state.atoms * copies)
        assert len({len(state.part[rank]) for rank in group}) == 1
        assert all(state.held[rank][atom] == set(group) for rank in group for atom in state.part[rank])


@given(groups(min_size=2), st.sampled_from(sorted(ROUNDS)))
@settings(deadline=None, max_examples=60)
def test_ranks_send_and_receive_equally_much(groups, name):
    """
    One pass moves (n-1)/n of the buffer through every rank each way, an all-reduce two, whatever the algorithm: in
    two levels (g-1)/g and (h-1)/h of 1/g are (gh-1)/(gh).
    """
    traffic = COLLECTIVES[name](groups, 1e6)
    n = groups.size
    edge_bytes = traffic.size_bytes[traffic.edge_transfer]
    for ends in (traffic.edge_src, traffic.edge_dst):
        moved = np.bincount(ends, weights=edge_bytes, minlength=len(groups.domain))
        expected = np.zeros(len(groups.domain))
        expected[groups.ranks.ravel()] = (2 if "all_reduce" in name else 1) * (n - 1) / n * 1e6
        assert moved == pytest.approx(expected, rel=1e-12)


@given(groups())
@settings(deadline=None, max_examples=60)
def test_an_all_to_all_sends_every_ordered_pair_its_part_once(groups):
    """n(n-1) transfers of S/n in each group, none of a rank to itself, none between groups."""
    traffic = COLLECTIVES["all_to_all"](groups, 1e6).written_out()
    sent = sorted(zip(traffic.edge_src.tolist(), traffic.edge_dst.tolist(), strict=True))
    assert sent == sorted((a, b) for group in groups.ranks.tolist() for a in group for b in group if a != b)
    assert traffic.size_bytes.tolist() == [1e6 / groups.size] * len(sent)
    assert (np.diff(traffic.edge_starts) == 1).all()


@given(groups(min_size=2), st.sampled_from(["ring_all_reduce", "ring_reduce_scatter", "ring_all_gather"]))
@settings(deadline=None, max_examples=60)
def test_rings_use_every_nic_of_a_server_equally(groups, name):
    """What leaves servers, by rank: the same for all ranks of a group, and so is what enters."""
    traffic = COLLECTIVES[name](groups, 1e6)
    if len(np.unique(groups.domain[groups.ranks[0]])) == 1:
        return
    leaves = groups.domain[traffic.edge_src] != groups.domain[traffic.edge_dst]
    edge_bytes = traffic.size_bytes[traffic.edge_transfer]
    for ends in (traffic.edge_src, traffic.edge_dst):
        moved = np.bincount(ends[leaves], weights=edge_bytes[leaves], minlength=len(groups.domain))[groups.ranks]
        assert (moved > 0).all()
        assert moved == pytest.approx(np.broadcast_to(moved[:, :1], moved.shape), rel=1e-12)


@given(groups(min_size=2), st.sampled_from([name for name in sorted(ROUNDS) if name.startswith("hierarchical")]))
@settings(deadline=None, max_examples=60)
def test_hierarchical_collectives_send_a_gth_of_a_flat_ring_between_servers(groups, name):
    """
    With h servers of g ranks: (h-1)/h S/g leaves each rank per pass, in all h g (h-1)/h S/g = (h-1) S per group; a
    plain ring takes h edges of (n-1)/n S.
    """
    traffic = COLLECTIVES[name](groups, 1e6)
    h = len(np.unique(groups.domain[groups.ranks[0]]))
    leaves = groups.domain[traffic.edge_src] != groups.domain[traffic.edge_dst]
    passes = 2 if "all_reduce" in name else 1
    moved = traffic.size_bytes[traffic.edge_transfer][leaves].sum()
    assert moved == pytest.approx(len(groups.ranks) * passes * (h - 1) * 1e6, rel=1e-12)


@pytest.mark.parametrize("name", [*ROUNDS, "all_to_all"])
def test_a_group_of_one_and_an_empty_buffer_send_nothing(name):
    host = np.zeros(4, np.int32)
    alone = Groups(np.arange(4, dtype=np.int32)[:, None], host)
    together = Groups(np.arange(4, dtype=np.int32)[None], host)
    assert len(COLLECTIVES[name](alone, 1e6)) == 0
    assert len(COLLECTIVES[name](together, 0.0)) == 0
    assert len(COLLECTIVES[name](Groups(together.ranks, np.arange(4, dtype=np.int32) // 2), 0.0)) == 0


def test_point_to_point_sends_from_the_first_to_the_second_of_each_pair():
    pairs = Groups(np.array([[0, 3], [2, 1]], np.int32), np.zeros(4, np.int32))
    traffic = point_to_point(pairs, 5.0)
    assert (traffic.edge_src.tolist(), traffic.edge_dst.tolist()) == ([0, 2], [3, 1])
    assert traffic.size_bytes.tolist() == [5.0, 5.0]
    assert len(point_to_point(pairs, 0.0)) == 0


def test_point_to_point_is_between_two():
    with pytest.raises(AssertionError, match="two ranks"):
        point_to_point(Groups(np.arange(3, dtype=np.int32)[None], np.zeros(3, np.int32)), 1.0)


@pytest.mark.parametrize(
    ("host_of_ranks", "per_host"),
    [
        ([[0, 0, 1, 1]], 2),
        ([[0, 0, 0, 0]], 4),
        ([[0, 1, 2, 3]], 1),
        ([[0, 1, 0, 1]], 1),  # not next to each other
        ([[0, 0, 1, 1, 0, 0]], 1),  # back on the first server
        ([[0, 0, 1]], 1),  # unequal
        ([[0, 0, 1, 1], [2, 3, 2, 3]], 1),  # groups differ
        ([[0, 0, 1, 1], [2, 2, 3, 3]], 2),
    ],
)
def test_ranks_per_domain_is_one_unless_all_servers_hold_equally_many_in_a_row(host_of_ranks, per_host):
    hosts = np.array(host_of_ranks, np.int32)
    ranks = np.arange(hosts.size, dtype=np.int32).reshape(hosts.shape)
    assert ranks_per_domain(Groups(ranks, hosts.ravel())) == per_host


@pytest.mark.parametrize("second", [[2, 2, 2, 2], [2, 2, 2, 2, 3, 3]])
def test_ranks_per_domain_is_one_where_another_group_has_more_on_a_server(second):
    """Group 0 has 2 ranks on each of its servers, group 1 has 4 on its first."""
    first = [0, 0, 1, 1] if len(second) == 4 else [0, 0, 1, 1, 4, 4]
    hosts = np.array([first, second], np.int32)
    ranks = np.arange(hosts.size, dtype=np.int32).reshape(hosts.shape)
    assert ranks_per_domain(Groups(ranks, hosts.ravel())) == 1
