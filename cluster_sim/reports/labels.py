"""Labels that stand in a column beside a panel, none over another, each joined to its point."""

from collections.abc import Sequence
from typing import Any, NamedTuple

#: Told apart by colour-blind readers [Okabe and Ito 2008].
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
#: Of points, for those who do not see colours.
MARKERS = "os^Dv<>pP*X"


class Label(NamedTuple):
    """What stands beside a panel, and the point that it belongs to, in the units of the axes."""

    text: str
    x: float
    y: float
    colour: str
    is_bold: bool = False


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places as near to the wanted ones as leaves ``gap`` between neighbours, in the same order, inside the bounds.

    The sum of squared moves is least: neighbours that are too close form a block around the mean of what they want, and
    blocks that meet merge. Where all together need more than there is, they are spread evenly.

    Args:
        wanted: in any order.
        gap: between two places.
        low: the least place.
        high: the largest place.
    """
    if len(wanted) > 1 and gap * (len(wanted) - 1) > high - low:
        gap = (high - low) / (len(wanted) - 1)
    order = sorted(range(len(wanted)), key=lambda number: wanted[number])
    blocks: list[tuple[int, float]] = []
    for place, number in enumerate(order):
        size, start = 1, wanted[number] - gap * place
        while blocks and blocks[-1][1] > start:
            before, before_start = blocks.pop()
            start = (before * before_start + size * start) / (before + size)
            size += before
        blocks.append((size, start))
    starts = [start for size, start in blocks for _ in range(size)]
    room = high - gap * (len(wanted) - 1)
    places = [min(max(start, low), room) + gap * place for place, start in enumerate(starts)]
    return [places[order.index(number)] for number in range(len(wanted))]


def make_logarithmic(panel: Any, name: str) -> None:
    """Give axis ``x`` or ``y`` a logarithmic scale with plain numbers, 1, 2, 5, 10; formulas are off in the figures."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    panel.set(**{f"{name}scale": "log"})
    axis = getattr(panel, f"{name}axis")
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def label_beside(panel: Any, labels: Sequence[Label], height_in: float, size: float = 6.5) -> None:
    """Put labels to the right of a panel whose limits and scales are set, from top to bottom as their points lie.

    Args:
        panel: axes.
        labels: in any order.
        height_in: of the panel, in inches.
        size: of the letters, in points.
    """
    to_axes = panel.transData + panel.transAxes.inverted()
    wanted = [float(to_axes.transform((label.x, label.y))[1]) for label in labels]
    places = spread(wanted, 1.35 * size / 72 / height_in, -0.02, 1.02)
    for label, place in zip(labels, places, strict=True):
        panel.annotate(
            label.text, xy=(label.x, label.y), xytext=(1.06, place), textcoords="axes fraction", fontsize=size,
            color=label.colour, va="center", fontweight="bold" if label.is_bold else "normal", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "linewidth": 0.4, "color": label.colour, "alpha": 0.6, "relpos": (0, 0.5),
                        "shrinkA": 1, "shrinkB": 3},
        )  # fmt: skip
