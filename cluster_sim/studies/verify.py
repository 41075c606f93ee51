"""Measured collectives against simulated ones: what each row of a table would take here."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from cluster_sim.backend import Backend, BackendName, choose_backend
from cluster_sim.catalogue import entries
from cluster_sim.results import Recorder, Run, check_output, claim_folder, provenance, table_of_columns
from cluster_sim.studies.machines import NETWORKS, WITHOUT_LINKS, links_of, network_of
from cluster_sim.studies.measured import Measurement, read_measurements
from cluster_sim.studies.nccl import (
    SECTIONS,
    Case,
    Choices,
    Machine,
    Parameter,
    algorithms_of,
    channels_of,
    rates_of,
)
from cluster_sim.studies.transfer import seconds_per_byte
from cluster_sim.tables import Array

#: What stands in for a network, or its rates, that nothing was fitted to.
_INSTEAD = "nccl-infiniband"
_LINKS_INSTEAD = "nvlink4"

#: Value of a parameter.
Values = Callable[[Parameter], float]


def verify(path: Path, output: Path | None = None, overwrite: bool = False, backend: BackendName = "numpy") -> Run:
    """Simulate every row of a table of measured collectives and write ``verify.arrow``.

    Args:
        path: the table, a CSV file as in ``studies.measured``.
        output: folder; None for the next free ``results/<name>-NNN``.
        overwrite: replace what an earlier run left in ``output``.
        backend: as in ``choose_backend``; transfers are so small that NumPy is the fastest.

    Raises:
        ConfigError: mistakes in the table; BackendError, OutputError.
    """
    began_s = time.perf_counter()
    chosen = choose_backend(backend)
    check_output(output, overwrite)
    rows = read_measurements(path)
    table = verified(rows, chosen)
    with Recorder(claim_folder(output, f"verify-{path.stem}", overwrite), provenance()) as recorder:
        recorder.write("verify", table)
        recorder.note(
            table=path.name, backend=chosen.name, backend_reason=chosen.why,
            wall_s=round(time.perf_counter() - began_s, 3),
        )  # fmt: skip
    return Run.open(recorder.folder)


def verified(rows: Sequence[Measurement], backend: Backend) -> pa.Table:
    """The table ``verify``: one row for each measurement, in order."""
    places = [place_of(row) for row in rows]
    known = [number for number, place in enumerate(places) if place.machine is not None]
    algorithm, predicted_s = np.full(len(rows), None, object), np.full(len(rows), None, object)
    if known:
        labels, times = predict([rows[number] for number in known], backend)
        algorithm[known], predicted_s[known] = labels, times.tolist()
    errors = [None if s is None else s / row.measured_s - 1 for s, row in zip(predicted_s, rows, strict=True)]
    return table_of_columns("verify", {
        **{name: [getattr(row, name) for row in rows]
           for name in ("row_id", "accelerator", "split", "operation", "num_ranks", "size_bytes", "measured_s")},
        "source_family": [place.family for place in places], "algorithm": list(algorithm),
        "predicted_s": list(predicted_s), "error_ratio": errors,
        "note": ["; ".join(filter(None, (row.note, place.why_not, *_assumptions(place.machine))))
                 for row, place in zip(rows, places, strict=True)],
    })  # fmt: skip


#: What 64-port switches join; and whose pairs fit into memory, of an operation that has all of them.
_MOST_RANKS = (2**16, 2**11)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a measurement was taken.

    Attributes:
        machine: None where it cannot be simulated.
        family: "scale-up", a kind of network, or the table's own words for it.
        why_not: why it cannot; "" where it can.
    """

    machine: Machine | None
    family: str
    why_not: str = ""


def place_of(row: Measurement) -> Place:
    """Where a row was measured, in terms of the catalogue."""
    network = "" if row.domains == 1 else network_of(row.fabric)
    family = "scale-up" if row.domains == 1 else (network or "").removeprefix("nccl-") or row.fabric or "not named"
    if row.accelerator in WITHOUT_LINKS:
        return Place(None, family, f"{row.accelerator}: {WITHOUT_LINKS[row.accelerator]}")
    if network is None:
        known = ", ".join(name.removeprefix("nccl-") for name in NETWORKS)
        return Place(None, family, f"no network known in fabric {row.fabric!r} (known: {known})")
    if network and row.nic_bytes_per_s is None:
        return Place(None, family, "nic_gbps_per_accelerator is empty")
    most = _MOST_RANKS[row.operation == "alltoall"]
    if row.num_ranks > most:
        return Place(None, family, f"{row.operation} of {row.num_ranks} ranks; at most {most} are simulated")
    links, entry = links_of(row.accelerator)
    rate = row.nic_bytes_per_s if network and row.nic_bytes_per_s else 0.0
    return Place(Machine(entry, links, network, row.domains, row.per_domain, rate), family)


