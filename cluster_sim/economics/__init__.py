"""Energy and cost: bill of materials, power, price, supply, limits of cooling, what a token costs."""

from cluster_sim.economics.account import Account, account, account_of
from cluster_sim.economics.bill import Item, bill_of_materials, priced
from cluster_sim.economics.economy import Economy, Work, economy, per_useful_token
from cluster_sim.economics.energy import Burner, burners
from cluster_sim.economics.limits import Cooling, cooling_of
from cluster_sim.economics.pieces import LENGTHS_M, Pieces, count_pieces, line_rate_of, modules_at
from cluster_sim.economics.settings import Economics
from cluster_sim.economics.supply import Need, needs
from cluster_sim.economics.tables import bill_table, power_table, supply_table

__all__ = [
    "LENGTHS_M",
    "Account",
    "Burner",
    "Cooling",
    "Economics",
    "Economy",
    "Item",
    "Need",
    "Pieces",
    "Work",
    "account",
    "account_of",
    "bill_of_materials",
    "bill_table",
    "burners",
    "cooling_of",
    "count_pieces",
    "economy",
    "line_rate_of",
    "modules_at",
    "needs",
    "per_useful_token",
    "power_table",
    "priced",
    "supply_table",
]
