"""Parameters of NCCL from measured collectives: the fit behind the catalogue's ``nccl`` figures.

Only rows of the split ``calibrate`` are looked at. What is made small is the sum over rows of ln(1 + (e / s)**2), with
e the error of the logarithm of the time: squares for errors below s, and little weight for tables from systems that
were not well. A table counts as the square root of its rows. Few rows cannot pull a parameter far: each is held at what
NCCL's cost model or the physics expects. A coordinate search finds it: the best algorithm changes with the parameters,
so there are kinks. Latencies are one for each kind of network, shares of the rate one for each kind of network and
generation of accelerators: leaving out systems in turn, that predicted them better than latencies for each pair.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cluster_sim.backend import Backend, BackendName, choose_backend
from cluster_sim.core import InputError
from cluster_sim.results import check_output, claim_folder
from cluster_sim.studies.descent import descend
from cluster_sim.studies.measured import Measurement, read_measurements
from cluster_sim.studies.nccl import Case, Choices, Parameter, channels_of, rates_of
from cluster_sim.studies.transfer import seconds_per_byte
from cluster_sim.studies.verify import LARGE_BYTES, choices_of, place_of
from cluster_sim.tables import Array

#: What a parameter is before anything is measured, how strongly it is held there, and why.
_EXPECTED: dict[str, tuple[float, float, str]] = {
    "launch": (8e-6, 2.0, "base latency of NCCL's cost model, ring, Simple: 8.4 us"),
    "step": (1.0, 2.0, "NCCL's cost model"),
    "ring_step": (1.0, 0.2, "NCCL's cost model"),
    "tree_step": (1.0, 0.2, "NCCL's cost model"),
    "in_network_steps": (1.0, 0.2, "NCCL's cost model"),
    "in_network_step": (1.0, 0.2, "NCCL's cost model"),
    "peer:scale-up": (1e-6, 0.3, "an assumption"),
    "peer": (4e-6, 0.3, "an assumption"),
    "in_network_ramp": (0.5, 0.3, "an assumption"),
    "ramp": (1.0, 0.3, "the best number of pieces"),
    "ring:scale-up": (0.8, 1.0, "NVLink as a ring uses it"),
    "tree:scale-up": (0.7, 1.0, "NVLink as a chain uses it"),
    "in_network:scale-up": (0.65, 1.0, "NVLink as NVLS uses it"),
    "pairs:scale-up": (0.77, 1.0, "NVLink as an all-to-all uses it"),
    "ring": (0.95, 1.0, "line rate less headers"),
    "tree": (0.95, 1.0, "line rate less headers"),
    "in_network": (0.95, 1.0, "line rate less headers"),
    "pairs": (0.85, 1.0, "an assumption"),
    "fabric_reduction": (0.7, 1.0, "an assumption"),
    "channel": (15e9, 0.2, "an assumption"),
}
#: Shares of a rate, which are at most 1.
_SHARES = ("ring", "tree", "in_network", "pairs", "fabric_reduction")

#: Error at which squares end.
_SCALE = 0.4
#: Rows that say nothing about launch and steps: one process drives all accelerators, and launches take 35 us instead of
#: 8 to 15 [README of the tables].
_SINGLE_PROCESS = ("together_h100_1n_",)

#: A rate that is never what holds anything back.
_UNLIMITED_RATIO, _UNLIMITED_BYTES_PER_S = 1e9, 1e21


@dataclass(frozen=True, slots=True)
class Fit:
    """One fitted parameter.

    Attributes:
        parameter: which.
        value: in SI units.
        num_rows: rows that it was fitted to, whose time it changes.
        sources: where those stand.
        expected: why it is what it is where no row says more.
    """

    parameter: Parameter
    value: float
    num_rows: int
    sources: tuple[str, ...]
    expected: str


def calibrate_table(
    path: Path, output: Path | None = None, overwrite: bool = False, backend: BackendName = "numpy"
) -> tuple[Path, tuple[Fit, ...]]:
    """Fit to a table of measured collectives and write the catalogue's files.

    Args:
        path: the table, a CSV file as in ``studies.measured``.
        output: folder; None for the next free ``results/calibrate-<name>-NNN``.
        overwrite: replace what an earlier calibration left in ``output``.
        backend: as in ``choose_backend``.

    Returns:
        (folder, fits).

    Raises:
        ConfigError: mistakes in the table; InputError: no rows to calibrate with; BackendError, OutputError.
    """
    chosen = choose_backend(backend)
    check_output(output, overwrite)
    fits = calibrate(read_measurements(path), chosen)
    if not fits:
        raise InputError(f"{path}: no row with split 'calibrate' can be simulated, so there is nothing to fit to")
    folder = claim_folder(output, f"calibrate-{path.stem}", overwrite)
    for name, text in as_yaml(fits).items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder, fits


def calibrate(rows: Sequence[Measurement], backend: Backend) -> tuple[Fit, ...]:
    """Fit the parameters of all links and networks that the rows to calibrate with run over.

    Args:
        rows: of a table; those of the split "test" and those that cannot be simulated are not looked at.
        backend: what simulates the transfers.
    """
    usable = [row for row in rows if _is_usable(row)]
    if not usable:
        return ()
    problem = _Problem.of(usable, backend)
    found = descend(lambda values: problem.loss(np.append(1.0, values)), problem.expected[1:], problem.most[1:])
    values = np.append(1.0, found)
    changed = problem.rows_by_parameter(values)
    return tuple(
        Fit(parameter, float(value), len(numbers), _sources([usable[row] for row in numbers]), _expected(parameter)[2])
        for parameter, value, numbers in zip(problem.parameters, values[1:], changed, strict=True)
    )


def _is_usable(row: Measurement) -> bool:
    is_odd = row.row_id.startswith(_SINGLE_PROCESS) and row.size_bytes < LARGE_BYTES
    return row.split == "calibrate" and not is_odd and place_of(row).machine is not None


def _sources(rows: Sequence[Measurement]) -> tuple[str, ...]:
    """Repositories and publications, each once."""
    return tuple(sorted({row.source.partition(" ")[0].partition("@")[0].strip(",") for row in rows if row.source}))


def _expected(parameter: Parameter) -> tuple[float, float, str]:
    owner, field = parameter
    is_scale_up = owner.startswith("nccl-nvlink")
    return _EXPECTED[f"{field}:scale-up" if is_scale_up and f"{field}:scale-up" in _EXPECTED else field]


@dataclass(frozen=True, slots=True, eq=False)
class _Problem:
    """What the fit makes small, with everything that does not change put aside.

    Attributes:
        ways: choices of every row.
        parameters: all of them; number 0 of ``expected`` and of values is 1 and none of them.
        expected, held, most: float64[1 + parameters], where each is held, how strongly, and its upper bound.
        inside_s, across_s: float64[cases], seconds per byte over scale-up links alone, and over the network alone at
            one byte/s.
        nic_bytes_per_s: float64[cases].
        inside_share, across_share, channel: int64[cases], numbers of parameters.
        num_channels: float64[cases], inf where channels do not matter.
        measured_s, weight: float64[R].
    """

    ways: Choices
    parameters: tuple[Parameter, ...]
    expected: Array
    held: Array
    most: Array
    inside_s: Array
    across_s: Array
    nic_bytes_per_s: Array
    inside_share: Array
    across_share: Array
    channel: Array
    num_channels: Array
    measured_s: Array
    weight: Array

    @classmethod
    def of(cls, rows: Sequence[Measurement], backend: Backend) -> "_Problem":
        ways = choices_of(rows)
        numbers: dict[Parameter | None, int] = {None: 0} | {key: 1 + at for at, key in enumerate(ways.parameters)}
        shares = [rates_of(case) for case in ways.cases]
        channels = [channels_of(case) or (np.inf, None) for case in ways.cases]

        def number(keys: Sequence[Parameter | None]) -> Array:
            return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)

        inside, across = number([share for share, _ in shares]), number([share for _, share in shares])
        channel = number([key for _, key in channels])
        parameters = tuple(key for key in numbers if key is not None)
        tables = [row.row_id.partition(":")[0] for row in rows]
        counts = {table: tables.count(table) for table in tables}
        return cls(
            ways=ways, parameters=parameters, expected=np.array([1.0, *(_expected(key)[0] for key in parameters)]),
            held=np.array([0.0, *(_expected(key)[1] for key in parameters)]),
            most=np.array([1.0, *(1.0 if key[1] in _SHARES else np.inf for key in parameters)]),
            inside_s=np.array([seconds_per_byte(case, 1.0, _UNLIMITED_BYTES_PER_S, backend) for case in ways.cases]),
            across_s=np.array([_across_s(case, backend) for case in ways.cases]),
            nic_bytes_per_s=np.array([case.machine.nic_bytes_per_s for case in ways.cases]),
            inside_share=inside, across_share=across, channel=channel,
            num_channels=np.array([num for num, _ in channels]), measured_s=np.array([row.measured_s for row in rows]),
            weight=np.array([counts[table] ** -0.5 for table in tables]),
        )  # fmt: skip

    def times(self, values: Array) -> Array:
        """float64[K]: seconds of every choice."""
        rate = np.minimum(self.nic_bytes_per_s * values[self.across_share], self.num_channels * values[self.channel])
        across_s = np.divide(self.across_s, rate, out=np.zeros(len(rate)), where=rate > 0)
        per_byte = np.maximum(self.inside_s / values[self.inside_share], across_s)
        return self.ways.times(values, self.ways.wire_bytes * per_byte[self.ways.case])

    def fastest(self, values: Array) -> Array:
        """float64[R]: seconds of the fastest choice of every row."""
        times: Array = np.minimum.reduceat(self.times(values), self.ways.row_starts[:-1])
        return times

    def loss(self, values: Array) -> float:
        """See the module."""
        error = np.log(self.fastest(values) / self.measured_s)
        pull = self.held * np.log(values / self.expected) ** 2
        return float((self.weight * np.log1p((error / _SCALE) ** 2)).sum() + pull.sum())

    def rows_by_parameter(self, values: Array) -> list[Array]:
        """int64[...] for each parameter: rows whose time it changes, were it a hundredth more or less."""
        at_best = self.fastest(values)
        found = []
        for number in range(1, len(values)):
            near = [np.where(np.arange(len(values)) == number, values * factor, values) for factor in (0.99, 1.01)]
            found.append(np.flatnonzero(np.any([self.fastest(tried) != at_best for tried in near], axis=0)))
        return found


def _across_s(case: Case, backend: Backend) -> float:
    if not case.machine.network:
        return 0.0
    return seconds_per_byte(case, _UNLIMITED_RATIO, 1.0, backend)


def as_yaml(fits: Sequence[Fit]) -> dict[str, str]:
    """The catalogue's files with fitted figures, by name."""
    files: dict[str, dict[str, list[Fit]]] = {}
    for fit in fits:
        files.setdefault(_file_of(fit.parameter[0]), {}).setdefault(fit.parameter[0], []).append(fit)
    return {name: _HEADS[name] + "".join(_entry(owner, owners[owner], name) for owner in sorted(owners))
            for name, owners in sorted(files.items())}  # fmt: skip


