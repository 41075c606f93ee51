"""Every row of the table of published interconnect figures that the catalogue has: value, range and trust status.

The table has more rows than the catalogue has figures (claims, notes, market); a row that is an assumption there must
never become anything better here, wherever it stands.
"""

import csv
import math
from pathlib import Path

import pytest

from cluster_sim import catalogue
from cluster_sim.catalogue import entries

FACTS = Path(__file__).parents[3] / "shared" / "data" / "interconnects" / "interconnects.csv"

#: The table's options: section and name in the catalogue.
OPTIONS = {
    "DAC passive 400G": ("technology", "dac-400g"),
    "DAC passive 800G": ("technology", "dac-800g"),
    "DAC passive 1.6T": ("technology", "dac-1.6t"),
    "ACC (linear redriver copper) 800G": ("technology", "acc-800g"),
    "ACC (linear redriver copper) 1.6T": ("technology", "acc-1.6t"),
    "AEC (retimed copper) 400G": ("technology", "aec-400g"),
    "AEC (retimed copper) 800G": ("technology", "aec-800g"),
    "AEC (retimed copper) 1.6T": ("technology", "aec-1.6t"),
    "AOC 400G": ("technology", "aoc-400g"),
    "AOC 800G": ("technology", "aoc-800g"),
    "400G DSP pluggable (DR4/FR4/SR4)": ("technology", "400g-dsp-dr4"),
    "800G DSP pluggable DR8 (2xDR4)": ("technology", "800g-dsp-dr8"),
    "800G DSP pluggable 2xFR4": ("technology", "800g-dsp-2xfr4"),
    "800G DSP pluggable SR8": ("technology", "800g-dsp-sr8"),
    "1.6T DSP pluggable DR8 (2xDR4, 5nm/3nm DSP)": ("technology", "1.6t-dsp-dr8"),
    "1.6T DSP pluggable 2xFR4": ("technology", "1.6t-dsp-2xfr4"),
    "EML variant (800G/1.6T)": ("technology", "800g-eml-dr8"),
    "Silicon-photonics variant (800G/1.6T)": ("technology", "1.6t-siph-dr8"),
    "800G LPO DR8 (2xDR4)": ("technology", "800g-lpo-dr8"),
    "800G LRO (half-retimed, TRO/RTLR)": ("technology", "800g-lro-dr8"),
    "1.6T LRO (TRO/RTLR)": ("technology", "1.6t-lro-dr8"),
    "1.6T LPO": ("technology", "1.6t-lpo-dr8"),
    "NPO (near-packaged optics)": ("technology", "npo-800g"),
    "CPO NVIDIA Quantum-X / Spectrum-X Photonics": ("technology", "cpo-1.6t"),
    "CPO Broadcom TH5-Bailly (51.2T)": ("technology", "cpo-bailly-800g"),
    "CPO Broadcom TH6-Davisson (102.4T)": ("technology", "cpo-davisson-800g"),
    "External laser source (ELS/ELSFP)": ("laser", "elsfp"),
    "OCS MEMS Google Palomar": ("ocs", "palomar-mems"),
    "OCS MEMS Lumentum R300": ("ocs", "lumentum-r300"),
    "OCS liquid crystal Coherent DLX": ("ocs", "coherent-dlx"),
    "OCS piezo Polatis 384x384": ("ocs", "polatis-384"),
    "OCS MEMS Calient S320": ("ocs", "calient-s320"),
    "OCS silicon photonics (iPronics ONE-32)": ("ocs", "ipronics-one32"),
    "OCS robotic patch (Telescent)": ("ocs", "telescent-robotic"),
    "NVLink 4 (H100)": ("scale-up link", "nvlink4"),
    "NVLink 5 (B200/GB200)": ("scale-up link", "nvlink5"),
    "NVLink 6 (Rubin)": ("scale-up link", "nvlink6"),
    "AMD MI455X Helios scale-up": ("scale-up link", "ualink"),
    "UALink 1.0": ("scale-up link", "ualink"),
    "Tomahawk 5 51.2T system (64x800G)": ("switch", "tomahawk5"),
    "Tomahawk 6 102.4T system": ("switch", "tomahawk6"),
    "Tomahawk Ultra 51.2T": ("switch", "tomahawk-ultra"),
    "Marvell Teralynx 10 51.2T": ("switch", "teralynx10"),
    "NVIDIA Spectrum-4 SN5600": ("switch", "spectrum4-sn5600"),
    "NVIDIA Quantum-2 QM9700": ("switch", "quantum2-qm9700"),
    "NVIDIA Quantum-X800 Q3400": ("switch", "quantum-x800-q3400"),
    "ConnectX-7 400G NIC": ("nic", "connectx7-400g"),
    "ConnectX-8 800G SuperNIC": ("nic", "connectx8-800g"),
    "BlueField-3": ("nic", "bluefield3-400g"),
    "GPU H100 SXM": ("accelerator", "h100-sxm"),
    "GPU B200": ("accelerator", "b200-sxm"),
}

