"""Published tables of nccl-tests against simulated collectives. Rows of the split "test" have set no parameter.

What is reached, and why not more, where it is above the target of 10 % for 16 MiB and more or 25 % below:

- GH200 over Slingshot, all-reduce: the same machine takes 1.5 ms for 1 MiB on 4 nodes and 0.2 ms for 2 MiB, and with
  another NIC setting 1 s instead of 0.1 s for 4 GiB on 256: NCCL chooses badly there, and no model of what is best
  follows it. Trees on two nodes are off by as much, since those to calibrate with have four and more.
- A100 over Slingshot, 256 nodes: no row to calibrate with has more than 32 GPUs of the 1024.
- GB200, NVLS among 72: no all-reduce among more than 8 of that generation is there to calibrate with.
- 10 nodes of 8 H100, rings: slower in each step than with one or two GPUs per node in the same cluster, which is all
  there is of InfiniBand to calibrate rings with.
- B200, sendrecv on 16 nodes: in one system the rate halves once more beyond 64 ranks, in another it does not.
- One process for 8 H100: 35 us to launch instead of 8 to 15; left out of the fit below 16 MiB, counted here.
"""

import math
from pathlib import Path

import pytest
from rich.console import Console

from cluster_sim.backend import choose_backend
from cluster_sim.catalogue import entries
from cluster_sim.reports import errors
from cluster_sim.studies import calibrate, error_summary, verify
from cluster_sim.studies.measured import read_measurements

TABLE = Path(__file__).parents[3] / "shared" / "data" / "measured" / "collectives.csv"

pytestmark = pytest.mark.skipif(not TABLE.is_file(), reason="no table shared/data/measured/collectives.csv")

#: Largest median absolute error, by split and whether the size is 16 MiB or more: what is reached, and a little.
REACHED = {("test", True): 0.09, ("test", False): 0.22, ("calibrate", True): 0.05, ("calibrate", False): 0.20}
#: The same for the rows to test with, by operation.
REACHED_BY_OPERATION = {
    ("all_gather", True): 0.10, ("all_reduce", True): 0.10, ("alltoall", True): 0.08, ("reduce_scatter", True): 0.12,
    ("sendrecv", True): 0.22, ("all_gather", False): 0.40, ("all_reduce", False): 0.22, ("alltoall", False): 0.21,
    ("sendrecv", False): 0.25,
}  # fmt: skip


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return verify(TABLE, tmp_path_factory.mktemp("verify") / "out")


@pytest.fixture(scope="module")
def rows(done):
    return done.tables["verify"].to_pylist()


def test_the_errors_of_all_rows_are_what_was_reached(rows):
    groups = [(what, error_summary(rows, *by)) for what, by in (
        ("everything", ()), ("operation", ("operation",)), ("accelerator, family", ("accelerator", "source_family")),
    )]  # fmt: skip
    Console(width=150).print(errors(groups, rows))
    found = {(group["split"], group["is_large"]): group["median_ratio"] for group in groups[0][1]}
    assert found.keys() == REACHED.keys()
    assert all(found[key] <= most for key, most in REACHED.items()), found
    by_operation = {
        (group["operation"], group["is_large"]): group["median_ratio"]
        for group in groups[1][1]
        if group["split"] == "test"
    }
    assert by_operation.keys() == REACHED_BY_OPERATION.keys()
    assert all(by_operation[key] <= most for key, most in REACHED_BY_OPERATION.items()), by_operation


def test_tables_are_told_one_by_one(rows):
    """Printed with -s; no row is lost, and what is not simulated says why."""
    assert [row["row_id"] for row in rows] == [row.row_id for row in read_measurements(TABLE)]
    missing = [row for row in rows if row["predicted_s"] is None]
    assert all(row["note"] for row in missing)
    assert len(missing) <= 0.04 * len(rows)
    tables = [{**row, "table": row["row_id"].rpartition(":")[0]} for row in rows if row["split"] == "test"]
    Console(width=150).print(errors([("table", error_summary(tables, "table"))], []))


def test_it_takes_well_under_a_minute(done):
    """Some 4 s on two cores."""
    assert done.manifest["wall_s"] < 30


def test_the_catalogue_has_what_the_fit_gives():
    """`cluster-sim calibrate` of the table again: the same figures, so nothing was set by hand."""
    fits = calibrate(read_measurements(TABLE), choose_backend("numpy"))
    known = {
        name: entry
        for section in ("nccl scale-up", "nccl network", "nccl rates")
        for name, entry in entries(section).items()
    }
    for fit in fits:
        owner, field = fit.parameter
        figure = known[owner].figures[field]
        assert (figure.status == "D") == (fit.num_rows > 0)
        assert math.isclose(figure.typical, fit.value, rel_tol=1e-3 if fit.num_rows else 0.01), fit.parameter
    num_fitted = sum(figure.status == "D" for entry in known.values() for figure in entry.figures.values())
    assert num_fitted == sum(fit.num_rows > 0 for fit in fits)
