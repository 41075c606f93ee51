"""What is known of published models besides the shape of their layers."""

from cluster_sim.core import Spec


class ModelFacts(Spec):
    """Facts that tables of training steps have no columns for.

    Attributes:
        source: where they stand.
        tied_embeddings: the output layer shares the input embedding.
        query_rank, kv_rank, nope_head, rope_head, value_head: of latent attention, as in ``workload.Latent``; 0 where a
            model has none.
        mtp_layers: layers that predict further tokens in training.
        expert_every: of the layers behind the leading dense ones, every so manyth has experts; 0: not said.
        activation_passes: as in ``workload.Experts``; 0: one kernel.
        window: tokens that a query attends to in layers with a window; 0: none has one.
        window_every: of so many layers the last has no window.
    """

    source: str
    tied_embeddings: bool
    query_rank: int = 0
    kv_rank: int = 0
    nope_head: int = 0
    rope_head: int = 0
    value_head: int = 0
    mtp_layers: int = 0
    expert_every: int = 0
    activation_passes: int = 0
    window: int = 0
    window_every: int = 1