#: The table's fields: the catalogue's figure, and what the table's unit is in SI.
FIELDS = {
    "data_rate": ("rate", 1e9 / 8),
    "reach": ("reach", 1.0),
    "power_per_end": ("power", 1.0),
    "power_module": ("power", 1.0),
    "power_per_800G": ("power", 1.0),
    "power_per_1.6T": ("power", 1.0),
    "power_system": ("power", 1.0),
    "power_chassis": ("power", 1.0),
    "power": ("power", 1.0),
    "power_system_max": ("max_power", 1.0),
    "module_budget": ("cage_power", 1.0),
    "energy_per_bit": ("energy_per_bit", 1e-12),
    "latency_added_per_end": ("latency", 1e-9),
    "latency_port_to_port": ("latency", 1e-9),
    "latency_added": ("latency", 1e-9),
    "hop_latency": ("latency", 1e-9),
    "unit_price": ("price", 1.0),
    "unit_price_cable": ("price", 1.0),
    "unit_price_list": ("list_price", 1.0),
    "price": ("price", 1.0),
    "price_system": ("price", 1.0),
    "cost_per_port": ("price_per_port", 1.0),
    "propagation": ("propagation", 1e-9),
    "AFR": ("annual_failure", 1e-2),
    "laser_count": ("laser_count", 1.0),
    "lasers_per_module": ("lasers", 1.0),
    "availability_year": ("first_year", 1.0),
    "host_loss_budget": ("host_loss", 1.0),
    "elec_loss": ("host_loss", 1.0),
    "link_bringup": ("reacquisition", 1e-3),
    "insertion_loss": ("insertion_loss", 1.0),
    "insertion_loss_net": ("insertion_loss", 1.0),
    "switch_time": ("switch_time", 1e-3),
    "switch_time_bulk": ("switch_time", 1e-3),
    "ports": ("ports", 1.0),
    "bandwidth_per_gpu": ("bandwidth", 1e9 / 2),
}


#: Rows of other places: section, name, figure, and the row's unit in SI.
ELSEWHERE = {
    ("CPO NVIDIA Quantum-X / Spectrum-X Photonics", "ports_q3450"): (
        "switch", "quantum-x-photonics-q3450", "max_ports", 1.0),
    ("CPO NVIDIA Quantum-X / Spectrum-X Photonics", "system_power_q3450"): (
        "switch", "quantum-x-photonics-q3450", "power_with_optics", 1.0),
    ("CPO NVIDIA Quantum-X / Spectrum-X Photonics", "oe_cost_to_vendor"): (
        "technology", "cpo-1.6t", "vendor_cost", 1.0),
    ("NPO (near-packaged optics)", "unit_price"): ("supply", "npo", "order_price", 1.0),
    ("NPO (near-packaged optics)", "order_google"): ("supply", "npo", "orders", 1e6),
    ("800G LPO DR8 (2xDR4)", "shipments_2026"): ("supply", "lpo", "shipped_2026", 1e6),
    ("Market", "1.6T_shipments_2026"): ("supply", "1.6t", "shipped_2026", 1e6),
    ("Market", "innolight_800G_share"): ("supply", "800g", "largest_share", 1e-2),
    ("Field statistics", "huawei_laser_share"): ("technology", "800g-dsp-dr8", "laser_share", 1e-2),
    ("NVL72 (GB200)", "domain"): ("accelerator", "gb200-nvl72", "scale_up_domain", 1.0),
    ("Recovery", "restart_delay"): ("constants", "", "restart_time", 60.0),
    ("OCS generic", "rewire_for_failure"): ("constants", "", "rewire_time", 1.0),
    ("OCS generic", "circulator_loss"): ("constants", "", "circulator_loss", 1.0),
    ("Facility", "PUE_hyperscale"): ("constants", "", "pue", 1.0),
    ("Facility", "electricity"): ("constants", "", "electricity_price", 1 / 3.6e6),
    ("Fibre patch panel port", "price"): ("constants", "", "patch_port_price", 1.0),
    ("MPO SMF trunk", "price"): ("constants", "", "fibre_trunk_price", 1.0),
    ("FEC KP4 RS(544,514)", "latency_800GE"): ("constants", "", "fec_latency", 1e-9),
}  # fmt: skip

