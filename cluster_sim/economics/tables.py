"""What things cost and burn as tables of results."""

from dataclasses import asdict

import pyarrow as pa

from cluster_sim.economics.economy import Economy
from cluster_sim.economics.energy import Burner
from cluster_sim.economics.supply import Need
from cluster_sim.results import table_of_rows

_BILL = (
    "part", "kind", "tier", "count", "unit_power_w", "unit_price_usd", "power_w", "price_usd", "mean_length_m",
    "power_status", "price_status", "length_class_m", "unit_idle_w",
)  # fmt: skip


def bill_table(scenario: str, costs: Economy) -> pa.Table:
    """The bill of materials, a row for each part, tier and class of length."""
    return table_of_rows("bom", [
        {
            "scenario": scenario, **{name: getattr(item, name) for name in _BILL},
            "utilisation_ratio": costs.work.utilisation.get(item.tier),
        }
        for item in costs.account.bill
    ])  # fmt: skip


def power_table(scenario: str, burners: tuple[Burner, ...]) -> pa.Table:
    """Power and energy by kind of part."""
    facility_w = sum(one.power_w for one in burners)
    return table_of_rows("power", [
        {
            "scenario": scenario, "kind": one.kind, "power_w": one.power_w, "energy_j": one.energy_j,
            "share_ratio": one.power_w / facility_w if facility_w else 0.0,
        }
        for one in burners
    ])  # fmt: skip


def supply_table(scenario: str, needs: tuple[Need, ...]) -> pa.Table:
    """Parts against what is known of their supply."""
    return table_of_rows("supply", [{"scenario": scenario, **asdict(need)} for need in needs])
