"""Fair rates, and fair rates with a transport, against packets: the bounds and the runs of htsim.

Sources: shared/data/packet_level (README there): upper bounds that the authors of csg-htsim and uet-htsim assert for
their own transports, and completion times of runs of csg-htsim. The paths of packets are known for some of the runs
with one path per flow; where they are not, our own hash chooses, and the median over KEYS is compared.
"""

from functools import cache

import numpy as np
import pytest

from cluster_sim.backend import choose_backend
from cluster_sim.engine import TRANSPORTS, run_problem
from tests.verification.htsim import (
    PACKET_LEVEL,
    Matrix,
    Tree,
    hashed,
    matrix_of,
    read_matrix,
    recorded,
    rows,
    sprayed,
    sprayed_past_slow_links,
)

BOUNDS, MEASURED = rows("bounds.csv"), rows("measured.csv")
KEYS = range(1, 6)
ABSENT = pytest.param(None, marks=pytest.mark.skip(reason=f"no folder {'/'.join(PACKET_LEVEL.parts[-3:])}"))

#: csg-htsim's default window, and 0.22 of its default buffer of 35 packets (main_eqds.cpp).
EQDS_BY_DEFAULT = TRANSPORTS["eqds_spray"](window_packets=50, queue_packets=7.7)

#: (case, paths, transport) of the runs that a value of a transport was fitted to; all others are only scored.
FITTED = {
    *((f"perm_{hosts}_{size}", "64", "EQDS") for hosts in (128, 1024) for size in (2000000, 16000000)),
    *((f"perm_128_{size}", "1", "EQDS") for size in (2000000, 16000000)),
    ("perm_128_2000000", "1", "HPCC"),
}
#: Bounds that no schedule meets: whichever core link is slow, 4 flows enter and leave the pod over 3.1 links' worth.
CUT_US = {"htsim-bound-54": 160 * 4 / 3.1 + 6, "htsim-bound-70": 160 * 4 / 3.1 + 6}
#: What no shift of fair rates gives.
BEYOND = {
    ("a2arand64_128_1000000", "1", "EQDS"): "54 % of the packets go twice, and take the senders' links from others"
}


def key_of(row):
    return row["case"], row["paths"], row["transport"].split(",")[0]


@pytest.fixture(scope="module")
def told():
    """Lines of the table that is printed when all is done, by section."""
    lines = {}
    yield lines
    for title, section in lines.items():
        print(f"\n\n{title}\n" + "\n".join(section))


@cache
def finish_us(problem, transport=None):
    """float64[F]."""
    carried = problem if transport is None else transport.carry(problem)
    return run_problem(carried, choose_backend("numba")).finish_s * 1e6


# Bounds -----------------------------------------------------------------------------------------------------------


