"""Small made-up tables with closed-form results, and tables with mistakes."""

from math import sqrt

import pytest

from cluster_sim.backend import choose_backend
from cluster_sim.catalogue import entries, scale_up
from cluster_sim.core import ConfigError, OutputError
from cluster_sim.results import Run
from cluster_sim.studies import error_summary, verify
from cluster_sim.studies.measured import read_measurements
from cluster_sim.studies.nccl import Case, Machine, algorithms_of
from cluster_sim.studies.transfer import seconds_per_byte
from cluster_sim.studies.verify import place_of, stand_in

HEADER = (
    "row_id,accelerator,nodes,accelerators_per_node,nic_gbps_per_accelerator,scale_up,fabric,op,algorithm_hint,"
    "size_bytes,time_us,bus_gbytes_per_s,split,source"
)
GIB = 1 << 30
NUMPY = choose_backend("numpy")


def table(folder, *rows, header=HEADER, name="table.csv"):
    """A table with a line for each row."""
    path = folder / name
    path.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    return path


def line(
    row_id="a", accelerator="h100-sxm", nodes=1, per_node=8, nic="", scale_up="NVLink4 8-GPU", fabric="",
    op="all_gather", hint="", size=GIB, time_us=3000, bus="", split="test",
):  # fmt: skip
    cells = (
        row_id, accelerator, nodes, per_node, nic, scale_up, fabric, op, hint, size, time_us, bus, split, "here",
    )  # fmt: skip
    return ",".join(map(str, cells))


def verified(folder, *rows):
    """Rows of ``verify.arrow``."""
    return verify(table(folder, *rows), folder / "out").tables["verify"].to_pylist()


def figure(section, name, field):
    return entries(section)[name].figures[field].typical


def nvlink4(field):
    return figure("nccl scale-up", "nccl-nvlink4", field)


def step_s(protocol, field):
    return figure("nccl protocol", f"nccl-{protocol}", field)


# --- closed forms ---------------------------------------------------------------------------------------------------


def test_a_ring_in_one_server_is_launch_steps_and_bytes(tmp_path):
    """
    All-gather of 1 GiB among 8 H100: 7 steps, each rank sends 7/8 of it over 450 GB/s times the ring's share. Simple is
    the fastest protocol at this size.
    """
    (row,) = verified(tmp_path, line())
    sent_s = 7 / 8 * GIB / (450e9 * nvlink4("ring"))
    expected_s = nvlink4("launch") + 7 * step_s("simple", "ring_scale_up") * nvlink4("step") + sent_s
    assert row["predicted_s"] == pytest.approx(expected_s, rel=1e-9, abs=0)
    assert row["algorithm"] == "ring, simple"
    assert row["error_ratio"] == pytest.approx(expected_s / 3000e-6 - 1, rel=1e-9, abs=0)
    assert (row["note"], row["source_family"], row["num_ranks"], row["measured_s"]) == ("", "scale-up", 8, 3000e-6)


def test_a_small_ring_goes_over_ll_with_a_quarter_of_the_bandwidth(tmp_path):
    (row,) = verified(tmp_path, line(size=1024, time_us=10))
    sent_s = 4 * 7 / 8 * 1024 / (450e9 * nvlink4("ring"))
    expected_s = nvlink4("launch") + 7 * step_s("ll", "ring_scale_up") * nvlink4("step") + sent_s
    assert row["predicted_s"] == pytest.approx(expected_s, rel=1e-9, abs=0)
    assert row["algorithm"] == "ring, ll"


