"""What the software of collectives adds to what is on the wire: starting, and every step's hand-over.

As NCCL's cost model counts them: a ring of n ranks in d scale-up domains takes a step for each rank but one, of which
d - 1 go over the network; an all-reduce goes around twice, or up and down a tree of domains with a chain of ranks in
each, whichever takes less; an all-to-all serves one peer after the other. Figures are the catalogue's, fitted to
nccl-tests; inside domains those of the protocol LL128, between them those of Simple, which large messages use.
"""

from dataclasses import dataclass
from math import ceil, log2

from cluster_sim.catalogue import entries
from cluster_sim.collectives.base import Groups

#: Protocols inside domains and between them.
_INSIDE, _ACROSS = "nccl-ll128", "nccl-simple"
#: Kinds of network. Nothing was fitted to RoCE: it has the figures of InfiniBand.
NETWORKS = ("connectx", "efa", "infiniband", "roce", "slingshot", "tcpxo")
#: What stands in for links and networks that nothing was fitted to.
_LINKS_INSTEAD, _NETWORK_INSTEAD = "nccl-nvlink5", "nccl-infiniband"


@dataclass(frozen=True, slots=True)
class Library:
    """Seconds that software takes.

    Attributes:
        launch_s: from the call to the first step.
        inside_step_s, across_step_s: of a step between ranks of a domain, and between domains.
        inside_tree_s, across_tree_s: of a level of a tree.
        inside_peer_s, across_peer_s: for each peer that is served.
    """

    launch_s: float
    inside_step_s: float
    across_step_s: float
    inside_tree_s: float
    across_tree_s: float
    inside_peer_s: float
    across_peer_s: float

    @classmethod
    def nccl(cls, links: str, network: str) -> "Library":
        """NCCL over scale-up ``links`` (a catalogue name, ``nvlink4``) and a kind of network, one of NETWORKS."""
        known, networks = entries("nccl scale-up"), entries("nccl network")
        inside = known.get(f"nccl-{links.partition('-')[0]}", known[_LINKS_INSTEAD]).figures
        across = networks.get(f"nccl-{network}", networks[_NETWORK_INSTEAD]).figures
        near, far = (entries("nccl protocol")[name].figures for name in (_INSIDE, _ACROSS))
        return cls(
            launch_s=inside["launch"].typical,
            inside_step_s=inside["step"].typical * near["ring_scale_up"].typical,
            across_step_s=across["ring_step"].typical * far["ring_network"].typical,
            inside_tree_s=inside["step"].typical * near["tree_scale_up"].typical,
            across_tree_s=across["tree_step"].typical * far["tree_network"].typical,
            inside_peer_s=inside["peer"].typical,
            across_peer_s=across["peer"].typical,
        )

    def overhead_s(self, operation: str, groups: Groups) -> float:
        """Of one run of an operation in groups, the slowest of which counts; 0 for a group of one."""
        if groups.size == 1:
            return 0.0
        domains = groups.num_domains
        if operation == "point_to_point":
            return self.launch_s + (self.across_peer_s if domains > 1 else self.inside_peer_s)
        if operation == "all_to_all":
            across = groups.size - groups.size / domains
            return self.launch_s + across * self.across_peer_s + (groups.size - 1 - across) * self.inside_peer_s
        ring_s = self.inside_step_s * (groups.size - domains) + self.across_step_s * (domains - 1)
        if operation != "all_reduce":
            return self.launch_s + ring_s
        tree_s = self.inside_tree_s * (groups.size / domains - 1) + self.across_tree_s * ceil(log2(domains))
        return self.launch_s + 2 * min(ring_s, tree_s)
