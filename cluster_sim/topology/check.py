"""What is wrong with a fabric: connectivity, ports, reach, symmetry, paths; everything at once, with names."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cluster_sim.catalogue import Interconnect, constants
from cluster_sim.core import NotBuildableError, bit_rate, stream
from cluster_sim.tables import (
    NODE_KINDS,
    PACKET_SWITCHES,
    Array,
    Circuits,
    Fabric,
    grouped,
    is_scale_up,
    ragged_ranges,
    starts_of,
)  # fmt: skip
from cluster_sim.topology.survey import all_pods_joined

#: Names that a check spells out; the rest is counted.
_NAMED = 8
#: Pairs of accelerators that are all looked at; of more, as many are drawn.
_MOST_PAIRS = 20_000
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked.

    Attributes:
        what: was checked.
        looked_at: how far, in words.
        problems: what is wrong, one line each; none where all is well.
    """

    what: str
    looked_at: str
    problems: tuple[str, ...]


def check(fabric: Fabric, interconnect: Interconnect) -> tuple[Finding, ...]:
    """Check a fabric against itself and its parts.

    Args:
        fabric: what was built.
        interconnect: whose switches and technologies it is made of.
    """
    return (
        _connectivity(fabric),
        _ports(fabric, interconnect),
        _reach(fabric, interconnect),
        _symmetry(fabric),
        _paths(fabric),
    )


def _connectivity(fabric: Fabric) -> Finding:
    """Every node can be reached from endpoint 0, and endpoint 0 from every node."""
    links, num = fabric.links, len(fabric.node_kind)
    there = _reached(num, links.src, links.dst)
    back = _reached(num, links.dst, links.src)
    problems = (
        *_told(np.flatnonzero(~there), lambda node: f"{_name(fabric, node)} cannot be reached from endpoint 0"),
        *_told(np.flatnonzero(there & ~back), lambda node: f"{_name(fabric, node)} cannot reach endpoint 0"),
    )
    return Finding("connectivity", f"{num:,} nodes, {len(links):,} directed links", problems)


def _reached(num_nodes: int, src: Array, dst: Array) -> Array:
    """bool[N]: what links lead to from node 0."""
    target, starts = grouped(src, dst, num_nodes)
    reached = np.zeros(num_nodes, bool)
    reached[0], new = True, np.zeros(1, np.int64)
    while len(new):
        near = target[ragged_ranges(starts[new], starts[new + 1] - starts[new])]
        new = np.unique(near[~reached[near]])
        reached[new] = True
    return reached


def _ports(fabric: Fabric, interconnect: Interconnect) -> Finding:
    """No switch has more links, or sends more, than its ports allow; a slower link takes part of a port."""
    kinds, links, num = np.array(NODE_KINDS)[fabric.node_kind], fabric.links, len(fabric.node_kind)
    port = interconnect.port_rate_bytes_per_s
    rate = links.capacity_bytes_per_s / (port * constants().link_efficiency.typical)
    used = np.maximum(*(np.bincount(end, weights=rate, minlength=num) for end in (links.src, links.dst)))
    count = np.maximum(*(np.bincount(end, minlength=num) for end in (links.src, links.dst)))
    switches = np.flatnonzero(np.isin(kinds, PACKET_SWITCHES))
    most, most_links = interconnect.num_ports, int(interconnect.switch_entry.max_ports.typical)
    over = switches[(used[switches] > most * (1 + _TOLERANCE)) | (count[switches] > max(most, most_links))]
    all_ocs, most_circuits = np.flatnonzero(kinds == "ocs"), int(interconnect.ocs_entry.ports.typical)
    problems = (
        *_told(over, lambda node: f"{_name(fabric, node)} has {count[node]} links that take {used[node]:g} ports of "
               f"{bit_rate(port)}; {interconnect.switch} has {most}"),
        *_told(all_ocs[count[all_ocs] > most_circuits], lambda node: f"{_name(fabric, node)} has {count[node]} links; "
               f"{interconnect.ocs} has {most_circuits} ports"),
    )  # fmt: skip
    looked_at = f"{len(switches):,} switches against {interconnect.switch}"
    looked_at += f", {len(all_ocs):,} OCS against {interconnect.ocs}" if len(all_ocs) else ""
    return Finding("ports", f"{looked_at}; scale-up switches have no number of ports in the catalogue", problems)


def _reach(fabric: Fabric, interconnect: Interconnect) -> Finding:
    """No cable is longer than its technology reaches."""
    links = fabric.links
    reach_m = np.full(len(fabric.tiers), np.inf)
    for number, tier in enumerate(fabric.tiers):
        if not is_scale_up(tier):
            reach_m[number] = interconnect.ends(tier).reach_m
    far = np.flatnonzero(links.length_m > reach_m[links.tier] * (1 + _TOLERANCE))

    def told(link: int) -> str:
        number = links.tier[link]
        what = f"{interconnect.ends(fabric.tiers[number]).label} reaches {reach_m[number]:g} m"
        return f"{fabric.link_name(link)} is {links.length_m[link]:.1f} m long; {what}"

    return Finding("reach", "every cable above the scale-up domains", _told(far, told))


