"""What NCCL, the library of collectives, adds to links: time to start and for each step, and its share of their rate.

Steps are multiples of the latencies that NCCL's own cost model has for its protocols, so that one number describes a
network: 1 is what its authors found on InfiniBand.
"""

from cluster_sim.catalogue.entries import Entry
from cluster_sim.catalogue.figure import BytesPerSecondFigure, CountFigure, RatioFigure, SecondsFigure


class NcclProtocol(Entry):
    """One of NCCL's protocols.

    Attributes:
        wire_bytes: bytes of link time for each byte of payload.
        ring_scale_up, tree_scale_up: of a step over scale-up links, all software included.
        ring_network, tree_network: of a step over the network.
    """

    wire_bytes: CountFigure
    ring_scale_up: SecondsFigure
    tree_scale_up: SecondsFigure
    ring_network: SecondsFigure
    tree_network: SecondsFigure


class NcclScaleUp(Entry):
    """NCCL over one generation of scale-up links.

    Attributes:
        launch: from the call to the first step.
        step: multiple of the protocols' scale-up latencies.
        peer: for each peer in an all-to-all.
        in_network_steps: multiple of NCCL's latency of in-network reduction.
        in_network_ramp: as ``NcclNetwork.ramp``, for in-network reduction in one domain.
        ring, tree, in_network, pairs: share of the links' rate that large messages reach with each algorithm.
    """

    launch: SecondsFigure
    step: CountFigure
    peer: SecondsFigure
    in_network_steps: CountFigure
    in_network_ramp: CountFigure
    ring: RatioFigure
    tree: RatioFigure
    in_network: RatioFigure
    pairs: RatioFigure


class NcclNetwork(Entry):
    """NCCL over one kind of network, whatever its rate.

    Attributes:
        ring_step, tree_step, in_network_step: multiple of the protocols' network latencies.
        peer: for each peer in an all-to-all.
        ramp: what filling a tree costs, over what it would with the best number of pieces.
    """

    ring_step: CountFigure
    tree_step: CountFigure
    in_network_step: CountFigure
    peer: SecondsFigure
    ramp: CountFigure


class NcclRates(Entry):
    """Shares of a network's rate that large messages reach, for one kind of network and generation of accelerators.

    Attributes:
        ring, tree, in_network, pairs: with each algorithm; ``in_network`` reduces in scale-up switches only.
        fabric_reduction: where the network's switches reduce, too.
        channel: rate of one channel to a single peer.
    """

    ring: RatioFigure
    tree: RatioFigure
    in_network: RatioFigure
    pairs: RatioFigure
    fabric_reduction: RatioFigure
    channel: BytesPerSecondFigure
