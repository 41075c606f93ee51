"""Figures that tests reckon with by hand, whatever the catalogue says: a small fat-tree and its servers."""

from cluster_sim.catalogue import Given
from cluster_sim.economics import Economics

#: 8 accelerators in servers of 2 behind 4-port switches have 48 modules, 24 trunks, 10 switches and 8 NICs.
FIGURES = Given(
    {
        "800g-dsp-dr8": {"power": 16.0, "price": 800.0},
        "tomahawk6": {"power": 3000.0, "price": 100_000.0},
        "connectx8-800g": {"power": 40.0, "price": 2_000.0},
        "h100-sxm": {"host_power": 1275.0, "included_nic_power": 25.0, "price": 25_000.0},
        "constants": {"fibre_trunk_price": 150.0, "pue": 1.25, "electricity_price": 0.08 / 3.6e6},
    }
)

NETWORK_W = 48 * 16 + 10 * 3000 + 8 * 40  # 31,088
SERVERS_W = 8 * (1275 - 25)  # 10,000
NETWORK_USD = 48 * 800 + 24 * 150 + 10 * 100_000 + 8 * 2_000  # 1,058,000
SERVERS_USD = 8 * 25_000

FOUR_YEARS = Economics(lifetime_s=4 * 365 * 86400.0, pue=1.2, electricity_usd_per_j=0.1 / 3.6e6)
