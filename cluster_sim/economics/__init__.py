"""Energy and cost: bill of materials, power, price, what a token costs."""

from cluster_sim.economics.account import Account, account, account_of
from cluster_sim.economics.bill import Item, bill_of_materials, priced
from cluster_sim.economics.economy import Economy, Work, economy
from cluster_sim.economics.energy import Burner, burners
from cluster_sim.economics.pieces import LENGTHS_M, Pieces, count_pieces
from cluster_sim.economics.settings import Economics
from cluster_sim.economics.tables import bill_table, power_table

__all__ = [
    "LENGTHS_M",
    "Account",
    "Burner",
    "Economics",
    "Economy",
    "Item",
    "Pieces",
    "Work",
    "account",
    "account_of",
    "bill_of_materials",
    "bill_table",
    "burners",
    "count_pieces",
    "economy",
    "power_table",
    "priced",
]
