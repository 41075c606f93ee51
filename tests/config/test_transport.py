import pytest

from cluster_sim.config import read_transport
from cluster_sim.core import ConfigError, UnknownNameError
from cluster_sim.engine import TRANSPORTS


@pytest.fixture
def refused(tmp_path):
    def of(text: str) -> list[str]:
        """The complaints, without the folder."""
        path = tmp_path / "t.yaml"
        path.write_text(text)
        with pytest.raises(ConfigError) as caught:
            read_transport(str(path))
        return [problem.rpartition("/")[2] for problem in caught.value.problems]

    return of


@pytest.mark.parametrize("name", list(TRANSPORTS))
def test_a_name_is_the_registered_transport(name):
    assert read_transport(name) == TRANSPORTS[name]()


def test_a_file_changes_values_of_a_named_one(tmp_path):
    path = tmp_path / "t.yml"
    path.write_text("kind: eqds_spray\npacket: 9 kB\nwindow_packets: 50\n")
    read = read_transport(str(path))
    assert read == TRANSPORTS["eqds_spray"](packet_bytes=9000.0, window_packets=50)
    assert read.header_bytes == 64


def test_mistakes_are_told_with_their_lines(refused):
    known = "known: custom, eqds_single_path, eqds_spray, hpcc"
    assert refused("kind: hpc\n") == [f"t.yaml:1: kind: unknown transport 'hpc'; did you mean 'hpcc'? ({known})"]
    assert refused("packet: 4 kB\n")[0].startswith("t.yaml:1: kind: expected 'kind: NAME' with one of custom, eqds")
    problems = refused("kind: hpcc\npacket: 4000\nutilisation: 1.5\n")
    assert problems == [
        "t.yaml:2: packet: 4000 has no unit; write e.g. '1 GiB'",
        "t.yaml:3: utilisation: input should be less than or equal to 1; got 1.5",
    ]
    assert "carries nothing; expected header < packet" in refused("kind: hpcc\nheader: 1 MB\n")[0]


@pytest.mark.parametrize("name", ["", "eqds", "problem.txt"])
def test_an_unknown_name_lists_what_there_is(name):
    with pytest.raises(UnknownNameError, match="known: custom, eqds_single_path, eqds_spray, hpcc"):
        read_transport(name)