@cache
def posed(file, hosts, gbps, topology, paths, oversubscription, num_slow):
    """The problems that a row describes, and its matrix: one problem, or one for each key."""
    matrix = read_matrix(file)
    if matrix is None:
        return None, ()
    if topology.startswith("leaf_spine"):
        tree = Tree.leaf_spine(hosts, 32, 32 // oversubscription, gbps)
    else:
        tree = Tree.fat_tree(hosts, gbps)
    if paths == "1":
        return matrix, tuple(hashed(tree, matrix, key) for key in KEYS)
    if num_slow:
        return matrix, (sprayed_past_slow_links(tree, matrix, num_slow),)
    return matrix, (sprayed(tree, matrix),)


@pytest.mark.parametrize("row", BOUNDS or [ABSENT], ids=lambda row: row and row["case_id"])
def test_fair_rates_lie_between_line_rate_and_the_bound_of_packets(row, told):
    """
    Sprayed, or one path per flow: the packets must be done by the bound, fair rates may not take longer, and nobody is
    faster than the payload at line rate (of the busiest host; of its own bytes where one flow is named).
    """
    table = told.setdefault("fair rates over the bounds of htsim", [BOUNDS_HEAD])
    hosts, num_slow = int(row["hosts"] or 0), int(row["failures"].split()[0]) if row["failures"] else 0
    matrix, problems = posed(
        row["matrix_file"], hosts, float(row["link_gbps"]), row["topology"], row["routing_paths"],
        int(row["oversubscription"]), num_slow,
    )  # fmt: skip
    if matrix is None:
        table.append(f"{row['case_id']:15s} {row['matrix_file']:31s} skipped: the matrix is not shipped")
        pytest.skip(f"{row['matrix_file']} is not shipped")
    chosen, least_us = np.arange(len(matrix.src)), float(row["payload_line_rate_us"])
    if row["metric"].startswith("flow "):
        src, dst = map(int, row["metric"].removeprefix("flow ").split("->"))
        chosen = np.flatnonzero((matrix.src == src) & (matrix.dst == dst))
        least_us = matrix.size_bytes[chosen].max() * 8e-3 / float(row["link_gbps"])
    bound_us = float(row["bound_us"])
    plain = [finish_us(problem)[chosen].max() for problem in problems]
    is_eqds = row["transport"].startswith("EQDS") and row["routing_paths"] != "1"
    model = f"{finish_us(problems[0], EQDS_BY_DEFAULT)[chosen].max() / bound_us:6.3f}" if is_eqds else "     -"
    note = "no schedule meets it" if row["case_id"] in CUT_US else ""
    spread = f"{min(plain) / bound_us:.3f} to {max(plain) / bound_us:.3f}" if len(plain) > 1 else note
    table.append(
        f"{row['case_id']:15s} {row['matrix_file']:31s} {row['metric']:11s} {_what(row):28s} {bound_us:7.0f} "
        f"{least_us:8.1f} {np.median(plain):8.1f} {np.median(plain) / bound_us:6.3f} {model}  {spread}"
    )
    assert least_us * (1 - 1e-9) <= min(plain)
    if row["case_id"] in CUT_US:
        assert (matrix.src // 4 != matrix.dst // 4).all()
    assert np.median(plain) <= CUT_US.get(row["case_id"], bound_us) * (1 + 1e-9)


BOUNDS_HEAD = (
    f"{'':15s} {'':31s} {'':11s} {'':28s} {'bound':>7s} {'payload':>8s} {'fair':>8s} {'over':>6s} {'EQDS':>6s}  "
    "one path: over keys\n"
    f"{'case':15s} {'matrix':31s} {'metric':11s} {'routing':28s} {'us':>7s} {'us':>8s} {'us':>8s} {'bound':>6s} "
    f"{'model':>6s}  least to most"
)


def _what(row):
    routing = "one path" if row["routing_paths"] == "1" else row["load_balancing"] or "sprayed"
    over = f", {row['oversubscription']}:1" if row["oversubscription"] != "1" else ""
    return routing + over + (f", {row['failures'].split()[0]} slow core links" if row["failures"] else "")


@pytest.mark.skipif(not BOUNDS, reason="no data beside the checkout")
def test_only_rows_without_matrix_are_left_out(told):
    left_out = [row["matrix_file"] for row in BOUNDS if read_matrix(row["matrix_file"]) is None]
    told["rows of bounds.csv"] = [
        f"{len(BOUNDS)} rows, {len(BOUNDS) - len(left_out)} simulated, {len(left_out)} skipped, their matrix is not "
        f"shipped: " + ", ".join(f"{name} ({left_out.count(name)})" for name in sorted(set(left_out)))
    ]
    assert len(left_out) <= 16


# Runs -------------------------------------------------------------------------------------------------------------


@cache
def ran(case, paths, transport, hosts, gbps, num_flows, size):
    """(whose paths, problems) of a run."""
    flows = rows(f"flows/{'hpcc_' if transport == 'HPCC' else ''}{case}.csv")
    tree, is_theirs = Tree.fat_tree(hosts, gbps), transport != "NDP" and bool(flows) and flows[0]["single_path_links"]
    matrix = matrix_of(flows) if flows else _permutation(num_flows, size)
    if paths != "1":
        return "all" if flows else "all, own pairs", (sprayed(tree, matrix),)
    if is_theirs:
        return "recorded", (recorded(flows, gbps),)
    return "own hash", tuple(hashed(tree, matrix, key) for key in KEYS)


def _permutation(hosts, size):
    """Pairs that are not recorded: every host sends one flow and receives one, in a random ring."""
    ring = np.random.default_rng(1).permutation(hosts)
    return Matrix(ring, np.roll(ring, 1), np.full(hosts, float(size)))


def simulated(row):
    """(whose paths, us and us with the transport: per problem the times of all flows)."""
    case, paths, transport = key_of(row)
    numbers = (int(row["hosts"]), float(row["link_gbps"]), int(row["flows"]), float(row["flow_bytes"]))
    whose, problems = ran(case, paths, transport, *numbers)
    return whose, *([finish_us(problem, model) for problem in problems] for model in (None, transport_of(row)))


def transport_of(row):
    """NDP runs with EQDS's values: of the same family, and none of its runs had a say in them."""
    if row["transport"].startswith("HPCC"):
        return TRANSPORTS["hpcc"]()
    return TRANSPORTS["eqds_single_path" if row["paths"] == "1" else "eqds_spray"]()


def over(times_us, row, column="mean_us"):
    """Simulated over measured: the median over the keys."""
    of = {"mean_us": np.mean, "p99_us": lambda times: np.percentile(times, 99), "max_us": np.max}[column]
    return float(np.median([of(times) for times in times_us])) / float(row[column])


@pytest.mark.parametrize("row", MEASURED or [ABSENT], ids=lambda row: row and "-".join(key_of(row)))
def test_a_transport_brings_means_to_those_of_packets(row, told):
    """Sprayed within 5 %, one path per flow within 10 %; fair rates alone are never above the packets' mean."""
    whose, plain, model = simulated(row)
    table = told.setdefault("simulated over measured completion times of htsim", [RUNS_HEAD])
    note = "fitted to" if key_of(row) in FITTED else BEYOND.get(key_of(row), "")
    columns = ("mean_us", "p99_us", "max_us")
    ratios = [over(times, row, column) for times in (plain, model) for column in columns]
    case, paths, transport = key_of(row)
    table.append(
        f"{case:23s} {transport:5s} {'one path' if paths == '1' else 'sprayed':9s} {whose:15s} "
        f"{float(row['mean_us']):8.1f}  " + " ".join(f"{ratio:6.3f}" for ratio in ratios) + f"  {note}"
    )
    assert ratios[0] <= 1
    if key_of(row) in BEYOND:
        assert ratios[3] < 0.9
    else:
        assert ratios[3] == pytest.approx(1, abs=0.1 if paths == "1" else 0.05)


RUNS_HEAD = (
    f"{'':23s} {'':5s} {'':9s} {'':15s} {'measured':>8s}  {'fair rates':^20s} {'with transport':^20s}\n"
    f"{'case':23s} {'':5s} {'routing':9s} {'paths':15s} {'mean us':>8s}  "
    + f"{'mean':>6s} {'p99':>6s} {'max':>6s} "
    * 2
)


@pytest.mark.skipif(not MEASURED, reason="no data beside the checkout")
@pytest.mark.parametrize(
    ("paths", "transport", "name", "less", "more"),
    [
        ("64", "EQDS", "queue_packets", 20, 24), ("1", "EQDS", "utilisation_ratio", 0.91, 0.95),
        ("1", "HPCC", "startup_round_trips", 1, 3),
    ],
)  # fmt: skip
def test_fitted_values_are_the_best_of_what_they_were_fitted_to(paths, transport, name, less, more):
    """Mean square error of the means; the other runs had no say."""

    def error(**values):
        errors = []
        for row in MEASURED:
            if key_of(row) in FITTED and key_of(row)[1:] == (paths, transport):
                model = type(transport_of(row))(**values)
                numbers = (int(row["hosts"]), float(row["link_gbps"]), int(row["flows"]), float(row["flow_bytes"]))
                times = [finish_us(problem, model) for problem in ran(*key_of(row), *numbers)[1]]
                errors.append(over(times, row) - 1)
        assert errors
        return np.mean(np.square(errors))

    assert error() < min(error(**{name: less}), error(**{name: more}), 0.025**2)