def test_a_ring_over_the_network_is_held_back_by_its_nics(tmp_path):
    """All-reduce on 4 x 8: 2 x 31 steps, 6 of them across; 2 x 31/32 of the buffer over 8 NICs of 50 GB/s."""
    (row,) = verified(tmp_path, line(nodes=4, nic=400, fabric="NDR InfiniBand", op="all_reduce", hint="Ring", size=GIB))
    net, rates = entries("nccl network")["nccl-infiniband"], entries("nccl rates")["nccl-infiniband-nvlink4"]
    sent_s = 62 / 32 * GIB / 8 / (50e9 * rates.ring.typical)
    inside_s = 56 * step_s("simple", "ring_scale_up") * nvlink4("step")
    across_s = 6 * step_s("simple", "ring_network") * net.ring_step.typical
    assert row["predicted_s"] == pytest.approx(nvlink4("launch") + inside_s + across_s + sent_s, rel=1e-9, abs=0)


@pytest.mark.parametrize(("nodes", "times"), [(2, 1), (3, 1.5), (8, 2), (16, 2)])
def test_a_tree_of_servers_sends_the_buffer_once_between_two_and_up_to_twice_between_more(nodes, times):
    """
    NVLSTree: a domain with two children in one tree and none in the other sends 3/2 + 1/2 of the buffer. Of three
    domains in a chain, the middle one has one child in each tree.
    """
    case = Case(Machine("h100-sxm", "nccl-nvlink4", "nccl-infiniband", nodes, 8, 50e9), "all_reduce", "in_network")
    assert 400e9 * seconds_per_byte(case, 1e9, 50e9, NUMPY) == pytest.approx(times, rel=1e-9, abs=0)


def test_in_network_reduction_sends_one_more_nth_and_has_to_be_filled(tmp_path):
    (row,) = verified(tmp_path, line(op="all_reduce", hint="NVLS", size=GIB))
    sent_s = 9 / 8 * GIB / (450e9 * nvlink4("in_network"))
    latency_s = step_s("in-network", "tree_scale_up") * nvlink4("in_network_steps")
    ramp_s = 2 * nvlink4("in_network_ramp") * sqrt(latency_s * sent_s)
    assert row["predicted_s"] == pytest.approx(nvlink4("launch") + latency_s + sent_s + ramp_s, rel=1e-9, abs=0)


def test_an_all_to_all_leaves_by_the_nic_what_is_not_for_the_own_server(tmp_path):
    """On 4 x 8: 24 of 32 parts cross the NIC; each peer costs its own latency."""
    (row,) = verified(tmp_path, line(nodes=4, nic=400, fabric="InfiniBand", op="alltoall"))
    net, rates = entries("nccl network")["nccl-infiniband"], entries("nccl rates")["nccl-infiniband-nvlink4"]
    sent_s = 24 / 32 * GIB / (50e9 * rates.pairs.typical)
    expected_s = nvlink4("launch") + 7 * nvlink4("peer") + 24 * net.peer.typical + sent_s
    assert row["predicted_s"] == pytest.approx(expected_s, rel=1e-9, abs=0)


@pytest.mark.parametrize(("nodes", "channels"), [(2, 2), (4, 2), (8, 1)])
def test_a_single_peer_gets_few_channels(tmp_path, nodes, channels):
    """Up to 32 ranks two, then one; both are slower than the NIC."""
    (row,) = verified(tmp_path, line(nodes=nodes, nic=400, fabric="InfiniBand", op="sendrecv"))
    rates = entries("nccl rates")["nccl-infiniband-nvlink4"]
    rest_s = nvlink4("launch") + entries("nccl network")["nccl-infiniband"].peer.typical
    assert row["predicted_s"] == pytest.approx(rest_s + GIB / (channels * rates.channel.typical), rel=1e-9, abs=0)


def test_a_rack_of_72_is_one_domain(tmp_path):
    one, two = verified(
        tmp_path, line("a", "gb200", 18, 4, scale_up="NVL72", size=16 * GIB),
        line("b", "gb200", 36, 4, 400, "NVL72", "NVLink5 NVL72 + IB between racks"),
    )  # fmt: skip
    link = entries("nccl scale-up")["nccl-nvlink5"]
    sent_s = 71 / 72 * 16 * GIB / (scale_up("nvlink5").bandwidth.typical * link.ring.typical)
    latency_s = 71 * step_s("simple", "ring_scale_up") * link.step.typical
    assert one["predicted_s"] == pytest.approx(link.launch.typical + latency_s + sent_s, rel=1e-9, abs=0)
    assert (one["source_family"], two["source_family"], two["num_ranks"]) == ("scale-up", "infiniband", 144)


