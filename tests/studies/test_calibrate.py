"""The fit finds what made-up tables were made of, and looks at nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from cluster_sim.backend import choose_backend
from cluster_sim.catalogue import NcclNetwork, NcclRates, NcclScaleUp
from cluster_sim.core import InputError, read_document, read_spec
from cluster_sim.studies import calibrate, calibrate_table
from cluster_sim.studies.calibrate import _Problem, as_yaml
from cluster_sim.studies.measured import Measurement
from cluster_sim.studies.verify import catalogued, predict
from tests.studies.test_verify import line, table

NUMPY = choose_backend("numpy")

#: Not what the fit expects, and not what the catalogue has.
TRUE = {
    ("nccl-nvlink4", "launch"): 11e-6, ("nccl-nvlink4", "step"): 1.4, ("nccl-nvlink4", "ring"): 0.66,
    ("nccl-infiniband", "ring_step"): 2.5, ("nccl-infiniband-nvlink4", "ring"): 0.8,
}  # fmt: skip


def measurement(number, domains, size, operation="all_gather", split="calibrate", hint="Ring"):
    return Measurement(
        row_id=f"t{domains}:{number}", accelerator="h100-sxm", domains=domains, per_domain=8, nic_bytes_per_s=50e9,
        fabric="InfiniBand", operation=operation, algorithm_hint=hint, size_bytes=size, measured_s=1.0, split=split,
        source="here", note="",
    )  # fmt: skip


def made_up(rows):
    """The rows with the times that the true parameters give them."""
    _, times = predict(rows, NUMPY, lambda key: TRUE.get(key) or catalogued(key))
    return [replace(row, measured_s=float(time)) for row, time in zip(rows, times, strict=True)]


ROWS = made_up(
    [measurement(at, domains, float(1 << power)) for domains in (1, 4, 16) for at, power in enumerate(range(10, 34))]
)


def test_what_made_the_table_is_found():
    """Shares within 2 %, latencies within 15 %: those are held a little at what is expected."""
    found = {fit.parameter: fit.value for fit in calibrate(ROWS, NUMPY)}
    for parameter, value in TRUE.items():
        assert found[parameter] == pytest.approx(value, rel=0.02 if parameter[1] == "ring" else 0.15), parameter


def test_rows_to_test_with_change_nothing():
    others = [replace(row, split="test", measured_s=99.0, row_id=f"other{at}") for at, row in enumerate(ROWS)]
    assert calibrate([*others, *ROWS], NUMPY) == calibrate(ROWS, NUMPY)


def test_a_table_from_a_sick_system_moves_little():
    """A fifth of the rows ten times too slow, from another table of the same machine."""
    sick = [replace(row, measured_s=10 * row.measured_s, row_id=f"sick:{at}") for at, row in enumerate(ROWS[::5])]
    found = {fit.parameter: fit.value for fit in calibrate([*ROWS, *sick], NUMPY)}
    share = "nccl-infiniband-nvlink4", "ring"
    assert found[share] == pytest.approx(TRUE[share], rel=0.1)


def test_transfers_put_aside_for_the_fit_are_those_that_are_simulated():
    """Each at the slower of its two kinds of link, for every algorithm and on mixed machines."""
    operations = ("all_gather", "all_reduce", "alltoall", "sendrecv")
    rows = [
        measurement(at, domains, 1e8, operation, hint=hint)
        for domains in (1, 2, 5)
        for operation in operations
        for at, hint in enumerate(("", "Tree", "CollNetDirect", "NVLS"))
    ]
    problem = _Problem.of(rows, NUMPY)
    values = np.array([1.0, *map(catalogued, problem.parameters)])
    assert problem.fastest(values) == pytest.approx(predict(rows, NUMPY)[1], rel=1e-9, abs=0)


def test_the_files_can_be_read_as_the_catalogue_and_say_where_figures_are_from(tmp_path):
    kinds = {"nccl_scale_up.yaml": NcclScaleUp, "nccl_networks.yaml": NcclNetwork, "nccl_rates.yaml": NcclRates}
    fits = calibrate(ROWS, NUMPY)
    files = as_yaml(fits)
    assert set(files) == set(kinds)
    values = {fit.parameter: fit.value for fit in fits}
    for name, kind in kinds.items():
        (tmp_path / name).write_text(files[name], encoding="utf-8")
        document = read_document(tmp_path / name)
        for owner in document.data:
            for field, figure in read_spec(kind, document, (owner,)).figures.items():
                if figure.status == "D":
                    assert figure.typical == pytest.approx(values[owner, field], rel=1e-3)
                    assert "rows: here" in figure.source
                else:
                    assert figure.source.startswith("unverified: no row")
    assert "status: D" in files["nccl_rates.yaml"]


def test_a_table_without_rows_to_calibrate_with_is_refused(tmp_path):
    with pytest.raises(InputError, match="no row with split 'calibrate' can be simulated"):
        calibrate_table(table(tmp_path, line(split="test"), line("b", "mi300x", split="calibrate")), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_its_own_folder_may_be_overwritten(tmp_path):
    path = table(tmp_path, line(split="calibrate"))
    first, _ = calibrate_table(path, tmp_path / "out")
    again, _ = calibrate_table(path, tmp_path / "out", overwrite=True)
    assert first == again
    assert sorted(file.name for file in again.iterdir()) == ["nccl_scale_up.yaml"]
