"""Layers of switches above accelerators: the first pod in full, the others as boxes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from cluster_sim.kernels import components
from cluster_sim.reports.text import plural
from cluster_sim.tables import NODE_KINDS, NONE, Array, Fabric

#: Switches of a row, scale-up domains, and accelerators of a domain that are drawn; of more, the first and the last.
_IN_ROW, _DOMAINS, _IN_DOMAIN = 8, 8, 8
#: Planes that are all drawn, and boxes of other pods.
_PLANES, _BOXES = 4, 3
_WIDTH, _STEP = 100.0, 10.0


@dataclass(frozen=True, slots=True, eq=False)
class _Layers:
    """What hangs above what.

    Attributes:
        level: int64[N]: 0 for accelerators, then one more for every tier; NONE for scale-up switches.
        pod: int64[N]: pod of a node below which only one pod hangs; NONE for others.
        plane: int64[N]: switches that are joined without accelerators share a number, from 0; NONE for the others.
    """

    level: Array
    pod: Array
    plane: Array


@dataclass(frozen=True, slots=True, eq=False)
class _Sheet:
    """What is drawn, and where.

    Attributes:
        axes: of matplotlib.
        fabric: what is drawn.
        layers: what hangs above what.
        colours: of the tiers.
        place: float64[N, 2], filled in on the way; NaN for what is not on the sheet.
        is_drawn: bool[N], likewise; False for nodes that dots stand for.
        width: of the first pod.
    """

    axes: Any
    fabric: Fabric
    layers: _Layers
    colours: Sequence[str]
    place: Array
    is_drawn: Array
    width: float


def draw_layers(axes: Any, fabric: Fabric, colours: Sequence[str]) -> None:
    """Draw a fabric without links between nodes of one kind; ``colours`` of the tiers."""
    layers, num = _layers_of(fabric), len(fabric.node_kind)
    width = _WIDTH * (1 - 0.14 * min(fabric.num_pods - 1, _BOXES))
    sheet = _Sheet(axes, fabric, layers, colours, np.full((num, 2), np.nan), np.zeros(num, bool), width)
    for level in range(int(layers.level.max()), 0, -1):
        in_pod = np.flatnonzero((layers.level == level) & (layers.pod == 0))
        above = np.flatnonzero((layers.level == level) & (layers.pod == NONE))
        for nodes, left, right in ((in_pod, 0.0, width), (above, 0.1 * _WIDTH, 0.9 * _WIDTH)):
            if len(nodes):
                _place_row(sheet, nodes, left, right)
    _place_accelerators(sheet)
    _draw_links(sheet)
    _draw_links_of_boxes(sheet, _draw_boxes(sheet))
    axes.set_xlim(-17, _WIDTH + 1)
    axes.set_ylim(-4.0, _STEP * (layers.level.max() + 0.25))


def _layers_of(fabric: Fabric) -> _Layers:
    links, num = fabric.links, len(fabric.node_kind)
    up = np.arange(0, len(links), 2)
    up = up[~fabric.inside_tiers[links.tier[up]]]
    lower, upper = links.src[up], links.dst[up]
    level = np.full(num, NONE, np.int64)
    level[: fabric.num_endpoints] = 0
    lowest, highest = np.full(num, fabric.num_pods), np.full(num, NONE)
    lowest[: fabric.num_endpoints] = highest[: fabric.num_endpoints] = fabric.endpoint_pod
    for tier in np.unique(links.tier[up]):
        mine = links.tier[up] == tier
        np.maximum.at(level, upper[mine], level[lower[mine]] + 1)
        np.minimum.at(lowest, upper[mine], lowest[lower[mine]])
        np.maximum.at(highest, upper[mine], highest[lower[mine]])
    between = lower >= fabric.num_endpoints
    plane = components(num, lower[between], upper[between])
    switches = level > 0
    plane[switches] = np.unique(plane[switches], return_inverse=True)[1].ravel()
    return _Layers(level, np.where(lowest == highest, highest, NONE), np.where(switches, plane, NONE))


def _place_row(sheet: _Sheet, nodes: Array, left: float, right: float) -> None:
    """Switches side by side, plane by plane; those that are left out stand at the dots between the others."""
    layers = sheet.layers
    y, kind = _STEP * layers.level[nodes[0]], NODE_KINDS[sheet.fabric.node_kind[nodes[0]]]
    planes = [np.sort(nodes[layers.plane[nodes] == plane]) for plane in np.unique(layers.plane[nodes])]
    few = [*planes[:1], np.concatenate(planes[1:-1]), *planes[-1:]] if len(planes) > _PLANES else planes
    share = max(_IN_ROW // len(few), 3)
    row = [(plane, slot) for plane in few for slot in (_in_slots(plane, share) if _is_one(layers, plane) else [plane])]
    for number, (plane, slot) in enumerate(row):
        x = left + (number + 0.5) * (right - left) / len(row)
        sheet.place[slot] = x, y
        if len(slot) > 1:
            sheet.axes.text(x, y, "· · ·", ha="center", va="center", fontsize=13, color="#333333", zorder=4)
        else:
            sheet.is_drawn[slot] = True
            width = min(0.62 * (right - left) / len(row), 6.0)
            _draw_switch(sheet.axes, kind, x, y, width, f"{np.searchsorted(plane, slot[0])}")
    _label(sheet, nodes, y, len(planes))
    if len(planes) > 1 and layers.level[nodes[0]] == layers.level.max():
        for plane in (plane for plane in few if _is_one(layers, plane)):
            name = f"plane {layers.plane[plane[0]]}"
            sheet.axes.text(sheet.place[plane, 0].mean(), y + 1.4, name, ha="center", va="bottom", fontsize=9)


def _is_one(layers: _Layers, nodes: Array) -> bool:
    return bool((layers.plane[nodes] == layers.plane[nodes[0]]).all())


def _in_slots(items: Array, most: int) -> list[Array]:
    """Each by itself, or the first ones, all those between, and the last."""
    if len(items) <= most:
        return list(items[:, None])
    return [*items[: most - 2, None], items[most - 2 : -1], items[-1:]]


def _draw_switch(axes: Any, kind: str, x: float, y: float, width: float, text: str) -> None:
    shade, ink = ("#F0E442", "#222222") if kind == "ocs" else ("#4D4D4D", "white")
    _draw_box(axes, x, y, width, 1.3, 0.35, facecolor=shade, edgecolor="white", zorder=3)
    axes.text(x, y - 0.05, text, ha="center", va="center", fontsize=7, color=ink, zorder=4)


def _label(sheet: _Sheet, nodes: Array, y: float, num_planes: int) -> None:
    """What a row holds, at its left."""
    kind = NODE_KINDS[sheet.fabric.node_kind[nodes[0]]]
    everywhere = int((sheet.layers.level == sheet.layers.level[nodes[0]]).sum())
    told = [f"{everywhere:,} {plural(kind, everywhere)}"]
    if len(nodes) != everywhere:
        told.append(f"{len(nodes):,} in a pod")
    if num_planes > 1:
        told.append(f"{num_planes} separate planes")
    sheet.axes.text(-16.5, y, "\n".join(told), ha="left", va="center", fontsize=9)


def _place_accelerators(sheet: _Sheet) -> None:
    """Scale-up domains of the first pod: those below the drawn leaves, their accelerators as squares."""
    fabric = sheet.fabric
    endpoint = np.flatnonzero(fabric.endpoint_pod == 0)
    domain = fabric.endpoint_domain[endpoint]
    slots = _slots_of_domains(fabric, sheet.is_drawn, np.unique(domain))
    step = sheet.width / len(slots)
    for number, slot in enumerate(slots):
        x, members = (number + 0.5) * step, endpoint[np.isin(domain, slot)]
        sheet.place[members] = x, 0.0
        if len(slot) > 1:
            sheet.axes.text(x, 0, "· · ·", ha="center", va="center", fontsize=13, color="#333333")
        else:
            _draw_domain(sheet, members, x, 0.84 * step, f"{slot[0]}" if number else f"domain {slot[0]}")
    num_domains = len(np.unique(fabric.endpoint_domain))
    told = [f"{fabric.num_endpoints:,} accelerators"]
    if num_domains < fabric.num_endpoints:
        told.append(f"{num_domains:,} scale-up domains")
    if fabric.num_pods > 1:
        told.append(f"{len(domain):,} in a pod")
    sheet.axes.text(-16.5, 0, "\n".join(told), ha="left", va="center", fontsize=9)


def _draw_domain(sheet: _Sheet, members: Array, x: float, width: float, name: str) -> None:
    """Accelerators as squares, and a box around them where they are several."""
    slots = _in_slots(members, _IN_DOMAIN)
    pitch = width / len(slots)
    if len(members) > 1:
        look = {"facecolor": sheet.colours[0], "edgecolor": "none", "alpha": 0.2, "zorder": 0}
        _draw_box(sheet.axes, x, 0.0, width, 3.0, 0.5, **look)
        sheet.axes.text(x, -1.9, name, ha="center", va="top", fontsize=8, color="#333333")
    for number, slot in enumerate(slots):
        at = x + (number - (len(slots) - 1) / 2) * pitch
        sheet.place[slot] = at, 0.0
        if len(slot) > 1:
            sheet.axes.text(at, 0, "··", ha="center", va="center", fontsize=9, color="#333333")
        else:
            sheet.is_drawn[slot] = True
            look = {"facecolor": "#999999", "edgecolor": "none", "zorder": 3}
            _draw_box(sheet.axes, at, 0.0, min(0.6 * pitch, 1.1), 1.1, 0.1, **look)


def _draw_box(axes: Any, x: float, y: float, width: float, height: float, rounding: float, **look: Any) -> None:
    """A box around its middle with round corners."""
    from matplotlib.patches import FancyBboxPatch

    shape = f"round,pad=0,rounding_size={rounding}"
    axes.add_patch(FancyBboxPatch((x - width / 2, y - height / 2), width, height, boxstyle=shape, **look))


def _slots_of_domains(fabric: Fabric, is_drawn: Array, domains: Array) -> list[Array]:
    """Domains, each by itself or many at one place: the first and the last below every drawn leaf, and the others."""
    if len(domains) <= _DOMAINS:
        return list(domains[:, None])
    links = fabric.links
    below = (links.src < fabric.num_endpoints) & (links.dst >= fabric.num_endpoints) & is_drawn[links.dst]
    leaves = np.unique(links.dst[below])
    chosen = {int(domains[0]), int(domains[-1])}
    for leaf in (*leaves[:2], *leaves[:-3:-1], *leaves[2:]):
        mine = fabric.endpoint_domain[links.src[below & (links.dst == leaf)]]
        for one in (int(mine.min()), int(mine.max())):
            if len(chosen) < _DOMAINS and one in domains:
                chosen.add(one)
    slots: list[Array] = []
    for one, following in pairwise([*sorted(chosen), int(domains[-1]) + 1]):
        slots.append(np.array([one]))
        between = domains[(domains > one) & (domains < following)]
        slots += [between] if len(between) else []
    return slots


def _draw_links(sheet: _Sheet) -> None:
    """Links with an end that is drawn; fainter where the other end is among those left out."""
    links, place, is_drawn = sheet.fabric.links, sheet.place, sheet.is_drawn
    lower, upper, tier = links.src[::2], links.dst[::2], links.tier[::2]
    has_place = ~np.isnan(place[lower, 0]) & ~np.isnan(place[upper, 0]) & (sheet.layers.level[upper] != NONE)
    seen = np.flatnonzero(has_place & (is_drawn[lower] | is_drawn[upper]))
    lower, upper, tier = lower[seen], upper[seen], tier[seen]
    both = is_drawn[lower] & is_drawn[upper]
    lines, counts = np.unique(np.column_stack([place[lower], place[upper], tier, both]), axis=0, return_counts=True)
    for (x, y, far_x, far_y, number, is_whole), count in zip(lines.tolist(), counts.tolist(), strict=True):
        sheet.axes.plot(
            [x, far_x], [y + 0.6, far_y - 0.65], color=sheet.colours[int(number)], zorder=1,
            linewidth=0.8 + 0.35 * np.log2(count) if is_whole else 0.6, alpha=0.75 if is_whole else 0.3,
        )  # fmt: skip


def _draw_boxes(sheet: _Sheet) -> dict[int, tuple[float, float]]:
    """Other pods as boxes; where the links of each leave it, by pod."""
    fabric, layers, num = sheet.fabric, sheet.layers, sheet.fabric.num_pods
    pods = list(range(1, num)) if num - 1 <= _BOXES else [1, NONE, num - 1]
    top = _STEP * int(layers.level[layers.pod == 0].max()) + 1.2
    found: dict[int, tuple[float, float]] = {}
    for number, pod in enumerate(pods):
        step = (_WIDTH - sheet.width) / len(pods)
        x = sheet.width + (number + 0.5) * step
        if pod == NONE:
            sheet.axes.text(x, top / 2, f"· · ·\n{num - 3:,} pods\nmore", ha="center", va="center", fontsize=10)
            continue
        look = {"facecolor": "#F2F2F2", "edgecolor": "#999999", "zorder": 2}
        _draw_box(sheet.axes, x, (top - 1.5) / 2, 0.84 * step, top + 1.5, 1.2, **look)
        counts = np.bincount(fabric.node_kind[layers.pod == pod], minlength=len(NODE_KINDS)).tolist()
        told = [f"pod {pod}", "", f"{counts[0]:,}", "accelerators"]
        above = zip(NODE_KINDS[1:], counts[1:], strict=True)
        told += [f"{count:,} {plural(kind, count)}" for kind, count in above if count]
        sheet.axes.text(x, (top - 1.5) / 2, "\n".join(told), ha="center", va="center", fontsize=9, zorder=3)
        found[pod] = (x, top)
    return found


def _draw_links_of_boxes(sheet: _Sheet, boxes: dict[int, tuple[float, float]]) -> None:
    """A line from each box to every drawn switch above pods, with the number of links from the box."""
    links, layers = sheet.fabric.links, sheet.layers
    lower, upper, tier = links.src[::2], links.dst[::2], links.tier[::2]
    leaves_pod = (layers.pod[lower] != NONE) & (layers.pod[upper] == NONE) & (layers.level[upper] > 0)
    for pod, (x, y) in boxes.items():
        mine = np.flatnonzero(leaves_pod & (layers.pod[lower] == pod))
        ends = np.unique(np.stack([upper[mine], tier[mine]]), axis=1)
        for far, number in ends[:, sheet.is_drawn[ends[0]]].T.tolist():
            far_x, far_y = sheet.place[far]
            look = {"color": sheet.colours[number], "linewidth": 1.1, "alpha": 0.45, "zorder": 1}
            sheet.axes.plot([x, far_x], [y, far_y - 0.65], **look)
        back = {"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.8}
        told = f"{len(mine):,} links"
        sheet.axes.text(x, y + 0.5, told, ha="center", va="bottom", fontsize=7, color="#333333", zorder=4, bbox=back)
