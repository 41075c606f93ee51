"""Summary rows without a simulation."""

import pytest


def summary_row(interconnect, topology="clos", **changes):
    """A row of the summary: 10 s, all computing."""
    parts = {f"exposed_{kind}_s": 0.0 for kind in ("tp", "cp", "ep", "pp", "dp")}
    row = {
        "scenario": f"job / {interconnect} / {topology}", "job": "job", "interconnect": interconnect,
        "topology": topology, "line_rate_bytes_per_s": 1e11, "accelerator": "b300-sxm",
        "num_accelerators": 64, "num_parameters": 1e9, "status": "ok", "reason": "", "step_time_s": 10.0,
        "mfu_ratio": 0.431, "hfu_ratio": 0.5, "compute_s": 9.0, "bubble_s": 1.0, "switching_s": 0.0,
        "optimizer_s": 0.0, "network_energy_j": 2.5e7, "cluster_energy_j": 1e8, "network_power_w": 2.5e6,
        "capex_usd": 1.23e8, "num_modules": 12345, "rank": 1, "is_tie": False, "unverified": "", **parts,
    }  # fmt: skip
    return row | changes


def not_ok(interconnect, topology, reason):
    """A row that could not be built."""
    named = (
        "scenario", "job", "interconnect", "topology", "line_rate_bytes_per_s", "accelerator", "num_accelerators",
        "num_parameters",
    )  # fmt: skip
    row = summary_row(interconnect, topology)
    return {name: row[name] if name in named else None for name in row} | {"status": "not_buildable", "reason": reason}


@pytest.fixture
def rows():
    """Two jobs' worth of options at two rates, a tie, and one that cannot be built."""
    return [
        summary_row("cpo", is_tie=False, unverified="cpo price"),
        summary_row("dsp", rank=2, is_tie=True, exposed_dp_s=0.5),
        summary_row("lpo", rank=3, step_time_s=11.0),
        summary_row("dsp2", line_rate_bytes_per_s=2e11),
        not_ok("copper", "clos", "leaf_spine: too far"),
        not_ok("copper", "ocs", "an OCS switches light"),
    ]


@pytest.fixture
def make_row():
    """``summary_row``."""
    return summary_row


@pytest.fixture
def make_not_ok():
    """``not_ok``."""
    return not_ok