_BY = "fitted by cluster-sim calibrate to the calibrate rows of a table of nccl-tests results: do not edit by hand."
_HEADS = {
    "nccl_scale_up.yaml": f"# NCCL over scale-up links; {_BY}\n",
    "nccl_networks.yaml": f"# NCCL over networks: latencies; {_BY}\n",
    "nccl_rates.yaml": f"# NCCL over networks: shares of the line rate and the rate of a channel; {_BY}\n",
}
_FIELDS = {
    "nccl_scale_up.yaml": (
        "launch", "step", "peer", "in_network_steps", "in_network_ramp", "ring", "tree", "in_network", "pairs",
    ),
    "nccl_networks.yaml": ("ring_step", "tree_step", "in_network_step", "peer", "ramp"),
    "nccl_rates.yaml": ("ring", "tree", "in_network", "pairs", "fabric_reduction", "channel"),
}  # fmt: skip


def _file_of(owner: str) -> str:
    if owner.startswith("nccl-nvlink"):
        return "nccl_scale_up.yaml"
    return "nccl_rates.yaml" if "-nvlink" in owner else "nccl_networks.yaml"


def _entry(owner: str, fits: Sequence[Fit], file: str) -> str:
    """One entry; fields that nothing was fitted to are what is expected."""
    by_field = {fit.parameter[1]: fit for fit in fits}
    lines = [f"\n{owner}:", f'  title: "NCCL: {owner.removeprefix("nccl-")}"']
    for field in _FIELDS[file]:
        fit = by_field.get(field)
        if fit is None or fit.num_rows == 0:
            value, _, why = _expected((owner, field))
            lines.append(_figure(field, value, f"unverified: no row to fit it to; {why}", "M"))
        else:
            source = f"fitted to {fit.num_rows} rows: {', '.join(fit.sources) or 'no source given'}"
            lines.append(_figure(field, fit.value, source, "D"))
    return "\n".join(lines) + "\n"


def _figure(field: str, value: float, source: str, status: str) -> str:
    text = f"{value * 1e6:.4g} us" if field in ("launch", "peer") else f"{value:.4g}"
    if field == "channel":
        text = f"{value / 1e9:.4g} GB/s"
    text_of_source = source.replace('"', "'")
    return f'  {field}:\n    typical: {text}\n    year: 2026\n    source: "{text_of_source}"\n    status: {status}'
