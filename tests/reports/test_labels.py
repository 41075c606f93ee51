"""Labels beside a panel: none over another, each as near to its point as that allows."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster_sim.reports.labels import Label, label_beside, spread


def test_places_that_are_apart_stay():
    assert spread([0.5, 0.1, 0.9], 0.2, 0.0, 1.0) == [0.5, 0.1, 0.9]


def test_places_that_are_too_close_share_the_move():
    """Two that want 0.5 with 0.2 between them: 0.4 and 0.6. A third one at 0.7 is pushed, and pushes back."""
    assert spread([0.5, 0.5], 0.2, 0.0, 1.0) == pytest.approx([0.4, 0.6])
    assert spread([0.5, 0.5, 0.7], 0.2, 0.0, 1.0) == pytest.approx([1.1 / 3, 1.7 / 3, 2.3 / 3])


def test_bounds_hold():
    assert spread([0.0, 0.0, 0.0], 0.1, 0.0, 1.0) == pytest.approx([0.0, 0.1, 0.2])
    assert spread([1.0, 1.0], 0.1, 0.0, 1.0) == pytest.approx([0.9, 1.0])


def test_more_than_there_is_room_for_is_spread_evenly():
    assert spread([0.5] * 5, 1.0, 0.0, 1.0) == pytest.approx([0.0, 0.25, 0.5, 0.75, 1.0])
    assert spread([], 1.0, 0.0, 1.0) == []


@given(st.lists(st.floats(0, 1), max_size=20), st.floats(0.001, 0.05))
def test_none_is_over_another_and_their_order_stays(wanted, gap):
    places = spread(wanted, gap, 0.0, 1.0)
    ordered = [place for _, place in sorted(zip(wanted, places, strict=True))]
    assert all(after - before >= gap * (1 - 1e-9) for before, after in pairwise(ordered))
    assert all(-1e-12 <= place <= 1 + 1e-12 for place in places)


def test_labels_in_a_picture_do_not_overlap():
    """Eighteen labels of one point, measured as they are drawn."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.text import Text

    figure, panel = plt.subplots(figsize=(6, 3), dpi=100)
    panel.plot([0, 1], [0, 1])
    label_beside(panel, [Label(f"label {number}", 0.5, 0.5, "#000000") for number in range(18)], 3 * 0.77)
    figure.canvas.draw()
    extents = [Text.get_window_extent(label) for label in panel.texts]  # without the lines to their points
    boxes = sorted((extent.y0, extent.y1) for extent in extents)
    plt.close(figure)
    assert len(boxes) == 18
    assert all(before[1] <= after[0] for before, after in pairwise(boxes))
