"""A fabric as a picture: layers where there is an up and a down, a ring where switches are joined to their like."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cluster_sim.core import bit_rate
from cluster_sim.reports.canvas import canvas, files
from cluster_sim.reports.layers import draw_layers
from cluster_sim.reports.ring import draw_ring
from cluster_sim.tables import NODE_KINDS, Fabric

#: Told apart by colour-blind readers [Okabe and Ito 2008].
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def draw_fabric(
    fabric: Fabric, technologies: Sequence[str], title: str, folder: Path, name: str = "topology"
) -> tuple[Path, Path]:
    """Write ``NAME.png`` and ``NAME.svg``.

    A fabric made of pods shows the first pod and the others as boxes; of many equal things a row shows the first and
    the last. Links have the colour of their technology.

    Args:
        fabric: what is drawn.
        technologies: what carries each tier, in the order of ``fabric.tiers``.
        title: above the picture.
        folder: where the files go.
        name: of the files, without ending.

    Returns:
        The two paths.
    """
    names = list(dict.fromkeys(technologies))
    colours = [_COLOURS[names.index(technology) % len(_COLOURS)] for technology in technologies]
    with canvas(folder, name, 1, 1, (13, 7), font_size=9) as (figure, panels):
        axes = panels[0, 0]
        axes.set_axis_off()
        axes.set_title(title, loc="left", fontweight="bold", fontsize=12)
        (draw_ring if has_no_layers(fabric) else draw_layers)(axes, fabric, colours)
        _legend(figure, fabric, technologies, colours)
    return files(folder, name)


def has_no_layers(fabric: Fabric) -> bool:
    """Whether switches, or accelerators, are joined to their like; those of scale-up domains do not count."""
    src, dst = fabric.node_kind[fabric.links.src], fabric.node_kind[fabric.links.dst]
    return bool(((src == dst) & (src != NODE_KINDS.index("scale_up_switch"))).any())


def _legend(figure: Any, fabric: Fabric, technologies: Sequence[str], colours: Sequence[str]) -> None:
    """One line for each tier with links: how many, how fast, how long, made of what."""
    from matplotlib.lines import Line2D

    handles = []
    for number, tier in enumerate(fabric.tiers):
        mine = np.flatnonzero(fabric.links.tier == number)
        if len(mine):
            capacity, length_m = fabric.links.capacity_bytes_per_s[mine], fabric.links.length_m[mine]
            rates = " to ".join(dict.fromkeys(bit_rate(float(rate)) for rate in (capacity.min(), capacity.max())))
            lengths = " to ".join(dict.fromkeys(f"{length:.1f}" for length in (length_m.min(), length_m.max())))
            label = f"{tier}: {len(mine) // 2:,} links, {technologies[number]}, {rates} payload, {lengths} m"
            handles.append(Line2D([], [], color=colours[number], linewidth=2.5, label=label))
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