def test_all_backends_predict_the_same(tmp_path, backend):
    case = Case(Machine("h100-sxm", "nccl-nvlink4", "nccl-efa", 3, 8, 50e9), "all_reduce", "tree")
    ratio = seconds_per_byte(case, 0.7, 4e10, backend) / seconds_per_byte(case, 0.7, 4e10, NUMPY)
    assert ratio == pytest.approx(1, rel=1e-9, abs=0)


# --- which algorithm ------------------------------------------------------------------------------------------------

INSIDE = Machine("h100-sxm", "nccl-nvlink4", "", 1, 8, 0.0)
ACROSS = Machine("h100-sxm", "nccl-nvlink4", "nccl-infiniband", 4, 8, 50e9)
NO_SWITCH = Machine("h100-sxm", "nccl-nvlink4-direct", "", 1, 4, 0.0)


@pytest.mark.parametrize(
    ("machine", "hint", "expected"),
    [
        (INSIDE, "", ("ring", "tree", "in_network")), (NO_SWITCH, "", ("ring", "tree")),
        (INSIDE, "default (NVLS at large sizes)", ("ring", "tree", "in_network")), (INSIDE, "Ring", ("ring",)),
        (INSIDE, "NCCL_NVLS_ENABLE=0", ("ring", "tree")), (ACROSS, "NVLSTree forced", ("in_network",)),
        (ACROSS, "Tree", ("tree",)), (ACROSS, "CollNetDirect", ("fabric_reduction",)),
        (ACROSS, "IB SHARP enabled manifest", ("ring", "tree", "in_network", "fabric_reduction")),
        (NO_SWITCH, "NVLS", ("ring", "tree")), (INSIDE, "CollNetChain", ("ring", "tree", "in_network")),
    ],
)  # fmt: skip
def test_a_hint_decides_and_nothing_leaves_the_choice(machine, hint, expected):
    assert algorithms_of("all_reduce", machine, hint) == expected


def test_the_fastest_is_never_slower_than_a_named_one(tmp_path):
    sizes = [1 << power for power in range(10, 34, 3)]
    hints = ("", "Ring", "Tree", "NVLS")
    rows = verified(
        tmp_path, *(line(f"{h}{s}", op="all_reduce", hint=h, size=s, nodes=2, nic=400, fabric="IB")
                    for s in sizes for h in hints),
    )  # fmt: skip
    for first in range(0, len(rows), len(hints)):
        auto, *named = (row["predicted_s"] for row in rows[first : first + len(hints)])
        assert auto == min(named)


# --- nothing is lost ------------------------------------------------------------------------------------------------


def test_every_row_comes_out_in_its_order_and_says_why_it_could_not_be_simulated(tmp_path):
    rows = verified(
        tmp_path, line("z", nodes=2, fabric="InfiniBand"), line("y", "mi300x"), line("x"),
        line("w", nodes=2, nic=400, fabric="carrier pigeons"), line("v", nodes=2, nic=400, fabric="RoCE"),
        line("u", size="", time_us="", bus=360), line("t", "h800-sxm"), line("s", nodes=2, nic=400),
    )  # fmt: skip
    assert [row["row_id"] for row in rows] == list("zyxwvuts")
    missing = {row["row_id"]: row["note"] for row in rows if row["predicted_s"] is None}
    assert set(missing) == set("zywts")
    assert missing["z"] == "nic_gbps_per_accelerator is empty"
    assert missing["y"].startswith("mi300x: xGMI")
    assert "carrier pigeons" in missing["w"]
    assert all(row["algorithm"] is row["error_ratio"] is None for row in rows if row["predicted_s"] is None)
    others = {row["row_id"]: row for row in rows if row["predicted_s"] is not None}
    assert "figures of nccl-infiniband-nvlink4" in others["v"]["note"]
    assert others["u"]["note"] == "no size given: compared at 8 GiB"
    assert others["u"]["measured_s"] == pytest.approx(8 * GIB * 7 / 8 / 360e9)


