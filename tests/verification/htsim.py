"""Flow problems as htsim poses them: its fat-trees and leaf-spines, its connection matrices, its recorded paths."""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cluster_sim.kernels import added_up, hashed_choice
from cluster_sim.tables import FlowProblem, starts_of

DATA = Path(__file__).parents[3] / "shared" / "data"
PACKET_LEVEL = DATA / "packet_level"
#: What is in both is the same.
MATRICES = [DATA / "interop" / source / "connection_matrices" for source in ("csg-htsim", "uet-htsim")]
HOP_S = 1e-6


@dataclass(frozen=True)
class Tree:
    """Pods of edge switches, each joined to every one of ``aggs`` switches above, which have ``ups`` core links each.

    Tables of directed links follow one another: host up, edge up, core up, core down, edge down, host down.
    """

    hosts: int
    per_edge: int
    edges: int
    aggs: int
    ups: int
    rate_bytes_per_s: float

    @classmethod
    def fat_tree(cls, hosts, gbps):
        """Three tiers of k-port switches for k**3 / 4 hosts."""
        half = round((hosts / 2) ** (1 / 3))
        assert 2 * half**3 == hosts
        return cls(hosts, half, half, half, half, gbps / 8 * 1e9)

    @classmethod
    def leaf_spine(cls, hosts, per_leaf, uplinks, gbps):
        """Two tiers, one pod."""
        return cls(hosts, per_leaf, hosts // per_leaf, uplinks, 0, gbps / 8 * 1e9)

    @property
    def counts(self):
        """Links of each table."""
        num_edges = self.hosts // self.per_edge
        core = num_edges // self.edges * self.aggs * self.ups
        return np.array([self.hosts, num_edges * self.aggs, core, core, num_edges * self.aggs, self.hosts])

    def links(self, src, dst, choice):
        """(int64[F, 6] links, bool[F, 6] where there is one) of each flow on its path number ``choice``."""
        edge, pod = self.per_edge, self.per_edge * self.edges
        agg, up = choice % self.aggs, choice // self.aggs
        here, there = src // pod * self.aggs + agg, dst // pod * self.aggs + agg
        numbers = [
            src, src // edge * self.aggs + agg, here * self.ups + up,
            there * self.ups + up, dst // edge * self.aggs + agg, dst,
        ]  # fmt: skip
        leaves_edge, leaves_pod = src // edge != dst // edge, src // pod != dst // pod
        used = [leaves_edge | True, leaves_edge, leaves_pod, leaves_pod, leaves_edge, leaves_edge | True]
        return np.stack(numbers, axis=1) + starts_of(self.counts)[:-1], np.stack(used, axis=1)

    def paths(self, src, dst):
        """int64[F]: equal paths of each flow."""
        edge, pod = self.per_edge, self.per_edge * self.edges
        inside = np.where(src // edge == dst // edge, 1, self.aggs)
        return np.where(src // pod == dst // pod, inside, self.aggs * self.ups)


@dataclass(frozen=True)
class Matrix:
    """Who sends what to whom, all at time 0."""

    src: np.ndarray
    dst: np.ndarray
    size_bytes: np.ndarray


def rows(name):
    """A table of the data folder; empty where the folder is not there."""
    path = PACKET_LEVEL / name
    if not path.is_file():
        return []
    with path.open() as file:
        return list(csv.DictReader(file))


def read_matrix(name):
    """A connection matrix by its file name; None where it is not shipped."""
    found = [folder / name for folder in MATRICES if (folder / name).is_file()]
    if not found:
        return None
    text = found[0].read_text()
    flows = re.findall(r"^(\d+)->(\d+)(?: id \d+)? start 0 size (\d+)\s*$", text, re.MULTILINE)
    announced = re.search(r"^Connections (\d+)", text, re.MULTILINE)
    assert announced is not None
    assert len(flows) == int(announced[1]), f"{found[0]}: lines that this reader does not know"
    return _matrix(*zip(*flows, strict=True))


def matrix_of(flows):
    """The columns of a file of flows."""
    return _matrix(*([flow[name] for flow in flows] for name in ("src", "dst", "bytes")))


def _matrix(src, dst, size):
    return Matrix(np.array(src, np.int64), np.array(dst, np.int64), np.array(size, np.float64))


def recorded(flows, gbps):
    """One path per flow, the one that the file says."""
    links = [np.array(flow["single_path_links"].split(), np.int64) for flow in flows]
    counts = np.array([len(path) for path in links])
    link = np.concatenate(links)
    capacity = np.full(link.max() + 1, gbps / 8 * 1e9)
    return _problem(matrix_of(flows), capacity, link, np.ones(len(link)), starts_of(counts), counts)


def hashed(tree, matrix, key):
    """One path per flow, by our hash."""
    num_paths = tree.paths(matrix.src, matrix.dst)
    choice = hashed_choice(num_paths, matrix.src.astype(np.int32), matrix.dst.astype(np.int32), key)
    link, used = tree.links(matrix.src, matrix.dst, choice)
    hops = used.sum(axis=1)
    capacity = np.full(tree.counts.sum(), tree.rate_bytes_per_s)
    return _problem(matrix, capacity, link[used], np.ones(used.sum()), starts_of(hops), hops)


def sprayed(tree, matrix):
    """Even spraying: the equal links above a switch, or a pod, are loaded alike, and are one row with their sum."""
    link, used = tree.links(matrix.src, matrix.dst, np.zeros(len(matrix.src), np.int64))
    hops, plane = used.sum(axis=1), tree.aggs * tree.ups
    width = np.repeat([1, tree.aggs, plane, plane, tree.aggs, 1], tree.counts)
    return _problem(
        matrix, tree.rate_bytes_per_s * width, link[used], np.ones(used.sum()), starts_of(hops), hops
    )  # fmt: skip


def sprayed_past_slow_links(tree, matrix, num_slow):
    """Spraying in proportion to what each path can carry, with that many core links at a tenth of their rate.

    As csg-htsim's fat_tree_topology.cpp fails them: the links down from the core to the first aggregation switch, then
    to the second. Its packets are sprayed evenly, but those that are trimmed go again on another path.
    """
    capacity = np.full(tree.counts.sum(), tree.rate_bytes_per_s)
    core_down = int(tree.counts[:3].sum())
    capacity[core_down : core_down + num_slow] /= 10
    num_paths = tree.paths(matrix.src, matrix.dst)
    flow, starts = np.repeat(np.arange(len(num_paths)), num_paths), starts_of(num_paths)
    link, used = tree.links(matrix.src[flow], matrix.dst[flow], np.arange(starts[-1]) - starts[flow])
    carries = np.where(used, capacity[link], np.inf).min(axis=1)
    share = carries / np.bincount(flow, weights=carries)[flow]
    hop_starts, hop_link, weight = added_up(
        np.broadcast_to(flow[:, None], used.shape)[used], link[used],
        np.broadcast_to(share[:, None], used.shape)[used], len(num_paths), len(capacity),
    )  # fmt: skip
    return _problem(matrix, capacity, hop_link, weight, hop_starts, used.sum(axis=1)[starts[:-1]])


def _problem(matrix, capacity, link, weight, starts, hops):
    return FlowProblem(
        capacity_bytes_per_s=capacity.astype(np.float64), start_s=np.zeros(len(matrix.src)), latency_s=hops * HOP_S,
        size_bytes=matrix.size_bytes, hop_link=link.astype(np.int32), hop_weight=weight,
        hop_starts=starts.astype(np.int64),
    )  # fmt: skip