def _assumptions(machine: Machine | None) -> list[str]:
    """Whose figures are taken where nothing was fitted to a machine's own."""
    owners = (machine.network, machine.rates) if machine is not None and machine.network else ()
    return [f"{owner}: figures of {stand_in(owner)}" for owner in owners if stand_in(owner) != owner]


def stand_in(owner: str) -> str:
    """The catalogue entry whose figures describe ``owner``: its own, or one that is like it."""
    known = {name for section in SECTIONS for name in entries(section)}
    if owner in known:
        return owner
    links = owner.rpartition("-nvlink")[2] if "-nvlink" in owner else ""
    tried = (f"{_INSTEAD}-nvlink{links}", f"{_INSTEAD}-{_LINKS_INSTEAD}") if links else (_INSTEAD,)
    return next(name for name in tried if name in known)


def catalogued(parameter: Parameter) -> float:
    """The catalogue's value of a parameter."""
    owner, field = parameter
    name = stand_in(owner)
    section = next(section for section in SECTIONS if name in entries(section))
    return entries(section)[name].figures[field].typical


def predict(rows: Sequence[Measurement], backend: Backend, value: Values = catalogued) -> tuple[list[str], Array]:
    """(algorithm, float64[R] seconds) of rows that can be simulated."""
    ways = choices_of(rows)
    per_byte = np.array([seconds_per_byte(case, *used_rates(case, value), backend) for case in ways.cases])
    values = np.array([1.0, *map(value, ways.parameters)])
    times = ways.times(values, ways.wire_bytes * per_byte[ways.case])
    fastest = ways.fastest(times)
    return [ways.label[choice] for choice in fastest], times[fastest]


def choices_of(rows: Sequence[Measurement]) -> Choices:
    """Every way to run each of the rows, all of which can be simulated."""
    return Choices.of([(_cases(row), row.size_bytes) for row in rows])


def _cases(row: Measurement) -> tuple[Case, ...]:
    machine = place_of(row).machine
    assert machine is not None, "the caller has looked"
    names = algorithms_of(row.operation, machine, row.algorithm_hint)
    return tuple(Case(machine, row.operation, name) for name in names)


def used_rates(case: Case, value: Values) -> tuple[float, float]:
    """(share of the scale-up links' rate, rate of the network in bytes/s) that a case reaches."""
    inside, across = rates_of(case)
    if across is None:
        return value(inside), 0.0
    rate, channels = case.machine.nic_bytes_per_s * value(across), channels_of(case)
    return value(inside), rate if channels is None else min(rate, channels[0] * value(channels[1]))


#: Sizes of one class begin here.
LARGE_BYTES = float(16 << 20)


def error_summary(rows: Sequence[Mapping[str, object]], *by: str) -> list[dict[str, object]]:
    """Absolute errors of the rows that were simulated, by split, size class and the columns ``by``.

    Returns:
        for each group its keys, ``is_large``, ``num``, ``mean_ratio``, ``median_ratio`` and ``worst_ratio``.
    """
    groups: dict[tuple[object, ...], list[float]] = {}
    for row in rows:
        if row["error_ratio"] is not None:
            key = (row["split"], float(str(row["size_bytes"])) >= LARGE_BYTES, *(row[name] for name in by))
            groups.setdefault(key, []).append(abs(float(str(row["error_ratio"]))))
    names = ("split", "is_large", *by)
    return [
        {
            **dict(zip(names, key, strict=True)), "num": len(errors), "mean_ratio": float(np.mean(errors)),
            "median_ratio": float(np.median(errors)), "worst_ratio": max(errors),
        }
        for key, errors in sorted(groups.items(), key=lambda item: (item[0][0], not item[0][1], *map(str, item[0][2:])))
    ]  # fmt: skip