def test_a_table_in_which_nothing_can_be_simulated_is_still_a_result(tmp_path):
    (row,) = verified(tmp_path, line(accelerator="mi300x"))
    assert row["predicted_s"] is None


@pytest.mark.parametrize(
    ("fabric", "family"),
    [
        ("NDR InfiniBand 8x400G per node", "infiniband"), ("EFAv4 8x400G per node", "efa"), ("Roce", "roce"),
        ("GPUDirect-TCPXO 8x200G per node", "tcpxo"), ("Slingshot-11 4x200G per node", "slingshot"),
        ("8x CX7 400G per node", "connectx"), ("NVLink5 NVL72 + IB between racks", "infiniband"),
        ("fibre", "fibre"), ("", "not named"),
    ],
)  # fmt: skip
def test_a_network_is_known_by_its_words(tmp_path, fabric, family):
    (row,) = read_measurements(table(tmp_path, line(nodes=2, nic=400, fabric=fabric)))
    assert place_of(row).family == family


@pytest.mark.parametrize("links", ["nvlink3", "nvlink4", "nvlink4-direct", "nvlink5"])
@pytest.mark.parametrize("network", ["tcpxo", "efa", "slingshot", "roce", "infiniband", "connectx"])
def test_something_stands_in_for_every_pair_of_network_and_links(network, links):
    assert stand_in(f"nccl-{network}-{links}") in entries("nccl rates")
    assert stand_in(f"nccl-{network}") in entries("nccl network")


def test_the_summary_keeps_splits_and_sizes_apart():
    """Errors of 10 %, -30 % and 20 %: mean 20 %, median 20 %, worst 30 %."""
    rows = [
        {"split": split, "size_bytes": size, "op": "x", "error_ratio": error}
        for split, size, error in (
            ("test", 16 << 20, 0.1), ("test", GIB, -0.3), ("test", GIB, 0.2), ("test", (16 << 20) - 1, 9.0),
            ("calibrate", GIB, 8.0), ("test", GIB, None),
        )
    ]  # fmt: skip
    groups = {(group["split"], group["is_large"]): group for group in error_summary(rows, "op")}
    assert {key: group["num"] for key, group in groups.items()} == {
        ("calibrate", True): 1, ("test", True): 3, ("test", False): 1,
    }  # fmt: skip
    large = groups["test", True]
    assert [large[f"{name}_ratio"] for name in ("mean", "median", "worst")] == pytest.approx([0.2, 0.2, 0.3])
    assert large["op"] == "x"


def test_the_file_has_units_and_a_manifest(tmp_path):
    done = verify(table(tmp_path, line()), tmp_path / "out")
    opened = Run.open(done.folder).tables["verify"]
    assert opened.schema.field("measured_s").metadata[b"unit"] == b"s"
    promised = (
        "row_id", "accelerator", "source_family", "split", "measured_s", "predicted_s", "error_ratio", "note",
    )  # fmt: skip
    assert set(promised) <= set(opened.column_names)
    assert done.manifest["table"] == "table.csv"
    assert done.manifest["num_rows"] == {"verify": 1}


# --- mistakes -------------------------------------------------------------------------------------------------------


def mistakes(path):
    with pytest.raises(ConfigError) as caught:
        read_measurements(path)
    return [problem.removeprefix(f"{path}:") for problem in caught.value.problems]