def _symmetry(fabric: Fabric) -> Finding:
    """Links come in pairs, there and back, equally fast."""
    links = fabric.links
    if len(links) % 2:
        return Finding("symmetry", f"{len(links):,} directed links", ("an odd number of links: one has no way back",))
    is_back = (links.src[::2] == links.dst[1::2]) & (links.dst[::2] == links.src[1::2])
    there, back = links.capacity_bytes_per_s[::2], links.capacity_bytes_per_s[1::2]
    is_equal = np.abs(there - back) <= _TOLERANCE * np.maximum(there, back)
    problems = (
        *_told(
            2 * np.flatnonzero(~is_back),
            lambda link: f"{fabric.link_name(link)} and the next are not one cable both ways",
        ),
        *_told(
            2 * np.flatnonzero(is_back & ~is_equal),
            lambda link: (
                f"{fabric.link_name(link)} carries {bit_rate(there[link // 2])} there and "
                f"{bit_rate(back[link // 2])} back"
            ),
        ),
        *_told(
            np.flatnonzero(~(links.capacity_bytes_per_s > 0)), lambda link: f"{fabric.link_name(link)} carries nothing"
        ),
    )
    return Finding("symmetry", f"{len(links) // 2:,} duplex links", problems)


def _paths(fabric: Fabric) -> Finding:
    """Pairs of accelerators have candidate paths that lead from the one to the other."""
    src, dst, looked_at = _pairs(fabric.num_endpoints)
    try:
        circuits = all_pods_joined(fabric)
    except NotBuildableError as error:
        return Finding("paths", looked_at, error.args[0])
    looked_at += ", circuits for equal traffic between all pods" if circuits is not None else ""
    num_paths = fabric.paths.count(src, dst, circuits)
    problems = list(_told(
        np.flatnonzero(num_paths == 0), lambda pair: f"endpoint {src[pair]} has no path to endpoint {dst[pair]}"
    ))  # fmt: skip
    some = np.flatnonzero(num_paths > 0)
    for choice in (np.zeros(len(some), np.int64), num_paths[some] - 1, num_paths[some] // 2):
        broken = some[_broken(fabric, src[some], dst[some], choice, circuits)]
        problems += _told(
            broken, lambda pair: f"a path from endpoint {src[pair]} to endpoint {dst[pair]} does not lead there"
        )
    return Finding("paths", f"{looked_at}, three candidates each", tuple(dict.fromkeys(problems)))


def _pairs(num: int) -> tuple[Array, Array, str]:
    """(src int32[F], dst int32[F], how many of how many): all ordered pairs, or a sample."""
    if num * (num - 1) <= _MOST_PAIRS:
        src, dst = np.nonzero(~np.eye(num, dtype=bool))
        return src.astype(np.int32), dst.astype(np.int32), f"all {len(src):,} pairs"
    drawn = stream(0, "pairs to check").integers(0, num, (2, _MOST_PAIRS))
    src, dst = drawn[:, drawn[0] != drawn[1]].astype(np.int32)
    return src, dst, f"a sample of {len(src):,} of {num * (num - 1):,} pairs"


def _broken(fabric: Fabric, src: Array, dst: Array, choice: Array, circuits: Circuits | None) -> Array:
    """bool[F]: whether the candidate does not start at src, end at dst, and meet from link to link."""
    pair, link = fabric.paths.links(src, dst, choice, circuits)
    begins, ends = fabric.links.src[link], fabric.links.dst[link]
    num_hops = np.bincount(pair, minlength=len(src))
    is_broken = np.asarray(num_hops == 0)
    is_broken[pair[1:][(pair[1:] == pair[:-1]) & (begins[1:] != ends[:-1])]] = True
    starts, whole = starts_of(num_hops), np.flatnonzero(num_hops)
    is_broken[whole] |= (begins[starts[whole]] != src[whole]) | (ends[starts[whole + 1] - 1] != dst[whole])
    return is_broken


def _told(rows: Array, told: Callable[[int], str]) -> tuple[str, ...]:
    """The first few by name, and how many more."""
    lines = [told(int(row)) for row in rows[:_NAMED]]
    rest = len(rows) - len(lines)
    return (*lines, *([f"and {rest:,} more like these"] if rest > 0 else ()))


def _name(fabric: Fabric, node: int) -> str:
    return f"{NODE_KINDS[fabric.node_kind[node]]} {node}"
