"""Back ends of GB300 NVL72 clusters: 800G an accelerator, switches of 144 ports, pluggable or co-packaged."""

from cluster_sim.catalogue import Interconnect, accelerator
from cluster_sim.topology import Clos
from tests.verification.economics.networks import CLOSE, GBPS, network

#: Its name in the table of interconnects.
NVIDIA = "CPO NVIDIA Quantum-X / Spectrum-X Photonics"
#: What carries switch ports, and accelerators': switch, its optics, modules in NICs.
OPTIONS = {
    "pluggable": ("quantum-x800-q3400", "1.6t-dsp-dr8", "800g-dsp-dr8"),
    "pluggable 800G": ("quantum-x800-q3400", "800g-dsp-dr8", "800g-dsp-dr8"),
    "linear": ("quantum-x800-q3400", "1.6t-lpo-dr8", "800g-lpo-dr8"),
    "linear 800G": ("quantum-x800-q3400", "800g-lpo-dr8", "800g-lpo-dr8"),
    "co-packaged": ("quantum-x800-q3400", "cpo-1.6t", "800g-dsp-dr8"),
    "Q3450": ("quantum-x-photonics-q3450", "cpo-1.6t", "800g-dsp-dr8"),
}
#: Accelerators of two full tiers of 144 ports; three tiers of as many are compared with them.
SIZE = 10_368


def built(option, tiers=3, economics=None):
    """Half-filled pods with three tiers, so that two tiers of the same size can be compared."""
    topology = Clos(tiers=2, floor=CLOSE) if tiers == 2 else Clos(pod_accelerators=SIZE // 4, floor=CLOSE)
    return network(topology, SIZE, accelerator("gb300-nvl72"), parts(option), economics)


def parts(option):
    chassis, optics, module = OPTIONS[option]
    return Interconnect(
        port_rate_bytes_per_s=800 * GBPS, nic="connectx8-800g", switch=chassis, leaf_spine=optics, spine_core=optics,
        host_leaf={"lower": module, "upper": optics},
    )  # fmt: skip
