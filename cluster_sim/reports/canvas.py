"""Figures for papers: panels in rows and columns, written as PNG and as SVG, the same bytes each time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def canvas(
    folder: Path, name: str, rows: int, columns: int, size_in: tuple[float, float],
    widths: Sequence[float] | None = None, heights: Sequence[float] | None = None, font_size: float = 8,
) -> Iterator[tuple[Any, Any]]:  # fmt: skip
    """A figure and its panels, by row and column; what was drawn inside is written at the end.

    Args:
        folder: where the files go.
        name: of the files, without ending.
        rows: of panels.
        columns: of panels.
        size_in: width and height of the figure, inches.
        widths: of columns, as proportions; None for equal ones.
        heights: of rows, likewise.
        font_size: points.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    with mpl.rc_context({"svg.hashsalt": "cluster_sim", "font.size": font_size, "text.parse_math": False}):
        figure, axes = plt.subplots(
            rows, columns, figsize=size_in, squeeze=False, layout="constrained", width_ratios=widths,
            height_ratios=heights,
        )  # fmt: skip
        yield figure, axes
        png, svg = files(folder, name)
        figure.savefig(png, dpi=130, metadata={"Software": None})
        figure.savefig(svg, metadata={"Date": None})
        plt.close(figure)


def files(folder: Path, name: str) -> tuple[Path, Path]:
    """``NAME.png`` and ``NAME.svg``."""
    return folder / f"{name}.png", folder / f"{name}.svg"
