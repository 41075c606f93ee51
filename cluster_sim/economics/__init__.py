"""Energy and cost: bill of materials, power, price."""

from cluster_sim.economics.account import Account, account
from cluster_sim.economics.bill import Item, bill_of_materials

__all__ = ["Account", "Item", "account", "bill_of_materials"]
