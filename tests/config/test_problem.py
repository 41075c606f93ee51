from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster_sim.config import read_problem
from cluster_sim.core import ConfigError


@pytest.fixture
def read(tmp_path):
    def of(text: str):
        path = tmp_path / "problem.txt"
        path.write_text(text)
        return read_problem(path)

    return of


@pytest.fixture
def refused(read):
    def of(text: str) -> list[str]:
        """The complaints, without the folder."""
        with pytest.raises(ConfigError) as caught:
            read(text)
        return [problem.rpartition("/")[2] for problem in caught.value.problems]

    return of


def test_a_problem_is_read(read):
    """Two links, two flows; the second starts at 0.5, crosses both links, and loads the second by half its rate."""
    problem = read("2 2\n10 1e-3\n20 2e-3\n0 100 1 0\n0.5 5e1 2 0 1:0.5\n")
    assert problem.capacity_bytes_per_s.tolist() == [10.0, 20.0]
    assert problem.start_s.tolist() == [0.0, 0.5]
    assert problem.size_bytes.tolist() == [100.0, 50.0]
    assert problem.latency_s.tolist() == [1e-3, 3e-3]
    assert problem.hop_link.tolist() == [0, 0, 1]
    assert problem.hop_weight.tolist() == [1.0, 1.0, 0.5]
    assert problem.hop_starts.tolist() == [0, 1, 3]


def test_blank_lines_and_spaces_do_not_count(read):
    problem = read("\n 1  1 \n\n10\t0\n\n\n0 7 1 0")
    assert (problem.size_bytes.tolist(), problem.hop_link.tolist()) == ([7.0], [0])


def test_a_flow_may_cross_nothing(read):
    problem = read("1 1\n10 0\n2 7 0\n")
    assert problem.hop_starts.tolist() == [0, 0]
    assert problem.latency_s.tolist() == [0.0]


def test_a_link_named_twice_carries_the_flow_twice(read):
    """Weights add up; the latency counts as often as the link is crossed."""
    problem = read("2 2\n10 1\n10 2\n0 7 3 1 0 1:0.5\n0 7 1 0\n")
    assert problem.hop_link.tolist() == [1, 0, 0]
    assert problem.hop_weight.tolist() == [1.5, 1.0, 1.0]
    assert problem.latency_s.tolist() == [5.0, 1.0]


def test_no_flows_and_no_links(read):
    assert len(read("0 0\n")) == 0
    assert len(read("1 0\n5 0\n")) == 0


@given(
    flows=st.lists(
        st.tuples(
            st.floats(0, 10),
            st.floats(0, 1e12),
            st.dictionaries(st.integers(0, 4), st.floats(1e-3, 1e3), max_size=4),
        ),
        max_size=8,
    )
)
def test_what_is_written_is_read(tmp_path_factory, flows):
    """repr of a float is exact, so nothing may be lost."""
    lines = [f"5 {len(flows)}", *(f"{k + 0.5} {k / 8}" for k in range(5))]
    for start_s, size, hops in flows:
        words = [f"{link}:{weight}" if weight != 1 else f"{link}" for link, weight in hops.items()]
        lines.append(" ".join([repr(start_s), repr(size), str(len(hops)), *words]))
    path = tmp_path_factory.mktemp("problem") / "p.txt"
    path.write_text("\n".join(lines))
    problem = read_problem(path)
    assert problem.start_s.tolist() == [start_s for start_s, _, _ in flows]
    assert problem.size_bytes.tolist() == [size for _, size, _ in flows]
    assert problem.hop_link.tolist() == [link for _, _, hops in flows for link in hops]
    assert problem.hop_weight.tolist() == [weight for _, _, hops in flows for weight in hops.values()]
    expected = [sum(link / 8 for link in hops) for _, _, hops in flows]
    np.testing.assert_allclose(problem.latency_s, expected, rtol=1e-15)


@pytest.mark.parametrize("text", ["", "\n\n", "2\n", "a b\n", "1 -1\n", "1.5 1\n", "1 1 1\n", "nan 1\n", "1:2 0\n"])
def test_the_first_line_says_how_many(refused, text):
    (problem,) = refused(text)
    assert problem.startswith("problem.txt:1: expected 'n_links n_flows', two whole numbers")


def test_a_file_that_ends_too_early_is_refused(refused):
    """Cut off in the middle, as by a full disk: nothing is simulated."""
    assert refused("1 2\n10 0\n0 7 1 0\n") == [
        "problem.txt:1: the first line announces 1 links and 2 flows, 3 lines, but 2 follow; correct one or the other"
    ]


def test_every_mistake_is_told_with_its_line(refused):
    problems = refused("2 5\n10 0 0\n-1 0\n0 7 2 0\n0 x 1 0\n0 7\n1 7 1:2 0\ninf 7 1 0\n")
    assert problems == [
        "problem.txt:2: expected 'capacity_bytes_per_s latency_s', two numbers",
        "problem.txt:3: expected finite numbers that are not negative",
        "problem.txt:4: k says 2 links, but 1 follow; expected 'start_time_s size_bytes k link_0 ... link_k-1'",
        "problem.txt:5: expected finite numbers that are not negative",
        "problem.txt:6: expected 'start_time_s size_bytes k link_0 ... link_k-1'",
        "problem.txt:7: expected a colon only between a link and its weight",
        "problem.txt:8: expected finite numbers that are not negative",
    ]


def test_links_and_weights_that_do_not_exist(refused):
    assert refused("2 5\n1 0\n1 0\n0 7 1 2\n0 7 1 0.5\n0 7 1 1:0\n0 7 1 1:nan\n0 7 1 1:1:1\n") == [
        "problem.txt:4: expected links from 0 to 1; number them as their lines above",
        "problem.txt:5: expected links from 0 to 1; number them as their lines above",
        "problem.txt:6: expected link:weight with a weight above 0",
        "problem.txt:7: expected link:weight with a weight above 0",
        "problem.txt:8: expected link:weight with a weight above 0",
    ]


def test_many_mistakes_are_counted(refused):
    problems = refused("1 100\n10 0\n" + "0 7 1 1\n" * 100)
    assert len(problems) == 21
    assert problems[-1] == "problem.txt: and 80 more lines like these"


@pytest.mark.parametrize("text", [b"\xff\xfe\x00\x01", b"1 1\n10 0\n0 7 1 \x00\n", b"1 1\n1_0 0\n0 7 1 0\n"])
def test_rubbish_is_refused(tmp_path, text):
    path = tmp_path / "problem.txt"
    path.write_bytes(text)
    with pytest.raises(ConfigError, match=r"problem\.txt:\d"):
        read_problem(path)


def test_a_file_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match=r"nowhere\.txt: cannot be read"):
        read_problem(Path("nowhere.txt"))
