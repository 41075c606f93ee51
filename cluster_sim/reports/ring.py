"""Switches joined to their like: on a ring while they are few, as a matrix where they are many."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from cluster_sim.reports.text import plural
from cluster_sim.tables import NODE_KINDS, PACKET_SWITCHES, Array, Fabric

#: Nodes that fit on a ring, and accelerators that are drawn outside of each.
_ON_RING, _OUTSIDE = 128, 8
#: Radius of the ring of what joins the nodes of the other one besides.
_INNER = 0.3
#: Columns of the matrix of many.
_CELLS = 512


def draw_ring(axes: Any, fabric: Fabric, colours: Sequence[str]) -> None:
    """Draw the nodes that pass traffic on, in the order of their numbers; ``colours`` of the tiers."""
    links = fabric.links
    up = np.arange(0, len(links), 2)
    nodes = _nodes_of_ring(fabric)
    starts, ends = (np.isin(end[up], nodes) for end in (links.src, links.dst))
    alike, joining = up[starts & ends], _joining(fabric, nodes, up)
    inner = np.setdiff1d(links.dst[joining], nodes)
    if len(nodes) + len(inner) > _ON_RING:
        _draw_matrix(axes, fabric, colours, np.concatenate([nodes, inner]), np.concatenate([alike, joining]))
        return
    angle = np.pi / 2 - 2 * np.pi * np.arange(len(nodes)) / len(nodes)
    place = np.full((len(fabric.node_kind), 2), np.nan)
    place[nodes] = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    turn = np.pi / 2 - 2 * np.pi * (np.arange(len(inner)) + 0.5) / max(len(inner), 1)
    place[inner] = _INNER * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    _draw_chords(axes, fabric, colours, place, np.concatenate([alike, joining]))
    axes.scatter(*place[inner].T, s=60, marker="s", color="#F0E442", edgecolor="#666666", zorder=3)
    below = up[~starts & ends & (links.src[up] < fabric.num_endpoints)]
    for node, at, turn in zip(nodes.tolist(), place[nodes], angle, strict=True):
        _draw_accelerators(
            axes, at, int((links.dst[below] == node).sum()), colours[_tier_of(fabric, below)], len(nodes)
        )
        axes.text(
            *(at * (0.955 if len(nodes) > 40 else 0.93)), str(node), fontsize=6 if len(nodes) > 40 else 8, ha="center",
            va="center", rotation=np.degrees(turn) if np.cos(turn) >= 0 else np.degrees(turn) + 180, color="#333333",
        )  # fmt: skip
    is_accelerator = nodes < fabric.num_endpoints
    axes.scatter(
        *place[nodes].T,
        s=max(8, 140 - len(nodes)),
        marker="o" if is_accelerator.all() else "s",
        color="#333333",
        zorder=3,
    )
    axes.set_xlim(-2.2, 2.2)
    axes.set_ylim(-1.32, 1.32)
    axes.set_aspect("equal")
    what = "accelerators, each of which passes traffic on" if is_accelerator.all() else "switches"
    most = int(np.bincount(links.dst[below]).max()) if len(below) else 0
    told = f"{len(nodes):,} {what}" + (f",\nup to {most} accelerators at each" if most else "")
    told += f",\n{_others(fabric, inner)} in the middle" if len(inner) else ""
    axes.text(-2.15, 1.2, told, va="top", fontsize=10)


def _nodes_of_ring(fabric: Fabric) -> Array:
    """Switches, and accelerators that are joined to each other; neither OCS nor switches of scale-up domains."""
    links, kinds = fabric.links, np.array(NODE_KINDS)[fabric.node_kind]
    between = (links.src < fabric.num_endpoints) & (links.dst < fabric.num_endpoints)
    return np.union1d(np.flatnonzero(np.isin(kinds, PACKET_SWITCHES)), links.src[between])


def _joining(fabric: Fabric, nodes: Array, up: Array) -> Array:
    """Links from the ring up to what joins its nodes besides, such as OCS; scale-up switches are left out."""
    links = fabric.links
    is_up = np.isin(links.src[up], nodes) & ~np.isin(links.dst[up], nodes) & (links.dst[up] >= fabric.num_endpoints)
    return up[is_up & ~fabric.inside_tiers[links.tier[up]]]


def _others(fabric: Fabric, inner: Array) -> str:
    counts = np.bincount(fabric.node_kind[inner], minlength=len(NODE_KINDS)).tolist()
    return ", ".join(f"{num:,} {plural(kind, num)}" for kind, num in zip(NODE_KINDS, counts, strict=True) if num)


def _tier_of(fabric: Fabric, links: Array) -> int:
    return int(fabric.links.tier[links[0]]) if len(links) else 0


def _draw_chords(axes: Any, fabric: Fabric, colours: Sequence[str], place: Array, alike: Array) -> None:
    """Links bend towards the middle, so that neighbours on the ring can be told from the ring."""
    from matplotlib.collections import LineCollection

    links, t = fabric.links, np.linspace(0, 1, 24)[:, None]
    curves, shades = [], []
    ends = np.unique(np.stack([links.src[alike], links.dst[alike], links.tier[alike]]), axis=1)
    for src, dst, tier in ends.T.tolist():
        one, other = place[src], place[dst]
        middle = (one + other) / 2 * 0.35
        curves.append((1 - t) ** 2 * one + 2 * t * (1 - t) * middle + t**2 * other)
        shades.append(colours[tier])
    alpha = float(np.clip(60 / max(len(curves), 1), 0.25, 0.9))
    axes.add_collection(LineCollection(curves, colors=shades, linewidths=0.9, alpha=alpha, zorder=1))


def _draw_accelerators(axes: Any, at: Array, num: int, colour: str, num_nodes: int) -> None:
    """A fan of small squares outside of a switch."""
    shown = min(num, _OUTSIDE)
    if not shown:
        return
    turn = np.arctan2(at[1], at[0]) + (np.arange(shown) - (shown - 1) / 2) * min(0.05, 4.5 / num_nodes / shown)
    far = 1.14 * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    for point in far:
        axes.plot(*np.stack([at, point]).T, color=colour, linewidth=0.5, zorder=0)
    axes.scatter(*far.T, s=6, marker="s", color="#888888", zorder=2)


def _draw_matrix(axes: Any, fabric: Fabric, colours: Sequence[str], nodes: Array, alike: Array) -> None:
    """A dot for every pair that is joined."""
    from matplotlib.colors import to_rgb

    links, cells = fabric.links, min(_CELLS, len(nodes))
    image = np.ones((cells, cells, 3))
    number = np.zeros(len(fabric.node_kind), np.int64)
    number[nodes] = np.arange(len(nodes))
    row, column = (number[end[alike]] * cells // len(nodes) for end in (links.src, links.dst))
    for tier in np.unique(links.tier[alike])[::-1]:
        mine = links.tier[alike] == tier
        image[row[mine], column[mine]] = image[column[mine], row[mine]] = to_rgb(colours[tier])
    axes.set_axis_on()
    axes.imshow(image, interpolation="nearest", extent=(0, len(nodes), len(nodes), 0))
    what = _others(fabric, nodes)
    axes.set_xlabel(f"{what}: a dot joins row and column")
    axes.set_ylabel(what)