def test_all_mistakes_are_told_at_once_with_their_lines(tmp_path):
    found = mistakes(table(
        tmp_path, line("a", accelerator="h100-smx"), line("b", nodes="two"), line("c", size="1 GiB", time_us=-3),
        line("d", op="all_reduse"), line("e", split="train"), line("f", nic="inf"), line("", nodes=1, per_node=1),
        line("g", time_us=""), "h,too,few", line("i"), line("i"),
    ))  # fmt: skip
    expected = [
        "2: accelerator: 'h100-smx' is not known; did you mean 'h100-sxm'?", "3: nodes: expected a whole number",
        "4: size_bytes: expected a finite number", "4: time_us: expected a finite number above 0",
        "5: op: 'all_reduse' is not known; did you mean 'all_reduce'?", "6: split: 'train' is not known",
        "7: nic_gbps_per_accelerator: expected a finite number", "8: nodes, accelerators_per_node: one accelerator",
        "8: row_id: is empty", "9: time_us: empty; only a row", "10: 3 cells, but 14 columns",
        "12: row_id: 'i' is the name of line 11, too",
    ]  # fmt: skip
    assert len(found) == len(expected)
    for problem, begin in zip(found, expected, strict=True):
        assert problem.startswith(begin)


def test_missing_columns_are_all_told(tmp_path):
    found = mistakes(table(tmp_path, "1", header="row_id,accelerator,nodes,timeus"))
    assert len(found) == 8
    assert all(problem.startswith("1: column '") for problem in found)
    assert any("'time_us' is missing; did you mean 'timeus'?" in problem for problem in found)


def test_a_table_of_training_steps_is_told_apart(tmp_path):
    (found,) = mistakes(table(tmp_path, "a,1.0", header="row_id,step_time_s"))
    assert "training steps" in found
    assert "read_steps" in found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", "the file is empty"), (b"\n\n", "the file is empty"), (HEADER.encode() + b"\n", "holds no rows"),
        (b"\xff\xfe", "is not UTF-8"), (HEADER.encode() + b",op\n", "'op' is there twice"),
        (HEADER.encode() + b'\n"' + b"x" * 200000, "not CSV"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_table_is_refused(tmp_path, text, expected):
    path = tmp_path / "bad.csv"
    path.write_bytes(text)
    assert expected in "\n".join(mistakes(path))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    assert "cannot be read" in mistakes(tmp_path / "none.csv")[0]


def test_many_mistakes_are_counted(tmp_path):
    found = mistakes(table(tmp_path, *(line(f"r{number}", nodes=0) for number in range(30))))
    assert len(found) == 21
    assert found[-1].endswith("and 10 more mistakes")


def test_quoted_cells_over_several_lines_do_not_shift_the_lines_of_mistakes(tmp_path):
    quoted = line("a").removesuffix("here") + '"two\nlines"'
    (found,) = mistakes(table(tmp_path, quoted, line("b", nodes=0)))
    assert found.startswith("4: nodes")


def test_an_output_that_is_not_empty_is_refused_before_the_table_is_read(tmp_path):
    with pytest.raises(OutputError, match="not empty"):
        verify(table(tmp_path, "nonsense"), tmp_path)


def test_a_mistake_leaves_no_folder(tmp_path):
    with pytest.raises(ConfigError):
        verify(table(tmp_path, line(nodes=0)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("nodes", "per_node", "operation"), [(8200, 8, "all_reduce"), (1, 100_000, "all_gather"), (512, 8, "alltoall")]
)
def test_a_row_of_too_many_ranks_is_noted_and_the_others_are_simulated(tmp_path, nodes, per_node, operation):
    """64-port switches join 65,536 accelerators, and an all-to-all has a flow for each pair."""
    network = {"nic": 400, "fabric": "InfiniBand NDR"}
    rows = verified(tmp_path, line("a"), line("b", nodes=nodes, per_node=per_node, op=operation, **network))
    assert rows[0]["predicted_s"] > 0
    assert rows[1]["predicted_s"] is None
    assert f"{operation} of {nodes * per_node} ranks; at most" in rows[1]["note"]


def test_a_count_that_cannot_be_read_is_not_taken_for_one(tmp_path):
    with pytest.raises(ConfigError) as caught:
        read_measurements(table(tmp_path, line(nodes=1, per_node="x")))
    assert len(caught.value.problems) == 1