#: Rows from which the catalogue departs, and why.
DEPARTURES = {
    ("AOC 800G", "AFR"): "the table's is of an end, the catalogue's of a cable with two",
    ("400G DSP pluggable (DR4/FR4/SR4)", "reach"): "the table's range is over SR4, FR4 and LR4 too",
    ("CPO NVIDIA Quantum-X / Spectrum-X Photonics", "oe_cost_to_vendor"): "with a range, from the lasers' cost",
    ("NPO (near-packaged optics)", "AFR"): "the table's holds the lasers, which are an external module's here",
    ("CPO Broadcom TH5-Bailly (51.2T)", "AFR"): "of a port of 400G with its lasers; here two, without",
    ("CPO Broadcom TH5-Bailly (51.2T)", "energy_per_bit"): "the range of the power is carried over",
    ("OCS MEMS Google Palomar", "ports"): "of the 136, 128 can be used",
    ("OCS MEMS Calient S320", "switch_time_bulk"): "the catalogue has its least value too",
    ("Tomahawk 6 102.4T system", "power_system"): "optics may be in it: a lower bound is judged",
    ("NVIDIA Quantum-2 QM9700", "power_system"): "its high value is with optics: the catalogue's max_power",
    ("NVIDIA Quantum-X800 Q3400", "power_system"): "its high value is with active cables: the catalogue's max_power",
    ("Tomahawk 5 51.2T system (64x800G)", "price_system"): "a placeholder: the catalogue's low value",
}  # fmt: skip

#: Rows marked M that stand elsewhere: (option, field): figures that came of them.
ASSUMED = {
    ("Silicon-photonics variant (800G/1.6T)", "price_vs_EML"): [
        entries("technology")[name].price for name in ("400g-siph-dr4", "800g-siph-dr8", "1.6t-siph-dr8")
    ],
    ("Silicon-photonics variant (800G/1.6T)", "power_vs_EML"): [
        entries("technology")[name].power for name in ("400g-siph-dr4", "800g-siph-dr8", "1.6t-siph-dr8")
    ],
    ("PCIe Gen5 x16", "bandwidth"): [entries("nic")[name].host_link for name in ("connectx7-400g", "bluefield3-400g")],
    ("PCIe Gen6 x16", "bandwidth"): [entries("nic")[name].host_link for name in ("connectx8-800g", "connectx9-1.6t")],
    ("ConnectX-9 (2x800G per GPU)", "price"): [entries("nic")["connectx9-1.6t"].price],
    ("FEC inner code 802.3dj (Hamming 128,120)", "latency"): [],
}


def rows():
    """Every row of the table; none where it is not beside this checkout."""
    if not FACTS.exists():
        return []
    with FACTS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def figure_of(row):
    """The catalogue's figure that a row became, and the row's unit in SI; None where it became none."""
    place = row["option"], row["field"]
    if place not in ELSEWHERE and (row["option"] not in OPTIONS or row["field"] not in FIELDS):
        return None
    section, name, field, unit = ELSEWHERE.get(place) or (*OPTIONS[row["option"]], *FIELDS[row["field"]])
    figures = catalogue.figures_of("constants") if section == "constants" else entries(section)[name].figures
    return (figures[field], unit) if field in figures else None


ROWS = [pytest.param(row, id=f"{row['option']}: {row['field']}") for row in rows()]
TAKEN = [param for param in ROWS if figure_of(param.values[0])]
ASSUMPTIONS = [param for param in ROWS if param.values[0]["status"] == "M"]


@pytest.mark.skipif(not ROWS, reason="the table of published interconnect figures is not beside this checkout")
def test_most_rows_with_a_value_are_in_the_catalogue():
    assert len(TAKEN) > 150
    assert len(ASSUMPTIONS) == 52
    assert set(DEPARTURES) <= {(param.values[0]["option"], param.values[0]["field"]) for param in TAKEN}


@pytest.mark.parametrize("row", TAKEN)
def test_a_figure_is_the_tables(row):
    """Value, range and trust status; a departure is named, and is trusted no more than the row."""
    figure, unit = figure_of(row)
    departs = (row["option"], row["field"]) in DEPARTURES
    if not departs:
        values = {bound: float(row[bound]) * unit for bound in ("typical", "low", "high") if row[bound]}
        for bound, value in values.items():
            ours = getattr(figure, bound)
            assert math.isclose(figure.typical if ours is None else ours, value, rel_tol=1e-9), bound
        assert figure.status == row["status"]
        assert values.keys() >= {bound for bound in ("low", "high") if getattr(figure, bound) is not None}
    else:
        assert figure.status in (row["status"], "M") or (figure.status == "D" and row["status"] != "M")


@pytest.mark.parametrize("row", ASSUMPTIONS)
def test_an_assumption_of_the_table_stays_one(row):
    """What the table marks M is a slider tagged as unverified, never a fact."""
    found = figure_of(row)
    figures = [found[0]] if found else ASSUMED[row["option"], row["field"]]
    for figure in figures:
        assert figure.status == "M"
        assert figure.source.startswith("unverified")


def test_an_order_is_no_price():
    """12 million engines for 12 to 15 billion yuan: told in the supply, below any module's price, used for none."""
    order = catalogue.supply("npo")
    assert order.orders.typical == order.largest_order.typical + order.second_order.typical == 12e6
    assert order.order_value.typical / order.orders.typical == pytest.approx(order.order_price.typical, rel=0.02)
    modules = [
        entry for entry in entries("technology").values() if entry.rate.typical >= 1e11 and entry.medium == "optical"
    ]
    assert order.order_price.high < min(entry.price.low for entry in modules)
