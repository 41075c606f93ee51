import pytest

from cluster_sim.reports.canvas import canvas


def drawn(folder, rows=2, columns=3):
    """What the two files hold."""
    folder.mkdir()
    with canvas(folder, "it", rows, columns, (4, 3), heights=(1, 2)) as (figure, axes):
        assert axes.shape == (rows, columns)
        assert figure.get_size_inches() == pytest.approx((4, 3))
        axes[0, 0].plot([1, 2], label="$a_b$")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_both_files_are_written_alike_each_time(tmp_path):
    first = drawn(tmp_path / "a")
    assert set(first) == {"it.png", "it.svg"}
    assert first == drawn(tmp_path / "b")


def test_a_figure_that_is_not_finished_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="no data"), canvas(tmp_path, "it", 1, 1, (4, 3)):
        raise ValueError("no data")
    assert not list(tmp_path.iterdir())
